"""Why and how long a driver stops before its study has all its trials: running trials are saved, but not for ever."""

from __future__ import annotations

import time
from typing import Literal

STOP_SECONDS = 30.0  # for running trials to save their checkpoints
Ending = Literal["finished", "interrupted", "time limit", "too many failures", "blocked"]


class Stopping:
    """The state of a stop.

    Attributes:
        ending: How the study ends; "finished" while nothing stops it.
    """

    def __init__(self) -> None:
        self.ending: Ending = "finished"
        self._deadline: float | None = None
        self._wishes, self._granted = 0, 0

    @property
    def begun(self) -> bool:
        """Whether no more trials are handed out."""
        return self._deadline is not None

    @property
    def over(self) -> bool:
        """Whether nothing that runs is waited for any more."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def wish(self) -> None:
        """Notes that a person or the machine wants a stop; a signal's handler may call it at any moment."""
        self._wishes += 1

    def wished(self) -> bool:
        """Returns whether there is a wish that was not yet answered so; one answer for each."""
        wished = self._granted < self._wishes
        self._granted += wished
        return wished

    def begin(self, ending: Ending) -> bool:
        """Begins to stop; returns False, and waits for nothing any more, where that has begun already."""
        first = not self.begun
        if first:
            self.ending = ending
        self._deadline = time.monotonic() + (STOP_SECONDS if first else 0.0)
        return first
