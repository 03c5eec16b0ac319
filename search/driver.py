"""Runs a study: dispatch -> report -> prune -> tell. The only one that writes to Optuna and to event files.

Who is handed out is `dispatcher.py`'s, and where a trial goes from its worker `departures.py`'s. A driver that starts
takes the RUNNING trials of a dead one over, so none is ever left without an owner.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import optuna

from colorgan.checkpoint import remove_previous
from colorgan.epoch import EpochResult
from colorgan.record import Outcome, TrialRecord
from search.absence import Absence
from search.checkpoint_store import CheckpointStore
from search.departures import Departures
from search.dispatcher import Dispatcher
from search.engines import Engine
from search.kept_checkpoints import KeptCheckpoints
from search.line import Line
from search.live_trial import LiveTrial
from search.messages import BaselinesMeasured, EpochDone, Event, TrialEnded, TrialStarted, WorkerLost
from search.methods import make_rungs
from search.opening import Opener
from search.restore import unrecorded
from search.snapshot import Baselines, Snapshot
from search.source import TrialSource
from search.stopping import Ending, Stopping
from search.storage import StudyFolder
from search.study import StudySpec
from search.words import duration

POLL_SECONDS = 0.2


class Driver:
    """Runs one study on one engine, from wherever it stands to its end."""

    def __init__(
        self,
        spec: StudySpec,
        study: optuna.Study,
        engine: Engine,
        folder: StudyFolder,
        *,
        source: TrialSource,
        show: Callable[[Snapshot], None],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        store: CheckpointStore | None = None,
    ) -> None:
        """Takes the study over.

        Args:
            spec: What to search.
            study: Its opened Optuna study.
            engine: A started engine.
            folder: The study's files, owned by this process.
            source: Where its trials come from.
            show: Called a few times a second with the study as it stands.
            say: Called with a line when something happens.
            clock: Seconds of the time that the workers live in.
            store: Where the checkpoints of unfinished trials are kept; None: in their folders.
        """
        self._spec, self._study, self._engine, self._folder = spec, study, engine, folder
        self._source, self._show, self._say, self._clock = source, show, say, clock
        self._records = {record.number: record for record in folder.records()}
        search = spec.search
        self._checkpoints = KeptCheckpoints(
            folder, spec.objective.direction, keep=search.keep_checkpoints, seeds=search.seeds_per_trial, store=store
        )
        self._trials = Dispatcher(
            engine,
            source,
            Opener(spec, folder, source=source, clock=clock),
            Line(make_rungs(spec), self._records.values()),
            records=self._records,
            finish=self._finish,
            say=say,
            repeats=search.seeds_per_trial > 1,
            retries=search.retries,
            store=store,
        )
        self._departures = Departures(search, self._trials.line, finish=self._finish, block=self._block, say=say)
        self._started, self._absence = clock(), Absence(clock)
        self._trained_seconds, self._shown = 0.0, -math.inf
        self._failures_in_a_row, self._finished_here = 0, 0
        self._stopping = Stopping()
        self.baselines: Baselines = study.user_attrs.get("baselines", {})

    def run(self) -> Ending:
        """Runs the study until it has its trials, is told to stop, or cannot go on."""
        self._folder.prepare()
        self._checkpoints.look_at(self._records.values())  # an earlier driver may not have come to remove some
        for record in self._records.values():  # nor to this
            self._withdraw(record)
        if lost := unrecorded(self._study, self._records):
            self._say(lost)
        self._trials.take_over()
        while True:
            self._check_limits()
            if not self._stopping.begun:
                self._trials.hand_out(baselines=not self.baselines, halted=lambda: self._stopping.begun)
            if self._over():
                break
            for event in self._engine.wait(POLL_SECONDS):
                self._hear(event)
            self._show_sometimes()
        for live in self._trials.live():
            if live.record.state != "paused":
                live.leave("left for the next run of the study")
            self._keep(live)
        return self._stopping.ending

    def stop(self) -> None:
        """Lets the study hand out no more and its running trials save; called again it does not wait for them.

        It is only noted here, so a signal's handler may call it at any moment.
        """
        self._stopping.wish()

    def snapshot(self) -> Snapshot:
        """Returns the study as it stands."""
        records = {**self._records, **{live.number: live.record for live in self._trials.live()}}
        life = self._engine.worker_seconds()
        return Snapshot(
            records=tuple(records[number] for number in sorted(records)),
            running=tuple(sorted(self._trials.running)),
            trials=self._source.wanted,
            workers=self._engine.count,
            baselines=self.baselines,
            seconds=self._clock() - self._started,
            worker_seconds=life,
            busy_share=self._trained_seconds / life if life else 0.0,
            finished_here=self._finished_here,
            at_most=self._source.at_most,
            seeds=self._spec.search.seeds_per_trial,
        )

    def _show_sometimes(self) -> None:
        """Shows the study if the last time is a moment ago: a snapshot takes the longer the more trials there are."""
        if self._clock() - self._shown >= POLL_SECONDS:
            self._show(self.snapshot())
            self._shown = self._clock()

    def _stop(self, ending: Ending) -> None:
        if self._stopping.begin(ending):
            for number in self._trials.running:
                self._engine.stop(number, save=True)

    def _over(self) -> bool:
        """Returns whether there is nothing to wait for any more."""
        return self._stopping.over or (not self._trials.running and (self._stopping.begun or not self._trials.more()))

    def _hear(self, event: Event) -> None:
        match event:
            case BaselinesMeasured(metrics):
                self.baselines = metrics
                self._study.set_user_attr("baselines", metrics)
            case WorkerLost(worker, number, reason):
                live = None if number is None else self._trials.running.pop(number, None)
                if live is None:
                    self._say(f"worker {worker} lost without a trial: {reason}")
                else:
                    self._departures.lost(live, event)
            case TrialStarted(number):
                if live := self._trials.running.get(number):
                    live.started(
                        built=event.built,
                        setup_seconds=event.setup_seconds,
                        parameters=event.parameters,
                        note=event.note,
                    )
                    self._prune(live, live.aims.hopeless(live.record) or self._needless(live.record))
                    for result in event.history:
                        self._take(live, result)
            case EpochDone(number, result):
                if live := self._trials.running.get(number):
                    self._take(live, result)
            case TrialEnded(number):
                if live := self._trials.running.pop(number, None):
                    self._departures.ended(live, event)

    def _take(self, live: LiveTrial, result: EpochResult) -> None:
        if live.decision is not None:
            return
        before = live.record.training_seconds
        live.take(result)
        self._trained_seconds += live.record.training_seconds - before
        if live.should_prune():
            self._prune(live, f"by the pruner after epoch {live.record.epochs[-1].epoch}")

    def _prune(self, live: LiveTrial, why: str) -> None:
        """Stops a trial if there is a reason."""
        if why and live.decision is None:
            live.decide_to_prune(why)  # before its worker hears of it
            self._engine.stop(live.number, save=False)

    def _needless(self, record: TrialRecord) -> str:
        """Returns why its plan needs a trial no more, or nothing."""
        return self._source.needless(record.group, self._records.values())

    def _withdraw(self, record: TrialRecord) -> None:
        """Takes a trial that was stopped as needless out of TensorBoard's mean of its group."""
        if record.state == "pruned" and record.reason and record.reason == self._needless(record):
            self._folder.withdraw(record.number)

    def _block(self, reason: str) -> None:
        """Stops the study because this machine cannot write or its photos have changed: no fault of any trial."""
        if not self._stopping.begun:
            self._say(f"stopping: {reason}")
            self._stop("blocked")

    def _finish(self, live: LiveTrial, state: Outcome, reason: str, traceback: str = "") -> None:
        live.finish(state, reason, traceback)
        self._finished_here += 1
        self._keep(live)
        remove_previous(live.files.checkpoint)
        self._withdraw(live.record)
        self._checkpoints.look_at([live.record])
        shown = "" if live.record.objective is None else f" {self._spec.objective.metric} {live.record.objective:.4f}"
        self._say(f"trial {live.number} {live.record.state}{shown}{f' ({reason})' if reason else ''}")
        for other in self._trials.running.values() if self._source.at_most else ():
            self._prune(other, self._needless(other.record))
        failed = live.record.state == "failed"
        if live.record.state == "complete" and live.record.feasible:
            self._source.repeat(live.record)
        self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        if self._failures_in_a_row >= self._spec.search.max_consecutive_failures and not self._stopping.begun:
            self._say(f"stopping: {self._failures_in_a_row} trials failed in a row; the last: {live.record.reason}")
            self._stop("too many failures")

    def _keep(self, live: LiveTrial) -> None:
        self._records[live.number] = live.record
        self._trials.line.note(live.record)

    def _check_limits(self) -> None:
        """Ends what has run for too long, and all when `stop` was called."""
        while self._stopping.wished():
            if not self._stopping.begun:
                self._say("stopping: running trials are saved first; Ctrl-C again does not wait for them")
            self._stop("interrupted")
        self._trials.end_overdue(self._spec.search.trial_timeout_seconds, away=self._absence.seconds())
        limit = self._spec.search.study_timeout_seconds
        if limit and not self._stopping.begun and self._clock() - self._started > limit:
            self._say(f"stopping after {duration(limit)}: running trials are saved")
            self._stop("time limit")
