"""What is wrong with a study as a whole, where each of its keys is sound by itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from colorgan.mistakes import Mistake
from search.method import FINITE_SAMPLERS, HEEDLESS, LEARNING, SINGLE, Pruner
from search.oracle import Hyperband
from search.parameter import CategoricalParameter
from search.quantities import QUANTITIES
from search.settings import unknown_metric
from search.signature import ASHA
from search.space import MAX_COMBINATIONS, Space
from search.space_mistakes import finite_mistakes, value_mistakes

if TYPE_CHECKING:
    from search.study import StudySpec


def epoch_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns what asks for more epochs than a trial has, or for some that are not validated."""
    epochs, every, mistakes = study.train.schedule.epochs, study.train.validation.epochs, []
    validated, smooth = math.ceil(epochs / every), study.objective.smooth_epochs
    if smooth > validated:
        where = "(train.schedule.epochs, train.validation.epochs)"
        message = f"{smooth} is more than the {validated} validations in the {epochs} epochs of a trial {where}"
        mistakes.append(Mistake(("objective", "smooth_epochs"), message))
    first = study.search.pruner.first_epoch(epochs, every)
    if study.search.pruner.name == ASHA and first % every:
        message = f"pauses trials after epoch {first}, but only each {every} are validated (train.validation.epochs)"
        mistakes.append(Mistake(("search", "pruner", "min_epochs"), f"{message}: use a multiple of {every}"))
    if first > max(1, epochs - 1):
        message = f"could stop a trial after epoch {first} at the earliest, but a trial has {epochs}: it would never"
        mistakes.append(Mistake(("search", "pruner"), f"{message} prune. Lower its warm-up, or use the pruner none"))
    return mistakes


def margin_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns the numbers that CMA-ES with margin cannot follow: it takes all trials to have the same ones."""
    if study.search.sampler.name != "cmaes" or not study.search.sampler.arguments.get("with_margin"):
        return []
    message = "a number with a condition does not go with with_margin of cmaes: leave one of them out, or use tpe"
    numbers = [p for p, one in study.space.items() if one.when and not isinstance(one, CategoricalParameter)]
    return [Mistake(("space", path, "when"), message) for path in numbers]


def fuse_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns what keeps trials from being trained as one program."""
    if study.search.fuse == "off" or study.train.backend == "jax":
        return []
    message = f"only the backend jax trains several trials as one program, and train.backend is {study.train.backend}"
    return [Mistake(("search", "fuse"), f"{message}; add `backend: jax`, or use `fuse: off`")]


def aim_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns what is wrong with further objectives and constraints, and methods that do not go with them."""
    mistakes, names = [], [study.objective.metric]
    for index, one in enumerate(study.further_objectives):
        if one.metric in names:
            message = f"{one.metric} is an objective already; remove it, or name another"
            mistakes.append(Mistake(("further_objectives", index, "metric"), message))
        names.append(one.metric)
    unknown = [key for key in study.constraints if key not in QUANTITIES]
    mistakes += [Mistake(("constraints", key), unknown_metric(key, QUANTITIES)) for key in unknown]
    sampler, pruner = study.search.sampler.name, study.search.pruner
    if study.constraints and sampler in HEEDLESS:
        message = f"{sampler} heeds no constraints, and would search where they do not hold; use tpe or curve_gp"
        mistakes.append(Mistake(("search", "sampler"), message))
    if study.further_objectives and sampler in SINGLE:
        message = f"{sampler} takes one objective, this study has {len(names)}; use tpe, gp, nsgaii or random"
        mistakes.append(Mistake(("search", "sampler"), message))
    if study.further_objectives and "hyperband" in _names(pruner):
        message = "hyperband takes one objective; use asha, median, percentile or successive_halving"
        mistakes.append(Mistake(("search", "pruner"), message))
    if study.further_objectives and study.objective.failed_value is not None:
        message = "is one objective's, this study has further ones; remove it"
        mistakes.append(Mistake(("objective", "failed_value"), message))
    return mistakes


def _names(pruner: Pruner) -> list[str]:
    """Returns the names of a pruner and of those that it delays."""
    wrapped = pruner.arguments.get("wrapped")
    return [pruner.name, *(_names(Pruner(**wrapped)) if wrapped else [])]


def start_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns what a study cannot begin with."""
    space, mistakes = Space(study.space, study.train), []
    for index, entry in enumerate(study.enqueue):
        found = [] if isinstance(entry, str) else value_mistakes(space, entry)
        mistakes += [Mistake(("enqueue", index, *m.keys), m.message) for m in found]
    if study.learn_from and study.search.sampler.name not in LEARNING:
        message = f"the sampler {study.search.sampler.name} learns from no trials; use {' or '.join(LEARNING)}"
        mistakes.append(Mistake(("learn_from",), message))
    return mistakes


def bracket_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns what does not go with KerasTuner's Hyperband."""
    sampler, epochs = study.search.sampler, study.train.schedule.epochs
    if sampler.name != "keras_tuner.hyperband":
        return []
    mistakes, factor = [], Hyperband.model_validate(sampler.arguments).factor
    if factor > epochs:
        message = (
            f"a trial has {epochs} epochs, fewer than the factor {factor}: it would never stop one early. Use more "
            f"epochs (train.schedule.epochs), a smaller factor, or keras_tuner.random"
        )
        mistakes.append(Mistake(("search", "sampler"), message))
    if study.search.pruner.name != "none":
        message = "keras_tuner.hyperband itself ends trials, after the epochs of their brackets: use the pruner none"
        mistakes.append(Mistake(("search", "pruner"), message))
    return mistakes


def finite_space_mistakes(study: StudySpec) -> list[Mistake]:
    """Returns what keeps a sampler that goes through all values from doing so."""
    sampler = study.search.sampler.name
    if sampler not in FINITE_SAMPLERS:
        return []
    found = finite_mistakes(study.space, sampler, FINITE_SAMPLERS[sampler])
    mistakes = [Mistake(("space", *m.keys), m.message) for m in found]
    if mistakes:
        return mistakes
    if Space(study.space, study.train).conditions() > MAX_COMBINATIONS:
        what = "combinations of what `when` names"
        message = f"more than {MAX_COMBINATIONS} {what} are too many for the sampler {sampler}: use larger steps"
        mistakes.append(Mistake(("space",), message))
    return mistakes
