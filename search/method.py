"""Samplers and pruners by name, with their own arguments, as Optuna has them.

    sampler: {name: tpe, n_startup_trials: 10}          random, tpe, grid, qmc, gp, cmaes, nsgaii, nsgaiii, brute_force
    sampler: {name: qmc, scramble: true}                without it one sequence, whatever `search.seed` says
    sampler: {name: curve_gp, kappa: 4.0}               learns from learning curves, without an extra (curve_sampler.py)
    sampler: {name: keras_tuner.bayesian, beta: 2.6}    KerasTuner's oracles: search/oracle.py
    pruner: {name: median, warmup_epochs: 3}            none, median, percentile, successive_halving, hyperband,
    pruner: {name: patient, patience: 2, wrapped: {name: median}}                            patient, threshold
    pruner: {name: asha, min_epochs: 3, reduction_factor: 2}      pauses trials, and lets the best go on (rungs.py)
    pruner: {name: asha, min_agreement: 0.5}            a rung that tells little by what is complete lets all go on

Arguments are Optuna's (`signature.py`), which is imported when a method is first checked or made, not before.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, ValidationError, model_validator

from colorgan.config import Part
from colorgan.mistakes import Mistake, MistakesError, did_you_mean, explain, shown
from search import rungs
from search.oracle import ORACLES, argument_mistakes
from search.signature import ASHA, CURVE_GP, MAX_WHOLE, PRUNERS, REQUIRED, SAMPLERS, make_silently, signature

COMPLETE_ONLY = {"gp"}  # samplers that by themselves look at complete trials only
LEARNING = ("tpe", "gp", "curve_gp", "keras_tuner.bayesian")  # samplers that can learn from other studies
SINGLE = (
    "cmaes",
    "curve_gp",
    "keras_tuner.bayesian",
    "keras_tuner.hyperband",
    "keras_tuner.random",
    "keras_tuner.grid",
)
"""Samplers that take one objective."""
HEEDLESS = ("cmaes", "keras_tuner.bayesian", "keras_tuner.hyperband")
"""Samplers that learn from trials, but not whether their constraints hold."""
EXHAUSTIVE = ("grid", "brute_force")  # they are random, but train each configuration once, whatever a study says
FINITE_SAMPLERS = dict.fromkeys((*EXHAUSTIVE, "keras_tuner.grid"), 10_000)
"""They go through all values; the most of one parameter."""
EXTRAS = {"cmaes": ("cmaes",), "gp": ("torch",), "keras_tuner.bayesian": ("sklearn",)}
"""Name of a sampler, whose last part is that of the extra -> the modules it needs."""
NEVER = MAX_WHOLE + 1  # an epoch that no trial reaches


class Method(Part):
    """A name and the arguments of what it names."""

    model_config = ConfigDict(extra="allow")
    name: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as written."""
        return dict(self.model_extra or {})


class Sampler(Method):
    """Chooses the parameters of the next trial."""

    @model_validator(mode="after")
    def _be_known(self) -> Self:
        _check(self, SAMPLERS, "sampler")
        missing = [module for module in EXTRAS.get(self.name, ()) if importlib.util.find_spec(module) is None]
        if missing:
            extra = self.name.rpartition(".")[2]
            install = f"run make setup EXTRAS={extra}, or pip install 'colorgan[{extra}]'"
            message = f"{self.name} needs {' and '.join(missing)}: {install}"
            raise MistakesError([Mistake(("name",), message)])
        return self


class Pruner(Method):
    """Stops trials that lag behind."""

    @model_validator(mode="after")
    def _be_known(self) -> Self:
        _check(self, PRUNERS, "pruner")
        return self

    def first_epoch(self, epochs: int, every: int = 1) -> int:
        """Returns the first epoch after which it may stop a trial of so many, of which one in so many is validated."""
        arguments = self.arguments
        if self.name == ASHA:
            return rungs.Asha(**arguments).first(epochs)
        if "warmup_epochs" in arguments:
            return int(arguments["warmup_epochs"]) + 1
        steps, resource = arguments.get("n_warmup_steps", 0), arguments.get("min_resource", 1)
        resource = 1 if resource == "auto" else resource  # at least; it is found from the first trial
        rate = min(arguments.get("min_early_stopping_rate", 0), MAX_WHOLE.bit_length())  # 2 to this is out of reach
        factor = int(arguments.get("reduction_factor", 4) ** rate) if self.name == "successive_halving" else 1
        wrapped = arguments.get("wrapped")
        reports = arguments["patience"] + 2 if self.name == "patient" else 0  # more than so many must be no better
        first = min(max(int(steps), int(resource) * factor, reports * every), NEVER)
        return max(1, first, Pruner(**wrapped).first_epoch(epochs, every) if wrapped else 1)


def _check(method: Method, table: Mapping[str, str], kind: str) -> None:
    """Raises `MistakesError` with all that is wrong with a method."""
    names = [*table, *(ORACLES if table is SAMPLERS else ())]
    if method.name not in names:
        hint = did_you_mean(method.name, names)
        message = f"unknown {kind} {shown(method.name)}{hint}; allowed are {', '.join(names)}"
        raise MistakesError([Mistake(("name",), message)])
    if method.name in ORACLES:
        if wrong := argument_mistakes(method.name, method.arguments):
            raise MistakesError(wrong)
        return
    arguments, allowed = method.arguments, signature(table, method.name)
    mistakes = _wrapped_mistakes(arguments.pop("wrapped", None)) if "wrapped" in allowed else []
    for key, value in arguments.items():
        if key not in allowed:
            known = ", ".join(name for name in allowed if name != "n_warmup_steps") or "none"
            hint = did_you_mean(key, allowed)
            mistakes.append(Mistake((key,), f"{method.name} has no such argument{hint}; allowed are {known}"))
        elif message := allowed[key].mistake(value):
            mistakes.append(Mistake((key,), message))
    if {"warmup_epochs", "n_warmup_steps"} <= arguments.keys():
        mistakes.append(Mistake(("n_warmup_steps",), "is warmup_epochs + 1; remove one of them"))
    missing = [key for key, argument in allowed.items() if argument.default is REQUIRED and key not in arguments]
    mistakes += [Mistake((key,), f"is required by {method.name}, but missing") for key in missing]
    most, least = arguments.get("max_resource"), arguments.get("min_resource", 1)
    if isinstance(most, int) and isinstance(least, int) and most < least:
        mistakes.append(Mistake(("max_resource",), f"must be at least min_resource, which is {least}; received {most}"))
    mistakes = mistakes or _optuna_mistakes(table, method.name, arguments)
    if mistakes:
        raise MistakesError(mistakes)


def _wrapped_mistakes(wrapped: Any) -> list[Mistake]:
    if wrapped is None:
        return []
    try:
        if Pruner.model_validate(wrapped).name == ASHA:
            return [Mistake(("wrapped",), f"{ASHA} pauses trials and cannot be delayed; use it alone")]
    except ValidationError as error:
        return [Mistake(("wrapped", *keys), message) for keys, message in explain(error, Pruner)]
    return []


def _optuna_mistakes(table: Mapping[str, str], name: str, arguments: dict[str, Any]) -> list[Mistake]:
    """Returns what Optuna itself, or a deprecation, has against the arguments."""
    if "warmup_epochs" in arguments:
        arguments["n_warmup_steps"] = arguments.pop("warmup_epochs")
    ours: dict[str, dict[str, Any]] = {
        "patient": {"wrapped_pruner": None},
        "qmc": {"seed": 0},  # else it says that it has none
        "curve_gp": {"space": None, "epochs": 1, "seed": 0},
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            make_silently(table, name, {**arguments, **ours.get(name, {})})
            if name == "hyperband":  # which hands these on without a look
                handed_on = {"min_resource", "reduction_factor", "bootstrap_count"} & arguments.keys()
                make_silently(table, "successive_halving", {key: arguments[key] for key in handed_on})
    except (ValueError, TypeError, FutureWarning) as error:
        reason = " ".join(str(error).split())
        return [
            Mistake((), reason if name in (ASHA, CURVE_GP) else f"Optuna refuses these arguments of {name}: {reason}")
        ]
    return []
