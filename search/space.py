"""The searched space: which values a trial has, in Optuna and in TensorBoard's words, and the `TrainConfig` they make.

What one parameter can be is `parameter.py`'s, what is wrong with a space `space_mistakes.py`'s, which sampler
chooses `methods.py`'s. Optuna's trials come from outside; this room does not import it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from colorgan.config import ConfigError, TrainConfig
from colorgan.mistakes import shown
from search.fields import field, is_whole, leaves, same
from search.parameter import CategoricalParameter, Domain, Parameter, Scalar, is_number
from search.parents import parents_first

if TYPE_CHECKING:
    import optuna

    from search.study import StudySpec

MAX_COMBINATIONS = 100_000  # that are gone through, of all parameters or of conditions
Params = dict[str, Scalar]
Key = tuple[tuple[str, Any], ...]
Shown = bool | int | float | str


class Space:
    """The parameters of a checked study over the configuration that its trials share.

    Attributes:
        parameters: By dotted path, each after those that its `when` and `factor_of` name.
        base: What a trial keeps where nothing is searched.
    """

    def __init__(self, parameters: Mapping[str, Parameter], base: TrainConfig) -> None:
        """Orders the parameters.

        Raises:
            ConfigError: They depend on each other in a circle.
        """
        self.parameters: dict[str, Parameter] = parents_first(parameters)
        self.base = base
        self._tree = base.model_dump()

    def suggest(self, trial: optuna.Trial) -> Params:
        """Returns the trial's parameters, asking Optuna for those that are active, always in the same order."""
        params: Params = {}
        for path, parameter in self.parameters.items():
            if self.active(path, params):
                params[path] = parameter.suggest(trial, path)
        return params

    def active(self, path: str, params: Mapping[str, Scalar]) -> bool:
        """Returns whether a parameter is searched beside the values of those before it."""
        when = self.parameters[path].when
        return all(parent in params and params[parent] in values for parent, values in when.items())

    def default_params(self) -> tuple[Params, list[str]]:
        """Returns the parameters that make `base`, and a note for each that cannot: the nearest allowed is taken."""
        params, notes = self.complete({}), []
        for path, value in params.items():
            wanted = self._wanted(path, self._tree)
            if not same(value, wanted):
                notes.append(f"{path}: the default {wanted} lies outside the space; trial 0 takes {value}")
        return params, notes

    def nearest_default(self, path: str) -> Scalar:
        """Returns the allowed value of a parameter nearest to what makes `base`."""
        return self.parameters[path].nearest(self._wanted(path, self._tree))

    def complete(self, params: Mapping[str, Scalar]) -> Params:
        """Returns these parameters, as far as they are active, and the defaults nearest for the others.

        Those of this space are as the space has them, 8 where 8.0 is given.
        """
        completed: Params = {}
        for path in self.parameters:
            if self.active(path, completed):
                inside = self.parameters[path].nearest(params[path]) if path in params else self.nearest_default(path)
                completed[path] = inside if path not in params or same(inside, params[path]) else params[path]
        return completed

    def params_of(self, config: TrainConfig) -> Params | None:
        """Returns the parameters that make a configuration, its seed aside; None where it is not of this space."""
        params = self._nearest(config)
        return None if self._beyond(config, params) else params

    def why_not(self, config: TrainConfig) -> str:
        """Returns in words what of a configuration is not of this space; nothing where it is."""
        return ", ".join(self._beyond(config, self._nearest(config)))

    def _nearest(self, config: TrainConfig) -> Params:
        tree, params = config.model_dump(), dict[str, Scalar]()
        for path, parameter in self.parameters.items():
            if self.active(path, params):
                params[path] = parameter.nearest(self._wanted(path, tree))
        return params

    def _beyond(self, config: TrainConfig, nearest: Params) -> list[str]:
        """Returns what the configuration that parameters make has otherwise."""
        try:
            made = leaves(self.to_config(nearest, seed=config.seed).model_dump())
        except ConfigError as error:
            return [str(error)]
        return [
            f"{path} is {shown(value)}, {'the nearest ' if path in self.parameters else ''}here {shown(made[path])}"
            for path, value in leaves(config.model_dump()).items()
            if not same(value, made[path])
        ]

    def to_config(self, params: Mapping[str, Scalar], *, seed: int) -> TrainConfig:
        """Returns the configuration of a trial, factors multiplied out.

        Raises:
            ConfigError: A parameter is not of this space, or the configuration refuses the values together.
        """
        if unknown := sorted(set(params) - set(self.parameters)):
            raise ConfigError(f"{', '.join(unknown)}: not searched in this study")
        return self.base.with_values({"seed": seed, **self._values(params)})

    def key(self, params: Mapping[str, Scalar]) -> Key:
        """Returns what all parameters of one configuration have in common: a factor may be rounded as another is."""
        values: Mapping[str, Any] = params
        with suppress(ConfigError):  # what cannot be trained is as good as another
            values = self._values(params)
        return tuple(sorted(values.items(), key=itemgetter(0)))

    def _values(self, params: Mapping[str, Scalar]) -> dict[str, Any]:
        """Returns the fields that parameters make, factors multiplied out."""
        values: dict[str, Any] = {}
        for path, parameter in self.parameters.items():
            if path not in params:
                continue
            value: Any = params[path]
            if parameter.factor_of is not None:
                base, whole = self._tied[path]
                value = self._product(path, value, values.get(parameter.factor_of, base))
                value = round(value) if whole else value
            values[path] = value
        return values

    @cached_property
    def _tied(self) -> dict[str, tuple[Any, bool]]:
        """What `base` has where a factor's other field is not searched, and whether the product is a whole number."""
        tied = {path: one.factor_of for path, one in self.parameters.items() if one.factor_of is not None}
        return {path: (self.base_value(other), is_whole(self.base, path)) for path, other in tied.items()}

    def label(self, path: str) -> str:
        """Returns a parameter's name for people: its path, and whether the value is a factor of another's."""
        parameter = self.parameters.get(path)
        return f"{path} (factor)" if parameter and parameter.factor_of else path

    def hparams(self) -> list[Domain]:
        """Returns what each parameter can be, those that each trial has first."""
        ordered = sorted(self.parameters.items(), key=lambda item: bool(item[1].when))
        return [parameter.domain(self.label(path)) for path, parameter in ordered]

    def shown(self, params: Mapping[str, Scalar]) -> dict[str, Shown]:
        """Returns a trial's parameters in the words of `hparams`."""
        result: dict[str, Shown] = {}
        for path, value in params.items():
            parameter = self.parameters[path]
            text = parameter.shown(value) if isinstance(parameter, CategoricalParameter) else value
            if text is not None:
                result[self.label(path)] = text
        return result

    def conditions(self) -> int:
        """Returns how many combinations the parameters that conditions name have; all must have a count."""
        named = {parent for parameter in self.parameters.values() for parent in parameter.when}
        return math.prod(self.parameters[path].count() or 0 for path in named)

    def combinations(self) -> int:
        """Returns how many different parameters a trial can have, in a time that grows with `conditions()`.

        All must have a count.
        """
        parents = sorted({parent for parameter in self.parameters.values() for parent in parameter.when})
        seen, total = set(), 0
        for values in itertools.product(*(self.parameters[parent].values() for parent in parents)):
            params = self._active_of(dict(zip(parents, values, strict=True)))
            if (key := tuple(params.items())) not in seen:
                seen.add(key)
                free = [p for path, p in self.parameters.items() if path not in parents and self.active(path, params)]
                total += math.prod(parameter.count() or 0 for parameter in free)
        return total

    @property
    def finite(self) -> bool:
        """Whether each parameter has a count."""
        return all(parameter.count() is not None for parameter in self.parameters.values())

    def configurations(self) -> Iterator[Params]:
        """Yields all parameters that a trial can have, each once; all must have a count."""
        return self._configurations(list(self.parameters), {})

    def _configurations(self, paths: Sequence[str], params: Params) -> Iterator[Params]:
        if not paths:
            yield params
            return
        first, rest = paths[0], paths[1:]
        active = self.active(first, params)
        for value in self.parameters[first].values() if active else [None]:
            yield from self._configurations(rest, {**params, first: value} if active else params)

    def limit(self, study: StudySpec) -> int | None:
        """Returns the number of trials after which the study's sampler would only repeat itself; None: never."""
        match study.search.sampler.name:
            case "grid" | "brute_force" | "keras_tuner.grid":
                return self._different()
            case "keras_tuner.hyperband":  # its later rounds repeat what went before
                return None
            case _ if self.finite and not study.search.repeat_configurations and self.conditions() <= MAX_COMBINATIONS:
                return self._different()
        return None

    def _different(self) -> int:
        """Returns how many configurations there are, at most where there are more than anybody trains."""
        count, tied = self.combinations(), any(parameter.factor_of for parameter in self.parameters.values())
        return len(set(map(self.key, self.configurations()))) if tied and count <= MAX_COMBINATIONS else count

    def base_value(self, path: str) -> Any:
        """Returns the field of `base` at a dotted path.

        Raises:
            KeyError: There is none.
        """
        return field(self._tree, path)

    def _wanted(self, path: str, tree: Mapping[str, Any]) -> Any:
        """Returns the parameter that makes a configuration's value."""
        value, target = field(tree, path), self.parameters[path].factor_of
        if target is None or not is_number(value):
            return value
        other = field(tree, target)
        return value / other if is_number(other) and other else 1.0

    def _product(self, path: str, factor: float, other: Any) -> float:
        """Returns the factor of another field's value that a parameter stands for."""
        with suppress(OverflowError):  # of whole numbers; of others it is infinite
            product: float = factor * other if is_number(factor) and is_number(other) else math.nan
            if math.isfinite(product):
                return product
        name = self.parameters[path].factor_of
        raise ConfigError(f"{path}: a factor of {shown(factor)} of {name} {shown(other)} is no finite number")

    def _active_of(self, params: Params) -> Params:
        result: Params = {}
        for path in self.parameters:
            if path in params and self.active(path, result):
                result[path] = params[path]
        return result
