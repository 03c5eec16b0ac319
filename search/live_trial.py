"""An unfinished trial as the driver sees it: its Optuna trial, record, event session and log kept in step.

Whatever is written is written in an order that a driver killed in between can mend: events, then the record, then
Optuna's storage, whose word counts.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import optuna
from optuna.trial import TrialState

from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from colorgan.record import FINISHED, EpochRecord, Outcome, TrialRecord, Value, after_last_epoch
from colorgan.sheets import write_sheet
from search.aims import Aims
from search.events import FEASIBLE_TAG, OBJECTIVE_TAG, Session, further_tag
from search.pruning import report, should_prune
from search.storage import TrialFolder

METRICS = "metrics"  # user attribute of a finished trial
OPTUNA_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


@dataclass
class LiveTrial:
    """One trial from `ask` to `tell`.

    Attributes:
        configure: Makes its configuration, which is not kept: thousands of trials may pause.
        decision: How it will end once its worker has left it, decided by the driver: state and reason.
        clock: Seconds of the time that its worker lives in.
        dispatched: What the clock said at its dispatch to the worker that has it.
        until: The epoch after which it is to pause, as its worker was told; None: it is to be trained to its end.
        overdue: Whether its worker was to be ended because it has had it for too long.
        unwatched_seconds: For how long the driver did not look after it while a worker had it.
        architecture: Key of what a worker must have built for it.
    """

    trial: optuna.Trial
    configure: Callable[[], TrainConfig]
    record: TrialRecord
    files: TrialFolder
    session: Session
    aims: Aims
    clock: Callable[[], float] = time.monotonic
    decision: tuple[Outcome, str] | None = None
    dispatched: float | None = None
    until: int | None = None
    overdue: bool = False
    unwatched_seconds: float = 0.0
    architecture: str = field(init=False)
    _epochs: int = field(init=False)
    _reported: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Works out once what is asked for at each report, and whenever a worker is idle."""
        config = self.configure()
        self.architecture, self._epochs = config.architecture(), config.schedule.epochs

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.record.number

    @property
    def at_rest(self) -> bool:
        """Whether it has come to where it is to pause."""
        return self.until is not None and self.record.epochs_done >= self.until

    @property
    def attempt_seconds(self) -> float:
        """Time since its dispatch."""
        return self.clock() - self.dispatched if self.dispatched is not None else 0.0

    @property
    def watched_seconds(self) -> float:
        """Time since its dispatch and in earlier attempts, while the driver looked after it."""
        return self.record.seconds + self.attempt_seconds - self.unwatched_seconds

    def prepare(self) -> None:
        """Writes its record, and tells Optuna of epochs that a killed driver had only recorded."""
        self._reported = set(self.trial.storage.get_trial(self.trial._trial_id).intermediate_values)
        for epoch in self.record.epochs:
            self._report(epoch)
        self._update()

    def begin(self, worker: int) -> None:
        """Notes that a worker has it now."""
        self.dispatched = self.clock()
        self._update(state="running", worker=worker, started=self.record.started or time.time())
        self.log(f"dispatched to worker {worker}")

    def started(self, *, built: bool, setup_seconds: float, parameters: int, note: str) -> None:
        """Notes what its worker said of the start."""
        changes = {
            "setup_seconds": self.record.setup_seconds + setup_seconds,
            "built": self.record.built + built,
            "parameters": parameters,
        }
        self._keep(self.aims.judged(self.record.model_copy(update=changes)))
        self.log(f"{'built' if built else 'reset'} in {setup_seconds:.2f} s" + (f"; {note}" if note else ""))

    def take(self, result: EpochResult) -> None:
        """Takes an epoch's result, unless it is known from before an interruption."""
        if any(epoch.epoch == result.epoch for epoch in self.record.epochs):
            return
        epoch = EpochRecord.of(result, self._smoothed(result.metrics))
        latest = self.record.objective if epoch.objective is None else epoch.objective
        changes = {"epochs": (*self.record.epochs, epoch), "objective": latest}
        record = self.aims.judged(self.record.model_copy(update=changes))
        self.session.scalars(result.step, epoch_scalars(epoch) | aim_scalars(record))
        if result.examples is not None:
            self.session.images(result.step, "examples", result.examples)
            write_sheet(self.files.examples, result.examples)
        self._keep(record)
        self._report(epoch)
        shown = "" if epoch.objective is None else f", objective {epoch.objective:.6g}"
        self.log(f"epoch {epoch.epoch}, step {epoch.step}{shown}")

    def should_prune(self) -> bool:
        """Returns whether the study's pruner would stop it now; never after its last epoch, nor one seed of several."""
        done = self.record.epochs[-1] if self.record.epochs and not self.record.group else None
        if done is None or done.objective is None or done.epoch >= self._epochs:
            return False
        return should_prune(self.trial)

    def decide_to_prune(self, reason: str) -> None:
        """Notes that it is to be pruned once its worker has left it, for a later driver too.

        A pruner that has said so once need not say it again.
        """
        self.decision = ("pruned", reason)
        self._update(prune_reason=reason)

    def leave(self, reason: str, *, state: Literal["waiting", "paused"] = "waiting") -> None:
        """Notes that no worker has it any more, though it is not finished."""
        self._update(state=state, reason=reason, seconds=self.record.seconds + self.attempt_seconds)
        self.dispatched = None
        self.log(reason)

    def lost(self, reason: str) -> None:
        """Notes that its worker was lost."""
        self._update(retries=self.record.retries + 1)
        self.leave(reason)

    def finish(self, state: Outcome, reason: str, traceback: str = "") -> None:
        """Ends it everywhere; without all that the study aims at, finite at its end, it has failed."""
        if state == "complete" and (unknown := self._unknown()):
            state, reason = "failed", f"{unknown} was not finite at the end"
        seconds = self.record.seconds + self.attempt_seconds
        self._update(state=state, reason=reason, prune_reason="", seconds=seconds)
        self.log(f"{state}{': ' if reason else ''}{reason}\n{traceback}".rstrip())
        end_session(self.session, self.record)
        self._note({METRICS: self.record.metrics, **({"reason": reason} if reason else {})})
        for key in self.record.violations.keys() - self.trial.constraints.keys():
            self.trial.set_constraint(key, self.record.violations[key])
        if state == "failed" and self.aims.objective.failed_value is not None:
            self._report_value(self.aims.objective.failed_value, after_last_epoch(self.record))
            self.trial.study.tell(self.trial, state=TrialState.PRUNED)
        else:
            values = self.aims.values(self.record) if state == "complete" else None
            self.trial.study.tell(self.trial, values, state=OPTUNA_STATES[state])

    def log(self, text: str) -> None:
        """Appends to the trial's log."""
        self.files.append_log(text)

    def _smoothed(self, metrics: Mapping[str, float]) -> float | None:
        """Returns the mean of the metric's last values, this epoch's included; None without a finite one."""
        objective = self.aims.objective
        value = metrics.get(objective.metric)
        if value is None or not math.isfinite(value):
            return None
        before = [e.metrics[objective.metric] for e in self.record.epochs if objective.metric in e.metrics]
        return statistics.fmean([*before, value][-objective.smooth_epochs :])

    def _unknown(self) -> str:
        """Returns what is not known that must be at a trial's end, or nothing."""
        known = self.record.epochs and self.record.epochs[-1].objective is not None
        return self.aims.unknown(self.record) if known else self.aims.objective.metric

    def _report(self, epoch: EpochRecord) -> None:
        """Tells Optuna of an epoch's objective, and what else a sampler may want to know of a trial that stops here."""
        if epoch.objective is None or epoch.epoch in self._reported:
            return
        self._note(self.aims.notes(self.record))
        self._report_value(epoch.objective, epoch.epoch)

    def _report_value(self, value: float, epoch: int) -> None:
        if epoch not in self._reported:
            report(self.trial, value, epoch)
            self._reported.add(epoch)

    def _note(self, attributes: Mapping[str, str | dict[str, Any]]) -> None:
        for key, value in attributes.items():
            self.trial.set_user_attr(key, value)

    def _update(self, **changes: Value) -> None:
        self._keep(self.record.model_copy(update=changes))

    def _keep(self, record: TrialRecord) -> None:
        self.record = record
        self.files.write_record(record)


def end_session(session: Session, record: TrialRecord) -> None:
    """Says in TensorBoard how a finished trial ended."""
    step = record.steps_done
    if not record.epochs:  # else they stand beside the last epoch's
        session.scalars(step, aim_scalars(record))
    if record.state in FINISHED:
        session.end(record.state, reason=record.reason, step=step, objective=record.objective)


def epoch_scalars(epoch: EpochRecord) -> dict[str, float]:
    """Returns what TensorBoard shows of an epoch."""
    return epoch.metrics if epoch.objective is None else {**epoch.metrics, OBJECTIVE_TAG: epoch.objective}


def aim_scalars(record: TrialRecord) -> dict[str, float]:
    """Returns what TensorBoard shows of how a trial stands by its study's further objectives and constraints."""
    scalars = {further_tag(name): value for name, value in record.further.items()}
    return scalars | ({FEASIBLE_TAG: float(record.feasible)} if record.violations else {})
