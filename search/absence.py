"""For how long somebody who is to look again and again did not, so that nobody else is blamed for it."""

from __future__ import annotations

import time
from collections.abc import Callable

USUAL_SECONDS = 3.0  # between two looks, at most; a driver looks a few times a second


class Absence:
    """The times at which somebody looked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Has just looked.

        Args:
            clock: Seconds.
        """
        self._clock, self._looked = clock, clock()

    def seconds(self) -> float:
        """Looks; returns for how long the look was overdue: a driver was stopped, or waited for its storage."""
        before, self._looked = self._looked, self._clock()
        return max(0.0, self._looked - before - USUAL_SECONDS)
