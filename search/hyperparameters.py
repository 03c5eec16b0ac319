"""A space in KerasTuner's words: declared in a `HyperParameters`, and values translated both ways.

Names are the dotted paths. `when` becomes KerasTuner's conditions. A factor stays a factor: it is multiplied out where
the configuration is made. Choices of one kind, and the values of a float with a `step`, are a `Choice`; where choices
are of several kinds, or true, false and null, the `Choice` has their spelling in YAML. (KerasTuner's own steps of a
float lose the last value to rounding, and its choices must be of one kind.)

Nothing here imports KerasTuner: whoever has a `HyperParameters` brings it along.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from colorgan.mistakes import shown
from search.parameter import CategoricalParameter, FloatParameter, IntParameter, Parameter, Scalar, is_number
from search.space import Params, Space

MAX_LISTED = 1_000  # values of a float with a step; a finer one is declared without its step, and rounded to it


def declare(space: Space, hyperparameters: Any, *, listed: bool = False) -> None:
    """Registers all parameters of a space in a `keras_tuner.HyperParameters`, their defaults the base's.

    Args:
        space: A study's.
        hyperparameters: Where to; what it holds already stays as it is.
        listed: Whether parameters with a count are declared as the list of their values, whatever they are, as a grid
            needs it: of a whole number with `log`, KerasTuner's grid takes ten values alone.
    """
    for path, parameter in space.parameters.items():
        with ExitStack() as scopes:
            for parent, values in _conditions(space, path).items():
                told = [_told(space.parameters[parent], value, listed=listed) for value in values]
                scopes.enter_context(hyperparameters.conditional_scope(parent, told))
            _register(hyperparameters, path, parameter, space.nearest_default(path), listed=listed)


def to_values(space: Space, params: Mapping[str, Scalar], *, listed: bool = False) -> dict[str, Any]:
    """Returns a trial's parameters as KerasTuner has them, in a space `declare`d with the same `listed`.

    What the space does not have, as of a trial of another study, is left out, and the nearest taken for other values.
    """
    known = {path: value for path, value in params.items() if path in space.parameters}
    return {path: _told(space.parameters[path], value, listed=listed) for path, value in known.items()}


def to_params(space: Space, values: Mapping[str, Any], *, listed: bool = False) -> Params:
    """Returns the parameters that KerasTuner's values mean, within the space; where it has no value, the default.

    KerasTuner goes one beyond the end of a whole number with `log`, and reckons steps in binary.
    """
    params: Params = {}
    for path, parameter in space.parameters.items():
        if space.active(path, params):
            default = space.nearest_default(path)
            params[path] = _heard(parameter, values[path], listed=listed) if path in values else default
    return params


def _conditions(space: Space, path: str) -> dict[str, tuple[Scalar, ...]]:
    """Returns what a parameter depends on, grandparents first."""
    found: dict[str, tuple[Scalar, ...]] = {}
    for parent, values in space.parameters[path].when.items():
        found |= {**_conditions(space, parent), parent: values}
    return found


def _register(hyperparameters: Any, path: str, parameter: Parameter, default: Scalar, *, listed: bool) -> None:
    told = _told(parameter, default, listed=listed)
    if (values := _list(parameter, listed=listed)) is not None:
        hyperparameters.Choice(path, _labels(values), default=told)
    elif isinstance(parameter, IntParameter):
        step = {"sampling": "log"} if parameter.log else {"step": parameter.step}
        hyperparameters.Int(path, parameter.low, parameter.high, default=told, **step)
    elif isinstance(parameter, FloatParameter):
        sampling = "log" if parameter.log else "linear"
        hyperparameters.Float(path, parameter.low, parameter.high, sampling=sampling, default=told)


def _list(parameter: Parameter, *, listed: bool) -> list[Scalar] | None:
    """Returns all values of a parameter that is declared as their list."""
    count = parameter.count()
    if isinstance(parameter, CategoricalParameter) or (listed and count is not None):
        return parameter.values()
    if isinstance(parameter, FloatParameter) and count is not None and count <= MAX_LISTED:
        return parameter.values()
    return None


def _labels(values: list[Scalar]) -> list[Any]:
    """Returns how a `Choice` has these values: themselves if all are whole numbers, numbers, or text."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return values
    if all(is_number(value) for value in values):
        return [float(value) for value in values]  # type: ignore[arg-type]
    if all(isinstance(value, str) for value in values):
        return values
    return [shown(value) for value in values]


def _told(parameter: Parameter, value: Scalar, *, listed: bool) -> Any:
    values = _list(parameter, listed=listed)
    nearest = parameter.nearest(value)
    return nearest if values is None else _labels(values)[values.index(nearest)]


def _heard(parameter: Parameter, value: Any, *, listed: bool) -> Scalar:
    values = _list(parameter, listed=listed)
    return parameter.nearest(value) if values is None else values[_labels(values).index(value)]
