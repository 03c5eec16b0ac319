"""Where a study's files lie, and what is read of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorgan.record import TrialRecord, write_record
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


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_summary_that_is_not_there_is_empty(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "summary.json").write_text(text)
    assert StudyFolder(tmp_path).read_summary() == {}
