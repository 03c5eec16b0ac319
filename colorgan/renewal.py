"""New photos while a run goes on: all photos of a part, and the windows of them that are used one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pool:
    """The crops of all photos of a part, of which so many photos at a time are used."""

    def __init__(self, crops: NDArray[np.uint8], crops_per_photo: Sequence[int], limit: int) -> None:
        """Takes the crops of a part.

        Args:
            crops: (count, size, size, 3), those of one photo side by side, the photos in the order of the split.
            crops_per_photo: How many each photo has.
            limit: Photos used at a time, at least 1.
        """
        self._crops, self._ends = crops, np.cumsum([0, *crops_per_photo])
        self.photos = min(limit, len(crops_per_photo))

    def window(self, number: int) -> NDArray[np.uint8]:
        """Returns the crops in use after `number` renewals, a view.

        The first window holds the first photos, each other one the next ones. The last one is filled up with photos of
        the one before, as there are no others, and the first one follows it.
        """
        total = len(self._ends) - 1
        windows = -(-total // self.photos) if total else 1
        first = min(number % windows * self.photos, total - self.photos)
        return self._crops[self._ends[first] : self._ends[first + self.photos]]
