"""Colour for photos of any size: the model's chroma under the photo's own lightness, pixel by pixel.

A model of HSV too is given no more than lightness, as the value of the gray photo, and its colours are painted under
it: see `color.lab_chroma`, which says what keeping the value would cost. Training and measuring give it the value of
the photo in colour, which is larger; a gray photo has no other than its gray.

A photo is coloured as the model was trained: made small to each of `data.crop_scales`, cut into crops of `data.size`,
which overlap and are averaged, and then averaged over the scales. Measured on the 40 bundled photos of the valid and
confirm parts at their own resolution, with five models of the quickstart study (64 px, scales 1 and 2), as mean Delta E
1976 and its difference from the first line with a standard error over photos:

    whole photo, short side 64                  19.01
    whole photo, short side 128                 18.74   -0.27 +- 0.47
    crops of a short side of 64                 18.83   -0.18 +- 0.07
    crops of a short side of 128                18.19   -0.81 +- 0.45
    crops of both, averaged                     17.88   -1.13 +- 0.26, better on 33 photos and with each model
    gray                                        19.79

Enlarging chroma linearly is 0.03 better than with cubic weights, which overshoot.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops
from PIL import Image

from colorgan.backend import room_for
from colorgan.color import Planes, displayed_planes, lab_planes, split_photo
from colorgan.decode import PhotoError, short_sides
from colorgan.disk import explain, out_of_room
from colorgan.errors import CannotRunError
from colorgan.folder import printable
from colorgan.model import Model, ModelError
from colorgan.photo_file import Photo, read_photo, write_photo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorgan.colour_jobs import Job
    from colorgan.photo_file import Pixels

STRIDE = 0.75  # distance between neighbouring crops, as a fraction of their side; 0.5 was no better
CROPS_AT_ONCE = 8  # bounds memory
STRIP_PIXELS = 1 << 18  # coloured at once: bounds memory to some 50 MB beyond the photo and its result
LIGHTNESS_TOLERANCE = 0.1  # in Lab, a quarter of a step of 8-bit gray: what clipping a colour may change it by
_GRAY = np.zeros((1, 1, 2), np.float32)  # chroma of no colour
HALVINGS = 7  # of the interval in which the largest chroma is searched that a screen can show


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        notes: What of the photo was not kept, in words for its owner.
        problem: Why there is no result; empty where there is one.
        present: Whether another process has written a file of the result's name meanwhile, which is untouched.
    """

    job: Job
    notes: tuple[str, ...] = ()
    problem: str = ""
    present: bool = False


def colorize_photos(
    model: Model, jobs: Iterable[Job], *, strength: float = 1.0, compare: bool = False
) -> Iterator[Outcome]:
    """Colours photos one after the other; one that cannot be read or written does not stop the others.

    Raises:
        ModelError: As `predict_chroma`.
        CannotRunError: The disk is full or read-only, so that no further photo could be written either.
    """
    for job in jobs:
        try:
            photo = read_photo(job.source)
            lost = write_photo(job.target, colorize_photo(model, photo, strength=strength, compare=compare))
            yield Outcome(job, notes=(*photo.notes, *lost))
        except PhotoError as error:
            yield Outcome(job, problem=str(error))
        except OSError as error:
            if isinstance(error, FileExistsError) and os.path.lexists(job.target):
                yield Outcome(job, present=True)
                continue
            if out_of_room(error):
                file = error.filename or str(job.target)
                raise CannotRunError(printable(explain(OSError(error.errno, error.strerror, file)))) from error
            yield Outcome(job, problem=f"{printable(str(job.target))} cannot be written: {error.strerror or error}")


def colorize_photo(model: Model, photo: Photo, *, strength: float = 1.0, compare: bool = False) -> Photo:
    """Returns the photo in colour: its own lightness at full resolution, all else kept.

    Args:
        model: From `load_model`.
        photo: From `read_photo`; of a photo in colour only the lightness is used.
        strength: Factor of the predicted chroma, 0 gives gray.
        compare: Return gray | coloured side by side instead.
    """
    chroma = strength * predict_chroma(model, photo.flat())
    if not compare:
        return replace(photo, pixels=paint(photo.pixels, chroma))
    height, width, _ = photo.pixels.shape
    both = np.empty((height, 2 * width, 3), photo.pixels.dtype)
    for half, view in ((both[:, :width], 0.0 * chroma), (both[:, width:], chroma)):
        paint(photo.pixels, view, into=half)
    return replace(photo, pixels=both, alpha=None if photo.alpha is None else np.hstack([photo.alpha, photo.alpha]))


def predict_chroma(model: Model, image: Image.Image) -> NDArray[np.float32]:
    """Returns the scaled Lab chroma of a photo, (height, width, 2), at the largest scale of its crops.

    Lab's whatever the model's colour space: the mean of two hues on both sides of red would be cyan.

    Raises:
        ModelError: The model gives NaN, as one does whose training went astray.
    """
    data = model.config.data
    predicted = [_predict_at(model, image, side) for side in short_sides(min(image.size), data)]
    height, width, _ = predicted[-1].shape
    chroma: NDArray[np.float32] = np.mean([_resize(chroma, (width, height)) for chroma in predicted], axis=0)
    if not np.isfinite(chroma).all():
        raise ModelError(f"{model.source}: gives colours that are not finite numbers; its training went astray")
    return chroma


def _predict_at(model: Model, image: Image.Image, side: int) -> NDArray[np.float32]:
    """Returns the chroma of a photo made small, its short side `side` pixels, as a mean over overlapping crops."""
    size = model.config.data.size
    width, height = (max(side, round(length * side / min(image.size))) for length in image.size)
    small = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))  # as training photos are made small
    if model.config.data.color_space != "lab":
        small = paint(small, _GRAY)  # else sepia and colours would show in the value
    stride = max(1, round(size * STRIDE))
    corners = [(top, left) for top in _starts(height, size, stride) for left in _starts(width, size, stride)]
    ramp = 1.0 - np.abs(np.arange(size) + 0.5 - size / 2) / (size / 2)
    weight = np.outer(ramp, ramp)[..., None].astype(np.float32)  # what a crop counts: less and less towards its edges
    total, weights = np.zeros((height, width, 2), np.float32), np.zeros((height, width, 1), np.float32)
    for first in range(0, len(corners), CROPS_AT_ONCE):
        batch = corners[first : first + CROPS_AT_ONCE]
        crops = np.stack([small[top : top + size, left : left + size] for top, left in batch])
        for (top, left), chroma in zip(batch, model.find_chroma(crops), strict=True):
            total[top : top + size, left : left + size] += weight * chroma
            weights[top : top + size, left : left + size] += weight
    return total / weights


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Returns where crops start, evenly spaced by `stride` or less, that cover the whole length."""
    count = -(-(length - size) // stride) + 1
    return [round(start) for start in np.linspace(0, length - size, count)]


def paint(pixels: Pixels, chroma: NDArray[np.float32], *, into: Pixels | None = None) -> Pixels:
    """Returns pixels in their own lightness and the chroma of a photo of any size, enlarged to theirs.

    Args:
        pixels: sRGB, (height, width, 3).
        chroma: Scaled, (any height, any width, 2).
        into: Room for the result; None makes it.
    """
    height, width, _ = pixels.shape
    painted = np.empty((height, width, 3), pixels.dtype) if into is None else into
    rows, scale = max(1, STRIP_PIXELS // width), len(chroma) / height
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        part = (top * scale, min((top + len(strip)) * scale, len(chroma)))
        painted[top : top + rows] = _paint_strip(strip, _resize(chroma, (width, len(strip)), rows=part))
    return painted


def _resize(
    chroma: NDArray[np.float32], size: tuple[int, int], *, rows: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """Returns chroma of another width and height, or some of its rows so, exactly as they are in the whole."""
    height, width, _ = chroma.shape
    top, bottom = rows or (0.0, height)
    planes = [Image.fromarray(np.ascontiguousarray(chroma[..., channel])) for channel in range(2)]
    box = (0.0, top, width, bottom)  # Pillow also looks at what lies around it
    return np.stack([np.asarray(plane.resize(size, Image.Resampling.BILINEAR, box=box)) for plane in planes], axis=-1)


def _paint_strip(pixels: Pixels, chroma: NDArray[np.float32]) -> Pixels:
    white, count = np.iinfo(pixels.dtype).max, chroma.shape[0] * chroma.shape[1]
    given = _padded(pixels.reshape(count, 3))
    lightness, _ = split_photo(given if given.dtype == np.uint8 else given / np.float32(white))
    lab = [ops.convert_to_numpy(plane)[:count] for plane in lab_planes(lightness, _padded(chroma.reshape(count, 2)))]
    rgb, kept = _display(lab)
    if not kept.all():
        rgb[~kept] = _display(_within_gamut([plane[~kept] for plane in lab]))[0]
    painted: Pixels = np.round(rgb * white).astype(pixels.dtype)
    return painted.reshape(pixels.shape)


def _within_gamut(lab: Planes) -> Planes:
    """Returns Lab planes with as much of their chroma as a screen can show at their lightness and hue.

    Clipping the channels alone would make bright colours darker and dark ones brighter. Source: W3C CSS Color 4,
    section 13.2 (gamut mapping by reducing chroma), here with lightness as the only measure of what is visible.
    """
    lightness, a, b = lab
    low, high = np.zeros_like(lightness), np.ones_like(lightness)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        _, kept = _display([lightness, a * middle, b * middle])
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    return [lightness, a * low, b * low]


def _display(lab: Planes) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Returns sRGB in [0, 1], clipped, (..., 3), and where it still has its lightness."""
    count = len(lab[0])
    rgb, shown = displayed_planes([_padded(plane) for plane in lab])
    kept = np.abs(ops.convert_to_numpy(shown[0])[:count] - lab[0]) <= LIGHTNESS_TOLERANCE
    return np.stack([ops.convert_to_numpy(plane)[:count] for plane in rgb], axis=-1), kept


def _padded(rows: NDArray[Any]) -> NDArray[Any]:
    """Returns rows with zeros behind them, so that a backend that compiles for each length meets few of them."""
    return np.pad(rows, [(0, room_for(len(rows)) - len(rows)), *[(0, 0)] * (rows.ndim - 1)])
