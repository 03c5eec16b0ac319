"""What every worker does first, whatever started it: it imports Keras and its backend, and nothing else with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from colorgan.backend_choice import use_backend
from colorgan.config_parts import BACKEND_VARIABLE

if TYPE_CHECKING:
    from search.fused import FusedRunner
    from search.trial import TrialRunner

UNUSED = {  # Keras imports them where it finds them: a third of a worker's start
    "tensorflow": ("matplotlib", "pandas", "scipy"),
    "jax": ("matplotlib", "pandas", "sklearn"),  # JAX itself needs SciPy
}


def new_runner() -> TrialRunner:
    """Returns what runs trials; the environment that a backend reads at its import must be set before.

    Raises:
        BackendError: The environment's backend is not installed.
    """
    with _lean_keras():
        from search.trial import TrialRunner

    return TrialRunner()


def new_fused_runner(places: int | None) -> FusedRunner:
    """Returns what runs so many trials at a time (None: as many as are fastest), as `new_runner` does."""
    with _lean_keras():
        from search.fused import FusedRunner

    return FusedRunner(places)


@contextmanager
def _lean_keras() -> Iterator[None]:
    """Lets Keras be imported with the environment's backend, without what it only imports because it is there."""
    backend = os.environ.get(BACKEND_VARIABLE, "tensorflow")
    use_backend(backend)
    with _hidden(UNUSED[backend]):
        yield


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
