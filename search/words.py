"""Numbers, durations and names as people read them, in the terminal and in reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.space import Space

LARGE, EXACT = 1_000.0, 1e15  # beyond the latter a float is no exact whole number


def number(value: object) -> str:
    """Returns a value as text: four significant digits of a fraction, `-` for None, anything else as in a study's YAML.

    A large whole number keeps all its digits, in groups of three where it is a float: weights, mostly.
    """
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and LARGE <= abs(value) <= EXACT:
            return f"{value:,.0f}"
        case float():
            return f"{value:.4g}"
    return str(value)


def duration(seconds: float) -> str:
    """Returns a time such as `12 s`, `5 min 3 s` or `2 h 10 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun, e.g. `1 trial`, `7 trials`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def short_path(path: str, paths: Iterable[str]) -> str:
    """Returns the end of a dotted path that no other of `paths` ends with, e.g. `l1_weight`."""
    parts, others = path.split("."), tuple(paths)
    ends = (".".join(parts[first:]) for first in reversed(range(len(parts))))
    return next((end for end in ends if sum(f".{other}".endswith(f".{end}") for other in others) == 1), path)


def short_names(space: Space) -> dict[str, str]:
    """Returns a short name for each parameter: the end of its label where no other has the same."""
    labels = {path: space.label(path) for path in space.parameters}
    return {path: short_path(label, labels.values()) for path, label in labels.items()}
