"""What becomes of a trial that its worker has left, or was lost with: it is finished, pauses, or waits for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from colorgan.record import Outcome
from search.line import Line
from search.live_trial import LiveTrial
from search.messages import TrialEnded, WorkerLost
from search.settings import Search

ADVICE = "use a smaller schedule.batch_size, fewer filters, fewer search.workers or a smaller search.fuse"


class Finish(Protocol):
    """Ends a trial."""

    def __call__(self, live: LiveTrial, state: Outcome, reason: str, traceback: str = "") -> None:
        """Ends it for good, as the study's record, storage and dashboard are to say."""


class Departures:
    """Sends each trial on its way, by what its worker or the engine said last."""

    def __init__(
        self,
        limits: Search,
        line: Line,
        *,
        finish: Finish,
        block: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        """Keeps where trials go.

        Args:
            limits: How many lost workers a trial survives.
            line: Takes those that are not finished.
            finish: Ends a trial.
            block: Called with the reason where nothing can be trained any more, which is no fault of any trial.
            say: Called with a line for people.
        """
        self._retries, self._line = limits.retries, line
        self._finish, self._block, self._say = finish, block, say

    def ended(self, live: LiveTrial, event: TrialEnded) -> None:
        """Takes a trial that its worker has left."""
        if live.decision:
            self._finish(live, *live.decision)
        elif event.how == "paused":
            self._line.put_or_pause(live)
        elif event.how == "stopped":
            live.leave("stopped with a checkpoint")
            self._line.put(live)
        elif event.how == "blocked":
            live.leave(event.reason)
            self._line.put(live)
            self._block(event.reason)
        elif event.crowded and live.record.retries < self._retries:
            self._begin_again(live, event)
        else:
            state: Outcome = "complete" if event.how == "complete" else "failed"
            advice = f"; {ADVICE}" if event.how == "out of memory" else ""
            self._finish(live, state, event.reason + advice, event.traceback)

    def lost(self, live: LiveTrial, event: WorkerLost) -> None:
        """Hands a trial whose worker was lost to another, until it has lost too many."""
        if live.decision:
            self._finish(live, *live.decision)
            return
        live.lost(event.reason)
        again = live.record.retries <= self._retries
        goes_on = "pausing" if live.at_rest else "going on elsewhere"
        self._say(f"trial {live.number}: {event.reason}; {goes_on if again else 'given up'}")
        if again and live.at_rest:  # its checkpoint is written before that epoch is told
            self._line.put_or_pause(live)
        elif again:
            self._line.put(live, first=True)
        else:
            advice = f"; memory may have run out: {ADVICE}" if event.perhaps_memory else ""
            self._finish(live, "failed", f"lost {live.record.retries} workers; the last: {event.reason}{advice}")

    def _begin_again(self, live: LiveTrial, event: TrialEnded) -> None:
        """Lets a trial go on for whose error others may be to blame: its next worker is new, and in the end its own."""
        live.log(f"{event.reason}\n{event.traceback}".rstrip())
        live.lost(f"{event.reason} beside other trials")
        self._say(f"trial {live.number}: {event.reason}; going on in a new worker")
        self._line.put(live, first=True)
