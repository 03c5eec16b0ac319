"""The fields of a configuration by dotted path: what they are, and whether two are equal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from search.parameter import is_number


def field(tree: Mapping[str, Any], path: str) -> Any:
    """Returns the value at a dotted path.

    Raises:
        KeyError: There is none.
    """
    node: Any = tree
    for name in path.split("."):
        node = node[name]
    return node


def leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns all values by dotted path; an empty section is a value."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        found |= leaves(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return found


def is_whole(config: Any, path: str) -> bool:
    """Returns whether a field takes whole numbers, be it null in this configuration or not."""
    *parts, leaf = path.split(".")
    for name in parts:
        config = getattr(config, name)
    kinds = [type(config).model_fields[leaf].annotation]  # int, or Annotated[int, ...] | None
    for _ in range(2):
        kinds += [kind for one in kinds for kind in get_args(one)]
    return int in kinds


def same(first: Any, second: Any) -> bool:
    """Returns whether two values, or trees of values, are equal but for rounding."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if is_number(first) and is_number(second):
        return math.isclose(first, second, rel_tol=1e-9)
    return bool(first == second)
