"""A study at one moment, as views, tables and summaries read it. Plain data about records; no Optuna, no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from colorgan.record import FINISHED, TrialRecord
from search.aims import feasible

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
        at_most: Whether the study may turn out to need fewer trials than it wants.
        seeds: Of each configuration whose first trial is complete and feasible, upon which `trials` has them too.
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
    at_most: bool = False
    seeds: int = 1

    @property
    def starting(self) -> bool:
        """Whether all its workers are still on their way: this driver has had nothing trained yet, nor does it now."""
        return not (self.running or self.busy_share or self.finished_here)

    def seconds_left(self) -> float | None:
        """Returns an estimate from the pace so far; None before a trial has finished.

        Each trial is taken to need what the finished and the paused ones have had, so that those that pause or are
        pruned make it as little as they have made so far; and as many to bring further seeds.
        """
        resting = [r.training_seconds for r in self.records if r.state in (*FINISHED, "paused")]
        trained = self.busy_share * self.worker_seconds
        if not (self.finished_here and resting and trained):
            return None
        wanted = (max(self.trials, len(self.records)) + self._seeds_to_come()) * fmean(resting)
        return max(0.0, wanted - sum(record.training_seconds for record in self.records)) * self.seconds / trained

    def _seeds_to_come(self) -> float:
        """Returns how many further seeds the configurations will bring that nothing is known of, as the others have."""
        if self.seeds == 1:
            return 0.0
        known = [r for r in self.records if not r.group and r.state in (*FINISHED, "paused")]
        brought = (self.seeds - 1) * sum(record.state == "complete" and record.feasible for record in known)
        return max(0, self.trials - brought - len(known)) * brought / max(1, len(known))


def count_states(records: Sequence[TrialRecord]) -> dict[str, int]:
    """Returns how many trials are in each state."""
    states: list[str] = [record.state for record in records]
    return {state: states.count(state) for state in (*FINISHED, "running", "waiting", "paused")}


@dataclass(frozen=True)
class Seeds:
    """What one configuration came to with each of its seeds.

    Attributes:
        records: Its complete trials, by number.
    """

    records: tuple[TrialRecord, ...]

    @property
    def first(self) -> TrialRecord:
        """The trial that stands for it."""
        return self.records[0]

    @property
    def values(self) -> tuple[float, ...]:
        """Their objectives."""
        return tuple(record.objective for record in self.records if record.objective is not None)

    @property
    def mean(self) -> float:
        """What counts."""
        return fmean(self.values)

    @property
    def further(self) -> dict[str, float]:
        """The means of the further objectives, by name."""
        return {name: fmean(record.further[name] for record in self.records) for name in self.first.further}

    @property
    def feasible(self) -> bool:
        """Whether its constraints hold on average."""
        return feasible(record.violations for record in self.records)


def configurations(records: Iterable[TrialRecord]) -> list[Seeds]:
    """Returns what each configuration came to that has complete trials, by the number of the first of these."""
    groups: dict[str, list[TrialRecord]] = {}
    for record in sorted(records, key=lambda record: record.number):
        if record.state == "complete" and record.objective is not None:
            groups.setdefault(record.group or group_name(record.number), []).append(record)
    return [Seeds(tuple(group)) for group in groups.values()]


def by_seeds(records: Iterable[TrialRecord]) -> dict[int, Seeds]:
    """Returns for each complete trial, by number, what its configuration came to."""
    return {record.number: seeds for seeds in configurations(records) for record in seeds.records}


def ranked_configurations(records: Iterable[TrialRecord], direction: str) -> list[Seeds]:
    """Returns what the complete and feasible configurations came to, the best mean first, the earliest of equals."""
    return best_first(configurations(records), direction)


def best_first(found: Iterable[Seeds], direction: str) -> list[Seeds]:
    """Returns the feasible configurations of these, the best mean first, the earliest of equals."""
    sign = 1.0 if direction == "minimize" else -1.0
    return sorted((seeds for seeds in found if seeds.feasible), key=lambda seeds: sign * seeds.mean)


def ranked(records: Iterable[TrialRecord], direction: str) -> list[TrialRecord]:
    """Returns the complete and feasible trials, the best objective first, the earliest of equals.

    Of a configuration that was trained with several seeds the means count, and its trials stay together.
    """
    return [record for seeds in ranked_configurations(records, direction) for record in seeds.records]


def ruled_out(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Returns the trials that violate a constraint; of complete ones, those whose seeds do on average."""
    possible = {record.number for seeds in configurations(records) if seeds.feasible for record in seeds.records}
    return [r for r in records if (r.number not in possible if r.state == "complete" else not r.feasible)]


def group_name(number: int) -> str:
    """Returns the name of the group that a trial of its own begins; its run's in TensorBoard too."""
    return f"trial-{number:04d}"


def best_seeds(records: Iterable[TrialRecord], direction: str) -> Seeds | None:
    """Returns what the best configuration came to; None where no trial is complete and feasible."""
    return next(iter(ranked_configurations(records, direction)), None)


def best_record(records: Iterable[TrialRecord], direction: str) -> TrialRecord | None:
    """Returns the trial that stands for the best configuration; None without one."""
    best = best_seeds(records, direction)
    return best.first if best else None
