"""A study at one moment, as views, tables and summaries read it. Plain data about records; no Optuna, no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from colorgan.record import FINISHED, TrialRecord

Baselines = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Snapshot:
    """A study at one moment.

    Attributes:
        records: Of all trials so far, by number.
        running: Numbers of the trials on a worker.
        trials: How many trials the study wants.
        workers: How many workers it has.
        baselines: Metrics of `gray` and `tint`; empty until they are measured.
        seconds: Since this driver started.
        worker_seconds: Summed life time of this driver's workers.
        busy_share: Training and validation's share of `worker_seconds`.
        finished_here: Trials finished by this driver.
    """

    records: tuple[TrialRecord, ...]
    running: tuple[int, ...]
    trials: int
    workers: int
    baselines: Baselines
    seconds: float
    worker_seconds: float
    busy_share: float
    finished_here: int

    def seconds_left(self) -> float | None:
        """Returns an estimate from the pace so far; None before a trial has finished."""
        if not self.finished_here:
            return None
        done = sum(record.state in FINISHED for record in self.records)
        return (self.trials - done) * self.seconds / self.finished_here


def count_states(records: Sequence[TrialRecord]) -> dict[str, int]:
    """Returns how many trials are in each state."""
    states: list[str] = [record.state for record in records]
    return {state: states.count(state) for state in (*FINISHED, "running", "waiting", "paused")}


def place(record: TrialRecord, direction: str) -> tuple[float, int] | None:
    """Returns what orders complete trials, the best objective least, the earliest of equals; None for others."""
    if record.state != "complete" or record.objective is None:
        return None
    return (record.objective if direction == "minimize" else -record.objective, record.number)


def ranked(records: Iterable[TrialRecord], direction: str) -> list[TrialRecord]:
    """Returns the complete trials, the best objective first, the earliest of equals.

    Of a configuration that was trained with several seeds their mean counts, and its trials stay together.
    """
    groups: dict[str, list[tuple[int, float, TrialRecord]]] = {}
    for record in records:
        if (found := place(record, direction)) is not None:
            value, number = found
            groups.setdefault(record.group or group_name(number), []).append((number, value, record))
    means = [(fmean(value for _, value, _ in group), sorted(group)) for group in groups.values()]
    return [record for _, group in sorted(means) for _, _, record in group]


def group_name(number: int) -> str:
    """Returns the name of the group that a trial of its own begins; its run's in TensorBoard too."""
    return f"trial-{number:04d}"


def best_record(records: Iterable[TrialRecord], direction: str) -> TrialRecord | None:
    """Returns the complete trial with the best objective; None without one."""
    return next(iter(ranked(records, direction)), None)
