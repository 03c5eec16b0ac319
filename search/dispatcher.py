"""Hands trials to workers: those left by an earlier driver, paused ones that may go on, new ones.

Every trial that Optuna knows as RUNNING has exactly one place here: `running` on a worker, or in the `line` for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import optuna

from colorgan.record import Outcome, TrialRecord
from search.checkpoint_store import CheckpointStore
from search.engines import Engine
from search.line import Line
from search.live_trial import LiveTrial
from search.messages import Job
from search.opening import Opener
from search.snapshot import configurations
from search.source import TrialSource

MOST_WAITING = 8  # trials that wait because a worker's others are of another architecture, while its places are filled
CLOSED_AT_ONCE = 500  # paused trials, at a study's end; then the study is shown and what was said of them is written


class Dispatcher:
    """The trials of a study between Optuna and its workers.

    Attributes:
        line: The trials that no worker has.
        running: Those that one has, by number.
    """

    def __init__(
        self,
        engine: Engine,
        source: TrialSource,
        opener: Opener,
        line: Line,
        *,
        records: Mapping[int, TrialRecord],
        finish: Callable[[LiveTrial, Outcome, str], None],
        say: Callable[[str], None],
        repeats: bool = False,
        retries: int = 0,
        store: CheckpointStore | None = None,
    ) -> None:
        """Starts without trials.

        Args:
            engine: Where trials run.
            source: Where they come from.
            opener: Makes them ready.
            line: Empty.
            records: Of all trials, as the driver keeps them.
            finish: Ends a trial that needs no worker, with its state and reason.
            say: Called with a line for people.
            repeats: Whether a trial that is complete brings further seeds of its configuration.
            retries: So many lost workers a trial survives. With none of them left it is trained alone: where a worker
                has several trials, one that ends it would else in the end take its neighbours with it.
            store: Where checkpoints are kept; None: in the trials' folders.
        """
        self._engine, self._source, self._opener, self._records = engine, source, opener, records
        self._repeats, self._retries, self._store = repeats, retries, store
        self._finish, self._say, self.line = finish, say, line
        self.running: dict[int, LiveTrial] = {}
        self._needless: set[str] = set()  # what was said of trials that were not needed
        self._measures = -1  # the trial whose worker was asked for the baselines

    def live(self) -> list[LiveTrial]:
        """Returns all unfinished trials."""
        return [*self.running.values(), *self.line]

    def more(self) -> bool:
        """Returns whether there are or will be trials to hand out."""
        return bool(self.line.waiting or self.line.paused) or self._source.more()

    def take_over(self) -> None:
        """Queues the trials that an earlier driver left RUNNING."""
        left, notes = self._source.begin()
        for note in notes:
            self._say(note)
        for trial in left:
            self._queue(trial)

    def hand_out(self, *, baselines: bool, halted: Callable[[], bool]) -> None:
        """Gives idle workers trials, each preferably one whose architecture it holds.

        Args:
            baselines: Whether to have the baselines measured, which nobody has done yet.
            halted: Whether to hand out no more after all: a trial that is refused may be one too many.
        """
        while self.line.waiting < len(self._engine.idle()) and self._next():
            if halted():
                return
        self._assign(baselines=baselines)
        while self._engine.idle() and self.line.waiting < MOST_WAITING and self._next():  # those that wait fit nowhere
            if halted():
                return
            self._assign(baselines=baselines)
        if not self.more() and not self._may_bring_more():
            self._engine.release_idle()

    def end_overdue(self, limit: float | None, *, away: float) -> None:
        """Has those ended that a worker has had for longer than it may.

        Args:
            limit: Seconds that it may; None: for ever.
            away: For how many of the last ones nobody looked after them, whose ends may lie in the mail.
        """
        for live in self.running.values():
            live.unwatched_seconds += min(away, live.attempt_seconds)
            if limit and not live.overdue and live.watched_seconds > limit:
                live.overdue = True
                live.decision = live.decision or ("failed", f"ran longer than trial_timeout_seconds {limit:g}")
                self._engine.kill(live.number)

    def _may_bring_more(self) -> bool:
        """Returns whether trials that run now may pause and then go on, or bring further seeds."""
        first = (not live.record.group for live in self.running.values())
        return bool(self.running) and (self.line.may_grow() or (self._repeats and any(first)))

    def _assign(self, *, baselines: bool) -> None:
        """Gives idle workers trials that wait: first those whose architecture they hold, then any that they take."""
        for worker in self._engine.idle():
            if live := self.line.take(partial(self._holds, worker)):
                self._dispatch(worker, live, baselines=baselines)
        for worker in self._engine.idle():
            if live := self.line.take(partial(self._takes, worker)):
                self._dispatch(worker, live, baselines=baselines)

    def _next(self) -> bool:
        """Lets a paused trial go on, or queues a new one; returns whether there was any."""
        if self.line.promote():
            return True
        if self._source.more():
            match self._source.ask(self._records.values()):
                case str(needless):
                    if needless not in self._needless:
                        self._say(needless)
                    self._needless.add(needless)
                case trial:
                    self._queue(trial)
            return True
        return not self.running and not self.line.waiting and self._close_rungs()

    def _close_rungs(self) -> bool:
        """Ends some of the trials that paused for good, or has one of them trained to its end where none is.

        Where complete ones violate constraints, that is one that holds them as it stands.
        """
        complete = configurations(self._records.values())
        if not any(seeds.feasible for seeds in complete) and self.line.promote_best(feasible=bool(complete)):
            return True
        for live in self.line.take_paused(at_most=CLOSED_AT_ONCE):
            self._finish(live, "pruned", f"{live.record.reason}; others went on")
        return False

    def _queue(self, trial: optuna.Trial) -> None:
        """Makes a new or left trial ready to be handed out, or ends it where nothing is to be trained."""
        live, refused = self._opener.open(trial)
        match live.record.state:
            case "complete" | "pruned" | "failed" as outcome:  # a driver was killed just before it told Optuna
                self._finish(live, outcome, live.record.reason)
            case _ if why := live.record.prune_reason:  # a driver was killed before the trial's worker had left it
                self._finish(live, "pruned", why)
            case _ if refused:
                self._finish(live, "failed", refused)
            case _:
                self.line.put_or_pause(live)

    def _holds(self, worker: int, live: LiveTrial) -> bool:
        return self._takes(worker, live) and self._engine.holds(worker, live.architecture)

    def _takes(self, worker: int, live: LiveTrial) -> bool:
        return self._engine.takes(worker, live.architecture, alone=self._alone(live))

    def _alone(self, live: LiveTrial) -> bool:
        """Returns whether a trial has survived as many lost workers as it may, where it may survive any."""
        return 0 < self._retries <= live.record.retries

    def _dispatch(self, worker: int, live: LiveTrial, *, baselines: bool) -> None:
        live.begin(worker)
        if baselines := baselines and self._measures not in self.running:
            self._measures = live.number
        self.running[live.number] = live
        live.until = self.line.until(live)
        job = Job(
            live.number,
            live.configure(),
            live.files.checkpoint,
            until=live.until,
            baselines=baselines,
            store=self._store.key if self._store is not None else None,
            alone=self._alone(live),
        )
        if self._store is not None:
            self._store.adopt(live.number, live.files.checkpoint)
        self._engine.dispatch(worker, job)
