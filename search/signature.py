"""Samplers and pruners by name, and which arguments a study can give each: Optuna's, checked against its signatures.

What cannot be written in YAML (functions, other samplers) and the seed (it is `search.seed`) are left out. Ours are
`warmup_epochs` (no trial is stopped before it has done more than these epochs; Optuna's n_warmup_steps - 1, as the
first epoch is 1) and `wrapped` (the pruner that `patient` delays).

Optuna is imported when a signature is first looked at, not before.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from colorgan.mistakes import shown
from search import rungs

SAMPLERS = {
    "random": "RandomSampler",
    "tpe": "TPESampler",
    "grid": "RandomSampler",  # which here repeats nothing; Optuna's grid trains again what was enqueued (proposals.py)
    "qmc": "QMCSampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
    "nsgaiii": "NSGAIIISampler",
    "brute_force": "RandomSampler",
    "curve_gp": "CurveSampler",
}
PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "successive_halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "patient": "PatientPruner",
    "threshold": "ThresholdPruner",
    "asha": "Asha",
}
ASHA = "asha"  # our own, which pauses trials instead of stopping them (rungs.py)
CURVE_GP = "curve_gp"  # our own, which learns from learning curves (curve_sampler.py)
MAX_WHOLE = 1_000_000  # of an argument; as many trials a study can have, and as many epochs a trial
REQUIRED = inspect.Parameter.empty  # stands where an argument has no default
_LEAST = {"n_ei_candidates": 1, "popsize": 2, "dividing_parameter": 1}  # where Optuna itself fails only in mid-study
_GIVEN = {"self", "seed", "space", "epochs", "wrapped_pruner"}  # by us
_PLAIN: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "None": (type(None),),
}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "None": "null"}


@dataclass(frozen=True)
class Argument:
    """What a study can give a method beside its name.

    Attributes:
        name: Its key.
        kinds: Of its value, keys of `_PLAIN`; none: a pruner.
        default: Where the study does not say; `REQUIRED` where it must.
    """

    name: str
    kinds: tuple[str, ...]
    default: Any

    @property
    def allowed(self) -> str:
        """What its value may be."""
        return " or ".join(_WORDS[kind] for kind in self.kinds) or "a pruner"

    def mistake(self, value: object) -> str:
        """Returns what is wrong with a value, or nothing; whether it is a pruner is not looked at."""
        types = tuple(kind for name in self.kinds for kind in _PLAIN[name])
        if not types:
            return ""
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            return f"must be {self.allowed}; received {shown(value)}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number; received {shown(value)}"
        if isinstance(value, int) and "int" in self.kinds and value > MAX_WHOLE:
            return f"must be at most {MAX_WHOLE}; received {shown(value)}"
        if isinstance(value, int) and value < _LEAST.get(self.name, value):
            return f"must be at least {_LEAST[self.name]}; received {shown(value)}"
        return ""


def signature(table: Mapping[str, str], name: str) -> dict[str, Argument]:
    """Returns the arguments of a sampler or pruner that YAML can give."""
    allowed: dict[str, Argument] = {}
    for key, parameter in inspect.signature(_class(table, name).__init__).parameters.items():
        note = parameter.annotation
        kinds = (note if isinstance(note, str) else inspect.formatannotation(note)).split(" | ")
        if key not in _GIVEN and set(kinds) <= set(_PLAIN):
            allowed[key] = Argument(key, tuple(kinds), parameter.default)
    if "n_warmup_steps" in allowed:
        allowed["warmup_epochs"] = Argument("warmup_epochs", ("int",), 0)
    if name == "patient":
        allowed["wrapped"] = Argument("wrapped", (), None)
    return allowed


def make_silently(table: Mapping[str, str], name: str, arguments: Mapping[str, Any]) -> Any:
    """Makes a sampler or pruner without Optuna's notes that it is experimental; other warnings stay."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _class(table, name)(**arguments)


def _class(table: Mapping[str, str], name: str) -> Any:
    import optuna

    home: Any = optuna.samplers if table is SAMPLERS else optuna.pruners
    if name == ASHA:
        home = rungs
    elif name == CURVE_GP:
        from search import curve_sampler as home  # imports SciPy
    return getattr(home, table[name])
