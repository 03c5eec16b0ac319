"""The versions of what shapes a result, for what is written down about it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("colorgan", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "keras", "numpy", "pillow")


def versions(*more: str) -> dict[str, str]:
    """Returns the versions of Python and, as far as they are installed, of `PACKAGES` and `more`."""
    return {"python": platform.python_version(), **installed_versions((*PACKAGES, *more))}


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Returns the versions of those that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
