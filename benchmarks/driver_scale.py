"""What the driver itself can take: studies of thousands of trials on a thousand simulated workers.

The study is `many_trials.py`'s, each in a process of its own. A thousand workers that report every ten seconds are a
hundred reports a second; a driver that handles more in a second of real time keeps up with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import ROOT, run_python
from benchmarks.report import Cell, Options, Report

COLUMNS = (
    "sampler", "pruner", "trials", "reports", "simulated s", "real s", "CPU s", "reports/s", "reports/CPU s",
    "CPU ms/trial", "first tenth", "last tenth", "driver MB", "grown by MB", "CPU ms/trial by part",
)  # fmt: skip
PICTURE = ROOT / "docs" / "images" / "driver_scale.png"
PART = 0.1  # of a study, at its beginning and its end
LEAST = 0.005  # of a trial's time, in seconds, that the table names


class Case(NamedTuple):
    """One study."""

    sampler: str
    pruner: str
    trials: int
    examples: int = 0  # photos that a trial shows, at every second epoch


SIZES = (1000, 2500, 5000, 10_000)
CASES = (
    *(Case("random", pruner, trials) for pruner in ("none", "median", "asha") for trials in SIZES),
    *(Case("tpe", pruner, trials) for pruner in ("none", "median", "asha") for trials in SIZES[:2]),
    Case("random", "none", 1000, examples=4),
)


def run(options: Options) -> Report:
    cases, workers = (CASES, 1000) if not options.quick else ((Case("random", "asha", 30), Case("tpe", "none", 30)), 10)
    found = [_study(case, workers) for case in cases]
    rows = [row(case, result) for case, result in zip(cases, found, strict=True)]
    notes = [
        f"{workers} workers, six epochs of ten seconds; defaults of asha, median and tpe. The driver keeps up if "
        f"it handles {workers / 10:.0f} reports a second. One study shows four photos at every second epoch.",
        "CPU: the driver's own processor time, to which other programs on the machine add little. Tenths: of the "
        "study's messages, without the first hand-out to all workers at once and without its end.",
    ]
    if not options.quick:
        draw(dict(zip(cases, found, strict=True)), PICTURE)
        notes.append(f"{PICTURE.relative_to(ROOT)}: processor time of a trial in the course of the studies.")
    return Report("driver_scale", COLUMNS, rows, notes)


def row(case: Case, result: dict[str, Any]) -> tuple[Cell, ...]:
    trials, cpu = case.trials, result["cpu_seconds"]
    pace = _pace(result["course"], trials)
    tenth = max(1, round(PART * len(pace)))
    parts = sorted(result["parts"].items(), key=lambda part: -part[1])
    return (
        case.sampler,
        case.pruner + (", examples" if case.examples else ""),
        trials,
        result["reports"],
        result["simulated_seconds"],
        result["seconds"],
        cpu,
        result["reports"] / result["seconds"],
        result["reports"] / cpu,
        1000 * cpu / trials,
        sum(ms for _, ms in pace[:tenth]) / tenth,
        sum(ms for _, ms in pace[-tenth:]) / tenth,
        result["memory_bytes"] / 1e6,
        (result["memory_bytes"] - result["memory_before_bytes"]) / 1e6,
        ", ".join(f"{name} {1000 * spent / trials:.1f}" for name, spent in parts if spent > LEAST * cpu),
    )


def draw(found: dict[Case, dict[str, Any]], path: Path) -> None:
    """Draws what a trial costs in the course of each sampler's and pruner's longest study."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    longest = {(case.sampler, case.pruner): case for case in sorted(found, key=lambda case: case.trials)}
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for (sampler, pruner), case in longest.items():
        pace = _smooth(_pace(found[case]["course"], case.trials))
        axes.plot([done for done, _ in pace], [ms for _, ms in pace], label=f"{sampler}, {pruner}", linewidth=1.5)
    axes.set(xlabel="trials done", ylabel="processor time per trial (ms)", xlim=(0, None), ylim=(0, None))
    axes.set_title("The driver with 1,000 simulated workers", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _study(case: Case, workers: int) -> dict[str, Any]:
    arguments = (case.trials, workers, case.sampler, case.pruner, case.examples)
    finished = run_python(["-m", "benchmarks.many_trials", *map(str, arguments)], threads=1)
    print(f"{case.sampler}, {case.pruner}, {case.trials} trials: {finished.seconds:.0f} s", flush=True)
    result: dict[str, Any] = finished.result
    return result


def _pace(course: Sequence[Sequence[float]], trials: int) -> list[tuple[float, float]]:
    """Returns trials done and milliseconds of processor time a trial from point to point of a study.

    A trial is counted by its messages, of which all have equally many. Left out are the hand-out to all workers at
    once, before the first point is over, and the end, when paused trials are closed.
    """
    heard = course[-1][1]
    inner = course[1:-1] if len(course) > 3 else course
    return [
        (trials * after[1] / heard, 1000 * (after[3] - before[3]) / (after[1] - before[1]) * heard / trials)
        for before, after in pairwise(inner)
        if after[1] > before[1]
    ]


def _smooth(pace: list[tuple[float, float]], over: int = 5) -> list[tuple[float, float]]:
    """Returns the means of so many neighbours."""
    groups = [pace[start : start + over] for start in range(0, len(pace) - over + 1, over)] or [pace]
    return [(group[-1][0], sum(ms for _, ms in group) / len(group)) for group in groups]
