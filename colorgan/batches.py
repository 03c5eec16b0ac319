"""Which crops each training step sees: a function of the step alone, so that a run goes on exactly where it was left.

A stream of passes over all crops, each pass with an order and flips of its own; where the configuration renews its
photos, a new stream of the new ones begins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from colorgan.config import TrainConfig
from colorgan.photos import Photos


class Batch(NamedTuple):
    """What one step sees.

    Attributes:
        crops: Those that there are, uint8 (count, size, size, 3).
        chosen: Which of them, (batch,).
        mirrored: Which of these left to right, (batch,).
    """

    crops: NDArray[np.uint8]
    chosen: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def array(self) -> NDArray[np.uint8]:
        """Returns it, (batch, size, size, 3); mirrored here, as it costs a graph one percent of a step."""
        crops = (self.crops[number] for number in self.chosen)
        return np.stack([crop[:, ::-1] if m else crop for crop, m in zip(crops, self.mirrored, strict=True)])


class Batches:
    """The batches of one run.

    Attributes:
        steps_per_epoch: The schedule's, or one pass over the first training crops.
    """

    def __init__(self, photos: Photos, config: TrainConfig) -> None:
        self._photos, self._config = photos, config
        self.steps_per_epoch = config.schedule.steps_per_epoch or max(
            1, len(photos.train) // config.schedule.batch_size
        )
        self._shown, self._renewals = photos, 0
        self._pass: tuple[tuple[int, int], NDArray[np.int64], NDArray[np.bool_]]
        self._pass = ((-1, -1), np.arange(0), np.zeros(0, dtype=bool))

    def photos(self, epoch: int) -> Photos:
        """Returns the photos in use while so many epochs are done."""
        every = self._config.data.renew_epochs
        renewals = epoch // every if every else 0
        if renewals != self._renewals:
            self._shown, self._renewals = self._photos.renewed(renewals), renewals
        return self._shown

    def batch(self, step: int) -> Batch:
        """Returns the crops of a step, counted from 0."""
        crops = self.photos(step // self.steps_per_epoch).train
        every, size = self._config.data.renew_epochs or 0, self._config.schedule.batch_size
        first = (step - self._renewals * every * self.steps_per_epoch) * size  # of those since the last renewal
        places = [self._place(crops, *divmod(place, len(crops))) for place in range(first, first + size)]
        chosen, mirrored = zip(*places, strict=True)
        return Batch(crops, np.array(chosen), np.array(mirrored))

    def _place(self, crops: NDArray[np.uint8], number: int, place: int) -> tuple[np.int64, np.bool_]:
        """Returns which crop stands at a place of a pass, and whether mirrored."""
        key = (number, self._renewals)
        if self._pass[0] != key:
            random = np.random.default_rng([self._config.seed, *key])
            mirrored = (random.random(len(crops)) < 0.5) & self._config.data.flip
            self._pass = (key, random.permutation(len(crops)), mirrored)
        _, order, mirrored = self._pass
        return order[place], mirrored[place]
