"""What a worker's environment says to its backend, which reads it when it is imported: which device, how much of it."""

from __future__ import annotations

import os

from colorgan.backend_choice import thread_variables
from colorgan.config import Backend
from colorgan.config_parts import BACKEND_VARIABLE

SHARED_FRACTION = 0.9  # of a GPU's memory, for all workers on it together; the rest is CUDA's own, in each process
_JAX_FRACTION, _JAX_FRACTION_BEFORE = "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"  # not both: an error


def worker_environment(backend: Backend, *, gpu: str | None = None, sharers: int = 1) -> dict[str, str]:
    """Returns the variables that a worker is started with.

    Args:
        backend: The study's.
        gpu: The GPU that it shall see alone, as CUDA_VISIBLE_DEVICES names it; None gives it one CPU thread.
        sharers: How many workers that GPU has.
    """
    settings = {BACKEND_VARIABLE: backend, "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")}
    if gpu is None:
        return settings | thread_variables(backend, 1)
    settings |= {"CUDA_VISIBLE_DEVICES": gpu}
    if backend == "tensorflow":
        return settings | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    settings |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if sharers > 1 and not {_JAX_FRACTION, _JAX_FRACTION_BEFORE} & os.environ.keys():
        settings |= {_JAX_FRACTION: f"{SHARED_FRACTION / sharers:.3f}"}
    return settings
