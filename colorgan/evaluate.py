"""Measuring a model on photos: every validation metric of every photo, with the gray and tint baselines beside it.

The measurement is training's own (`metrics.py`): crops of the model's size, compared as a screen shows them. Here a
photo is cut at scale 1 alone, so that it is seen about as it was, and its numbers are means over its crops. These
overlap along a long side, and what is left over at its ends is not seen. What is written of it is
`evaluation_report.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from colorgan.backend import compiled
from colorgan.generator import find_chroma
from colorgan.metrics import LEAST_COLORFULNESS, REAL_COLORFULNESS, average_metrics, mean_chroma
from colorgan.model import Model
from colorgan.named_photos import NamedPhoto, NamedPhotos, Selection, name_photos, no_photos, part_limit
from colorgan.validation import Predict, Validator, constant, measure_crops

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = dict[str, NDArray[np.float32]]  # metric key -> one number a photo

MODEL, GRAY, TINT = "model", "gray", "tint"
RANKED_BY = "valid/delta_e"
RATIO = "valid/colorfulness_ratio"
TINT_PHOTOS = 256  # as many as `mean_chroma` takes crops; enough for a mean that moves by less than one unit of Lab
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        model: The model.
        photos: Where the photos came from, and which were skipped.
        part: Which of them were measured.
        measured: The photos, by name.
        crops: How many crops each was cut into.
        values: `model`, `gray` and `tint` -> metric key -> one number a photo, as `measure_photos` names them.
    """

    model: Model
    photos: NamedPhotos
    part: Selection
    measured: tuple[NamedPhoto, ...]
    crops: NDArray[np.int64]
    values: dict[str, Values]

    def per_photo(self, who: str) -> Values:
        """Returns all validation metrics of each photo."""
        values = dict(self.values[who])
        real = np.maximum(values.pop(REAL_COLORFULNESS), LEAST_COLORFULNESS)
        return {**values, RATIO: (values["valid/colorfulness"] / real).astype(np.float32)}

    def means(self, who: str) -> dict[str, float]:
        """Returns the means over photos; the ratio of colourfulness is that of the means, as in training."""
        return average_metrics(self.values[who])

    def medians(self, who: str) -> dict[str, float]:
        """Returns the medians over photos."""
        return {key: float(np.median(values)) for key, values in self.per_photo(who).items()}

    def ranked(self) -> list[NamedPhoto]:
        """Returns the photos, the one with the model's least Delta E first."""
        return [self.measured[place] for place in np.argsort(self.values[MODEL][RANKED_BY], kind="stable")]


def evaluate(model: Model, photos: str, *, part: Selection = "all", progress: Progress | None = None) -> Evaluation:
    """Measures a model on a folder's photos.

    The tint baseline is the mean chroma of the folder's own train part, of the measured photos where it has none.

    Args:
        model: From `load_model`.
        photos: `sample` or a folder.
        part: All photos, or those that the model's own split gives to a part, with training's limit on their number.
        progress: Called with the photos done and all photos.

    Raises:
        PhotosError: No such folder, a malformed split file, or no readable photo.
    """
    data = model.config.data
    found = name_photos(data.model_copy(update={"photos": photos}))
    chosen = found.select(part)
    tint = _tint(found, found.parts["train"])
    tint = _tint(found, chosen) if tint is None else tint
    if tint is None:
        raise no_photos(found, part)
    limit = part_limit(data, part)
    read = _Reader(found.read(chosen, limit=limit), min(len(chosen), limit or len(chosen)), progress)
    places, values = _measure(model, read.crops(), tint)
    if not read.photos:
        raise no_photos(found, part)
    crops = np.bincount(places)
    order = sorted(range(len(crops)), key=lambda place: read.photos[place].name)
    per_photo = {
        who: {key: _means(column, places)[order] for key, column in columns.items()} for who, columns in values.items()
    }
    return Evaluation(model, found, part, tuple(read.photos[place] for place in order), crops[order], per_photo)


def examples(evaluation: Evaluation, photos: Iterable[NamedPhoto]) -> NDArray[np.uint8]:
    """Returns the middle crop of each photo as gray | real | generated, (count, size, 3 * size, 3).

    Raises:
        PhotosError: A photo cannot be read any more.
    """
    wanted, model = list(photos), evaluation.model
    crops = [crops[len(crops) // 2] for _, crops in evaluation.photos.read(wanted)]
    if len(crops) != len(wanted):
        raise no_photos(evaluation.photos, evaluation.part)
    batch_size = min(len(wanted), model.config.validation.batch_size)
    validator = Validator(batch_size=batch_size, precision=model.config.precision)
    return validator.examples(np.stack(crops), _coloured_by(model), count=len(wanted))


class _Reader:
    """Yields the crops of photos with each photo's place, and keeps the photos."""

    def __init__(self, read: Iterator[tuple[NamedPhoto, Any]], total: int, progress: Progress | None) -> None:
        self._read, self._total, self._progress = read, total, progress
        self.photos: list[NamedPhoto] = []

    def crops(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for photo, crops in self._read:
            self.photos.append(photo)
            yield from ((len(self.photos) - 1, crop) for crop in crops)
            if self._progress:
                self._progress(len(self.photos), self._total)


def _measure(
    model: Model, crops: Iterator[tuple[int, NDArray[np.uint8]]], tint: NDArray[np.float32]
) -> tuple[NDArray[np.int64], dict[str, Values]]:
    """Returns the place of each crop's photo, and every metric of every crop; batches have one size, as in training."""
    size, precision = model.config.validation.batch_size, model.config.precision
    measure = compiled(measure_crops, precision)
    predictors = {MODEL: _coloured_by(model), GRAY: constant(np.zeros(2, np.float32)), TINT: constant(tint)}
    places: list[int] = []
    columns: dict[str, dict[str, list[NDArray[np.float32]]]] = {who: {} for who in predictors}
    while chunk := list(islice(crops, size)):
        places += [place for place, _ in chunk]
        batch = np.stack([crop for _, crop in chunk] + [chunk[0][1]] * (size - len(chunk)))
        for who, predict in predictors.items():
            for key, values in measure(batch, predict(batch)).items():
                columns[who].setdefault(key, []).append(np.asarray(values)[: len(chunk)])
    joined = {who: {key: np.concatenate(parts) for key, parts in found.items()} for who, found in columns.items()}
    return np.array(places, dtype=np.int64), joined


def _tint(photos: NamedPhotos, reference: list[NamedPhoto]) -> NDArray[np.float32] | None:
    """Returns the mean scaled chroma of evenly spaced photos, (2,), each counted once; None where none is readable."""
    places = np.linspace(0, len(reference) - 1, min(len(reference), TINT_PHOTOS)).astype(int)
    means = [mean_chroma(crops) for _, crops in photos.read([reference[place] for place in places])]
    return _means(np.concatenate(means), np.tile([0, 1], len(means))) if means else None


def _means(values: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Returns the mean of the values at each place."""
    return (np.bincount(places, weights=values) / np.bincount(places)).astype(np.float32)


def _coloured_by(model: Model) -> Predict:
    def predict(photos: Any) -> Any:
        return find_chroma(model.generator, photos, model.config.data.color_space)

    return compiled(predict, model.config.precision)
