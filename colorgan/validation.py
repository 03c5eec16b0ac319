"""Measuring a generator, and the two baselines every score is shown beside, on fixed crops in fixed batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from colorgan.backend import compiled
from colorgan.color import join_photo, split_photo
from colorgan.config import PrecisionConfig
from colorgan.metrics import average_metrics, mean_chroma, measure_photos

Predict = Callable[[NDArray[np.uint8]], Any]  # photos (batch, size, size, 3) -> scaled chroma (batch, size, size, 2)


class Validator:
    """The compiled measurement. It depends on no network, so one serves all trainers of one crop and batch size."""

    def __init__(self, *, batch_size: int, precision: PrecisionConfig) -> None:
        self._batch_size = batch_size
        self._measure, self._paint = compiled(measure_crops, precision), compiled(_paint, precision)

    def measure(self, photos: NDArray[np.uint8], predict: Predict) -> dict[str, float]:
        """Returns the validation metrics, as means over all that is given, each crop of a photo counted once.

        Args:
            photos: sRGB, (count, size, size, 3).
            predict: Colours a batch.
        """
        found: dict[str, list[NDArray[np.float32]]] = {}
        for batch, count in self._batches(photos):
            for key, values in self._measure(batch, predict(batch)).items():
                found.setdefault(key, []).append(np.asarray(values)[:count])
        return average_metrics({key: np.concatenate(values) for key, values in found.items()})

    def examples(self, photos: NDArray[np.uint8], predict: Predict, *, count: int) -> NDArray[np.uint8]:
        """Returns `count` evenly spaced photos as gray | real | generated, (count, size, 3 * size, 3)."""
        chosen = photos[np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)]
        sheets = []
        for batch, valid in self._batches(chosen):
            gray, generated = (np.asarray(painted) for painted in self._paint(batch, predict(batch)))
            sheets.append(np.concatenate([gray, batch, generated], axis=2)[:valid])
        return np.concatenate(sheets)

    def baselines(self, train: NDArray[np.uint8], valid: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
        """Returns the metrics of doing nothing: `gray` (no chroma) and `tint` (the mean chroma of `train`)."""
        constants = {"gray": np.zeros(2, dtype=np.float32), "tint": mean_chroma(train)}
        return {name: self.measure(valid, constant(chroma)) for name, chroma in constants.items()}

    def _batches(self, photos: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Yields batches of one size, the last filled up by repeating its first photo, and how many count."""
        for start in range(0, len(photos), self._batch_size):
            batch = photos[start : start + self._batch_size]
            filler = np.repeat(batch[:1], self._batch_size - len(batch), axis=0)
            yield np.concatenate([batch, filler]), len(batch)


def constant(chroma: NDArray[np.float32]) -> Predict:
    """Returns what colours every pixel with one scaled chroma, (2,)."""
    return lambda photos: np.broadcast_to(chroma, (*photos.shape[:3], 2)).astype(np.float32)


def measure_crops(photos: Any, generated: Any) -> dict[str, Any]:
    """Measures a batch of photos in generated chroma, as `measure_photos` does."""
    lightness, real = split_photo(photos)
    return measure_photos(lightness, real, generated)


def _paint(photos: Any, generated: Any) -> tuple[Any, Any]:
    """Returns the photos in gray and in the generated colours, uint8 sRGB."""
    lightness, real = split_photo(photos)
    return _to_bytes(join_photo(lightness, ops.zeros_like(real))), _to_bytes(join_photo(lightness, generated))


def _to_bytes(rgb: Any) -> Any:
    return ops.cast(ops.round(rgb * 255.0), "uint8")
