"""The versions of what shapes a result, for what is written down about it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("colorgan", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "keras", "numpy", "pillow")
_ONE_OF = {"tensorflow-cpu": "tensorflow"}  # the same program, packed for less


def versions(*more: str) -> dict[str, str]:
    """Returns the versions of Python and, as far as they are installed, of `PACKAGES` and `more`."""
    return {"python": platform.python_version(), **installed_versions((*PACKAGES, *more))}


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Returns in words which versions differ, as far as both know them; nothing where none does."""
    here, there = _by_program(before), _by_program(now)
    return ", ".join(
        f"{name} {there[name]} instead of {here[name]}" for name in here if there.get(name, here[name]) != here[name]
    )


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Returns the versions of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _by_program(found: Mapping[str, str]) -> dict[str, str]:
    return {_ONE_OF.get(name, name): version for name, version in found.items()}
