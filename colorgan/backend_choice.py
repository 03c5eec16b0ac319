"""Which backend Keras computes with, and what the environment says to it; decided before Keras is imported.

A training run's is `backend` in its configuration: it is part of what determines the numbers. What only uses a model
(colouring, evaluating, exporting) takes `KERAS_BACKEND`, else what is installed, as weights are the same on each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from colorgan.config_parts import BACKEND_VARIABLE, BACKENDS
from colorgan.errors import CannotRunError
from colorgan.programs import kept_programs, trim_programs

SHARE_VARIABLE = "COLORGAN_GPU_SHARE"  # what part of a GPU's memory a process may take, where that is not all of it
_THREADS: Mapping[str, tuple[str, ...]] = {
    "tensorflow": ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    "jax": ("OMP_NUM_THREADS", "PJRT_NPROC"),  # XLA's flags for it leave loops in parallel (jaxlib 0.10, measured)
}
_INSTALL: Mapping[str, str] = {
    "tensorflow": "make setup ACCELERATOR=cpu (or gpu) installs it; with JAX alone, set `backend: jax`",
    "jax": "make setup EXTRAS=jax (or pip install 'colorgan[jax]') installs it; else set `backend: tensorflow`",
}


class BackendError(CannotRunError):
    """The backend that is wanted cannot be used in this process; the message says what to do."""


def check_installed(backend: str) -> None:
    """Checks that a backend is there, without importing it.

    Raises:
        BackendError: It is not.
    """
    if backend not in BACKENDS:
        raise BackendError(f"{BACKEND_VARIABLE} is {backend!r}; allowed are {', '.join(BACKENDS)}")
    if not is_installed(backend):
        raise BackendError(f"backend: {backend}: it is not installed; {_INSTALL[backend]}")


def is_installed(backend: str) -> bool:
    """Returns whether a backend could be imported."""
    return find_spec(backend) is not None


def use_backend(backend: str, *, threads: int | None = None) -> None:
    """Makes Keras compute with a backend in this process.

    Args:
        backend: Its name.
        threads: How many CPU threads it has; None leaves that to the environment, or to it.

    Raises:
        BackendError: It is not installed, or Keras is imported already, with another one.
    """
    check_installed(backend)
    check_imported(backend)
    os.environ[BACKEND_VARIABLE] = backend
    if threads:
        os.environ.update(thread_variables(backend, threads))
    if backend == "jax":
        for name, value in kept_programs().items():
            os.environ.setdefault(name, value)
        trim_programs()


def use_any_backend(*, threads: int | None = None) -> None:
    """Makes Keras compute with the environment's backend, else with one that is installed.

    Raises:
        BackendError: There is none.
    """
    installed = [backend for backend in BACKENDS if is_installed(backend)]
    use_backend(os.environ.get(BACKEND_VARIABLE, "").strip() or next(iter(installed), BACKENDS[0]), threads=threads)


def check_imported(backend: str) -> None:
    """Checks that Keras, if it is imported, computes with a backend.

    Raises:
        BackendError: It computes with another one, which cannot be changed any more.
    """
    keras = sys.modules.get("keras")
    if keras is not None and (other := keras.backend.backend()) != backend:
        raise BackendError(
            f"backend: {backend}: Keras is already imported in this process, with {other}; set "
            f"{BACKEND_VARIABLE}={backend} in its environment before Keras is imported"
        )


def thread_variables(backend: str, count: int) -> dict[str, str]:
    """Returns the environment in which a backend computes with so many CPU threads; it is read at import."""
    return dict.fromkeys(_THREADS[backend], str(count))
