"""A study's SQLite file: made and opened, damaged in each way, on a full disk, and not to be written."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import pytest

from search.database import open_study
from search.outage import Patience
from search.storage import StorageError, StudyFolder

ROOT = Path(__file__).parents[2]


def opened(folder: StudyFolder, said: list[str] | None = None) -> optuna.Study:
    patience = Patience((said if said is not None else []).append, seconds=0.5)
    return open_study(folder, name="s", directions=["minimize"], patience=patience)


def fill(study: optuna.Study, trials: int) -> None:
    for number in range(trials):
        params, distributions = {"x": number / 10}, {"x": optuna.distributions.FloatDistribution(0, 1)}
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=float(number))
        study.add_trial(trial)


def test_a_study_is_made_once_and_opened_by_plain_optuna(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "odd # 100% name")
    open_study(folder, name="s", directions=["maximize"]).add_trial(optuna.trial.create_trial(value=1.0))
    assert len(open_study(folder, name="s", directions=["maximize"]).trials) == 1
    assert folder.database.exists()


@pytest.mark.parametrize("name", ["what?", "a{b}", "50%20", "a b"])
def test_a_folder_of_any_name_holds_its_own_database(tmp_path: Path, name: str) -> None:
    folder = StudyFolder(tmp_path / name / "study")
    open_study(folder, name="study", directions=["minimize"]).enqueue_trial({"x": 1})
    assert folder.database.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(open_study(folder, name="study", directions=["minimize"]).trials) == 1


def test_any_storage_url_is_taken(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    open_study(StudyFolder(tmp_path / "study"), name="s", directions=["minimize"], url=url)
    assert optuna.get_all_study_names(url) == ["s"]
    assert not StudyFolder(tmp_path / "study").database.exists()


def test_a_study_in_a_database_that_nobody_went_on_with_is_refused_with_how_to_remove_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    study = open_study(StudyFolder(tmp_path / "a"), name="my own", directions=["minimize"], url=url)
    with pytest.raises(StorageError) as raised:
        open_study(StudyFolder(tmp_path / "b"), name="my own", directions=["minimize"], url=url)
    assert "or here by a driver that ended in that moment" in str(raised.value)
    assert "(optuna delete-study --study-name 'my own' --storage URL)" in str(raised.value)
    study.ask()
    with pytest.raises(StorageError, match=r"it was begun elsewhere. Go on with it where it ran"):
        open_study(StudyFolder(tmp_path / "b"), name="my own", directions=["minimize"], url=url)
    optuna.delete_study(study_name="my own", storage=url)
    assert open_study(StudyFolder(tmp_path / "b"), name="my own", directions=["minimize"], url=url).trials == []


@pytest.mark.parametrize("kept", [50, 100, 4096, 0.5, -100], ids=str)
def test_a_truncated_file_is_kept_aside_and_a_new_one_made(tmp_path: Path, kept: float) -> None:
    folder, said = StudyFolder(tmp_path), list[str]()
    fill(opened(folder), 3)
    whole = folder.database.read_bytes()
    torn = whole[: int(kept * len(whole)) if isinstance(kept, float) else kept]
    folder.database.write_bytes(torn)
    assert opened(folder, said).trials == []
    assert (tmp_path / "damaged-study.db").read_bytes() == torn
    assert "study.db: the study's storage is damaged" in said[0]
    assert "kept as damaged-study.db" in said[0]


def test_a_file_with_flipped_bits_never_ends_in_a_traceback(tmp_path: Path) -> None:
    folder, chance, outcomes = StudyFolder(tmp_path), random.Random(0), set[object]()  # noqa: S311
    fill(opened(folder), 3)
    whole = folder.database.read_bytes()
    used = [position for position, byte in enumerate(whole) if byte]  # not the empty space of its pages
    for _ in range(8):
        torn = bytearray(whole)
        for _ in range(8):
            torn[chance.choice(used)] ^= 1 << chance.randrange(8)
        folder.database.write_bytes(torn)
        try:
            outcomes.add(len(opened(folder).trials))
        except StorageError as error:
            outcomes.add(type(error))
            assert str(error).startswith(f"{folder.database}: ")
    assert 0 in outcomes  # kept aside
    assert outcomes <= {0, 3, StorageError}


def test_an_earlier_file_kept_aside_stays(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 100)
    (tmp_path / "study.db-journal").write_bytes(b"no journal")
    (tmp_path / "damaged-study.db").write_bytes(b"an earlier one")
    opened(StudyFolder(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"study.db", "damaged-study.db", "damaged-2-study.db"}
    assert (tmp_path / "damaged-study.db").read_bytes() == b"an earlier one"


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)):
        folder = StudyFolder(tmp_path / make.__name__)
        folder.path.mkdir()
        make(folder.database)
        with pytest.raises(StorageError, match=r"study\.db: is no file; move it away"):
            opened(folder)


def test_somebody_elses_database_is_left_as_it_is(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    with closing(sqlite3.connect(folder.database)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    before = folder.database.read_bytes()
    with pytest.raises(StorageError, match="holds no Optuna study; move it away"):
        opened(folder)
    assert folder.database.read_bytes() == before


@pytest.mark.parametrize(
    ("version", "said"),
    [("v3.0.0.d", "an older Optuna; make a copy"), ("v9.9.9", "a newer Optuna than .*; go on with")],
)
def test_a_file_of_another_version_of_optuna_says_what_to_do(tmp_path: Path, version: str, said: str) -> None:
    folder = StudyFolder(tmp_path)
    opened(folder)
    with closing(sqlite3.connect(folder.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        connection.commit()
    with pytest.raises(StorageError, match=rf"study\.db: the study's storage was made by {said}"):
        opened(folder)


WRITE = """
import resource, sys
from pathlib import Path
from search.database import open_study
from search.storage import StorageError, StudyFolder

study = open_study(StudyFolder(Path(sys.argv[1])), name="s", directions=["minimize"])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for number in range(200):
        study.set_user_attr(f"note {number}", "x" * 1000)
except StorageError as error:
    print(number, error)
"""


def test_a_full_disk_ends_the_study_and_leaves_what_was_written(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    opened(folder)
    limit = folder.database.stat().st_size + 50_000  # a quota: what is beyond it cannot be written
    command = [sys.executable, "-c", WRITE, str(tmp_path), str(limit)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    written, _, message = done.stdout.partition(" ")
    assert int(written) > 10
    assert "study.db: cannot be read or written: the disk is full or failing; make room" in message
    assert "the same command goes on" in message
    assert len(opened(folder).user_attrs) == int(written)


def test_a_file_that_may_not_be_written_is_named() -> None:
    with tempfile.TemporaryDirectory(prefix="colorgan-") as path:
        folder = StudyFolder(Path(path) / "study")
        opened(folder)  # also imports what the nobody of the next lines may not read
        folder.database.chmod(0o400)
        complaint = r"study\.db: may not be written; make it and its folder writable"
        with owned_by_nobody(folder.path), pytest.raises(StorageError, match=complaint):
            opened(folder)


@contextmanager
def owned_by_nobody(folder: Path) -> Iterator[None]:
    """Makes root, who may write everything, a nobody who owns the folder and its files."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder.parent, folder, *folder.iterdir()):
        os.chown(path, 65534, -1)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
