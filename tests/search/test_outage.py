"""Storage that is locked or lost for a while: waited for, said, and given up in time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from search.address import StorageLostError
from search.database import open_study
from search.outage import Patience
from search.storage import StorageError, StudyFolder

LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@contextmanager
def locked(database: Path, *, seconds: float) -> Iterator[None]:
    """Another process holds the file's write lock for a while."""
    command = [sys.executable, "-c", LOCK, str(database), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield
        process.kill()


@pytest.fixture
def _short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.address.SQLITE_TIMEOUT_SECONDS", 0.05)


@pytest.mark.usefixtures("_short_calls")
def test_a_file_that_another_process_locks_is_waited_for_and_people_are_told(tmp_path: Path) -> None:
    folder, said = StudyFolder(tmp_path), list[str]()
    study = open_study(folder, name="s", directions=["minimize"], patience=Patience(said.append))
    with locked(folder.database, seconds=2.0):
        trial = study.ask()
        trial.report(1.0, 1)
        study.tell(trial, 1.0)
    assert [(t.number, t.value, t.intermediate_values) for t in study.trials] == [(0, 1.0, {1: 1.0})]
    assert "study.db: the study's storage is locked by another process" in said[0]
    assert "answers again" in said[1]
    assert len(said) == 2


@pytest.mark.usefixtures("_short_calls")
def test_a_file_that_stays_locked_is_given_up_with_what_to_do(tmp_path: Path) -> None:
    folder, patience = StudyFolder(tmp_path), Patience(seconds=0.3)
    study = open_study(folder, name="s", directions=["minimize"], patience=patience)
    with locked(folder.database, seconds=60):
        with pytest.raises(StorageError, match=r"is locked by another process.*the same command goes on") as caught:
            study.ask()
        assert not isinstance(caught.value, StorageLostError)
        assert caught.value.__cause__ is None
        with pytest.raises(StorageError, match="is locked by another process"):
            open_study(folder, name="s", directions=["minimize"], patience=patience)
    assert study.trials == []


def test_readers_do_not_disturb(tmp_path: Path) -> None:
    folder, said = StudyFolder(tmp_path), list[str]()
    study = open_study(folder, name="s", directions=["minimize"], patience=Patience(said.append))
    over, read = threading.Event(), list[int]()

    def look() -> None:
        with closing(sqlite3.connect(folder.database, timeout=5)) as connection:
            while not over.is_set():
                read.append(len(connection.execute("SELECT * FROM trials").fetchall()))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(5):
        study.tell(study.ask(), float(number))
    over.set()
    for reader in readers:
        reader.join()
    assert said == []
    assert max(read) >= 1
    assert len(study.trials) == 5


def test_a_stop_makes_waiting_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.outage.STOPPED_SECONDS", 0.2)
    patience, calls = Patience(seconds=3600), list[float]()

    def call() -> None:
        calls.append(time.monotonic())
        if len(calls) == 2:
            patience.stop()
        raise StorageLostError("away")

    with pytest.raises(StorageError, match="away; waited 0 s"):
        patience.repeat(call)
    assert len(calls) >= 2


def test_what_seemed_lost_is_looked_at_before_it_is_done_again() -> None:
    done = list[str]()

    def call() -> str:
        done.append("done, and its answer lost")
        raise StorageLostError("away")

    assert Patience().repeat(call, lambda: done[0]) == "done, and its answer lost"
    assert len(done) == 1


def test_a_fault_that_waiting_does_not_mend_is_raised_at_once_and_bare() -> None:
    def call() -> None:
        raise StorageError("the disk is full") from OSError("postgresql://somebody:s3cret@host/db")

    with pytest.raises(StorageError, match=r"^the disk is full$") as caught:
        Patience().repeat(call)
    assert caught.value.__cause__ is None
