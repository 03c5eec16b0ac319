"""The recording grows by what is new, and keeps what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.replay.recording import LONG, LONG_KL, METRICS, SHORT, STUDY, Recording, recording_of
from colorgan.record import EpochRecord, TrialRecord, write_record
from colorgan.strict_yaml import write_yaml
from search.storage import StudyFolder
from search.study import read_study

PARAMS = {
    "optimizer.generator_learning_rate": 0.000123456,
    "optimizer.discriminator_learning_rate": 1.0,
    "losses.l1_weight": 100.0,
    "generator.filters": 8,
    "discriminator.filters": 16,
}


def finish(results: Path, number: int, *, seed: int, state: str = "complete") -> None:
    """Writes a trial of two epochs."""
    metrics = dict.fromkeys(METRICS, 20.0 + number)
    epochs = [
        EpochRecord(epoch=e, step=e, objective=20.0, metrics=metrics, train_seconds=1.0, valid_seconds=0.5)
        for e in (1, 2)
    ]
    record = TrialRecord(number=number, state=state, seed=seed, params=PARAMS, parameters=7, epochs=tuple(epochs))
    files = StudyFolder(results).trial(number)
    files.path.mkdir(parents=True)
    write_record(files.record, record)


def test_a_recording_grows_by_finished_trainings_that_it_does_not_have(tmp_path: Path) -> None:
    recording, results = Recording(tmp_path / "recording.csv"), tmp_path / "results"
    finish(results, 0, seed=0)
    finish(results, 1, seed=1, state="failed")
    finish(results, 2, seed=2, state="running")
    assert recording.add(results) == 2
    finish(results, 3, seed=3)
    finish(results, 4, seed=0)  # the first's configuration and seed
    assert recording.add(results) == 1
    assert recording.add(results) == 0
    assert [(one.seed, one.state) for one in recording.read()] == [(0, "complete"), (1, "failed"), (3, "complete")]
    assert recording.read()[0].metrics["valid/delta_e"] == (20.0, 20.0)


def test_another_metric_of_a_recording_can_be_searched_for() -> None:
    assert LONG_KL.study().objective.metric == "valid/chroma_kl"
    assert LONG_KL.study().train == LONG.study().train
    assert (LONG_KL.path, LONG_KL.read()) == (LONG.path, LONG.read())


def test_results_say_themselves_which_recording_they_belong_to(tmp_path: Path) -> None:
    def results(scale: str | None) -> Path:
        tree = read_study(STUDY, scale=scale).model_dump(mode="json")
        folder = StudyFolder(tmp_path / str(scale))
        folder.path.mkdir()
        folder.study.write_text(write_yaml(tree))
        return folder.path

    assert (recording_of(results(None)), recording_of(results("long"))) == (SHORT, LONG)
    with pytest.raises(ValueError, match="replay-decaying is not recorded; recorded are replay, replay-long"):
        recording_of(results("decaying"))


def test_what_a_recording_has_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "recording.csv"
    path.write_bytes(SHORT.path.read_bytes())
    finish(tmp_path / "results", 0, seed=0)
    assert Recording(path).add(tmp_path / "results") == 1
    assert path.read_bytes().startswith(SHORT.path.read_bytes())
