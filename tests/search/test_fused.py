"""A worker's trials side by side; `tests/colorgan/test_on_jax.py` runs it in a process of its own."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("of a process on JAX", allow_module_level=True)

from dataclasses import replace

import jax

from colorgan.checkpoint import Checkpoint
from colorgan.config import parse_config
from search.fused import FusedRunner
from search.messages import EpochDone, Job, PlacesMeasured, StopTrial, TrialEnded, TrialStarted
from search.trial import TrialRunner

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 12, "valid_limit": 3, "confirm_limit": 1},
        "generator": {"filters": 2, "depth": 2, "dropout": 0.0},
        "discriminator": {"filters": 2, "depth": 1},
        "schedule": {"epochs": 3, "steps_per_epoch": 3, "batch_size": 2},
        "validation": {"batch_size": 4, "examples": 1},
    }
)


@pytest.fixture(scope="module")
def runner():
    """One worker for all tests, which is what a worker is for."""
    return FusedRunner(2)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The metrics of each epoch of `CONFIG`, trained by itself."""
    job = Job(0, CONFIG, tmp_path_factory.mktemp("alone") / "c.npz")
    return metrics(list(TrialRunner().run(job, lambda: None)), 0)


def job(number, folder, **values):
    config = CONFIG.with_values({path.replace("__", "."): value for path, value in values.items()})
    return Job(number, config, folder / f"{number}.npz")


def begin(runner, *jobs):
    return [event for one in jobs for event in runner.begin(one)]


def advance(runner, until=lambda events: False):
    events = []
    while runner.busy and not until(events):
        events += runner.advance()
    return events


def metrics(events, number):
    return [e.result.metrics for e in events if isinstance(e, EpochDone) and e.number == number]


def spoil(checkpoint):
    """Makes a weight of a saved run NaN."""
    found = Checkpoint.load(checkpoint)
    name = next(name for name in found.arrays if name.startswith("generator/"))
    arrays = {**found.arrays, name: np.full_like(found.arrays[name], np.nan)}
    replace(found, arrays=arrays).save(checkpoint)


def endings(events):
    return {event.number: event.how for event in events if isinstance(event, TrialEnded)}


def assert_close(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)


def test_two_trials_say_what_each_would_say_alone(runner, alone, tmp_path):
    said = begin(runner, job(1, tmp_path), job(2, tmp_path, seed=5, optimizer__generator_learning_rate=5e-3))
    assert [type(event) for event in said] == [TrialStarted, PlacesMeasured, TrialStarted]
    assert said[1] == PlacesMeasured(CONFIG.architecture(), 2)
    assert (said[0].built, said[2].built) == (True, False)
    events = advance(runner)
    assert endings(events) == {1: "complete", 2: "complete"}
    assert_close(metrics(events, 1), alone)
    assert metrics(events, 2) != metrics(events, 1)
    assert (tmp_path / "1.npz").exists()


def test_a_pruned_trials_place_is_free_and_a_saved_one_goes_on_to_the_same_numbers(runner, alone, tmp_path):
    begin(runner, job(3, tmp_path), job(4, tmp_path, seed=5))
    first = advance(runner, until=lambda events: len(metrics(events, 3)) == 1)
    runner.stop(StopTrial(3, save=True))
    runner.stop(StopTrial(4, save=False))
    assert endings(advance(runner)) == {3: "stopped", 4: "stopped"}
    assert not runner.busy
    said = begin(runner, job(5, tmp_path, seed=8), job(3, tmp_path))
    done = len(said[-1].history)
    assert done >= 1
    assert [result.metrics for result in said[-1].history][:1] == metrics(first, 3)
    rest = metrics(advance(runner), 3)
    assert_close(rest, alone[done:])


def test_a_trial_pauses_at_its_epoch_and_one_that_has_nothing_left_to_do_ends_at_once(runner, alone, tmp_path):
    one = job(6, tmp_path)
    begin(runner, replace(one, until=2))
    events = advance(runner)
    assert endings(events) == {6: "paused"}
    assert_close(metrics(events, 6), alone[:2])
    assert endings(begin(runner, replace(one, until=2))) == {6: "paused"}
    assert not runner.busy


def test_a_trial_that_fails_leaves_its_neighbour_alone(runner, alone, tmp_path):
    wild = job(8, tmp_path, seed=5)
    begin(runner, replace(wild, until=1))
    advance(runner)
    spoil(wild.checkpoint)
    begin(runner, job(7, tmp_path), wild)
    events = advance(runner)
    assert endings(events) == {7: "complete", 8: "failed"}
    (reason,) = [event.reason for event in events if isinstance(event, TrialEnded) and event.number == 8]
    assert "train/generator_adversarial is nan at step 4" in reason
    assert_close(metrics(events, 7), alone)


def test_an_error_of_the_program_ends_all_and_the_next_trials_go_on(runner, alone, tmp_path, monkeypatch):
    begin(runner, job(9, tmp_path), job(10, tmp_path, seed=5))

    def exhausted(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("colorgan.fused_trainer.FusedTrainer.train", exhausted)
        events = advance(runner)
    assert endings(events) == {9: "out of memory", 10: "out of memory"}
    assert all(event.crowded for event in events)
    begin(runner, job(11, tmp_path))
    events = advance(runner)
    assert endings(events) == {11: "complete"}
    assert_close(metrics(events, 11), alone)


def test_an_error_of_the_program_is_laid_to_no_trial_that_was_not_alone_in_it(tmp_path):
    runner = FusedRunner(3)
    for numbers in ((21, 22, 23), (24,)):
        first, *late = (job(number, tmp_path) for number in numbers)
        begin(runner, first, *late[:-1])
        for array in jax.tree.leaves(runner._fused._step._states):
            array.delete()  # as of states given to a program that then failed
        events = begin(runner, *late[-1:]) + advance(runner)
        assert endings(events) == dict.fromkeys(numbers, "failed")
        ends = [event for event in events if isinstance(event, TrialEnded)]
        assert all("deleted" in end.traceback for end in ends)
        assert [end.crowded for end in ends] == [len(numbers) > 1] * len(numbers)


def test_a_trial_that_finds_no_memory_beside_others_takes_none_of_them_with_it(alone, tmp_path, monkeypatch):
    runner = FusedRunner(3)
    begin(runner, job(15, tmp_path))

    def exhausted(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("search.trial.resume", exhausted)
        (failed,) = begin(runner, job(16, tmp_path, seed=5))
    assert (failed.how, failed.crowded) == ("out of memory", True)
    said = begin(runner, job(17, tmp_path, seed=6))  # it was on its way
    events = advance(runner)
    assert endings([*said, *events]) == {15: "complete", 17: "complete"}
    assert_close(metrics(events, 15), alone)


def test_a_file_that_cannot_be_written_ends_its_trial_alone_and_the_next_joins_the_other(runner, alone, tmp_path):
    begin(runner, replace(job(12, tmp_path), checkpoint=tmp_path / ("c" * 300)), job(13, tmp_path))
    first = advance(runner, until=endings)
    assert endings(first) == {12: "failed"}
    said = begin(runner, job(14, tmp_path, seed=5))
    assert [type(event) for event in said] == [TrialStarted]
    rest = advance(runner)
    assert endings(rest) == {13: "complete", 14: "complete"}
    assert_close(metrics(first, 13) + metrics(rest, 13), alone)


def test_a_stop_that_overtakes_its_trial_on_the_way_to_a_worker_of_rays_is_heeded(tmp_path):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    from search.engines.ray_actor import _SideBySide

    said = []
    trials = _SideBySide(2, said.append)
    trials.stop(StopTrial(20, save=True))
    trials.train(job(20, tmp_path))
    assert endings(said) == {20: "stopped"}
    assert (tmp_path / "20.npz").exists()
    trials.train(job(20, tmp_path))
    assert endings(said) == {20: "complete"}
