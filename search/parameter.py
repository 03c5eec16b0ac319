"""One searched parameter: what a study writes, what Optuna is asked for, what TensorBoard is told.

    {type: float, low: 1.0e-4, high: 5.0e-3, log: true}     log: equal chances for each order of magnitude
    {type: float, low: 0.0, high: 0.5, step: 0.1}
    {type: int, low: 8, high: 32, step: 8}
    {type: categorical, choices: [batch, instance]}         text, numbers, true/false, null; at most 100

Each may have `when: {other.path: value or [values]}`: it is searched only where the other parameters have one of these
values, else its field keeps what `train` says. And `factor_of: other.path`: the number found is not the field's value
but a factor of the other field's, searched or not; a whole-number field takes the nearest whole number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeGuard

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from colorgan.config import Part
from colorgan.mistakes import Mistake, MistakesError, shown
from colorgan.strict_yaml import KeyPath

if TYPE_CHECKING:
    import optuna

MAX_CHOICES = 100  # all are tried in a configuration, and those of two parameters together
MAX_STEPS = 1_000_000  # between low and high; a finer one is as good as none
MAX_WHOLE = 2**53  # up to here a float, which samplers reckon with, holds every whole number
Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Domain:
    """What a parameter can be, for a table's column.

    Attributes:
        name: Its dotted path.
        kind: All numbers between `low` and `high`, or one of `values`.
        values: All numbers, all text or all booleans.
        log: Whether orders of magnitude count rather than differences.
    """

    name: str
    kind: Literal["interval", "discrete"]
    low: float | None = None
    high: float | None = None
    values: tuple[bool | int | float | str, ...] = ()
    log: bool = False


def _scalar(value: Any) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"must be finite; received {value}")
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"must be text, a number, true, false or null; received {shown(value)}")
    return value


Choice = Annotated[Scalar, PlainValidator(_scalar)]
Choices = Annotated[tuple[Choice, ...], Field(min_length=1, max_length=MAX_CHOICES, strict=False)]
Whole = Annotated[int, Field(ge=-MAX_WHOLE, le=MAX_WHOLE)]
Conditions = dict[str, Annotated[Choices, BeforeValidator(lambda v: v if isinstance(v, list | tuple) else [v])]]


class FloatParameter(Part):
    """A number from `low` to `high`, both included; with a `step`, `low` + n x `step`."""

    type: Literal["float"] = "float"
    low: float
    """The least."""
    high: float
    """The most."""
    log: bool = False
    """Whether each order of magnitude has equal chances, not each number."""
    step: Annotated[float, Field(gt=0)] | None = None
    """Between neighbouring values; null: any number."""
    when: Conditions = Field(default_factory=dict)
    """It is searched only where other parameters, by path, have one of these values; else its field keeps what `train`
    says."""
    factor_of: str | None = None
    """A path: the number found is no value of the field but a factor of this other field's, searched or not."""

    @model_validator(mode="after")
    def _hold_a_range(self) -> Self:
        _refuse(_range_mistakes(self.low, self.high, log=self.log, step=self.step))
        return self

    def suggest(self, trial: optuna.Trial, name: str) -> Scalar:
        """Returns the trial's value."""
        return self.exact(trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log))

    def exact(self, value: float) -> Scalar:
        """Returns an allowed value as `values` has it; by adding steps one may come to 0.30000000000000004."""
        return value if self.step is None else self.nearest(value)

    def ends(self) -> list[tuple[KeyPath, Scalar]]:
        """Returns the extreme values and the keys they are written under."""
        return [(("low",), self.low), (("high",), self.high)]

    def count(self) -> int | None:
        """Returns the number of values; None when it is not finite."""
        return None if self.step is None else _steps(self.low, self.high, self.step) + 1

    def values(self) -> list[Scalar]:
        """Returns all values, of a parameter with a count."""
        step = Decimal(str(self.step))
        return [float(Decimal(str(self.low)) + i * step) for i in range(self.count() or 0)]

    def nearest(self, value: Any) -> Scalar:
        """Returns the allowed value nearest to a number; the lowest for anything else."""
        if not is_number(value):
            return self.low
        clipped = min(max(float(value), self.low), self.high)
        if self.step is None:
            return clipped
        return float(Decimal(str(self.low)) + round((clipped - self.low) / self.step) * Decimal(str(self.step)))

    def domain(self, name: str) -> Domain:
        """Returns what it can be."""
        return Domain(name, "interval", low=self.low, high=self.high, log=self.log)


class IntParameter(Part):
    """A whole number from `low` to `high`, both included, in steps."""

    type: Literal["int"] = "int"
    low: Whole
    """The least."""
    high: Whole
    """The most."""
    log: bool = False
    """Whether each order of magnitude has equal chances, not each number."""
    step: Annotated[int, Field(ge=1)] = 1
    """Between neighbouring values."""
    when: Conditions = Field(default_factory=dict)
    """It is searched only where other parameters, by path, have one of these values; else its field keeps what `train`
    says."""
    factor_of: str | None = None
    """A path: the number found is no value of the field but a factor of this other field's, searched or not."""

    @model_validator(mode="after")
    def _hold_a_range(self) -> Self:
        _refuse(_range_mistakes(self.low, self.high, log=self.log, step=self.step if self.step > 1 else None))
        return self

    def suggest(self, trial: optuna.Trial, name: str) -> Scalar:
        """Returns the trial's value."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> list[tuple[KeyPath, Scalar]]:
        """Returns the extreme values and the keys they are written under."""
        return [(("low",), self.low), (("high",), self.high)]

    def count(self) -> int | None:
        """Returns the number of values."""
        return (self.high - self.low) // self.step + 1

    def values(self) -> list[Scalar]:
        """Returns all values."""
        return list(range(self.low, self.high + 1, self.step))

    def nearest(self, value: Any) -> Scalar:
        """Returns the allowed value nearest to a number; the lowest for anything else."""
        clipped = min(max(value, self.low), self.high) if is_number(value) else self.low
        return self.low + round((clipped - self.low) / self.step) * self.step

    def domain(self, name: str) -> Domain:
        """Returns what it can be."""
        return Domain(name, "interval", low=self.low, high=self.high, log=self.log)


class CategoricalParameter(Part):
    """One of `choices`."""

    type: Literal["categorical"] = "categorical"
    choices: Choices
    """Text, numbers, true, false and null."""
    when: Conditions = Field(default_factory=dict)
    """It is searched only where other parameters, by path, have one of these values; else its field keeps what `train`
    says."""
    factor_of: str | None = None
    """A path: the number found is no value of the field but a factor of this other field's, searched or not."""

    @model_validator(mode="after")
    def _hold_each_choice_once(self) -> Self:
        why = "stands twice (Optuna takes 1, 1.0 and true for the same); remove one"
        twice = [choice for i, choice in enumerate(self.choices) if choice in self.choices[:i]]
        _refuse(Mistake(("choices",), f"{shown(choice)} {why}") for choice in twice)
        return self

    def suggest(self, trial: optuna.Trial, name: str) -> Scalar:
        """Returns the trial's value."""
        choice: Scalar = trial.suggest_categorical(name, self.choices)
        return choice

    def ends(self) -> list[tuple[KeyPath, Scalar]]:
        """Returns all choices and the keys they are written under."""
        return [(("choices", i), choice) for i, choice in enumerate(self.choices)]

    def count(self) -> int | None:
        """Returns the number of choices."""
        return len(self.choices)

    def values(self) -> list[Scalar]:
        """Returns all choices."""
        return list(self.choices)

    def nearest(self, value: Any) -> Scalar:
        """Returns the choice that is equal or, among numbers, nearest; else the first."""
        numbers = [choice for choice in self.choices if is_number(choice)]
        if value in self.choices or not is_number(value) or not numbers:
            return self.choices[self.choices.index(value)] if value in self.choices else self.choices[0]
        return min(numbers, key=lambda choice: abs(choice - value))

    def domain(self, name: str) -> Domain:
        """Returns what it can be; choices of several kinds as text."""
        return Domain(name, "discrete", values=tuple(self.shown(choice) for choice in self.choices))

    def shown(self, value: Scalar) -> bool | int | float | str:
        """Returns a choice as a table shows it: itself, but text where the choices are of several kinds or null."""
        kinds = {bool: bool, int: float, float: float, str: str}
        if (
            len({kinds.get(type(choice)) for choice in self.choices} | {kinds.get(type(value))}) == 1
            and value is not None
        ):
            return value
        return value if isinstance(value, str) else shown(value)


Parameter = Annotated[FloatParameter | IntParameter | CategoricalParameter, Field(discriminator="type")]


def is_number(value: object) -> TypeGuard[int | float]:
    """Returns whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(mistakes: Any) -> None:
    if found := list(mistakes):
        raise MistakesError(found)


def _range_mistakes(low: float, high: float, *, log: bool, step: float | None) -> list[Mistake]:
    mistakes = []
    if low > high:
        mistakes.append(Mistake(("low",), f"{low} is more than high {high}; exchange them"))
    if log and low <= 0:
        mistakes.append(Mistake(("low",), f"must be more than 0 where log is true; received {low}"))
    if log and step is not None:
        mistakes.append(Mistake(("step",), "log and step exclude each other; remove one"))
    elif step is not None and (high - low) / step > MAX_STEPS:
        mistakes.append(
            Mistake(
                ("step",), f"more than {MAX_STEPS} steps of {step} lie between low and high: use a larger one or none"
            )
        )
    elif step is not None and low <= high and (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step)):
        last = Decimal(str(low)) + _steps(low, high, step) * Decimal(str(step))
        mistakes.append(
            Mistake(("step",), f"steps of {step} from {low} do not end at high {high}; use high {last} or another step")
        )
    return mistakes


def _steps(low: float, high: float, step: float) -> int:
    """Returns how many whole steps fit, in decimal as their author wrote them."""
    return int((Decimal(str(high)) - Decimal(str(low))) // Decimal(str(step)))
