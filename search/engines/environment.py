"""What a worker's environment says to its backend, which reads it when it is imported: which device, how much of it."""

from __future__ import annotations

import os

from colorgan.backend_choice import SHARE_VARIABLE, thread_variables
from colorgan.config import Backend
from colorgan.config_parts import BACKEND_VARIABLE

ALL_SHARES = 0.9  # of a GPU's memory, for all workers on it together; the rest is CUDA's own, in each process
_JAX_FRACTION, _JAX_FRACTION_BEFORE = "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"  # not both: an error


def worker_environment(backend: Backend, *, threads: int = 1, gpu_share: float = 0.0) -> dict[str, str]:
    """Returns the variables that a worker is started with, beside CUDA_VISIBLE_DEVICES.

    Args:
        backend: The study's.
        threads: Of a worker without a GPU.
        gpu_share: What part of a GPU is its own; 0 where it has none.
    """
    settings = {BACKEND_VARIABLE: backend, "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")}
    if not gpu_share:
        return settings | thread_variables(backend, threads)
    if backend == "tensorflow":
        bound = {SHARE_VARIABLE: f"{ALL_SHARES * gpu_share:.3f}"} if gpu_share < 1 else {}
        return settings | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} | bound
    settings |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if gpu_share < 1 and not {_JAX_FRACTION, _JAX_FRACTION_BEFORE} & os.environ.keys():
        settings |= {_JAX_FRACTION: f"{ALL_SHARES * gpu_share:.3f}"}
    return settings
