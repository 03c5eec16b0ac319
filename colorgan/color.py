"""Colour: sRGB <-> CIE Lab (D65, 2 degree observer) and HSV, and the scaling to [-1, 1] that the networks see.

Sole owner of these constants, in `keras.ops` alone, always in float32. Constants and branches are scikit-image's, the
oracle of the tests: within 1e-4 in Lab over the whole RGB cube.

Two choices are for speed and exactness, measured on 16 x 64 x 64 photos in a TensorFlow graph on one CPU thread: the
channels are separate planes (2 ms instead of 8 with the channels last), and powers are exp(log), half the cost of pow.
The 3 x 3 matrices are written out, as a GPU may round the inputs of a matmul to 10 bits (TF32), 0.1 in Lab.

Source: IEC 61966-2-1:1999 (sRGB); CIE 15:2004, section 8.2.1 (Lab); Smith 1978, Color Gamut Transform Pairs (HSV).
"""

from __future__ import annotations

from typing import Any

from keras import backend, ops

from colorgan.config import ColorSpace

LIGHTNESS_HALF = 50.0  # Lab lightness is 0 to 100; scaled = L / 50 - 1
CHROMA_LIMIT = 110.0  # sRGB's ab reach from -107.9 to 98.3; scaled = ab / 110
_WHITE = (0.95047, 1.0, 1.08883)  # XYZ of D65, 2 degree observer; ASTM E308-01
_XYZ_FROM_RGB = (  # IEC 61966-2-1 with the primaries of ITU-R BT.709
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_RGB_FROM_XYZ = (  # the inverse of _XYZ_FROM_RGB
    (3.24048134, -1.53715152, -0.49853633),
    (-0.96925495, 1.87599, 0.04155593),
    (0.05564664, -0.20404134, 1.05731107),
)
_WHITE_FROM_RGB = [[value / white for value in row] for row, white in zip(_XYZ_FROM_RGB, _WHITE, strict=True)]
_RGB_FROM_WHITE = [[value * white for value, white in zip(row, _WHITE, strict=True)] for row in _RGB_FROM_XYZ]
_CUBE_ROOT_FROM = 0.008856  # CIE 15:2004, with the slope and offset of the line below it
_CUBE_FROM = 0.2068966
_SLOPE, _OFFSET = 7.787, 16.0 / 116.0

Planes = list[Any]
"""Three tensors of equal shape, one per channel."""


def srgb_to_lab(rgb: Any) -> Any:
    """Converts sRGB, (..., 3), uint8 or float in [0, 1], to Lab: L in [0, 100], a and b within -108 to 99."""
    return ops.stack(_lab_from_linear(_linear_from_srgb(rgb)), axis=-1)


def lab_to_srgb(lab: Any) -> Any:
    """Converts Lab, (..., 3), to sRGB in [0, 1]; what no screen can show is clipped. No gradient is NaN."""
    return ops.stack(_srgb_from_linear(_linear_from_lab(_float_planes(lab))), axis=-1)


def srgb_to_hsv(rgb: Any) -> Any:
    """Converts sRGB, (..., 3), uint8 or float in [0, 1], to hue, saturation and value, each in [0, 1].

    Hue is a share of the circle, 0 for red; that of a gray is 0, and so is the saturation of black. No gradient is NaN.
    """
    return ops.stack(_hsv_from_srgb(_unit_planes(rgb)), axis=-1)


def hsv_to_srgb(hsv: Any) -> Any:
    """Converts hue, saturation and value, (..., 3), to sRGB, in [0, 1] where the last two are. No gradient is NaN."""
    return ops.stack(_srgb_from_hsv(_float_planes(hsv)), axis=-1)


def split_photo(photos: Any, space: ColorSpace = "lab") -> tuple[Any, Any]:
    """Splits photos into what the generator is given and what it must find, both scaled to [-1, 1].

    Args:
        photos: sRGB, (..., 3), uint8 or float in [0, 1].
        space: `lab` gives lightness and a, b; `hsv` gives value and hue, saturation, which are called so here too.

    Returns:
        Lightness (..., 1) and chroma (..., 2), float32.
    """
    if space == "hsv":
        hue, saturation, value = _hsv_from_srgb(_unit_planes(photos))
        return ops.expand_dims(2.0 * value - 1.0, axis=-1), 2.0 * ops.stack([hue, saturation], axis=-1) - 1.0
    lightness, a, b = _lab_from_linear(_linear_from_srgb(photos))
    scaled = ops.expand_dims(lightness * (1.0 / LIGHTNESS_HALF) - 1.0, axis=-1)
    return scaled, ops.stack([a, b], axis=-1) * (1.0 / CHROMA_LIMIT)


def join_photo(lightness: Any, chroma: Any) -> Any:
    """Inverts `split_photo`: lightness (..., 1) and chroma (..., 2) become sRGB (..., 3) in [0, 1], clipped."""
    return ops.stack(_srgb_from_linear(_linear_from_lab(lab_planes(lightness, chroma))), axis=-1)


def lab_chroma(lightness: Any, chroma: Any, photos: Any, space: ColorSpace) -> Any:
    """Returns scaled Lab chroma, (..., 2), for chroma that was found in a space: what photos are painted with.

    Hue and saturation say nothing of lightness: under one value, blue is dark and yellow is bright. So their colour is
    moved to the photo's own lightness, by more or less light of the same kind, which scales the cube roots that Lab is
    made of, and with them L + 16, a and b alike. A photo whose hue and saturation are found right comes out as it was.
    So does one of which only the gray is known: with the true hue and saturation of the bundled valid photos over their
    own gray, the mean Delta E is 0.9; with gray as the value, as HSV alone has it, 9.0, and 7.5 of that in lightness.

    Args:
        lightness: As `split_photo` gives it for the photos and the space.
        chroma: What was found for it, of any float type.
        photos: sRGB, (..., 3), uint8 or float in [0, 1].
        space: Of lightness and chroma.
    """
    if space == "lab":
        return chroma
    (value,), (hue, saturation) = _float_planes(lightness), _float_planes(chroma)
    rgb = _srgb_from_hsv([(plane + 1.0) * 0.5 for plane in (hue, saturation, value)])
    found, a, b = _lab_from_linear(_linear_from_srgb(ops.stack(rgb, axis=-1)))
    own, _, _ = _lab_from_linear(_linear_from_srgb(photos))
    scale = (own + 16.0) / (found + 16.0) * (1.0 / CHROMA_LIMIT)
    return ops.stack([a * scale, b * scale], axis=-1)


def lab_planes(lightness: Any, chroma: Any) -> Planes:
    """Returns L, a and b, unscaled, of scaled lightness (..., 1) and scaled chroma (..., 2)."""
    (scaled,), (a, b) = _float_planes(lightness), _float_planes(chroma)
    return [(scaled + 1.0) * LIGHTNESS_HALF, a * CHROMA_LIMIT, b * CHROMA_LIMIT]


def displayed_planes(lab: Planes) -> tuple[Planes, Planes]:
    """Returns the sRGB planes that a screen shows of Lab planes, clipped to [0, 1], and the Lab planes of these."""
    linear = _linear_from_lab(lab)
    return _srgb_from_linear(linear), _lab_from_linear(linear)


def _float_planes(values: Any) -> Planes:
    planes: Planes = ops.unstack(ops.cast(values, "float32"), axis=-1)
    return planes


def _unit_planes(rgb: Any) -> Planes:
    """Returns the planes of sRGB, (..., 3), uint8 or float in [0, 1], as floats in [0, 1]."""
    rgb = ops.convert_to_tensor(rgb)
    white = 255.0 if backend.standardize_dtype(rgb.dtype) == "uint8" else 1.0
    return [ops.cast(plane, "float32") * (1.0 / white) for plane in ops.unstack(rgb, axis=-1)]


def _hsv_from_srgb(rgb: Planes) -> Planes:
    red, green, blue = rgb
    value = ops.maximum(red, ops.maximum(green, blue))
    span = value - ops.minimum(red, ops.minimum(green, blue))
    inverse = 1.0 / ops.where(span > 0.0, span, 1.0)  # nothing is divided by 0, not even where it is not chosen
    sixths = ops.where(
        value == red,
        (green - blue) * inverse,  # from magenta, -1, to yellow, 1
        ops.where(value == green, 2.0 + (blue - red) * inverse, 4.0 + (red - green) * inverse),
    )
    hue = sixths * (1.0 / 6.0)
    return [ops.where(hue < 0.0, hue + 1.0, hue), span / ops.where(value > 0.0, value, 1.0), value]


def _srgb_from_hsv(hsv: Planes) -> Planes:
    hue, saturation, value = hsv
    planes = []
    for first in (5.0, 3.0, 1.0):  # sixths of the circle from where a channel begins to fall to red; red, green, blue
        place = ops.mod(6.0 * hue + first, 6.0)
        planes.append(value - value * saturation * ops.clip(ops.minimum(place, 4.0 - place), 0.0, 1.0))
    return planes


def _linear_from_srgb(rgb: Any) -> Planes:
    """Returns linear light in [0, 1] of sRGB, (..., 3)."""
    rgb = ops.convert_to_tensor(rgb)
    white = 255.0 if backend.standardize_dtype(rgb.dtype) == "uint8" else 1.0
    # Unstacked before the cast: a quarter of the bytes.
    planes = [ops.cast(plane, "float32") for plane in ops.unstack(rgb, axis=-1)]
    scale, shift = 1.0 / (1.055 * white), 0.055 / 1.055
    return [
        ops.where(plane > 0.04045 * white, ops.exp(2.4 * ops.log(plane * scale + shift)), plane * (1.0 / 12.92 / white))
        for plane in planes
    ]


def _lab_from_linear(linear: Planes) -> Planes:
    x, y, z = (_lab_curve(plane) for plane in _mix(_WHITE_FROM_RGB, linear))
    return [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]


def _linear_from_lab(lab: Planes) -> Planes:
    """Returns linear light of Lab, clipped to [0, 1]."""
    y = (lab[0] + 16.0) * (1.0 / 116.0)
    x, z = y + lab[1] * (1.0 / 500.0), ops.maximum(y - lab[2] * (1.0 / 200.0), 0.0)
    return [ops.clip(plane, 0.0, 1.0) for plane in _mix(_RGB_FROM_WHITE, [_light_curve(v) for v in (x, y, z)])]


def _srgb_from_linear(linear: Planes) -> Planes:
    # The logarithm never sees 0, whose gradient would be NaN even where the line is chosen.
    return [
        ops.where(
            plane > 0.0031308,
            1.055 * ops.exp(ops.log(ops.maximum(plane, 0.0031308)) * (1.0 / 2.4)) - 0.055,
            12.92 * plane,
        )
        for plane in linear
    ]


def _lab_curve(light: Any) -> Any:
    root = ops.exp(ops.log(ops.maximum(light, _CUBE_ROOT_FROM)) * (1.0 / 3.0))
    return ops.where(light > _CUBE_ROOT_FROM, root, _SLOPE * light + _OFFSET)


def _light_curve(value: Any) -> Any:
    return ops.where(value > _CUBE_FROM, value * value * value, (value - _OFFSET) * (1.0 / _SLOPE))


def _mix(matrix: list[list[float]], planes: Planes) -> Planes:
    first, second, third = planes
    return [first * row[0] + second * row[1] + third * row[2] for row in matrix]
