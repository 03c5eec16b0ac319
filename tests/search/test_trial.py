"""What a worker does with its jobs, in this process: warm trainers, checkpoints, stops, failures."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from colorgan.config import TrainConfig, parse_config
from colorgan.photos import open_photos
from search.known_photos import KnownPhotos, StudyPhotos
from search.messages import BaselinesMeasured, EpochDone, Event, Job, TrialEnded, TrialStarted
from search.trial import MAX_TRAINERS, TrialRunner

CONFIG = parse_config(
    {
        "data": {"size": 32, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4},
        "generator": {"filters": 4, "depth": 3},
        "discriminator": {"filters": 4, "depth": 2},
        "schedule": {"epochs": 3, "steps_per_epoch": 3, "batch_size": 8},
        "validation": {"examples": 1},
    }
)
OTHER = {"optimizer.generator_learning_rate": 5e-3, "losses.l1_weight": 3.0, "seed": 9}


@pytest.fixture(autouse=True)
def _pause_after_epochs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, a trial is asked whether to stop once an epoch."""
    monkeypatch.setattr("colorgan.trainer.PAUSE_SECONDS", 600.0)


@pytest.fixture(scope="module")
def runner() -> TrialRunner:
    """One worker for all tests, which is what a worker is for."""
    return TrialRunner()


@pytest.fixture(scope="module")
def undisturbed(runner: TrialRunner, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """The metrics of each epoch of `CONFIG`, trained in one go."""
    return metrics(run(runner, Job(0, CONFIG, tmp_path_factory.mktemp("trial") / "c.npz")))


def go_on() -> bool | None:
    return None


def run(runner: TrialRunner, job: Job, stop: Callable[[], bool | None] = go_on) -> list[Event]:
    return list(runner.run(job, stop))


def metrics(events: list[Event]) -> list[dict[str, float]]:
    return [event.result.metrics for event in events if isinstance(event, EpochDone)]


def stop_after(epochs: int, *, save: bool) -> Callable[[], bool | None]:
    asked: Iterator[bool | None] = iter([*[None] * (epochs - 1), save])
    return lambda: next(asked)


def with_values(**values: Any) -> TrainConfig:
    return CONFIG.with_values({path.replace("__", "."): value for path, value in values.items()})


def test_a_worker_keeps_to_its_share_of_a_gpu_before_its_first_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[str]()
    monkeypatch.setattr("search.trial.keep_to_share", lambda: kept.append("kept"))
    TrialRunner()
    assert kept == ["kept"]


def test_a_trial_says_start_epochs_and_end(runner: TrialRunner, tmp_path: Path) -> None:
    start, *epochs, end = run(runner, Job(4, CONFIG, tmp_path / "c.npz"))
    assert isinstance(start, TrialStarted)
    assert (start.number, start.history, start.note) == (4, (), "")
    assert start.parameters > 0
    assert [event.result.epoch for event in epochs if isinstance(event, EpochDone)] == [1, 2, 3]
    assert end == TrialEnded(4, "complete", architectures=frozenset({CONFIG.architecture()}))
    assert (tmp_path / "c.npz").exists()


def test_a_warm_trial_equals_the_first_whatever_was_trained_between(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path
) -> None:
    between = run(runner, Job(1, CONFIG.with_values(OTHER), tmp_path / "other.npz"))
    again = run(runner, Job(2, CONFIG, tmp_path / "c.npz"))
    assert metrics(between) != undisturbed
    assert metrics(again) == undisturbed
    assert isinstance(again[0], TrialStarted)
    assert not again[0].built


@pytest.mark.parametrize("save", [True, False])
def test_a_stopped_trial_goes_on_from_its_checkpoint_to_the_same_numbers(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path, save: bool
) -> None:
    job = Job(5, CONFIG, tmp_path / "c.npz")
    first = run(runner, job, stop_after(2, save=save))
    run(runner, Job(6, CONFIG.with_values(OTHER), tmp_path / "other.npz"))
    second = run(runner, job)
    assert first[-1] == TrialEnded(5, "stopped", architectures=frozenset({CONFIG.architecture()}))
    assert isinstance(second[0], TrialStarted)
    assert [result.metrics for result in second[0].history] == metrics(first) == undisturbed[:2]
    assert second[0].note == "continued from the checkpoint after epoch 2, step 6"
    assert metrics(first) + metrics(second) == undisturbed


@pytest.mark.parametrize("checkpoint_epochs", [1, 3])
def test_a_trial_that_pauses_goes_on_as_if_it_had_not(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path, checkpoint_epochs: int
) -> None:
    config = with_values(schedule__checkpoint_epochs=checkpoint_epochs)
    jobs = [Job(5, config, tmp_path / "c.npz", until=until) for until in (1, 2, 2, None)]
    parts = []
    for job in jobs:
        parts.append(run(runner, job))
        run(runner, Job(6, CONFIG.with_values(OTHER), tmp_path / "other.npz"))
    assert [part[-1].how for part in parts if isinstance(part[-1], TrialEnded)] == [*["paused"] * 3, "complete"]
    assert [len(metrics(part)) for part in parts] == [1, 1, 0, 1]
    assert [values for part in parts for values in metrics(part)] == undisturbed


def test_a_stop_after_the_last_epoch_comes_too_late(runner: TrialRunner, tmp_path: Path) -> None:
    last = run(runner, Job(0, CONFIG, tmp_path / "c.npz"), stop_after(3, save=True))[-1]
    assert isinstance(last, TrialEnded)
    assert last.how == "complete"


def test_a_finished_trial_only_tells_its_history(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path
) -> None:
    job = Job(0, CONFIG, tmp_path / "c.npz")
    run(runner, job)
    start, end = run(runner, job)
    assert isinstance(start, TrialStarted)
    assert [result.metrics for result in start.history] == undisturbed
    assert isinstance(end, TrialEnded)
    assert end.how == "complete"


def test_a_damaged_checkpoint_is_set_aside_and_the_trial_goes_on_from_the_one_before(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.npz"
    run(runner, Job(0, CONFIG, checkpoint), stop_after(2, save=True))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-2000])
    events = run(runner, Job(0, CONFIG, checkpoint))
    assert isinstance(events[0], TrialStarted)
    assert "set aside as damaged-c.npz; continued from the one before it" in events[0].note
    assert (tmp_path / "damaged-c.npz").exists()
    assert [result.metrics for result in events[0].history] + metrics(events) == undisturbed


def test_a_checkpoint_of_another_configuration_is_not_continued(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path
) -> None:
    run(runner, Job(0, CONFIG.with_values(OTHER), tmp_path / "c.npz"))
    events = run(runner, Job(0, CONFIG, tmp_path / "c.npz"))
    assert isinstance(events[0], TrialStarted)
    assert "of another configuration" in events[0].note
    assert metrics(events) == undisturbed


def test_what_fails_is_said_and_the_worker_goes_on(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path
) -> None:
    lost = with_values(data__photos=str(tmp_path / "none"))
    (failed,) = run(runner, Job(3, lost, tmp_path / "lost.npz"))
    assert isinstance(failed, TrialEnded)
    assert (failed.number, failed.how) == (3, "failed")
    assert failed.reason.startswith("PhotosError: ")
    assert "\n" not in failed.reason
    assert "Traceback" in failed.traceback
    assert metrics(run(runner, Job(0, CONFIG, tmp_path / "c.npz"))) == undisturbed


def test_photos_that_are_gone_or_changed_since_the_study_began_fail_no_trial(
    runner: TrialRunner, tmp_path: Path
) -> None:
    data = CONFIG.data.model_copy(update={"photos": str(tmp_path / "none")})
    known = KnownPhotos(fingerprint="0" * 16, train=1, valid=1, confirm=1)
    fewer = with_values(data__train_limit=9)
    for study, said in ((data, "no such folder"), (CONFIG.data, "1 train, 1 valid, 1 confirm then, 16 train, 4 valid")):
        (end,) = run(runner, Job(3, fewer, tmp_path / "c.npz", photos=StudyPhotos(study, known)))
        assert isinstance(end, TrialEnded)
        assert (end.how, said in end.reason) == ("blocked", True)
    same = StudyPhotos(CONFIG.data, KnownPhotos.of(open_photos(CONFIG.data)))
    end = run(runner, Job(3, fewer, tmp_path / "c.npz", photos=same))[-1]
    assert isinstance(end, TrialEnded)
    assert end.how == "complete"


def test_baselines_are_measured_where_they_are_asked_for(runner: TrialRunner, tmp_path: Path) -> None:
    first = run(runner, Job(0, CONFIG, tmp_path / "c.npz", baselines=True))[0]
    assert isinstance(first, BaselinesMeasured)
    assert set(first.metrics) == {"gray", "tint"}
    for baseline in first.metrics.values():
        assert baseline["valid/delta_e"] > 0
        assert all(math.isfinite(value) for value in baseline.values())


def test_the_longest_unused_trainer_is_forgotten_first(
    runner: TrialRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_TRAINERS > 1
    monkeypatch.setattr("search.trial.MAX_TRAINERS", 1)
    other = with_values(generator__filters=2)
    last = run(runner, Job(1, other, tmp_path / "other.npz"))[-1]
    assert isinstance(last, TrialEnded)
    assert last.architectures == {other.architecture()}


def test_a_machine_that_cannot_write_fails_no_trial_which_goes_on_once_it_can(
    runner: TrialRunner, undisturbed: list[dict[str, float]], tmp_path: Path
) -> None:
    job, limits = Job(0, CONFIG, tmp_path / "c.npz"), resource.getrlimit(resource.RLIMIT_FSIZE)
    trial = runner.run(job, go_on)
    before = []
    while not metrics(before):
        before.append(next(trial))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # as if the disk were full
    try:
        end = list(trial)[-1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert isinstance(end, TrialEnded)
    assert end.how == "blocked"
    assert end.reason.startswith(f"{job.checkpoint}: cannot be written: File too large; make room")
    after = run(runner, job)
    assert isinstance(after[0], TrialStarted)
    assert [result.metrics for result in after[0].history] == undisturbed[:1]
    assert metrics(after) == undisturbed[1:]


def test_a_share_that_is_gone_with_the_trials_folder_fails_no_trial(runner: TrialRunner, tmp_path: Path) -> None:
    job = Job(0, CONFIG, tmp_path / "share" / "0000" / "c.npz")
    job.checkpoint.parent.mkdir(parents=True)
    trial = runner.run(job, go_on)
    before = []
    while not metrics(before):
        before.append(next(trial))
    (tmp_path / "share").rename(tmp_path / "unmounted")
    end = list(trial)[-1]
    assert isinstance(end, TrialEnded)
    assert (end.how, "0000: this folder is gone" in end.reason) == ("blocked", True)


def test_200_trials_leave_a_worker_no_larger_and_with_no_more_open_files(runner: TrialRunner, tmp_path: Path) -> None:
    process = psutil.Process()
    short = CONFIG.with_values({"schedule.epochs": 1, "schedule.steps_per_epoch": 1})
    sizes: dict[int, tuple[int, int]] = {}
    for number in range(1, 201):
        job = Job(number, short.with_values({"seed": number}), tmp_path / "c.npz")
        assert isinstance(run(runner, job)[-1], TrialEnded)
        job.checkpoint.unlink()
        if number in (50, 200):
            sizes[number] = process.memory_info().rss, process.num_fds()
    assert sizes[200][0] < 1.05 * sizes[50][0]
    assert sizes[200][1] <= sizes[50][1]
