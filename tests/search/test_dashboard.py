"""The dashboard: real requests to a real optuna-dashboard on a real study, which it must leave alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import psutil
import pytest
from click.testing import Result
from optuna.artifacts import get_all_artifact_meta
from optuna.artifacts.exceptions import ArtifactNotFound
from typer.testing import CliRunner

from colorgan.sheets import write_sheet
from search.__main__ import app
from search.dashboard import SheetStore, open_view
from search.database import open_study
from search.storage import StorageError, StudyFolder

pytest.importorskip("optuna_dashboard", reason="the extra dashboard is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study with a complete, a failed and a running trial; the first and the last have sheets."""
    folder = StudyFolder(tmp_path / "results #1 100%" / "sky")
    folder.path.mkdir(parents=True)
    study = open_study(folder, name="sky", directions=["minimize"])
    for number in range(3):
        trial = study.ask({"rate": optuna.distributions.FloatDistribution(0, 1)})
        if number == 0:
            trial.report(3.0, 1)
            study.tell(trial, 2.5)
        if number == 1:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        folder.trial(number).path.mkdir(parents=True)
        if number != 1:
            write_sheet(folder.trial(number).examples, np.full((1, 32, 96, 3), number, np.uint8))
    return folder


@pytest.fixture
def served(folder: StudyFolder) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The dashboard's address, on a free port, and its process."""
    code = (
        "import sys; from pathlib import Path;"
        "from search.dashboard import serve; from search.storage import StudyFolder;"
        "serve(StudyFolder(Path(sys.argv[1])), port=0, say=lambda line: print(line, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield line.split(" at ")[1].split("/dashboard")[0], process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def get(address: str, path: str) -> bytes:
    with urllib.request.urlopen(address + path, timeout=20) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def search(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_it_serves_this_machine_alone_shows_sheets_changes_nothing_and_ends_with_ctrl_c(
    folder: StudyFolder, served: tuple[str, subprocess.Popen[str]]
) -> None:
    address, process = served
    before = folder.database.read_bytes()
    [study] = json.loads(get(address, "/api/studies"))["study_summaries"]
    trials = json.loads(get(address, f"/api/studies/{study['study_id']}"))["trials"]
    assert [(trial["state"], len(trial["artifacts"])) for trial in trials] == [
        ("Complete", 1),
        ("Fail", 0),
        ("Running", 1),
    ]
    artifact = trials[0]["artifacts"][0]["artifact_id"]
    path = f"/artifacts/{study['study_id']}/{trials[0]['trial_id']}/{artifact}"
    assert get(address, path) == folder.trial(0).examples.read_bytes()
    assert b"<html" in get(address, "/dashboard").lower()

    listening = [c for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]

    rebound = urllib.request.Request(f"{address}/api/studies", headers={"Host": "evil.example"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(rebound, timeout=20)  # noqa: S310

    delete = urllib.request.Request(f"{address}/api/studies/{study['study_id']}", method="DELETE")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(delete, timeout=20)  # noqa: S310
    assert folder.database.read_bytes() == before
    assert folder.trial(0).examples.exists()

    with closing(sqlite3.connect(folder.database, timeout=0)) as connection:  # as a driver does, at once
        connection.execute("INSERT INTO studies (study_name) VALUES ('another')")
        connection.commit()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def test_a_sheet_is_an_artifact_of_optuna_and_a_newer_one_another(folder: StudyFolder) -> None:
    view = open_view(folder)
    try:
        trials = view.get_all_trials(1)
        [meta] = get_all_artifact_meta(trials[0], storage=view)
        assert (meta.filename, meta.mimetype) == ("examples.png", "image/png")
        assert get_all_artifact_meta(trials[1], storage=view) == []
        with SheetStore(folder).open_reader(meta.artifact_id) as file:
            assert file.read() == folder.trial(0).examples.read_bytes()
        os.utime(folder.trial(0).examples, ns=(1, 1))
        assert get_all_artifact_meta(trials[0], storage=view)[0].artifact_id != meta.artifact_id
    finally:
        view.engine.dispose()


@pytest.mark.parametrize("name", ["00000001-1", "../../study.db", "", "00000000-1/..", "zz"])
def test_a_store_has_nothing_but_sheets_and_takes_nothing(folder: StudyFolder, name: str) -> None:
    store = SheetStore(folder)
    with pytest.raises(ArtifactNotFound):
        store.open_reader(name)
    with pytest.raises(PermissionError):
        store.remove(name)


def test_a_damaged_storage_and_a_study_without_one_are_errors_in_a_line(folder: StudyFolder) -> None:
    folder.database.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match="cannot be read"):
        open_view(folder)
    folder.database.unlink()
    result = search("dashboard", folder.path)
    assert result.exit_code == 2
    assert "run the study first" in result.stderr
    assert not folder.database.exists()


def test_a_taken_port_is_said(folder: StudyFolder) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        result = search("dashboard", folder.path, "--port", port)
    assert result.exit_code == 1
    assert f"port {port}" in result.stderr


def test_without_the_package_it_says_how_to_install_it(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.dashboard.find_spec", lambda name: None)
    result = search("dashboard", folder.path)
    assert result.exit_code == 1
    assert "EXTRAS=dashboard" in result.stderr
