"""What every worker does first, whatever started it: it imports TensorFlow, but not what TensorFlow does not need."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.trial import TrialRunner

UNUSED = ("matplotlib", "pandas", "scipy")  # Keras imports them where it finds them: a third of a worker's start


def new_runner() -> TrialRunner:
    """Returns what runs trials; the environment that TensorFlow reads at its import must be set before."""
    with _hidden(UNUSED):
        from search.trial import TrialRunner

    return TrialRunner()


@contextmanager
def _hidden(packages: Sequence[str]) -> Iterator[None]:
    """Makes packages look as if they were not installed while something is imported."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
