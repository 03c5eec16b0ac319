"""The sampler and the pruner of a study, ready for Optuna; how they are written and checked is `method.py`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from search.aims import Aims
from search.brackets import BracketPruner
from search.history import (
    History,
    Remembered,
    pruned_as_complete,
    pruned_as_measured,
    stopped_as_pruned,
    with_constraints,
)
from search.method import COMPLETE_ONLY, EXHAUSTIVE, Pruner
from search.oracle import ORACLES
from search.oracle_sampler import OracleSampler
from search.proposals import Proposer
from search.rungs import Asha, Rungs
from search.signature import ASHA, PRUNERS, SAMPLERS, make_silently
from search.space import Space
from search.study import StudySpec


def make_sampler(study: StudySpec, space: Space, *, learned: Sequence[FrozenTrial] = ()) -> optuna.samplers.BaseSampler:
    """Returns the study's sampler.

    It draws for each trial from a generator of its own, seeded with `search.seed` and the trial's number. So what a
    trial is given depends on these and on the history alone, and a study that was stopped and goes on, with one
    worker, is the same as one that never stopped. Not quite so with `qmc`: Optuna counts its next point
    before the trial has it, and a kill in between leaves that out.

    Args:
        study: The study.
        space: Its space.
        learned: Trials of earlier studies, for samplers that can learn from them.
    """
    name = study.search.sampler.name
    halving, several = study.search.pruner.name == ASHA, bool(study.further_objectives)

    def see(trial: FrozenTrial) -> FrozenTrial:
        trial = with_constraints(trial)
        trial = stopped_as_pruned(trial) if halving else trial
        if several:
            return pruned_as_measured(trial)
        return pruned_as_complete(trial) if name in COMPLETE_ONLY else trial

    remembered = Remembered(see)

    def view(real: optuna.Study) -> History:
        return History(real, learned=learned, see=remembered)

    repeat = study.search.repeat_configurations and name not in EXHAUSTIVE
    return Proposer(_maker(study, space), space, view=view, repeat=repeat or name in ORACLES)  # which look themselves


def _maker(study: StudySpec, space: Space) -> Callable[[int], optuna.samplers.BaseSampler]:
    """Returns what makes the method for a trial's number."""
    sampler, seed = study.search.sampler, study.search.seed
    if sampler.name in ORACLES:
        epochs, repeat = study.train.schedule.epochs, study.search.repeat_configurations
        oracle = OracleSampler(
            sampler.name, sampler.arguments, space, seed=lambda n: _mix(seed, n), epochs=epochs, repeat=repeat
        )
        return lambda _: oracle
    match sampler.name:
        case "qmc":  # the same sequence for all trials, of which each takes the next point
            return lambda number: _qmc(sampler.arguments, seed, _mix(seed, number))
        case "curve_gp":
            given = {**sampler.arguments, "space": space, "epochs": study.train.schedule.epochs}
            return lambda number: make_silently(SAMPLERS, "curve_gp", {**given, "seed": _mix(seed, number)})
    return lambda number: make_silently(SAMPLERS, sampler.name, {**sampler.arguments, "seed": _mix(seed, number)})


def make_pruner(study: StudySpec) -> optuna.pruners.BasePruner:
    """Returns the study's pruner. Hyperband's `max_resource` is the length of a trial unless it is given.

    With KerasTuner's Hyperband, which has epochs for each trial, it is the one that keeps to them.
    """
    if study.search.sampler.name == "keras_tuner.hyperband":
        return BracketPruner()
    pruner: optuna.pruners.BasePruner = _pruner(study.search.pruner, study.train.schedule.epochs)
    return pruner


def make_rungs(study: StudySpec) -> Rungs:
    """Returns where the study's trials pause, which is nowhere unless its pruner is `asha`."""
    pruner, direction = study.search.pruner, study.objective.direction
    asha, violation = Asha(**pruner.arguments) if pruner.name == ASHA else Asha(), Aims(study).violation
    return Rungs(
        asha.levels(study.train.schedule.epochs) if pruner.name == ASHA else (),
        factor=asha.reduction_factor,
        direction=direction,
        violation=violation,
        min_agreement=asha.min_agreement,
    )


def _pruner(pruner: Pruner, epochs: int) -> Any:
    if pruner.name == ASHA:  # the driver's (rungs.py): Optuna is not asked
        return optuna.pruners.NopPruner()
    arguments = pruner.arguments
    if "warmup_epochs" in arguments:
        arguments["n_warmup_steps"] = arguments.pop("warmup_epochs") + 1
    if pruner.name == "hyperband" and arguments.get("max_resource", "auto") == "auto":
        arguments["max_resource"] = epochs
    if pruner.name == "patient":
        wrapped = arguments.pop("wrapped", None)
        arguments["wrapped_pruner"] = None if wrapped is None else _pruner(Pruner(**wrapped), epochs)
    return make_silently(PRUNERS, pruner.name, arguments)


def _qmc(arguments: Mapping[str, Any], seed: int, trial_seed: int) -> Any:
    independent = make_silently(SAMPLERS, "random", {"seed": trial_seed})
    return make_silently(SAMPLERS, "qmc", {**arguments, "seed": seed, "independent_sampler": independent})


def _mix(seed: int, number: int) -> int:
    """Returns a seed for one trial, unrelated to those of its neighbours."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
