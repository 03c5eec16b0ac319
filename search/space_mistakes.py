"""What is wrong with a space: paths, conditions, ties, and values that the configuration refuses.

Every range end and every choice is tried in a `TrainConfig`, alone, in pairs of whole numbers and choices, and through
chains of factors, the others at their defaults; of very many, the first. What this cannot see, a trial's own failure
says.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from colorgan.config import ConfigError, TrainConfig
from colorgan.mistakes import Mistake, did_you_mean, shown
from colorgan.yaml_values import shown_key
from search.fields import leaves, same
from search.parameter import CategoricalParameter, FloatParameter, Parameter, Scalar, is_number
from search.parents import parents
from search.space import Space

MAX_TRIED = 5_000  # values together, each for 0.1 ms
_SAME_PHOTOS = "all trials must be measured on the same photos to be comparable"
_SAME_LENGTH = "all trials share one length, which pruning compares them by"
_NO_EFFECT = "it changes how training is watched, not what is learned"
FIXED = {  # may be set in `train`, but not searched
    "seed": "each trial has its own, from train.seed and its number",
    "backend": "a worker's process has one, and seconds on one do not compare with the other's",
    "schedule.epochs": _SAME_LENGTH,
    "schedule.checkpoint_epochs": _NO_EFFECT,
    "data.train_limit": "",
    "data.flip": "",
    "data.color_space": "",
    "validation.moving_average": "",
}  # an empty reason: an exception from the sections below, which may be searched
_FIXED_SECTIONS = {"data": _SAME_PHOTOS, "validation": _NO_EFFECT}


def space_mistakes(
    parameters: Mapping[str, Parameter], base: TrainConfig | None, unread: frozenset[str] = frozenset()
) -> list[Mistake]:
    """Returns all mistakes of a space, their keys starting at its paths.

    Args:
        parameters: The space.
        base: What all trials share; None when it has mistakes of its own, so that values cannot be tried in it.
        unread: Paths of parameters that have mistakes of their own.
    """
    known = leaves((base or TrainConfig()).model_dump())
    mistakes = [
        mistake
        for path, parameter in parameters.items()
        for mistake in _relation_mistakes(path, parameter, parameters, known)
        if mistake.keys[-1] not in unread
    ]
    wrong = {str(mistake.keys[0]) for mistake in mistakes} | unread
    sound = {path: parameter for path, parameter in parameters.items() if path not in wrong}
    while dangling := [p for p, parameter in sound.items() if any(q in wrong for q in parents(parameter))]:
        wrong.update(dangling)
        sound = {path: parameter for path, parameter in sound.items() if path not in wrong}
    try:
        space = Space(sound, base or TrainConfig())
    except ConfigError as error:
        first = next(path for path in sound if path in str(error))
        return [*mistakes, Mistake((first,), f"`when` and `factor_of` lead in a circle: {error}")]
    refused = [] if base is None else _value_mistakes(space)
    misspelled = {m.keys[0] for m in refused if m.keys[1:2] == ("choices",)}  # once mended, a condition may find it
    return [m for m in mistakes if not (m.keys[1:2] == ("when",) and m.keys[2] in misspelled)] + refused


def why_fixed(path: str) -> str:
    """Returns why a field cannot be searched, or nothing."""
    return FIXED.get(path, _FIXED_SECTIONS.get(path.split(".", 1)[0], ""))


def finite_mistakes(parameters: Mapping[str, Parameter], sampler: str, most: int) -> list[Mistake]:
    """Returns what keeps a sampler from going through all values one by one."""
    mistakes = []
    for path, parameter in parameters.items():
        count = parameter.count()
        if count is None:
            message = f"the sampler {sampler} goes through all values: give a `step`, or use choices"
            mistakes.append(Mistake((path,), message))
        elif count > most:
            message = f"{count} values are too many for the sampler {sampler} (at most {most}): use a larger `step`"
            mistakes.append(Mistake((path,), message))
    return mistakes


def _relation_mistakes(
    path: str, parameter: Parameter, parameters: Mapping[str, Parameter], known: Mapping[str, Any]
) -> Iterator[Mistake]:
    if path not in known:
        yield Mistake((path,), _no_field(path, known))
    elif reason := why_fixed(path):
        yield Mistake((path,), f"cannot be searched: {reason}. Set it in `train`")
    for other, values in parameter.when.items():
        parent = parameters.get(other)
        if parent is None:
            hint = did_you_mean(other, parameters)
            yield Mistake((path, "when", other), f"is not searched here{hint}; a condition names another parameter")
        elif isinstance(parent, FloatParameter):
            yield Mistake((path, "when", other), "is a float; conditions can be on int and categorical parameters")
        else:
            for value in values:
                if not _possible(parent, value):
                    yield Mistake((path, "when", other), f"{shown(value)} is none of its values")
    yield from _factor_mistakes(path, parameter, parameters, known)


def _factor_mistakes(
    path: str, parameter: Parameter, parameters: Mapping[str, Parameter], known: Mapping[str, Any]
) -> Iterator[Mistake]:
    other = parameter.factor_of
    if other is None:
        return
    if other not in known:
        yield Mistake((path, "factor_of"), f"{shown_key(other)}: {_no_field(other, known)}")
    elif not is_number(known[other]) and other not in parameters:  # those values are tried below
        yield Mistake((path, "factor_of"), f"{other} is {shown(known[other])}, no number to multiply")
    if isinstance(parameter, CategoricalParameter) and not all(map(is_number, parameter.choices)):
        yield Mistake((path, "choices"), "must be numbers, as factor_of multiplies them")


def _no_field(path: str, known: Iterable[str]) -> str:
    """Returns that a path leads to no field, and which are meant or allowed there."""
    section, _, name = path.rpartition(".")
    below = [field for field in known if field.startswith(f"{path}.")]
    beside = [field for field in known if section and field.startswith(f"{section}.")]
    elsewhere = [field for field in known if field.endswith(f".{name}")]
    if below:
        hint = f"; it has {', '.join(below)}"
    elif elsewhere:
        hint = f"; did you mean {' or '.join(elsewhere)}?"
    elif beside:
        names = [field.removeprefix(f"{section}.") for field in beside]
        hint = f"{did_you_mean(name, names) and did_you_mean(path, beside)}; {section} has {', '.join(names)}"
    else:
        hint = did_you_mean(path, known)
    return f"no such field of a training configuration{hint}"


def _possible(parameter: Parameter, value: Scalar) -> bool:
    if isinstance(parameter, CategoricalParameter):
        return value in parameter.choices
    return isinstance(value, int) and not isinstance(value, bool) and parameter.nearest(value) == value


def _value_mistakes(space: Space) -> list[Mistake]:
    mistakes, at_default = list(_single_mistakes(space)), _refusal(space, {})
    refused = {str(mistake.keys[0]) for mistake in mistakes}
    if not mistakes and at_default:
        return [Mistake((), f"the configuration refuses the parameters nearest to its defaults: {at_default}")]
    told: set[tuple[str, ...]] = set()
    groups = (group for group in _groups(space) if not refused.intersection(group))
    for params in itertools.islice(_values_together(space, groups), MAX_TRIED):
        group = tuple(params)
        message = "" if group in told else _refusal(space, params)
        if message not in ("", at_default):  # else it is another parameter, at its default, that is refused
            together = " with ".join(f"{path} {shown(value)}" for path, value in params.items())
            mistakes.append(Mistake((group[-1],), f"the configuration refuses {together}: {message}"))
            told.add(group)
    return mistakes


def _single_mistakes(space: Space) -> Iterator[Mistake]:
    """Yields the ends that are refused for themselves, not because another parameter's default is."""
    at_default = _refusal(space, {})
    for path, parameter in space.parameters.items():
        for keys, value in parameter.ends():
            message = _refusal(space, {path: value})
            if message and (message != at_default or message.startswith(f"{path}: ")):
                why = message.removeprefix(f"{path}: ")
                yield Mistake((path, *keys), f"the configuration refuses {shown(value)}: {why}")


def _groups(space: Space) -> Iterable[tuple[str, ...]]:
    """Yields the parameters to try together: chains of factors, and pairs of whole numbers and choices."""
    for path in space.parameters:
        chain = [path]
        while (other := space.parameters[chain[0]].factor_of) in space.parameters:
            chain.insert(0, str(other))
        if len(chain) > 1:
            yield tuple(chain)
    whole = [path for path, parameter in space.parameters.items() if not isinstance(parameter, FloatParameter)]
    yield from itertools.combinations(whole, 2)


def _values_together(space: Space, groups: Iterable[tuple[str, ...]]) -> Iterator[dict[str, Scalar]]:
    for group in groups:
        for ends in itertools.product(*(space.parameters[path].ends() for path in group)):
            yield {path: value for path, (_, value) in zip(group, ends, strict=True)}


def _refusal(space: Space, params: Mapping[str, Scalar]) -> str:
    """Returns why the configuration refuses these values beside the others' defaults; empty where it does not."""
    wanted = dict(params)
    for path in reversed(space.parameters):  # children before parents, so that a parent's parents follow
        for parent, values in space.parameters[path].when.items() if path in wanted else ():
            if wanted.setdefault(parent, values[0]) not in values:
                return ""  # never active together
    try:
        space.to_config(space.complete(wanted), seed=0)
    except ConfigError as error:
        return str(error).splitlines()[0].removeprefix("configuration: ")
    return ""


def value_mistakes(space: Space, params: Mapping[str, Scalar]) -> list[Mistake]:
    """Returns what keeps some values from being parameters of a sound space; those left out are defaults.

    Args:
        space: The space.
        params: Values by dotted path.
    """
    mistakes, completed = [], space.complete({path: params[path] for path in params if path in space.parameters})
    for path, value in params.items():
        if path not in space.parameters:
            hint = did_you_mean(path, space.parameters)
            mistakes.append(Mistake((path,), f"is not searched{hint}; searched are {', '.join(space.parameters)}"))
        elif path not in completed:
            mistakes.append(Mistake((path,), "is searched only where its `when` holds, which it does not here"))
        elif not same(inside := space.parameters[path].nearest(value), value) or _only_one_is_bool(inside, value):
            nearest = shown(inside)
            mistakes.append(Mistake((path,), f"{shown(value)} is outside the space; the nearest inside is {nearest}"))
    return mistakes


def _only_one_is_bool(first: Scalar, second: Scalar) -> bool:
    return isinstance(first, bool) != isinstance(second, bool)  # which are equal to 0 and 1
