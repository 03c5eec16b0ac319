"""Structural similarity of two photos: alike in their local means, contrasts and patterns, not pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from colorgan.backend import multiplies_exactly
from colorgan.color import Planes

_RADIUS, _SIGMA = 5, 1.5  # Wang et al. 2004, section III-C: 11 x 11
_C1, _C2 = 0.01**2, 0.03**2  # ibid., for values in [0, 1]


def ssim(real: Planes, generated: Planes) -> Any:
    """Returns the structural similarity, (batch,), as the mean over the channels of sRGB.

    Gaussian window, population covariance, no padding. Photos smaller than 11 pixels get the largest window of odd
    side that fits. Source: Wang et al. 2004, Image Quality Assessment, equation 13.
    """
    x, y = ops.stack(real, axis=1), ops.stack(generated, axis=1)
    mean_x, mean_y = _blur(x), _blur(y)
    squares, product = _blur(x * x + y * y), _blur(x * y)
    mean_product, mean_squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    likeness = (2.0 * mean_product + _C1) * (2.0 * (product - mean_product) + _C2)
    norm = (mean_squares + _C1) * (squares - mean_squares + _C2)
    return ops.mean(likeness / norm, axis=(1, 2, 3))


def _blur(planes: Any) -> Any:
    """Returns the Gaussian mean around each pixel whose window fits, of (batch, channels, height, width).

    Two matmuls on a CPU, half the time of slices. Elsewhere a sum of slices: a GPU's matmul or convolution
    may round its inputs to 10 bits (TF32), which the difference of squares in `ssim` would magnify.
    """
    along = _blur_by_matmul if multiplies_exactly() else _blur_by_slices
    return along(along(planes, axis=3), axis=2)


def _blur_by_matmul(planes: Any, *, axis: int) -> Any:
    weights, size = _window(planes.shape[axis])
    shifts = [np.pad(weights, (shift, size - 1 - shift)) for shift in range(size)]
    matrix = np.stack(shifts).astype(np.float32)
    return ops.matmul(planes, matrix.T) if axis == 3 else ops.matmul(matrix, planes)


def _blur_by_slices(planes: Any, *, axis: int) -> Any:
    weights, size = _window(planes.shape[axis])
    return sum(
        planes[(*[slice(None)] * axis, slice(start, start + size))] * float(weight)
        for start, weight in enumerate(weights)
    )


def _window(size: int) -> tuple[NDArray[np.float64], int]:
    """Returns the Gaussian window for `size` pixels, and in how many places it fits."""
    radius = min(_RADIUS, (size - 1) // 2)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SIGMA) ** 2)
    return weights / weights.sum(), size - 2 * radius
