"""Where a study's files lie, and what is read of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorgan.record import TrialRecord, write_record
from search.ownership import Owner
from search.storage import StudyFolder


def test_the_records_of_a_study_come_by_number(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    for number in (10_000, 2, 9999):
        folder.trial(number).path.mkdir(parents=True)
        write_record(folder.trial(number).record, TrialRecord(number=number, state="complete", seed=0))
    assert [record.number for record in folder.records()] == [2, 9999, 10_000]


def test_a_damaged_record_is_warned_of_and_left_out(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.trial(0).path.mkdir(parents=True)
    folder.trial(0).record.write_text("{")
    with pytest.warns(UserWarning, match="no usable trial record"):
        assert folder.records() == []


NO_SUMMARIES = [
    None, "", "{", "[]", "null", "[" * 100_000, '{"baselines": []}', '{"best": {"number": "two"}}',
    '{"workers": "all"}', '{"trials": {"complete": "many"}}', '{"machine": 7}',
]  # fmt: skip


@pytest.mark.parametrize("text", NO_SUMMARIES, ids=lambda text: str(text)[:30])
def test_a_summary_that_is_not_there_or_no_summary_is_empty(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "summary.json").write_text(text)
    assert StudyFolder(tmp_path).read_summary() == {}


def test_a_summary_that_leaves_something_out_has_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"ending": "finished", "worker_seconds": 3, "of another version": [1]}')
    summary = StudyFolder(tmp_path).read_summary()
    assert (summary["ending"], summary["worker_seconds"], summary["wall_seconds"]) == ("finished", 3, 0)
    assert summary["of another version"] == [1]


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.trial(0).path.mkdir(parents=True)
    for path in (folder.summary, folder.trial(0).record, folder.lock):
        os.mkfifo(path)
    assert folder.read_summary() == {}
    assert Owner.named_in(folder.lock) is None
    with pytest.warns(UserWarning, match="no usable trial record .*Not a regular file"):
        assert folder.records() == []
