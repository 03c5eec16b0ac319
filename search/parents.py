"""Parameters that others depend on, and the order in which all of them can be drawn."""

from __future__ import annotations

from collections.abc import Mapping

from colorgan.config import ConfigError
from search.parameter import Parameter


def parents_first(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Returns parameters in such an order that each comes after those that its own meaning needs.

    Raises:
        ConfigError: They depend on each other in a circle.
    """
    ordered: dict[str, Parameter] = {}
    waiting = dict(parameters)
    while waiting:
        ready = [path for path in waiting if not any(parent in waiting for parent in parents(waiting[path]))]
        if not ready:
            raise ConfigError(f"{', '.join(waiting)}: depend on each other in a circle, so none can come first")
        ordered[ready[0]] = waiting.pop(ready[0])
    return ordered


def parents(parameter: Parameter) -> list[str]:
    """Returns the paths whose values a parameter's own meaning needs."""
    return [*parameter.when, *([parameter.factor_of] if parameter.factor_of is not None else [])]
