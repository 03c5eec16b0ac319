"""How many floating-point operations a training step is, and how many a second this processor does at best."""

from __future__ import annotations

import time
from typing import Any

SIDE, REPEATS = 1024, 10


def step_operations(generator: Any, discriminator: Any, batch: int) -> int:
    """Returns the multiplications and additions of the convolutions in one step of both networks.

    The generator goes forward and back once. The discriminator sees two batches forward; back go two losses to its
    weights and one, through the generated batch, to the generator. The rest of a step (normalization, activations,
    optimizer) is left out: a few percent.

    Args:
        generator: A built network of a fixed size.
        discriminator: The same.
        batch: Photos in a step.
    """
    total = 0
    for network, forward, to_weights, to_input, to_photo in ((generator, 1, 1, 1, 0), (discriminator, 2, 2, 3, 1)):
        for index, one in enumerate(layer for layer in network.layers if "Conv2D" in type(layer).__name__):
            back = to_photo if index == 0 else to_input  # the first has no weights before it
            total += (forward + to_weights + back) * _operations(one)
    return batch * total


def matrix_product_rate() -> float:
    """Returns the operations a second of a matrix product of NumPy, in float32 and on as many threads as it takes."""
    import numpy as np

    left = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        left @ left
        seconds.append(time.perf_counter() - started)
    return 2 * SIDE**3 / min(seconds)


def _operations(layer: Any) -> int:
    """Returns those of one photo forward: two for each weight and each pixel that it is laid on."""
    transposed = "Transpose" in type(layer).__name__
    _, height, width, _ = layer.input.shape if transposed else layer.output.shape
    rows, columns, first, second = layer.kernel.shape
    return 2 * int(height * width * rows * columns * first * second)
