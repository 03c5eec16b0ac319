"""Which searches are simulated: every sampler with every pruner, variants of the default, and what noise costs."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.replay.judgement import Seeds
from benchmarks.replay.recording import LONG, LONG_KL, SHORT
from benchmarks.replay.simulation import Setting
from search.method import EXTRAS
from search.promote import MOST_SEEDS, SEEDS_EACH

Method = Mapping[str, Any]
SAMPLERS = ("random", "qmc", "tpe", "cmaes", "nsgaii", "gp", "curve_gp")
ORACLES = ("keras_tuner.random", "keras_tuner.hyperband", "keras_tuner.bayesian")


def _asha(min_epochs: int, reduction_factor: int) -> Method:
    return {"name": "asha", "min_epochs": min_epochs, "reduction_factor": reduction_factor}


PRUNERS: dict[str, Method] = {
    "none": {"name": "none"},
    "median": {"name": "median", "warmup_epochs": 2},
    "percentile": {"name": "percentile", "percentile": 25.0, "warmup_epochs": 2},
    "successive_halving": {"name": "successive_halving", "min_resource": 1, "reduction_factor": 3},
    "hyperband": {"name": "hyperband"},
    "asha": _asha(1, 3),
}
BUDGETS = {1: 50.0, 2: 50.0, 8: 50.0, 64: 192.0, 1000: 2500.0}
"""Whole trainings by number of workers: with more workers than 8, a round or two of them after all have started."""
WHOLE = 100.0  # trainings of plain random search, the measure of all others, and of what is looked at more closely
REPEATS = {1: 1, 2: 3, 8: 1, 64: 1, 1000: 1}
RANDOM_REPEATS = {1: 10, 2: 10, 8: 10, 64: 3, 1000: 1}  # of plain random search, which is quick
CROWDED = 64  # so many workers begin trials by the hundred before any ends: not every pair is worth the wait
CROWDED_PRUNERS = {64: ("none", "asha"), 1000: ("none",)}
BAYESIAN_BUDGET, BAYESIAN_REPEATS = 16.0, 1  # KerasTuner's Gaussian process takes seconds a proposal
AT_HOME = 2  # workers, in what follows: a laptop's
VARIANTS: dict[str, tuple[Method, Method]] = {
    "tpe, none": ({"name": "tpe"}, PRUNERS["none"]),
    "tpe, median after 2 epochs": ({"name": "tpe"}, PRUNERS["median"]),
    "tpe of 5 startup trials, none": ({"name": "tpe", "n_startup_trials": 5}, PRUNERS["none"]),
    "tpe of 20 startup trials, none": ({"name": "tpe", "n_startup_trials": 20}, PRUNERS["none"]),
    "tpe, asha 1/2": ({"name": "tpe"}, _asha(1, 2)),
    "tpe, asha 1/3": ({"name": "tpe"}, PRUNERS["asha"]),
    "tpe, asha 2/2": ({"name": "tpe"}, _asha(2, 2)),
    "tpe, asha 3/2": ({"name": "tpe"}, _asha(3, 2)),
    "cmaes, none": ({"name": "cmaes"}, PRUNERS["none"]),
    "gp, none": ({"name": "gp"}, PRUNERS["none"]),
    "gp, asha 2/2": ({"name": "gp"}, _asha(2, 2)),
    "curve_gp, none": ({"name": "curve_gp"}, PRUNERS["none"]),
    "curve_gp, asha 2/2": ({"name": "curve_gp"}, _asha(2, 2)),
}
"""By what the page calls them; asha by its min_epochs / reduction_factor, 2/2 as in studies/quickstart.yaml."""
VARIANT_REPEATS = 3
_CANDIDATES = (
    "tpe, none",
    "tpe, asha 1/2",
    "tpe, asha 2/2",
    "tpe, asha 3/2",
    "cmaes, none",
    "gp, none",
    "gp, asha 2/2",
    "curve_gp, none",
    "curve_gp, asha 2/2",
)
DRAWN = {name: VARIANTS[name] for name in _CANDIDATES}
DRAWN |= {"random, none": ({"name": "random"}, PRUNERS["none"])}
DRAWN_REPEATS = 8  # each in a space of its own
QUIET_METHODS, QUIET = ("tpe, none", "tpe, asha 1/2", "tpe, asha 2/2"), (0.5, 0.0)
"""What the drawn spaces would be like if seeds differed less: so many times as much as they do."""
_LONG = ("random, none", "tpe, none", "tpe, asha 1/2", "tpe, asha 2/2", "cmaes, none")
LONG_METHODS = {name: (VARIANTS | DRAWN)[name] for name in _LONG}
LONG_METHODS |= {f"tpe, asha {epochs}/2": ({"name": "tpe"}, _asha(epochs, 2)) for epochs in (4, 8)}
LONG_METHODS |= {
    "curve_gp, none": VARIANTS["curve_gp, none"],
    "curve_gp, asha 8/2": ({"name": "curve_gp"}, _asha(8, 2)),
}
LISTENING = "curve_gp, asha 8/2, min_agreement 0.5"
LONG_METHODS |= {LISTENING: ({"name": "curve_gp"}, {**_asha(8, 2), "min_agreement": 0.5})}
KL_METHODS = ("random, none", "tpe, none", "tpe, asha 8/2", "curve_gp, asha 8/2")
LONG_REPEATS = 3  # in the likeliest space
LENGTHS = {
    "6 epochs, asha 2/2": (SHORT, VARIANTS["tpe, asha 2/2"], 100.0),
    "24 epochs, asha 8/2": (LONG, LONG_METHODS["tpe, asha 8/2"], 25.0),
}
"""Trainings of one length and of the other, so many of each that they take as long; rungs at a third and two thirds."""
CONFIRMED = {
    "6 epochs, tpe, asha 2/2": (SHORT, VARIANTS["tpe, asha 2/2"]),
    "24 epochs, curve_gp, asha 8/2": (LONG, LONG_METHODS["curve_gp, asha 8/2"]),
}
"""What the quickstart does, and its long form."""
CONFIRMED_TRAININGS = 50.0
FRESH = {
    f"{one.every} to {one.most}" if one.every < one.most else str(one.most): one
    for one in (Seeds(4, 4), Seeds(8, 8), Seeds(16, 16), Seeds(SEEDS_EACH, MOST_SEEDS))
}
"""Fresh seeds of a confirmation, by what the page calls them; the last are those of `make promote`."""
SMOOTH_EPOCHS, SEEDS_PER_TRIAL, NOISE_REPEATS = (1, 2, 3), (1, 2, 4), 4
QUICK_CELLS = 10


@dataclass(frozen=True)
class Cell:
    """Repeats of one search.

    Attributes:
        part: "cross", "variant", "drawn", "quiet", "noise", "long", "long drawn", "length", "kl drawn" or
            "confirm".
        row: What the page calls it, or the sampler.
        column: The pruner, where it is one of a table.
        repeats: How many searches, at the least.
        times: So many times as many.
    """

    part: str
    row: str
    column: str
    setting: Setting
    repeats: int
    times: int = 1

    @property
    def name(self) -> str:
        """What no other cell is called."""
        return f"{self.part}|{self.setting.workers}|{self.row}|{self.column}"

    def settings(self) -> list[Setting]:
        """Returns the searches, each with seeds of its own."""
        return [replace(self.setting, repeat=number) for number in range(self.repeats * self.times)]


def cells(*, times: int = 1, quick: bool = False) -> list[Cell]:
    """Returns all that is simulated, with so many times the repeats; `quick` with little of some."""
    found = [
        replace(cell, times=times)
        for cell in (*_cross(), *_variants(), *_drawn(), *_quiet(), *_noise(), *_long(), *_confirmed())
    ]
    if quick:
        small = [cell for cell in found if cell.setting.workers in (2, 8) and cell.row != "keras_tuner.bayesian"]
        chosen = {cell.name for cell in random.Random(0).sample(small, QUICK_CELLS)}  # noqa: S311 - no secret
        plain = ("cross", "random", "none")
        found = [_small(c) for c in small if c.name in chosen or (c.part, c.row, c.column) == plain]
    return found


def missing() -> dict[str, str]:
    """Returns samplers that cannot be simulated here, each with what it lacks."""
    lacking = {
        name: [module for module in EXTRAS.get(name, ()) if importlib.util.find_spec(module) is None]
        for name in (*SAMPLERS, *ORACLES)
    }
    return {name: " and ".join(modules) for name, modules in lacking.items() if modules}


def _cross() -> Iterator[Cell]:
    absent = missing()
    for workers, budget in BUDGETS.items():
        for name in SAMPLERS:
            for column, pruner in PRUNERS.items():
                plain = (name, column) == ("random", "none")
                setting = Setting({"name": name}, pruner, workers, max(budget, WHOLE) if plain else budget)
                if name not in absent and _bearable(setting):
                    yield Cell("cross", name, column, setting, (RANDOM_REPEATS if plain else REPEATS)[workers])
        for name in ORACLES:
            if name not in absent and workers in (1, AT_HOME, 8):
                setting = Setting({"name": name}, PRUNERS["none"], workers, budget)
                if name != "keras_tuner.bayesian":
                    yield Cell("cross", name, "none", setting, REPEATS[workers])
                elif workers == AT_HOME:
                    yield Cell("cross", name, "none", replace(setting, trainings=BAYESIAN_BUDGET), BAYESIAN_REPEATS)


def _bearable(setting: Setting) -> bool:
    sampler, pruner, workers = setting.sampler["name"], setting.pruner["name"], setting.workers
    if sampler == "gp":  # a tenth of a second and more a proposal
        return (pruner, workers) == ("none", AT_HOME)
    if sampler == "curve_gp":  # a twentieth
        return pruner in CROWDED_PRUNERS.get(workers, ("none", "asha"))
    return workers < CROWDED or (
        pruner in CROWDED_PRUNERS[workers] and (workers == CROWDED or sampler in ("random", "tpe"))
    )


def _variants() -> Iterator[Cell]:
    for name, (sampler, pruner) in _present(VARIANTS):
        yield Cell("variant", name, "", Setting(sampler, pruner, AT_HOME, WHOLE), VARIANT_REPEATS)


def _drawn() -> Iterator[Cell]:
    for name, (sampler, pruner) in _present(DRAWN):
        yield Cell("drawn", name, "", Setting(sampler, pruner, AT_HOME, WHOLE, drawn=True), DRAWN_REPEATS)


def _quiet() -> Iterator[Cell]:
    for share in QUIET:
        for name in QUIET_METHODS:
            setting = Setting(*VARIANTS[name], AT_HOME, WHOLE, drawn=True, noise=share)
            yield Cell("quiet", name, f"{share:g}", setting, DRAWN_REPEATS)


def _long() -> Iterator[Cell]:
    for name, (sampler, pruner) in _present(LONG_METHODS):
        setting = Setting(sampler, pruner, AT_HOME, WHOLE, recording=LONG)
        yield Cell("long", name, "", setting, LONG_REPEATS)
        yield Cell("long drawn", name, "", replace(setting, drawn=True), DRAWN_REPEATS)
    for name, (recording, method, trainings) in LENGTHS.items():
        setting = Setting(*method, AT_HOME, trainings, recording=recording, judged=LONG)
        yield Cell("length", name, "", setting, LONG_REPEATS)
    for name in KL_METHODS:
        setting = Setting(*LONG_METHODS[name], AT_HOME, WHOLE, drawn=True, recording=LONG_KL)
        yield Cell("kl drawn", name, "", setting, DRAWN_REPEATS)


def _confirmed() -> Iterator[Cell]:
    for name, (recording, method) in CONFIRMED.items():
        for words, fresh in FRESH.items():
            setting = Setting(*method, AT_HOME, CONFIRMED_TRAININGS, drawn=True, recording=recording, fresh=fresh)
            yield Cell("confirm", name, words, setting, DRAWN_REPEATS)


def _present(methods: Mapping[str, tuple[Method, Method]]) -> Iterator[tuple[str, tuple[Method, Method]]]:
    absent = missing()
    return ((name, method) for name, method in methods.items() if method[0]["name"] not in absent)


def _noise() -> Iterator[Cell]:
    plain = Setting({"name": "tpe"}, PRUNERS["none"], AT_HOME, WHOLE)
    for smooth in SMOOTH_EPOCHS:
        yield Cell("noise", f"smooth_epochs {smooth}", "", replace(plain, smooth_epochs=smooth), NOISE_REPEATS)
    for seeds in SEEDS_PER_TRIAL[1:]:
        yield Cell("noise", f"seeds_per_trial {seeds}", "", replace(plain, seeds_per_trial=seeds), NOISE_REPEATS)


def _small(cell: Cell) -> Cell:
    return replace(cell, repeats=2, setting=replace(cell.setting, trainings=cell.setting.trainings / 4))
