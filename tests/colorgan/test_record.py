"""Records come back as they were written, and a damaged one is named."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest

from colorgan.epoch import EpochResult
from colorgan.record import EpochRecord, RecordError, TrialRecord, read_record, record_copy, write_record, write_whole

RECORD = TrialRecord(
    number=7,
    state="pruned",
    reason="by the pruner after epoch 1",
    objective=1 / 3,
    params={"a": 0.1 + 0.2, "b": 8, "c": "batch", "d": True, "e": None},
    seed=3,
    worker=0,
    epochs=(
        EpochRecord(
            epoch=1,
            step=4,
            objective=1 / 3,
            metrics={"train/l1": 2e-308, "valid/delta_e": 1 / 3},
            train_seconds=1.5,
            valid_seconds=0.25,
        ),
        EpochRecord(epoch=2, step=8, objective=None, metrics={"train/l1": 5.0}, train_seconds=1.0, valid_seconds=0.0),
    ),
)


def test_a_record_comes_back_equal_to_the_last_bit(tmp_path: Path) -> None:
    write_record(tmp_path / "result.json", RECORD)
    again = read_record(tmp_path / "result.json")
    assert again == RECORD
    assert [type(value) for value in again.params.values()] == [float, int, str, bool, type(None)]


def test_metrics_are_the_last_of_each_and_seconds_their_sum() -> None:
    assert RECORD.metrics == {"train/l1": 5.0, "valid/delta_e": 1 / 3}
    assert RECORD.training_seconds == 2.75


def test_what_is_not_finite_is_left_out_of_an_epoch() -> None:
    metrics = {"train/l1": math.nan, "train/l2": math.inf, "valid/delta_e": 1.0}
    assert EpochRecord.of(EpochResult(1, 4, metrics, None, 1.0, 0.5), None).metrics == {"valid/delta_e": 1.0}


def test_epochs_that_come_from_workers_share_the_names_of_their_metrics() -> None:
    """Else the names take more of a driver's memory than the values."""
    sent = pickle.dumps(EpochResult(1, 1, {"valid/delta_e": 20.0}, None, 1.0, 1.0))
    one, other = (EpochRecord.of(pickle.loads(sent), 20.0) for _ in range(2))  # noqa: S301 - our own
    assert next(iter(one.metrics)) is next(iter(other.metrics))


def test_a_newer_record_replaces_an_older_and_a_finished_runs_has_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_record(path, RECORD)
    write_record(path, RECORD.model_copy(update={"state": "complete"}))
    assert read_record(path).state == "complete"
    assert {file.name for file in tmp_path.iterdir()} == {"result.json", "copy-of-result.json"}
    assert record_copy(path).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"number": 1}', '{"number": 1, "state": "lost", "seed": 0}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    write_whole(tmp_path / "result.json", text)
    with pytest.raises(RecordError, match=r"result\.json: no usable trial record"):
        read_record(tmp_path / "result.json")


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"result\.json: no usable trial record"):
        read_record(tmp_path / "result.json")
