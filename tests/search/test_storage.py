"""Where a study's files lie, who may write them, and what is said of a storage that cannot be opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from colorgan.record import TrialRecord, write_record
from search.storage import StorageError, StudyBusyError, StudyFolder, open_study

OWN = """
import sys, pathlib
from search.storage import StudyFolder
with StudyFolder(pathlib.Path(sys.argv[1])).owned():
    print("owned", flush=True)
    sys.stdin.read()
"""


def owner(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OWN, str(folder)]
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "owned\n"
    return process


def test_a_study_has_one_driver_and_the_second_is_told_which(tmp_path: Path) -> None:
    with owner(tmp_path / "study") as first:
        with (
            pytest.raises(StudyBusyError, match=f"being run by process {first.pid} on "),
            StudyFolder(tmp_path / "study").owned(),
        ):
            pass
        first.kill()
        first.wait()
        with StudyFolder(tmp_path / "study").owned():  # a killed driver has let it go
            pass


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


def test_a_study_is_made_once_and_opened_by_plain_optuna(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "odd # 100% name")
    open_study(folder, name="s", direction="maximize").add_trial(optuna.trial.create_trial(value=1.0))
    assert len(open_study(folder, name="s", direction="maximize").trials) == 1
    assert folder.database.exists()


@pytest.mark.parametrize("name", ["what?", "a{b}", "50%20", "a b"])
def test_a_folder_of_any_name_holds_its_own_database(tmp_path: Path, name: str) -> None:
    folder = StudyFolder(tmp_path / name / "study")
    open_study(folder, name="study", direction="minimize").enqueue_trial({"x": 1})
    assert folder.database.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(open_study(folder, name="study", direction="minimize").trials) == 1


def test_any_storage_url_is_taken(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    open_study(StudyFolder(tmp_path / "study"), name="s", direction="minimize", url=url)
    assert optuna.get_all_study_names(url) == ["s"]
    assert not StudyFolder(tmp_path / "study").database.exists()


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://somebody:s3cret@host.invalid/db",
        "nosuch://somebody:s3@s3cret@host.invalid/db?password=s3cret",
        "nosuch://host.invalid/db?password=s3cret",
        "s3cret",
    ],
)
def test_a_password_is_not_printed(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_study(StudyFolder(tmp_path), name="s", direction="minimize", url=url)
    assert "s3cret" not in str(caught.value)
    assert "somebody" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "cannot be opened" in str(caught.value)


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match=r"study\.db: the study's storage cannot be opened"):
        open_study(StudyFolder(tmp_path), name="s", direction="minimize")
