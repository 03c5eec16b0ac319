"""The unfinished trials that no worker has: those that wait for one, and those that pause at a rung."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from colorgan.record import TrialRecord
from search.live_trial import LiveTrial
from search.rungs import Rungs


class Line:
    """Keeps them in their order. That a trial pauses is said in its record here; who goes on is `rungs.py`'s."""

    def __init__(self, rungs: Rungs, records: Iterable[TrialRecord]) -> None:
        """Starts empty.

        Args:
            rungs: Where trials pause.
            records: Of all trials so far, whose places at the rungs count.
        """
        self._rungs = rungs
        self._waiting: deque[LiveTrial] = deque()
        self._paused: dict[int, LiveTrial] = {}
        for record in records:
            rungs.note(record)

    def __iter__(self) -> Iterator[LiveTrial]:
        """Returns all of them."""
        return iter([*self._waiting, *self._paused.values()])

    @property
    def waiting(self) -> int:
        """How many wait for a worker."""
        return len(self._waiting)

    @property
    def paused(self) -> int:
        """How many pause."""
        return len(self._paused)

    def put(self, live: LiveTrial, *, first: bool = False) -> None:
        """Takes a trial that is to wait, before all others if it is `first`."""
        (self._waiting.appendleft if first else self._waiting.append)(live)

    def put_or_pause(self, live: LiveTrial) -> None:
        """Takes a trial that pauses if it is at a rung, and waits otherwise."""
        if self._rungs.pause(live.record):
            live.leave(f"paused after epoch {live.record.epochs[-1].epoch}", state="paused")
            self._paused[live.number] = live
        else:
            self.put(live)

    def until(self, live: LiveTrial) -> int | None:
        """Returns the epoch after which a trial will pause next; None where it is to be trained to its end."""
        return self._rungs.next(live.record)

    def promote(self) -> bool:
        """Lets the paused trial wait that goes on by the rule; returns whether there is one."""
        return self._go_on(self._rungs.promote())

    def promote_best(self, *, feasible: bool) -> bool:
        """Lets the best paused trial, or `feasible` one, wait; returns whether there is any."""
        return self._go_on(self._rungs.promote_best(feasible=feasible))

    def take(self, wanted: Callable[[LiveTrial], bool] = lambda _: True) -> LiveTrial | None:
        """Takes out the first that waits and is wanted; None where none is."""
        live = next((live for live in self._waiting if wanted(live)), None)
        if live is not None:
            self._waiting.remove(live)
        return live

    def take_paused(self, *, at_most: int) -> list[LiveTrial]:
        """Takes out those that paused first, so many of them, for good."""
        return [self._paused.pop(number) for number in list(self._paused)[:at_most]]

    def note(self, record: TrialRecord) -> None:
        """Notes a trial that is finished, whose places at the rungs count."""
        self._rungs.note(record)

    def may_grow(self) -> bool:
        """Returns whether trials that run now may pause, and then be let go on."""
        return bool(self._rungs)

    def _go_on(self, number: int | None) -> bool:
        if number is not None:
            self.put(self._paused.pop(number))
        return number is not None
