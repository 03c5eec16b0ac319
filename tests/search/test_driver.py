"""The driver on an engine whose workers are generators in this process, so that each thing that can happen does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, TypeGuard

import optuna
import pytest

from colorgan.epoch import EpochResult
from colorgan.record import TrialRecord, write_record
from search.aims import Aims
from search.driver import Driver
from search.messages import BaselinesMeasured, EpochDone, Event, Job, TrialEnded, TrialStarted, WorkerLost
from search.methods import make_pruner, make_sampler
from search.restore import disagreement
from search.snapshot import ranked
from search.source import Plan, PlannedTrial, TrialSource
from search.space import Space
from search.storage import StudyFolder
from search.study import StudySpec

EPOCHS = 4
RATE, FILTERS = "optimizer.generator_learning_rate", "generator.filters"
SPACE: dict[str, Any] = {RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}}
Play = Callable[[Job], Iterator[Event | None]]


def result(job: Job, epoch: int, value: float | None = None) -> EpochResult:
    value = 20.0 + 1000.0 * job.config.optimizer.generator_learning_rate - epoch if value is None else value
    return EpochResult(epoch, 10 * epoch, {"valid/delta_e": value, "train/l1": 0.5}, None, 0.2, 0.1)


def started(job: Job, history: tuple[EpochResult, ...] = ()) -> TrialStarted:
    return TrialStarted(job.number, True, 0.1, history, 7)


def honest(job: Job, value: float | None = None) -> Iterator[Event | None]:
    """Trains as a worker does, from its checkpoint, in which it keeps the number of epochs done."""
    done = int(job.checkpoint.read_text()) if job.checkpoint.exists() else 0
    last = job.config.schedule.epochs
    yield started(job, tuple(result(job, epoch, value) for epoch in range(1, done + 1)))
    for epoch in range(done + 1, (job.until or last) + 1):
        job.checkpoint.write_text(str(epoch))
        yield EpochDone(job.number, result(job, epoch, value))
    yield TrialEnded(job.number, "complete" if job.until is None else "paused")


def turning(job: Job) -> Iterator[Event | None]:
    """Trains; what was best until the last epoch is the worst thereafter."""
    for event in honest(job):
        last = isinstance(event, EpochDone) and event.result.epoch == EPOCHS
        worth = 20.0 - 1000.0 * job.config.optimizer.generator_learning_rate
        yield EpochDone(job.number, result(job, EPOCHS, worth)) if last else event


def hanging(job: Job) -> Iterator[Event | None]:
    yield started(job)
    yield EpochDone(job.number, result(job, 1))
    while True:
        yield None


def failing(job: Job) -> Iterator[Event | None]:
    yield started(job)
    yield TrialEnded(job.number, "failed", "train/l1 is nan at step 3", "Traceback: ...")


@dataclass
class Generators:
    """An engine: every worker plays its trial's generator, an event each time the driver waits."""

    play: Play = honest
    count: int = 1
    deaf: bool = False  # whether workers are too busy to hear a stop
    jobs: list[tuple[int, Job]] = field(default_factory=list)
    stops: list[tuple[int, bool]] = field(default_factory=list)
    released: bool = False
    _playing: dict[int, tuple[Job, Iterator[Event | None]]] = field(default_factory=dict)
    _held: dict[int, set[str]] = field(default_factory=dict)

    def start(self) -> None:
        pass

    def idle(self) -> Sequence[int]:
        return [worker for worker in range(self.count) if worker not in self._playing]

    def takes(self, worker: int, architecture: str, *, alone: bool = False) -> bool:
        return True

    def holds(self, worker: int, architecture: str) -> bool:
        return architecture in self._held.get(worker, ())

    def dispatch(self, worker: int, job: Job) -> None:
        assert worker in self.idle()
        self.jobs.append((worker, job))
        self._playing[worker] = (job, self.play(job))

    def stop(self, number: int, *, save: bool) -> None:
        self.stops.append((number, save))
        if not self.deaf:
            self._replace(number, [TrialEnded(number, "stopped")])

    def kill(self, number: int) -> None:
        worker = next(w for w, (job, _) in self._playing.items() if job.number == number)
        self._replace(number, [WorkerLost(worker, number, "killed")])

    def release_idle(self) -> None:
        self.released = True

    def wait(self, seconds: float) -> list[Event]:
        events = []
        for worker, (job, play) in list(self._playing.items()):
            event = next(play)
            if isinstance(event, TrialEnded | WorkerLost):
                del self._playing[worker]
                self._held.setdefault(worker, set()).add(job.config.architecture())
            events += [] if event is None else [event]
        return events

    def worker_seconds(self) -> float:
        return 1.0

    def close(self) -> None:
        pass

    def _replace(self, number: int, events: list[Event]) -> None:
        for worker, (job, _) in self._playing.items():
            if job.number == number:
                self._playing[worker] = (job, iter(events))


@dataclass
class Shared(Generators):
    """An engine of one worker with places for `count` trials of one architecture."""

    taken: list[int] = field(default_factory=list)  # places, each time that the driver waits

    def idle(self) -> Sequence[int]:
        return [0] * (self.count - len(self._playing))

    def takes(self, worker: int, architecture: str, *, alone: bool = False) -> bool:
        jobs = [job for job, _ in self._playing.values()]
        return not jobs or not (alone or any(j.alone or j.config.architecture() != architecture for j in jobs))

    def dispatch(self, worker: int, job: Job) -> None:
        assert self.idle()
        assert self.takes(worker, job.config.architecture(), alone=job.alone)
        self.jobs.append((worker, job))
        self._playing[job.number] = (job, self.play(job))

    def wait(self, seconds: float) -> list[Event]:
        self.taken.append(len(self._playing))
        playing = list(self._playing)
        events = super().wait(seconds)
        if broken := next((event for event in events if _of_all(event)), None):
            self._playing.clear()
            return [replace(broken, number=number) for number in playing]
        return events


def _of_all(event: Event) -> TypeGuard[WorkerLost | TrialEnded]:
    """Returns whether an event befalls all trials of its worker."""
    return isinstance(event, WorkerLost) or (isinstance(event, TrialEnded) and event.crowded)


@dataclass
class Leaving(Generators):
    """An engine whose workers are gone once they are released."""

    gone: set[int] = field(default_factory=set)

    def idle(self) -> Sequence[int]:
        return [worker for worker in super().idle() if worker not in self.gone]

    def release_idle(self) -> None:
        self.gone |= set(self.idle())


def study_of(*, space: dict[str, Any] | None = None, smooth: int = 1, **search: Any) -> StudySpec:
    search = {"trials": 3, "sampler": {"name": "random"}, **search}
    train = {
        "data": {"size": 32},
        "generator": {"filters": 4, "depth": 3},
        "discriminator": {"filters": 4, "depth": 2},
        "schedule": {"epochs": EPOCHS},
    }
    tree = {"name": "study", "train": train, "space": space or SPACE, "search": search}
    return StudySpec.model_validate({**tree, "objective": {"metric": "valid/delta_e", "smooth_epochs": smooth}})


@dataclass
class Study:
    """A study in a folder and in memory, run as often as a test likes."""

    folder: StudyFolder
    storage: optuna.storages.InMemoryStorage = field(default_factory=optuna.storages.InMemoryStorage)
    lines: list[str] = field(default_factory=list)

    plan: Plan | None = None

    def run(self, spec: StudySpec, engine: Generators, *, seen: Callable[[Driver], None] = lambda _: None) -> str:
        driver = self.driver(spec, engine, seen=lambda: seen(driver))
        return driver.run()

    def driver(
        self,
        spec: StudySpec,
        engine: Generators,
        *,
        seen: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Driver:
        space = Space(spec.space, spec.train)
        study = optuna.create_study(
            storage=self.storage,
            study_name="study",
            sampler=make_sampler(spec, space),
            pruner=make_pruner(spec),
            directions=Aims(spec).directions,
            load_if_exists=True,
        )
        source = TrialSource(spec, study, space, self.plan)
        return Driver(
            spec,
            study,
            engine,
            self.folder,
            source=source,
            show=lambda _: seen(),
            say=self.lines.append,
            clock=clock,
        )

    @property
    def optuna(self) -> optuna.Study:
        return optuna.load_study(study_name="study", storage=self.storage)

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        return self.optuna.trials

    @property
    def states(self) -> list[str]:
        return [trial.state.name for trial in self.trials]

    @property
    def records(self) -> list[TrialRecord]:
        return self.folder.records()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(StudyFolder(tmp_path / "study"))


def test_every_trial_is_asked_trained_reported_and_told(study: Study) -> None:
    assert study.run(study_of(smooth=2), Generators()) == "finished"
    assert study.states == ["COMPLETE"] * 3
    for trial, record in zip(study.trials, study.records, strict=True):
        values = [20.0 + 1000.0 * trial.params[RATE] - epoch for epoch in (1, 2, 3, 4)]
        smoothed = [values[0], *((a + b) / 2 for a, b in pairwise(values))]
        assert [trial.intermediate_values[epoch] for epoch in (1, 2, 3, 4)] == pytest.approx(smoothed)
        assert trial.value == record.objective == trial.intermediate_values[4]
        assert trial.user_attrs["metrics"] == record.metrics
        assert (record.state, record.params, record.seed) == ("complete", trial.params, record.number)


def test_trial_0_is_the_default_and_others_are_sampled(study: Study) -> None:
    study.run(study_of(), Generators())
    assert study.trials[0].params == {RATE: 2e-4}
    assert study.trials[1].params != study.trials[2].params


def test_the_total_is_a_total_and_a_larger_one_goes_on(study: Study) -> None:
    study.run(study_of(trials=2), Generators())
    before, again = study.trials, Generators()
    assert study.run(study_of(trials=2), again) == "finished"
    assert again.jobs == []
    assert study.run(study_of(trials=4), Generators()) == "finished"
    assert study.trials[:2] == before
    assert study.states == ["COMPLETE"] * 4


def test_a_pruner_stops_a_trial_after_the_epoch_it_judged(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        return honest(job, value=90.0 if job.number == 1 else 20.0)

    engine = Generators(play)
    study.run(study_of(pruner={"name": "threshold", "upper": 50.0, "warmup_epochs": 1}), engine)
    assert study.states == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert engine.stops == [(1, False)]
    assert study.trials[1].intermediate_values == {1: 90.0, 2: 90.0}
    assert study.trials[1].value == 90.0
    assert len(study.records[1].epochs) == 2
    assert study.records[1].reason == "by the pruner after epoch 2"


def test_a_trial_is_not_pruned_after_its_last_epoch(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        yield started(job)
        for epoch in range(1, EPOCHS + 1):
            yield EpochDone(job.number, result(job, epoch, 90.0 if epoch == EPOCHS else 20.0))
        yield TrialEnded(job.number, "complete")

    study.run(study_of(trials=1, pruner={"name": "threshold", "upper": 50.0}), Generators(play))
    assert study.states == ["COMPLETE"]


def test_a_failing_trial_is_data_and_the_study_goes_on(study: Study) -> None:
    engine = Generators(lambda job: failing(job) if job.number == 1 else honest(job))
    assert study.run(study_of(), engine) == "finished"
    assert study.states == ["COMPLETE", "FAIL", "COMPLETE"]
    assert study.trials[1].user_attrs["reason"] == study.records[1].reason == "train/l1 is nan at step 3"
    assert "Traceback: ..." in study.folder.trial(1).log.read_text()
    assert "trial 1 failed (train/l1 is nan at step 3)" in study.lines


def test_a_sampler_learns_of_a_failed_trial_where_the_study_says_what_it_counts(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        yield started(job)
        yield EpochDone(job.number, result(job, 1, 20.0))
        yield TrialEnded(job.number, "failed", "train/l1 is nan at step 13")

    spec = study_of(trials=2)
    spec = spec.model_copy(update={"objective": spec.objective.model_copy(update={"failed_value": 99.0})})
    study.run(spec, Generators(lambda job: play(job) if job.number == 0 else failing(job)))
    assert study.states == ["PRUNED", "PRUNED"]
    assert [trial.intermediate_values for trial in study.trials] == [{1: 20.0, 2: 99.0}, {1: 99.0}]
    assert [record.state for record in study.records] == ["failed", "failed"]  # what it was, in every table
    assert [trial.user_attrs["reason"] for trial in study.trials] == [record.reason for record in study.records]


def test_a_machine_that_cannot_write_stops_the_study_and_fails_no_trial(study: Study) -> None:
    full = ["disk"]

    def play(job: Job) -> Iterator[Event | None]:
        events = honest(job)
        for event in events:
            yield event
            if full and isinstance(event, EpochDone) and event.result.epoch == 2:
                yield TrialEnded(job.number, "blocked", "checkpoint.npz: cannot be written: No space left on device")

    assert study.run(study_of(), Generators(play, count=2)) == "blocked"
    assert study.states == ["RUNNING", "RUNNING"]
    assert "stopping: checkpoint.npz: cannot be written: No space left on device" in study.lines
    full.clear()
    assert study.run(study_of(), Generators(play)) == "finished"
    assert study.states == ["COMPLETE"] * 3
    assert [record.retries for record in study.records] == [0, 0, 0]
    assert [[epoch.epoch for epoch in record.epochs] for record in study.records] == [[1, 2, 3, 4]] * 3


def test_a_folder_that_is_gone_between_two_trials_is_not_made_anew_and_its_study_goes_on_once_it_is_back(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)
    place, elsewhere = study.folder.path, study.folder.path.with_name("elsewhere")
    engine = Generators()

    def seen(driver: Driver) -> None:
        if len(engine.jobs) == 1 and not driver.snapshot().running:
            place.rename(elsewhere)  # as an unmounted share's is

    with pytest.raises(FileNotFoundError):
        study.run(study_of(), engine, seen=seen)
    assert not place.exists()
    elsewhere.rename(place)
    assert study.run(study_of(), Generators()) == "finished"
    assert study.states == ["COMPLETE"] * 3
    assert [record.number for record in study.records] == [0, 1, 2]


def test_too_many_failures_in_a_row_end_the_study(study: Study) -> None:
    assert study.run(study_of(trials=9, max_consecutive_failures=3), Generators(failing)) == "too many failures"
    assert study.states == ["FAIL"] * 3


def test_failures_between_successes_do_not_end_it(study: Study) -> None:
    engine = Generators(lambda job: failing(job) if job.number % 2 else honest(job))
    assert study.run(study_of(trials=6, max_consecutive_failures=2), engine) == "finished"


def test_an_objective_that_is_not_finite_at_the_end_is_a_failure(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        yield started(job)
        yield EpochDone(job.number, result(job, 1))
        yield EpochDone(job.number, result(job, EPOCHS, float("nan")))
        yield TrialEnded(job.number, "complete")

    study.run(study_of(trials=1), Generators(play))
    assert study.states == ["FAIL"]
    assert study.records[0].reason == "valid/delta_e was not finite at the end"


def test_a_configuration_that_is_refused_is_a_failed_trial(study: Study) -> None:
    factor = {"type": "float", "low": 0.01, "high": 1.0, "factor_of": RATE}
    spec = study_of(space={**SPACE, "optimizer.discriminator_learning_rate": factor})
    driver = study.driver(spec, engine := Generators())
    study.optuna.enqueue_trial({RATE: 1e-3, "optimizer.discriminator_learning_rate": 5000.0})
    with pytest.warns(UserWarning, match="out of range"):
        assert driver.run() == "finished"
    assert study.states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert "refused" in study.records[0].reason
    assert [job.number for _, job in engine.jobs] == [1, 2]


def test_a_lost_worker_loses_no_trial(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        for event in honest(job):
            yield event
            if isinstance(event, EpochDone) and (job.number, event.result.epoch) == (1, 2):
                yield WorkerLost(0, 1, "its worker process was ended by SIGKILL")

    engine = Generators(play)
    assert study.run(study_of(), engine) == "finished"
    assert study.states == ["COMPLETE"] * 3
    assert [job.number for _, job in engine.jobs] == [0, 1, 1, 2]
    assert [record.retries for record in study.records] == [0, 1, 0]
    assert [epoch.epoch for epoch in study.records[1].epochs] == [1, 2, 3, 4]


def test_a_trial_that_loses_too_many_workers_fails(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        yield WorkerLost(0, job.number, "its worker process was ended by SIGKILL")

    study.run(study_of(trials=1, retries=2), Generators(play))
    assert study.states == ["FAIL"]
    assert study.records[0].reason == "lost 3 workers; the last: its worker process was ended by SIGKILL"


@pytest.mark.parametrize("retries", [1, 3])
def test_a_trial_that_ends_its_worker_again_and_again_takes_none_of_its_neighbours_with_it(
    study: Study, retries: int
) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        for event in honest(job):
            yield event
            if isinstance(event, TrialStarted) and job.number == 1:
                yield WorkerLost(0, 1, "its worker process was ended by SIGSEGV")

    engine = Shared(play, count=3)
    assert study.run(study_of(trials=6, retries=retries), engine) == "finished"
    assert study.states == ["COMPLETE", "FAIL", *["COMPLETE"] * 4]
    assert study.records[1].reason.startswith(f"lost {retries + 1} workers")
    assert [record.retries for record in study.records] == [retries, retries + 1, retries, 0, 0, 0]


@pytest.mark.parametrize("retries", [1, 3])
def test_a_trial_that_breaks_the_program_it_is_trained_in_with_others_fails_alone(study: Study, retries: int) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        for event in honest(job):
            yield event
            if isinstance(event, TrialStarted) and job.number == 1:
                yield TrialEnded(1, "failed", "RuntimeError: broken", "Traceback: broken", crowded=not job.alone)

    engine = Shared(play, count=3)
    assert study.run(study_of(trials=6, retries=retries), engine) == "finished"
    assert study.states == ["COMPLETE", "FAIL", *["COMPLETE"] * 4]
    assert study.records[1].reason == "RuntimeError: broken"
    assert [record.retries for record in study.records] == [retries] * 3 + [0] * 3
    assert "Traceback: broken" in study.folder.trial(0).log.read_text()


def test_a_trial_given_up_after_workers_that_ended_as_without_memory_says_so(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        yield WorkerLost(0, job.number, "its worker process was ended by SIGKILL", perhaps_memory=True)

    study.run(study_of(trials=1, retries=2), Generators(play))
    assert "SIGKILL; memory may have run out: use a smaller schedule.batch_size" in study.records[0].reason


def out_of_memory(job: Job, *, crowded: bool = False) -> TrialEnded:
    return TrialEnded(job.number, "out of memory", "memory ran out in epoch 1", "Traceback: OOM", crowded=crowded)


def test_a_trial_out_of_memory_fails_with_what_to_do_and_the_study_goes_on(study: Study) -> None:
    engine = Generators(lambda job: iter([started(job), out_of_memory(job)]) if job.number == 1 else honest(job))
    assert study.run(study_of(), engine) == "finished"
    assert study.states == ["COMPLETE", "FAIL", "COMPLETE"]
    assert study.records[1].reason.startswith("memory ran out in epoch 1; use a smaller schedule.batch_size")
    assert "Traceback: OOM" in study.folder.trial(1).log.read_text()
    assert [job.number for _, job in engine.jobs] == [0, 1, 2]


def test_out_of_memory_beside_the_networks_of_other_trials_is_no_fault_of_the_trial(study: Study) -> None:
    crowded = [True]

    def play(job: Job) -> Iterator[Event | None]:
        if job.number == 1 and crowded:
            yield out_of_memory(job, crowded=crowded.pop())
        else:
            yield from honest(job)

    engine = Generators(play)
    assert study.run(study_of(), engine) == "finished"
    assert study.states == ["COMPLETE"] * 3
    assert [job.number for _, job in engine.jobs] == [0, 1, 1, 2]
    assert [record.retries for record in study.records] == [0, 1, 0]
    assert "beside other trials" in study.folder.trial(1).log.read_text()


def test_a_hung_trial_is_stopped_at_its_limit_while_others_go_on(study: Study) -> None:
    engine = Generators(lambda job: hanging(job) if job.number == 0 else honest(job), count=2)
    assert study.run(study_of(trial_timeout_seconds=0.5), engine) == "finished"
    assert study.states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert study.records[0].reason == "ran longer than trial_timeout_seconds 0.5"
    assert study.trials[0].datetime_complete > study.trials[1].datetime_complete  # type: ignore[operator]


def test_a_pruned_trial_that_never_leaves_its_worker_is_ended_at_its_limit(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)
    now = [0.0]

    def seen() -> None:
        now[0] += 1.0
        assert now[0] < 100.0

    spec = study_of(trials=1, pruner={"name": "threshold", "upper": 10.0}, trial_timeout_seconds=60)
    driver = study.driver(spec, Generators(hanging, deaf=True), seen=seen, clock=lambda: now[0])
    assert driver.run() == "finished"
    assert study.states == ["PRUNED"]
    assert study.records[0].reason == "by the pruner after epoch 1"


def test_that_the_driver_was_away_is_not_held_against_a_trial(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)
    now, aways = [0.0], [300.0]

    def seen(driver: Driver) -> None:
        now[0] += 1.0
        if aways and driver.snapshot().records[-1].epochs:
            now[0] += aways.pop()  # as if its storage had not answered, or Ctrl-Z had stopped it

    spec = study_of(trial_timeout_seconds=60)
    driver = study.driver(spec, Generators(), seen=lambda: seen(driver), clock=lambda: now[0])
    assert driver.run() == "finished"
    assert study.states == ["COMPLETE"] * 3
    assert not aways


def test_the_studys_time_limit_leaves_it_resumable(study: Study) -> None:
    assert study.run(study_of(study_timeout_seconds=0.3), Generators(hanging)) == "time limit"
    assert study.states == ["RUNNING"]
    assert study.run(study_of(), Generators()) == "finished"
    assert study.states == ["COMPLETE"] * 3


def test_a_stop_saves_and_the_next_driver_takes_over(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)  # so that each event is seen

    def seen(driver: Driver) -> None:
        if driver.snapshot().records[-1].number == 1 and len(driver.snapshot().records[-1].epochs) == 2:
            driver.stop()

    engine, again = Generators(), Generators()
    assert study.run(study_of(), engine, seen=seen) == "interrupted"
    assert engine.stops == [(1, True)]
    assert study.states == ["COMPLETE", "RUNNING"]
    assert study.records[1].state == "waiting"
    assert study.run(study_of(), again) == "finished"
    assert [job.number for _, job in again.jobs] == [1, 2]
    undisturbed = Study(StudyFolder(study.folder.path.with_name("undisturbed")))
    undisturbed.run(study_of(), Generators())
    assert [t.params for t in study.trials] == [t.params for t in undisturbed.trials]
    assert [r.epochs for r in study.records] == [r.epochs for r in undisturbed.records]


def test_a_second_stop_does_not_wait(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)
    stops = []

    def seen(driver: Driver) -> None:
        if study.records and study.records[0].epochs:
            driver.stop()
            stops.append(1)

    assert study.run(study_of(), Generators(hanging, deaf=True), seen=seen) == "interrupted"
    assert len(stops) == 2
    assert study.states == ["RUNNING"]
    assert study.records[0].state == "waiting"


def test_idle_workers_that_have_its_architecture_get_a_trial_first(study: Study) -> None:
    space = {FILTERS: {"type": "categorical", "choices": [4, 8]}, **SPACE}
    engine = Generators(count=2)
    study.run(study_of(space=space, trials=16), engine)
    held: dict[int, set[int]] = {0: set(), 1: set()}
    better = 0
    for (first, a), (second, b) in zip(engine.jobs[::2], engine.jobs[1::2], strict=True):  # both idle at once
        x, y = a.config.generator.filters, b.config.generator.filters
        assert {first, second} == {0, 1}
        straight, crossed = (x in held[first]) + (y in held[second]), (y in held[first]) + (x in held[second])
        assert straight >= crossed
        better += straight > crossed
        held[first].add(x)
        held[second].add(y)
    assert better > 0


def test_a_worker_with_several_places_is_kept_full_of_trials_of_one_architecture(study: Study) -> None:
    engine = Shared(count=3)
    spec = study_of(space={**SPACE, FILTERS: {"type": "categorical", "choices": [4, 8]}}, trials=24)
    assert study.run(spec, engine) == "finished"
    assert study.states == ["COMPLETE"] * 24
    assert {job.config.generator.filters for _, job in engine.jobs} == {4, 8}
    full = [taken == 3 for taken in engine.taken[: len(engine.taken) // 2]]
    assert sum(full) > 0.9 * len(full)


def test_a_driver_killed_just_before_it_told_optuna_is_mended(study: Study) -> None:
    driver = study.driver(study_of(trials=1), engine := Generators())
    study.optuna.enqueue_trial({RATE: 1e-3})
    study.optuna.ask().suggest_float(RATE, 1e-4, 1e-2, log=True)
    files = study.folder.trial(0)
    files.path.mkdir(parents=True)
    write_record(
        files.record,
        TrialRecord(number=0, state="pruned", reason="by the pruner after epoch 1", seed=0, params={RATE: 1e-3}),
    )
    assert driver.run() == "finished"
    assert engine.jobs == []
    assert study.states == ["PRUNED"]
    assert study.records[0].state == "pruned"


@pytest.mark.parametrize("name", ["successive_halving", "hyperband"])
def test_what_was_to_be_pruned_is_pruned_though_the_driver_is_killed_first(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)  # so that each event is seen

    def play(job: Job) -> Iterator[Event | None]:
        return honest(job, value=20.0 + job.number)  # each is worse than those before

    def seen(driver: Driver) -> None:
        if any(live.decision for live in driver._trials.running.values()):
            raise InterruptedError

    spec = study_of(trials=6, pruner={"name": name, "min_resource": 1, "reduction_factor": 2})
    undisturbed, killed = Study(StudyFolder(tmp_path / "undisturbed")), 0
    undisturbed.run(spec, Generators(play))
    ending = ""
    while not ending:
        try:
            ending = study.run(spec, Generators(play, deaf=True), seen=seen)
        except InterruptedError:
            killed += 1
    assert killed == undisturbed.states.count("PRUNED") > 0
    assert [(r.state, r.reason, r.epochs) for r in study.records] == [
        (r.state, r.reason, r.epochs) for r in undisturbed.records
    ]
    assert study.states == undisturbed.states


def test_a_record_of_other_parameters_is_not_taken_for_the_trials_own(study: Study) -> None:
    files = study.folder.trial(0)
    files.path.mkdir(parents=True)
    write_record(files.record, TrialRecord(number=0, state="complete", seed=0, params={RATE: 0.5}))
    study.run(study_of(trials=1), engine := Generators())
    assert len(engine.jobs) == 1
    assert study.records[0].params == {RATE: 2e-4}


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_two_studies_of_one_seed_are_equal(study: Study, tmp_path: Path, sampler: str) -> None:
    twin = Study(StudyFolder(tmp_path / "twin"))
    spec = study_of(trials=14, sampler={"name": sampler}, pruner={"name": "median", "warmup_epochs": 1})
    for one in (study, twin):
        one.run(spec, Generators())
    assert [t.params for t in study.trials] == [t.params for t in twin.trials]
    assert study.states == twin.states
    assert "PRUNED" in study.states


def test_a_grid_runs_each_combination_once_and_ends(study: Study) -> None:
    space = {
        FILTERS: {"type": "categorical", "choices": [4, 8]},
        "discriminator.filters": {"type": "int", "low": 4, "high": 8, "step": 2},
    }
    spec = study_of(space=space, trials=50, sampler={"name": "grid"}, repeat_configurations=True)
    spec = spec.model_copy(update={"enqueue": ({FILTERS: 8}, {"discriminator.filters": 6})})
    assert study.run(spec, Generators(count=2)) == "finished"
    tried = [tuple(trial.params.values()) for trial in study.trials]
    assert sorted(tried) == [(f, d) for f in (4, 8) for d in (4, 6, 8)]
    assert study.run(spec, again := Generators()) == "finished"
    assert again.jobs == []


def test_what_is_enqueued_and_rounded_to_the_default_is_no_trial_of_its_own(study: Study) -> None:
    space = {"discriminator.filters": {"type": "float", "low": 0.5, "high": 1.5, "factor_of": FILTERS}}
    spec = study_of(space=space, trials=3)
    spec = spec.model_copy(update={"enqueue": ({"discriminator.filters": 1.001}, {"discriminator.filters": 0.5})})
    study.run(spec, Generators())
    assert [trial.params["discriminator.filters"] for trial in study.trials][:2] == [1.0, 0.5]


def test_conditional_and_tied_parameters_go_through(study: Study) -> None:
    space = {
        RATE: {"type": "categorical", "choices": [1e-3, 1e-4]},
        "optimizer.discriminator_learning_rate": {"type": "categorical", "choices": [0.1, 1.0], "factor_of": RATE},
        "losses.adversarial": {"type": "categorical", "choices": ["bce", "least_squares"]},
        "losses.label_smoothing": {
            "type": "categorical",
            "choices": [0.0, 0.2],
            "when": {"losses.adversarial": "bce"},
        },
    }
    engine = Generators()
    study.run(study_of(space=space, trials=50, sampler={"name": "brute_force"}), engine)
    tried = [tuple(sorted(trial.params.items())) for trial in study.trials]
    assert len(tried) == len(set(tried)) == 2 * 2 * 3
    for trial, (_, job) in zip(study.trials, engine.jobs, strict=True):
        optimizer, losses = job.config.optimizer, job.config.losses
        factor = trial.params["optimizer.discriminator_learning_rate"]
        assert optimizer.discriminator_learning_rate == factor * optimizer.generator_learning_rate
        assert ("losses.label_smoothing" in trial.params) == (losses.adversarial == "bce")


@pytest.mark.parametrize("seeds", [1, 2])
def test_only_the_best_trials_keep_their_checkpoints(study: Study, seeds: int) -> None:
    play = lambda job: honest(job, 10.0 + job.config.seed * 3 % 7)  # noqa: E731 - whatever was sampled
    study.run(study_of(trials=5, keep_checkpoints=2, seeds_per_trial=seeds), Generators(play))
    kept = {record.number for record in study.records if study.folder.trial(record.number).checkpoint.exists()}
    assert kept == {record.number for record in ranked(study.records, "minimize")[:2]}


def test_what_a_worker_killed_while_it_saved_left_is_removed(study: Study) -> None:
    files = study.folder.trial(0)
    files.path.mkdir(parents=True)
    torn = files.path / f".{files.checkpoint.name}.4711"
    torn.write_text("torn")
    study.run(study_of(trials=1), Generators())
    assert not torn.exists()


def test_baselines_are_measured_once_in_a_study(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        if job.baselines:
            yield BaselinesMeasured({"gray": {"valid/delta_e": 15.0}})
        yield from honest(job)

    engine, again = Generators(play), Generators(play)
    study.run(study_of(trials=2), engine)
    assert [job.baselines for _, job in engine.jobs] == [True, False]
    driver = study.driver(study_of(trials=3), again)
    driver.run()
    assert [job.baselines for _, job in again.jobs] == [False]
    assert driver.baselines == {"gray": {"valid/delta_e": 15.0}}


def test_one_worker_at_a_time_is_asked_for_the_baselines(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        if job.baselines and job.number == 0:
            yield started(job)
            yield WorkerLost(0, 0, "lost before it had measured them")
        if job.baselines:
            yield BaselinesMeasured({"gray": {"valid/delta_e": 15.0}})
        yield from honest(job)

    engine = Generators(play, count=3)
    study.run(study_of(trials=6, retries=0), engine)
    assert [job.number for _, job in engine.jobs if job.baselines] == [0, 3]


def test_workers_are_released_when_there_is_nothing_more_to_hand_out(study: Study) -> None:
    engine = Generators(count=3)
    study.run(study_of(trials=2), engine)
    assert engine.released


def test_a_planned_study_trains_its_plan_and_leaves_out_what_is_no_longer_needed(study: Study) -> None:
    trials = [PlannedTrial({RATE: rate}, 7 + seed, f"rate-{rate}") for seed in range(4) for rate in (1e-4, 2e-4)]
    study.plan = Plan(
        trials, lambda group, records: "enough" if group == "rate-0.0002" and len(list(records)) > 3 else ""
    )
    spec = study_of(trials=8, sampler={"name": "random"})
    driver = study.driver(spec, Generators(honest))
    assert driver.run() == "finished"
    records = study.folder.records()
    assert [(record.params[RATE], record.seed, record.group) for record in records] == [
        (1e-4, 7, "rate-0.0001"), (2e-4, 7, "rate-0.0002"), (1e-4, 8, "rate-0.0001"), (2e-4, 8, "rate-0.0002"),
        (1e-4, 9, "rate-0.0001"), (1e-4, 10, "rate-0.0001"),
    ]  # fmt: skip
    assert study.states == [*["COMPLETE"] * 5, "PRUNED", "COMPLETE", "PRUNED"]
    assert study.lines.count("enough") == 1
    assert driver.snapshot().trials == 6  # what is not needed is not waited for
    again = study.driver(spec, Generators(honest))
    assert again.run() == "finished"  # nothing more to do
    assert len(study.trials) == 8
    assert again.snapshot().trials == 6


def test_a_planned_study_whose_storage_is_lost_is_told_what_was_trained_and_trains_nothing_again(study: Study) -> None:
    def skip(group: str, records: Iterable[TrialRecord]) -> str:
        """Needs four trials that have ended, whose they may be."""
        return "enough" if sum(record.state == "complete" for record in records) >= 4 else ""

    planned = [PlannedTrial({RATE: rate}, 7 + seed, f"rate-{rate}") for seed in range(4) for rate in (1e-4, 2e-4)]
    study.plan, spec = Plan(planned, skip), study_of(trials=8, sampler={"name": "random"})
    assert study.run(spec, Generators()) == "finished"
    states, records = study.states, study.records
    assert states == [*["COMPLETE"] * 4, *["PRUNED"] * 4]
    study.storage = optuna.storages.InMemoryStorage()
    engine = Generators()
    driver = study.driver(spec, engine)
    assert driver.run() == "finished"
    assert (study.states, study.records, engine.jobs) == (states, records, [])
    assert driver.snapshot().trials == 4
    assert disagreement(study.optuna, records, ["minimize"], whole=True) == ""


def test_a_record_of_another_plan_is_none(study: Study) -> None:
    other = [PlannedTrial({RATE: 3e-4}, 7, "rate"), PlannedTrial({RATE: 1e-4}, 8, "rate")]
    study.plan, spec = Plan(other, lambda *_: ""), study_of(trials=2, sampler={"name": "random"})
    assert study.run(spec, Generators()) == "finished"
    study.storage = optuna.storages.InMemoryStorage()
    study.plan = Plan([PlannedTrial({RATE: 1e-4}, seed, "rate") for seed in (7, 9)], lambda *_: "enough")
    assert study.run(spec, Generators()) == "finished"
    assert study.states == ["PRUNED", "PRUNED"]


def test_what_becomes_needless_is_stopped_and_does_not_count_in_the_dashboards_mean(study: Study) -> None:
    rates = (1e-4, 2e-4)
    trials = [PlannedTrial({RATE: rate}, 7 + seed, f"rate-{rate}") for seed in range(2) for rate in rates]

    def skip(group: str, records: Iterable[TrialRecord]) -> str:
        done = any(record.state == "complete" for record in records)
        return f"{group} is decided" if done and group == "rate-0.0002" else ""

    study.plan = Plan(trials, skip)
    engine = Generators(lambda job: hanging(job) if job.number == 1 else honest(job), count=2)
    assert study.run(study_of(trials=4), engine) == "finished"
    assert [(record.number, record.state) for record in study.records] == [
        (0, "complete"), (1, "pruned"), (2, "complete"),
    ]  # fmt: skip
    stopped = study.records[1]
    assert stopped.reason == "rate-0.0002 is decided"
    assert len(stopped.epochs) == 1
    assert (1, False) in engine.stops
    assert not study.folder.session(1).exists()
    assert list(study.folder.trial(1).path.glob("events.out.tfevents.*"))
    assert study.folder.session(0).exists()


def test_what_has_become_needless_while_no_driver_ran_is_stopped_as_soon_as_it_goes_on(study: Study) -> None:
    decided: list[str] = []
    trials = [PlannedTrial({RATE: rate}, 7, f"rate-{rate}") for rate in (1e-4, 2e-4)]
    study.plan = Plan(trials, lambda group, _: "decided" if group in decided else "")
    assert study.run(study_of(trials=2), Generators(count=2), seen=lambda driver: driver.stop()) == "interrupted"
    assert [record.state for record in study.records] == ["waiting", "waiting"]
    decided.append("rate-0.0002")
    assert study.run(study_of(trials=2), Generators()) == "finished"
    assert [record.state for record in study.records] == ["complete", "pruned"]
    assert not study.folder.session(1).exists()
    study.folder.session(1).mkdir()  # as if the driver had been killed before it came to this
    (events, *_) = study.folder.trial(1).path.glob("events.out.tfevents.*")
    events.replace(study.folder.session(1) / events.name)
    assert study.run(study_of(trials=2), Generators()) == "finished"
    assert not study.folder.session(1).exists()


def test_what_was_pruned_otherwise_stays_in_the_dashboard(study: Study) -> None:
    assert study.run(study_of(trials=1), Generators()) == "finished"
    for reason in ("", "by the pruner after epoch 2"):
        write_record(
            study.folder.trial(0).record, study.records[0].model_copy(update={"state": "pruned", "reason": reason})
        )
        assert study.run(study_of(trials=1), Generators()) == "finished"
        assert study.folder.session(0).is_dir()


ASHA = {"name": "asha", "min_epochs": 1, "reduction_factor": 2}  # of 4 epochs it pauses trials after 1 and 2


def by_rung(study: Study) -> dict[int, int]:
    """Returns the epochs that each trial has done."""
    return {record.number: len(record.epochs) for record in study.records}


@pytest.mark.parametrize("count", [1, 3])
def test_trials_pause_at_rungs_and_the_best_go_on_under_their_numbers(study: Study, count: int) -> None:
    engine = Generators(count=count)
    assert study.run(study_of(trials=12, pruner=ASHA), engine) == "finished"
    epochs, records = by_rung(study), study.records
    assert set(epochs) == set(range(12))
    complete = [record for record in records if record.state == "complete"]
    assert {record.number for record in complete} == {number for number, done in epochs.items() if done == EPOCHS}
    assert 1 <= len(complete) <= 3
    assert 3 <= sum(done >= 2 for done in epochs.values()) <= 8
    best = min(records, key=lambda record: record.params[RATE])  # the play's objective grows with the rate
    assert best.state == "complete"
    for number, done in epochs.items():
        jobs = [job for _, job in engine.jobs if job.number == number]
        assert [job.until for job in jobs] == [1, 2, None][: len(jobs)]
        assert done == (1, 2, EPOCHS)[len(jobs) - 1]
    assert set(study.states) == {"COMPLETE", "PRUNED"}
    pruned = next(record for record in records if record.state == "pruned")
    assert pruned.reason == f"paused after epoch {len(pruned.epochs)}; others went on"
    assert study.trials[pruned.number].value == pruned.objective


def test_paused_trials_are_ended_a_few_at_a_time_and_the_study_shown_in_between(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.dispatcher.CLOSED_AT_ONCE", 2)
    monkeypatch.setattr("search.driver.POLL_SECONDS", 0.0)
    left: list[int] = []

    def seen(driver: Driver) -> None:
        snapshot = driver.snapshot()
        if not snapshot.running and len(snapshot.records) == 12:
            left.append(sum(record.state == "paused" for record in snapshot.records))

    assert study.run(study_of(trials=12, pruner=ASHA), Generators(), seen=seen) == "finished"
    fewer = [before - after for before, after in pairwise(left)]
    assert len(fewer) > 1
    assert max(fewer) <= 4  # a hand-out asks for the next trial twice
    assert set(study.states) == {"COMPLETE", "PRUNED"}


def test_a_new_configuration_is_tried_only_where_no_paused_trial_may_go_on(study: Study) -> None:
    engine = Generators()
    study.run(study_of(trials=6, pruner=ASHA), engine)
    reached: dict[int, list[float]] = {1: [], 2: []}
    objectives = {record.number: {e.epoch: e.objective for e in record.epochs} for record in study.records}
    for _, job in engine.jobs:
        paused_at = {1: None, 2: 1, None: 2}[job.until]
        if paused_at is not None and len(reached[paused_at]) > 1:
            place = sum(value < objectives[job.number][paused_at] for value in reached[paused_at])
            assert place < len(reached[paused_at]) // 2
        if job.until is not None:
            reached[job.until].append(objectives[job.number][job.until])


@pytest.mark.parametrize("number", range(8))
def test_a_worker_that_is_lost_at_a_rung_lets_its_trial_pause_there(study: Study, tmp_path: Path, number: int) -> None:
    lost: list[int | None] = []

    def play(job: Job) -> Iterator[Event | None]:
        for event in honest(job, value=90.0 + job.number):  # each is worse than those before
            if isinstance(event, TrialEnded) and job.number == number and job.until and job.until not in lost:
                lost.append(job.until)
                yield WorkerLost(0, number, "its worker process was ended by SIGKILL")
            yield event

    spec, undisturbed = study_of(trials=8, pruner=ASHA), Study(StudyFolder(tmp_path / "undisturbed"))
    undisturbed.run(spec, Generators(lambda job: honest(job, value=90.0 + job.number)))
    assert study.run(spec, Generators(play)) == "finished"
    assert by_rung(study) == by_rung(undisturbed)
    assert study.states == undisturbed.states
    assert lost
    assert study.records[number].retries == len(lost)


def test_one_trial_is_trained_to_its_end_where_there_are_too_few_for_the_rule(study: Study) -> None:
    study.run(study_of(trials=1, pruner=ASHA), Generators())
    assert study.states == ["COMPLETE"]


@pytest.mark.parametrize(
    ("trials", "pruner", "play"), [(8, ASHA, honest), (50, {**ASHA, "min_agreement": 0.5}, turning)]
)
def test_a_study_with_paused_trials_goes_on_as_if_it_had_not_been_stopped(
    study: Study, tmp_path: Path, trials: int, pruner: dict[str, Any], play: Play
) -> None:
    spec = study_of(trials=trials, pruner=pruner, sampler={"name": "tpe", "n_startup_trials": 2})
    other = Study(StudyFolder(tmp_path / "other"))
    other.run(spec, Generators(play))
    complete = by_rung(other).values()
    assert (sum(done == EPOCHS for done in complete) > trials / 2) == ("min_agreement" in pruner)
    for _ in range(200):
        stops = iter([None] * 7)

        def seen(driver: Driver, stops: Iterator[None] = stops) -> None:
            if next(stops, 0) == 0:
                driver.stop()

        if study.run(spec, Generators(play), seen=seen) == "finished":
            break
        assert {"paused", "waiting"} & {record.state for record in study.records}
    assert [(t.params, t.state, t.value) for t in study.trials] == [(t.params, t.state, t.value) for t in other.trials]
    assert by_rung(study) == by_rung(other)


def test_paused_trials_teach_the_sampler(study: Study) -> None:
    spec = study_of(trials=20, pruner=ASHA, sampler={"name": "tpe", "n_startup_trials": 6})
    study.run(spec, Generators())
    rates = [record.params[RATE] for record in study.records]
    assert sum(rates[-7:]) < sum(rates[1:8])


def test_each_complete_configuration_is_trained_with_further_seeds(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        return failing(job) if job.config.optimizer.generator_learning_rate == 2e-4 else honest(job)

    assert study.run(study_of(trials=3, seeds_per_trial=3), Generators(play)) == "finished"
    records = study.records
    assert [(record.number, record.group) for record in records] == [
        *((0, ""), (1, ""), (2, "trial-0001"), (3, "trial-0001")),
        *((4, ""), (5, "trial-0004"), (6, "trial-0004")),
    ]
    assert records[1].params == records[2].params == records[3].params
    assert len({record.seed for record in records}) == 7
    assert study.run(study_of(trials=3, seeds_per_trial=3), again := Generators(play)) == "finished"
    assert again.jobs == []


@pytest.mark.parametrize(
    "pruner", [{"name": "median", "n_startup_trials": 1}, {"name": "asha", "min_epochs": 1, "reduction_factor": 2}]
)
def test_further_seeds_are_neither_pruned_nor_paused(study: Study, pruner: dict[str, Any]) -> None:
    def worse(job: Job) -> Iterator[Event | None]:
        yield from honest(job, 10.0 + job.number)  # so each further seed is the worst so far

    study.run(study_of(trials=4, seeds_per_trial=3, pruner=pruner), Generators(worse))
    further = [record.state for record in study.records if record.group]
    assert further
    assert set(further) == {"complete"}


def test_a_finished_study_of_several_seeds_wants_more_where_more_are_asked_for(study: Study) -> None:
    study.run(study_of(trials=2, seeds_per_trial=3), Generators())
    wanted = study_of(trials=4, seeds_per_trial=3)
    space = Space(wanted.space, wanted.train)
    assert not TrialSource(wanted, study.optuna, space, None).done()
    study.run(wanted, Generators())
    assert len(study.records) == 12
    assert TrialSource(wanted, study.optuna, space, None).done()


def test_a_rungs_best_are_those_that_hold_the_constraints(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        for event in honest(job):
            if isinstance(event, EpochDone):
                gray = job.number % 2 == 0
                aims = {"valid/delta_e": 15.0 if gray else 18.0, "valid/colorfulness_ratio": 0.1 if gray else 0.9}
                yield EpochDone(job.number, replace(event.result, metrics=event.result.metrics | aims))
            else:
                yield event

    tree = study_of(trials=16, pruner={"name": "asha"}).model_dump()
    tree["constraints"] = {"valid/colorfulness_ratio": {"min": 0.5}}
    study.run(StudySpec.model_validate(tree), Generators(play))
    complete = [record for record in study.records if record.state == "complete"]
    assert len([record for record in complete if record.feasible]) >= 4
    assert not [record for record in complete[2:] if not record.feasible]  # but for the first, who had no others beside


def test_a_paused_trial_goes_on_where_the_seeds_of_all_complete_ones_violate_a_constraint_on_average(
    study: Study,
) -> None:
    pale: list[float] = []  # the rate of the first configuration that is trained with a further seed

    def play(job: Job) -> Iterator[Event | None]:
        rate, further = job.config.optimizer.generator_learning_rate, job.until is None and not job.checkpoint.exists()
        if further and not pale:
            pale.append(rate)
        for event in honest(job):
            if isinstance(event, EpochDone):
                ratio = {"valid/colorfulness_ratio": 0.1 if further and rate in pale else 0.6}
                yield EpochDone(job.number, replace(event.result, metrics=event.result.metrics | ratio))
            else:
                yield event

    tree = study_of(trials=3, pruner={"name": "asha"}, seeds_per_trial=2).model_dump()
    tree["constraints"] = {"valid/colorfulness_ratio": {"min": 0.5}}
    study.run(StudySpec.model_validate(tree), Generators(play))
    assert pale
    assert ranked(study.records, "minimize")


def test_a_bound_near_zero_violates_by_a_finite_number(study: Study) -> None:
    tree = study_of(trials=2).model_dump() | {"constraints": {"train/l1": {"max": 1e-310}}}
    study.run(StudySpec.model_validate(tree), Generators())
    assert [record.feasible for record in study.records] == [False, False]


def test_a_trial_of_several_objectives_that_stops_before_all_are_known_stops_no_study(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        for event in honest(job, 20.0 + job.number):
            if isinstance(event, EpochDone) and event.result.epoch % 2:
                metrics = {"train/l1": event.result.metrics["valid/delta_e"]}
                yield EpochDone(job.number, replace(event.result, metrics=metrics))
            elif isinstance(event, EpochDone):
                metrics = {"train/l1": 20.0 + job.number, "valid/delta_e": 20.0}
                yield EpochDone(job.number, replace(event.result, metrics=metrics))
            else:
                yield event

    sampler, pruner = {"name": "tpe", "n_startup_trials": 5}, {"name": "median", "n_startup_trials": 1}
    tree = study_of(trials=12, sampler=sampler, pruner=pruner).model_dump()
    tree |= {"objective": {"metric": "train/l1"}, "further_objectives": [{"metric": "valid/delta_e"}]}
    tree["train"]["validation"]["epochs"] = 2
    study.run(StudySpec.model_validate(tree), Generators(play))
    assert {record.state for record in study.records} == {"complete", "pruned"}


def test_workers_stay_while_a_trial_may_bring_further_seeds(study: Study) -> None:
    def play(job: Job) -> Iterator[Event | None]:
        if job.number in (1, 2):
            return failing(job)
        slow: list[Event | None] = [None] * (0 if job.number else 5)
        return chain(slow, honest(job))

    engine = Leaving(play, count=3)
    assert study.run(study_of(trials=3, seeds_per_trial=6), engine) == "finished"
    assert len(engine.jobs) == 8
    assert {worker for worker, job in engine.jobs if job.number > 2} == {0, 1, 2}
    assert engine.gone


def test_further_seeds_are_not_lost_with_the_driver(study: Study) -> None:
    study.run(study_of(trials=2), Generators())  # as if it had been killed before it queued any
    assert study.run(study_of(trials=2, seeds_per_trial=2), Generators()) == "finished"
    assert [record.group for record in study.records] == ["", "", "trial-0000", "trial-0001"]


def test_a_study_begins_with_the_configurations_that_it_names(study: Study, tmp_path: Path) -> None:
    spec = study_of(trials=4)
    file = tmp_path / "config.yaml"
    file.write_text(spec.train.with_values({RATE: 5e-3, "seed": 7}).to_yaml())
    spec = spec.model_copy(update={"enqueue": ({RATE: 3e-3}, {RATE: 2e-4}, {RATE: 3e-3}, str(file))})
    study.run(spec, Generators())
    rates = [trial.params[RATE] for trial in study.trials]
    assert rates[:3] == [2e-4, 3e-3, 5e-3]
    assert len(set(rates)) == 4
