"""`backend.py` for JAX. `jax_step.py` knows it as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from colorgan.config import PrecisionConfig

_OF_MEMORY = re.compile("RESOURCE_EXHAUSTED|out of memory", re.IGNORECASE)  # XLA's word, and CUDA's


def compiled(
    function: Callable[..., Any],
    precision: PrecisionConfig,  # noqa: ARG001 - JAX compiles with XLA always
    variables: Sequence[keras.Variable] = (),
) -> Callable[..., Any]:
    """Returns the function as a program whose variables are inputs, so that it sees the values that they have then."""

    def pure(values: Sequence[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function(*arguments)

    program = jax.jit(pure)
    return lambda *arguments: program([variable.value for variable in variables], *arguments)


def normalize_batch(x: Any, gamma: Any, beta: Any, *, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalizes over photos and pixels.

    Args:
        x: float32, (batch, height, width, channels).
        gamma: Scale, (channels,).
        beta: Offset, (channels,).
        epsilon: Added to the variance.

    Returns:
        The normalized features, and the mean and the biased variance of each channel.
    """
    mean, variance = jnp.mean(x, axis=(0, 1, 2)), jnp.var(x, axis=(0, 1, 2))
    return (x - mean) * (jax.lax.rsqrt(variance + epsilon) * gamma) + beta, mean, variance


def keep_to_share() -> None:
    """Does nothing: JAX has read its share from its own variable when it was imported."""


def says_no_memory(error: BaseException) -> bool:
    """Returns whether an error is JAX's for want of memory."""
    return isinstance(error, jax.errors.JaxRuntimeError) and _OF_MEMORY.search(str(error)) is not None


def room_for(length: int) -> int:
    """Returns the power of two that is at least a length: XLA compiles for each length, and keeps what it compiled."""
    return 1 << max(0, length - 1).bit_length()


def multiplies_exactly() -> bool:
    """Returns whether a matrix product of float32 is one of float32: a GPU may round its inputs to 10 bits (TF32)."""
    return bool(jax.default_backend() == "cpu")
