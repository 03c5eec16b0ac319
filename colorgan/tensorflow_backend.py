"""`backend.py` for TensorFlow. `tensorflow_step.py` knows it as well."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from colorgan.backend_choice import SHARE_VARIABLE
from colorgan.batches import Batch
from colorgan.config import PrecisionConfig


def compiled(
    function: Callable[..., Any],
    precision: PrecisionConfig,
    variables: Sequence[keras.Variable] = (),  # noqa: ARG001 - a graph refers to variables by itself
) -> Callable[..., Any]:
    """Returns the function as a graph that is traced once, through XLA where the configuration asks for it."""
    with_gpu = bool(tf.config.list_physical_devices("GPU"))
    jit = with_gpu if precision.jit_compile == "auto" else precision.jit_compile == "on"
    graph: Callable[..., Any] = tf.function(function, jit_compile=jit, reduce_retracing=False, autograph=False)
    return graph


def normalize_batch(x: Any, gamma: Any, beta: Any, *, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalizes over photos and pixels in one fused operation, which saves some percent of a training step.

    Args:
        x: float32, (batch, height, width, channels).
        gamma: Scale, (channels,).
        beta: Offset, (channels,).
        epsilon: Added to the variance.

    Returns:
        The normalized features, and the mean and the biased variance of each channel.
    """
    y, mean, variance, _, _, _ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = x.shape[1] * x.shape[2] * tf.cast(tf.shape(x)[0], tf.float32)
    return y, mean, variance * ((count - 1.0) / count)  # the operation returns the unbiased one


def load_batch(batch: Batch) -> NDArray[np.uint8]:
    """Returns the crops of a batch, uint8 (batch, size, size, 3)."""
    return batch.array()


def keep_to_share() -> None:
    """Bounds the memory that TensorFlow takes of the process's only GPU to the share that the environment names.

    Memory still grows up to there where TF_FORCE_GPU_ALLOW_GROWTH says so. Nothing is bounded where nobody knows how
    much the GPU has.
    """
    share = float(os.environ.get(SHARE_VARIABLE) or 0.0)
    if not share or len(gpus := tf.config.list_physical_devices("GPU")) != 1:
        return
    if all_of_it := _gpu_mebibytes():
        bound = tf.config.LogicalDeviceConfiguration(memory_limit=int(share * all_of_it))
        tf.config.set_logical_device_configuration(gpus[0], [bound])


def says_no_memory(error: BaseException) -> bool:
    """Returns whether an error is TensorFlow's for want of memory."""
    cuda = isinstance(error, tf.errors.OpError) and "out of memory" in str(error).lower()  # in its own words
    return cuda or isinstance(error, tf.errors.ResourceExhaustedError)


def room_for(length: int) -> int:
    """Returns a length, as TensorFlow compiles for none."""
    return length


def multiplies_exactly() -> bool:
    """Returns whether a matrix product of float32 is one of float32: a GPU may round its inputs to 10 bits (TF32)."""
    return not tf.config.list_physical_devices("GPU")


def _gpu_mebibytes() -> int | None:
    """Returns the memory of the GPU that CUDA_VISIBLE_DEVICES names; TensorFlow tells only once it has taken it."""
    asked = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        said = subprocess.run([*asked, *([f"--id={gpu}"] if gpu else [])], capture_output=True, text=True, timeout=20)
        return int(said.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
