"""How good generated photos are: every validation metric, per photo, on the device, in `keras.ops` alone.

Compared is what a viewer sees: generated chroma with the photo's lightness is turned into sRGB, clipped to what a
screen can show, and back into Lab; it is not rounded to 8 bit. (`valid/l1` and `valid/chroma_kl` compare chroma as it
was generated, before that.) A photo's numbers do not depend on its batch.
scikit-image is the oracle of the tests. The names are `epoch.py`'s, structural similarity is `ssim.py`'s; which photos
are measured is `validation.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from colorgan.color import CHROMA_LIMIT, Planes, displayed_planes, lab_planes, split_photo
from colorgan.epoch import VALID_METRICS
from colorgan.ssim import ssim

REAL_COLORFULNESS = "valid/real_colorfulness"  # measured per photo only to give valid/colorfulness_ratio
PSNR_LIMIT_DB = 100.0  # of photos that are equal; beyond float32's own rounding
LEAST_COLORFULNESS = 0.01  # far below what is visible: keeps the ratio finite where all real photos are gray
CHROMA_BINS = 65  # an odd number, so that gray lies in the middle of a bin; each is 3.4 wide in Lab
CHROMA_EPSILON = 1e-4  # 0.4 of a pixel in 64 x 64
MEAN_CHROMA_CROPS = 256  # enough for a mean that moves by less than one unit of Lab
MEAN_CHROMA_BATCH = 16


def measure_photos(lightness: Any, real_chroma: Any, generated_chroma: Any) -> dict[str, Any]:
    """Measures generated chroma against the real one.

    Args:
        lightness: Scaled lightness, (batch, height, width, 1).
        real_chroma: Scaled chroma, (batch, height, width, 2).
        generated_chroma: The same, of any float type.

    Returns:
        Metric key -> float32 (batch,): all of `VALID_METRICS` but the ratio of colourfulness, and
        `REAL_COLORFULNESS`, from which `average_metrics` makes it.
    """
    real, generated = ops.cast(real_chroma, "float32"), ops.cast(generated_chroma, "float32")
    real_lab = lab_planes(lightness, real)
    real_rgb, _ = displayed_planes(real_lab)
    generated_lab = lab_planes(lightness, generated)
    rgb, lab = displayed_planes(generated_lab)
    mse = mean_squared_error(real_rgb, rgb)
    return {
        "valid/delta_e": delta_e(real_lab, lab),
        "valid/delta_e_2000": delta_e_2000(real_lab, lab),
        "valid/l1": ops.mean(ops.abs(real - generated), axis=(1, 2, 3)),
        "valid/mse": mse,
        "valid/psnr_db": psnr_db(mse),
        "valid/ssim": ssim(real_rgb, rgb),
        "valid/chroma_kl": chroma_kl(real_lab, generated_lab),
        "valid/colorfulness": colorfulness(rgb),
        REAL_COLORFULNESS: colorfulness(real_rgb),
    }


def average_metrics(per_photo: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """Averages what `measure_photos` returns over photos: `VALID_METRICS`, in their order.

    The ratio of colourfulness is that of the means, so that a few near-gray photos do not rule it.
    """
    means = {key: float(np.mean(values, dtype=np.float64)) for key, values in per_photo.items()}
    real = means.pop(REAL_COLORFULNESS)
    means["valid/colorfulness_ratio"] = means["valid/colorfulness"] / max(real, LEAST_COLORFULNESS)
    return {metric.key: means[metric.key] for metric in VALID_METRICS}  # JAX returns dictionaries sorted by key


def mean_chroma(photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the mean scaled chroma of photos, (2,): the constant of the tint baseline.

    Args:
        photos: sRGB, (count, height, width, 3), may be a memory map; of more than `MEAN_CHROMA_CROPS`, so many evenly
            spaced ones are read, a few at a time.
    """
    chosen = np.linspace(0, len(photos) - 1, min(len(photos), MEAN_CHROMA_CROPS)).astype(int)
    means = [
        ops.convert_to_numpy(ops.mean(split_photo(photos[chosen[i : i + MEAN_CHROMA_BATCH]])[1], axis=(1, 2)))
        for i in range(0, len(chosen), MEAN_CHROMA_BATCH)
    ]
    mean: NDArray[np.float32] = np.concatenate(means).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def delta_e(real: Planes, generated: Planes) -> Any:
    """Returns the mean distance in Lab, (batch,). Source: CIE 15:2004, section 8.2.3 (Delta E*ab, 1976)."""
    return _mean(ops.sqrt(_sum_of_squares([a - b for a, b in zip(real, generated, strict=True)])))


def delta_e_2000(real: Planes, generated: Planes) -> Any:
    """Returns the mean CIEDE2000 difference, (batch,), with k_L = k_C = k_H = 1.

    The mean hue is taken from the sum of the two unit hue vectors, whose angle functions follow without computing
    angles: the same as the definition's cases, at half the cost.

    Source: Sharma, Wu and Dalal 2005, The CIEDE2000 Color-Difference Formula, equations 2 to 22.
    """
    (l1, a1, b1), (l2, a2, b2) = real, generated
    mean = 0.5 * (ops.sqrt(a1 * a1 + b1 * b1) + ops.sqrt(a2 * a2 + b2 * b2))
    stretch = 1.5 - 0.5 * _chroma_share(mean)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = ops.sqrt(a1 * a1 + b1 * b1), ops.sqrt(a2 * a2 + b2 * b2)
    mean = 0.5 * (c1 + c2)
    cos, sin = _mean_hue(a1, b1, c1, a2, b2, c2)
    off_middle = ops.square(0.5 * (l1 + l2) - 50.0)
    lightness = (l2 - l1) / (1.0 + 0.015 * off_middle / ops.sqrt(20.0 + off_middle))
    chroma = (c2 - c1) / (1.0 + 0.045 * mean)
    hue_square = ops.maximum(ops.square(a1 - a2) + ops.square(b1 - b2) - ops.square(c1 - c2), 0.0)
    hue = ops.sqrt(hue_square) / (1.0 + 0.015 * mean * _hue_weight(cos, sin))
    rotation = _blue_rotation(cos, sin) * 2.0 * _chroma_share(mean) * ops.sign(a1 * b2 - a2 * b1)
    squares = _sum_of_squares([lightness, chroma, hue]) - rotation * chroma * hue
    return _mean(ops.sqrt(ops.maximum(squares, 0.0)))


def _chroma_share(chroma: Any) -> Any:
    """Returns sqrt(C^7 / (C^7 + 25^7))."""
    square = chroma * chroma
    seventh = square * square * square * chroma
    return ops.sqrt(seventh / (seventh + 25.0**7))


def _mean_hue(a1: Any, b1: Any, c1: Any, a2: Any, b2: Any, c2: Any) -> tuple[Any, Any]:
    """Returns cosine and sine of the mean hue; of a gray, whose hue has no weight, something finite."""
    # The two vectors, both scaled to length c1 c2, have the bisector of the hues as their sum. Of opposite hues that is
    # 0, and the mean lies a quarter turn after the hue below 180 degrees: a turn too small to matter in any other case.
    a1, b1, a2, b2 = a1 * c2, b1 * c2, a2 * c1, b2 * c1
    turn = ops.where(b1 >= b2, 1e-6, -1e-6)
    a, b = a1 + a2 - turn * b1, b1 + b2 + turn * a1
    inverse = ops.rsqrt(ops.maximum(a * a + b * b, 1e-30))
    return a * inverse, b * inverse


def _hue_weight(cos: Any, sin: Any) -> Any:
    """Returns T, equation 15, with the cosines of multiples of the hue as polynomials of cosine and sine."""
    cos2, sin2 = 2.0 * cos * cos - 1.0, 2.0 * sin * cos
    cos3, sin3 = cos2 * cos - sin2 * sin, sin2 * cos + cos2 * sin
    cos4, sin4 = 2.0 * cos2 * cos2 - 1.0, 2.0 * sin2 * cos2
    terms = ((-0.17, cos, sin, 30.0), (0.32, cos3, sin3, -6.0), (-0.20, cos4, sin4, 63.0))
    weight = 1.0 + 0.24 * cos2
    for factor, c, s, degrees in terms:  # cos(h - d) = cos h cos d + sin h sin d
        angle = math.radians(degrees)
        weight = weight + c * (factor * math.cos(angle)) + s * (factor * math.sin(angle))
    return weight


def _blue_rotation(cos: Any, sin: Any) -> Any:
    """Returns sin(2 delta theta), equations 16 and 19: the bend of the hues around 275 degrees, a blue."""
    blue = math.radians(275.0)
    distance = ops.arccos(ops.clip(cos * math.cos(blue) + sin * math.sin(blue), -1.0, 1.0)) * (math.degrees(1.0) / 25.0)
    return ops.sin(math.radians(60.0) * ops.exp(-distance * distance))


def mean_squared_error(real: Planes, generated: Planes) -> Any:
    """Returns the mean squared error of sRGB in [0, 1], (batch,)."""
    return _mean(_sum_of_squares([a - b for a, b in zip(real, generated, strict=True)])) / 3.0


def psnr_db(mse: Any) -> Any:
    """Returns the peak signal-to-noise ratio for values in [0, 1], at most `PSNR_LIMIT_DB`."""
    return ops.log(ops.maximum(mse, 10.0 ** (-PSNR_LIMIT_DB / 10.0))) * (-10.0 / math.log(10.0))


def chroma_kl(real: Planes, generated: Planes) -> Any:
    """Returns how far the distribution of generated chroma values is from the real one, (batch,).

    The Kullback-Leibler divergence, sum of P log10(P / Q), P real, Q generated, of the histograms of one photo's a and,
    apart, b; then the mean of both. Where the pixels are plays no part. Histograms have `CHROMA_BINS` bins centred from
    -110 to 110, with values beyond in the outermost, and `CHROMA_EPSILON` is added to each bin's share before they are
    normalized, so that the result is finite: 0 for equal histograms and below 4.

    Args:
        real: Lab planes, (batch, height, width).
        generated: The same.
    """
    values = ops.stack([*real[1:], *generated[1:]], axis=0)
    _, batch, height, width = values.shape
    half = CHROMA_BINS // 2
    # Clipped as integers, since a NaN becomes one too and must not leave its photo's bins.
    places = ops.cast(values * (half / CHROMA_LIMIT) + (half + 0.5), "int32")
    rows = np.arange(4 * batch, dtype=np.int32)[:, None] * CHROMA_BINS  # one histogram each
    places = ops.reshape(ops.clip(places, 0, CHROMA_BINS - 1), (4 * batch, height * width)) + rows
    ones = ops.ones((4 * batch * height * width,), dtype="float32")
    counts = ops.segment_sum(ones, ops.reshape(places, (-1,)), num_segments=4 * batch * CHROMA_BINS)
    share = ops.reshape(counts, (2, 2, batch, CHROMA_BINS)) / (height * width)
    p, q = ops.unstack((share + CHROMA_EPSILON) / (1.0 + CHROMA_BINS * CHROMA_EPSILON), axis=0)
    return ops.mean(ops.sum(p * ops.log(p / q), axis=-1), axis=0) / math.log(10.0)


def colorfulness(rgb: Planes) -> Any:
    """Returns the colourfulness of sRGB planes in [0, 1], (batch,), on the scale of 8-bit values: 0 is gray.

    Source: Hasler and Suesstrunk 2003, Measuring Colourfulness in Natural Images, section 6, metric M3.
    """
    red, green, blue = rgb
    opponents = (red - green, 0.5 * (red + green) - blue)
    means = [_mean(plane) for plane in opponents]
    variances = [_mean(ops.square(plane - mean[:, None, None])) for plane, mean in zip(opponents, means, strict=True)]
    return 255.0 * (ops.sqrt(variances[0] + variances[1]) + 0.3 * ops.sqrt(_sum_of_squares(means)))


def _mean(plane: Any) -> Any:
    return ops.mean(plane, axis=(1, 2))


def _sum_of_squares(values: Planes) -> Any:
    first, *others = values
    total = first * first
    for value in others:
        total = total + value * value
    return total
