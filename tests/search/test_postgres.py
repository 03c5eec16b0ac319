"""A study whose storage is a PostgreSQL server of this machine: killed and started again, cut off in mid-sentence."""

from __future__ import annotations

import gc
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from colorgan.record import read_record
from search.database import open_study
from search.storage import StorageError, StudyFolder

ROOT = Path(__file__).parents[2]
USER, SECRET = "somebody", "s3cr3t/p@ss%"
STUDY = """
name: served
train:
  data: {photos: sample, size: 16, crop_scales: [1.0], train_limit: 8, valid_limit: 2}
  generator: {filters: 4, depth: 2}
  discriminator: {filters: 4, depth: 2}
  schedule: {epochs: 4, steps_per_epoch: 2, batch_size: 4}
  validation: {examples: 0}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
search: {trials: 5, workers: 1}
"""


def programs() -> Path | None:
    """Where PostgreSQL's programs lie, the newest version first; None where it is not installed."""
    found = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    places = [*([Path(found).parent] if found else []), *reversed(versions)]
    return next((place for place in places if (place / "initdb").exists()), None)


pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
if programs() is None:
    pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)", allow_module_level=True)


class Server:
    """A PostgreSQL server on a free port of 127.0.0.1. It refuses to run as root, so another user runs it then."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._process = folder, None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = names.get("postgres", names["nobody"])
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (folder / "password").write_text(SECRET)
        (folder / "password").chmod(0o644)
        options = ["--no-sync", "--auth=scram-sha-256", "--username", USER, "--pwfile", str(folder / "password")]
        command = [self._program("initdb"), "--encoding=UTF8", "--locale=C", *options, str(folder / "data")]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **self._as)

    def start(self) -> None:
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._folder), "-D", str(self._folder / "data")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program("postgres"), *options], cwd=self._folder, stdout=log, stderr=log, **self._as
            )

    def kill(self) -> None:
        """Ends the server and all its connections at once, as a power cut does."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def url(
        self, *, port: int | None = None, user: str = USER, password: str = SECRET, database: str = "postgres"
    ) -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port or self.port}/{database}"

    def _program(self, name: str) -> str:
        return str((programs() or Path()) / name)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="colorgan-postgres-", dir="/tmp"))  # pytest's own folders are root's alone
    try:
        made = Server(folder)
        made.start()
        wait_for(lambda: accepts(made.port), "the server")
        yield made
        made.kill()
    finally:
        shutil.rmtree(folder)


def accepts(port: int) -> bool:
    import psycopg

    with suppress(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=port, user=USER, password=SECRET, dbname="postgres").close()
        return True
    return False


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def stored(server: Server, name: str) -> tuple[list[FrozenTrial], dict[str, Any]]:
    """The trials and attributes of a study as plain Optuna reads them."""
    storage = optuna.storages.RDBStorage(server.url())
    study = optuna.load_study(study_name=name, storage=storage)
    found = study.trials, study.user_attrs
    storage.engine.dispose()
    return found


class Cutter:
    """Stands between a program and the server; armed, it keeps the answer to the next COMMIT of a change and hangs up.

    That something was changed is seen in the server's answers ("INSERT 0 1"): what the program sends may be prepared.
    """

    def __init__(self, server: Server) -> None:
        self._server, self.armed, self.cuts, self._changed = server, False, 0, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self._server.port))
                threading.Thread(target=self._forth, args=(ours, theirs), daemon=True).start()
                threading.Thread(target=self._pass, args=(theirs, ours), daemon=True).start()

    def _forth(self, ours: socket.socket, theirs: socket.socket) -> None:
        with suppress(OSError):
            while data := ours.recv(65536):
                if self.armed and self._changed and b"COMMIT" in data:
                    self.armed, self.cuts = False, self.cuts + 1
                    ours.shutdown(socket.SHUT_RDWR)  # the answer finds nobody
                    theirs.sendall(data)
                    time.sleep(0.2)
                    break
                theirs.sendall(data)
        ours.close()
        theirs.close()

    def _pass(self, theirs: socket.socket, ours: socket.socket) -> None:
        with suppress(OSError):
            while data := theirs.recv(65536):
                self._changed = b"COMMIT" not in data and (self._changed or b"INSERT 0 " in data or b"UPDATE 1" in data)
                ours.sendall(data)


def test_a_call_whose_answer_was_lost_counts_once(server: Server, tmp_path: Path) -> None:
    open_study(StudyFolder(tmp_path), name="first", directions=["minimize"], url=server.url())  # makes the tables
    cutter = Cutter(server)
    cutter.armed = True
    study = open_study(
        StudyFolder(tmp_path), name="cut", directions=["minimize"], url=server.url(port=cutter.port),
        sampler=optuna.samplers.RandomSampler(seed=0),
    )  # fmt: skip

    assert not cutter.armed

    def cut(call: Callable[[], Any]) -> Any:
        cutter.armed = True
        result = call()
        assert not cutter.armed
        return result

    cut(lambda: study.enqueue_trial({"x": 0.5}))
    for number in range(2):  # the first is taken from the queue, the second made
        trial = cut(study.ask)
        assert trial.number == number
        x = cut(lambda trial=trial: trial.suggest_float("x", 0, 1))
        cut(lambda trial=trial: trial.report(2.0, 1))
        cut(lambda trial=trial: trial.set_user_attr("note", "kept"))
        cut(lambda trial=trial, x=x: study.tell(trial, x))
    cut(lambda: study.set_user_attr("baselines", {"gray": 1.0}))
    assert cutter.cuts == 13
    trials, attributes = stored(server, "cut")
    assert [(t.state, t.value == t.params["x"], t.intermediate_values, t.user_attrs) for t in trials] == [
        (TrialState.COMPLETE, True, {1: 2.0}, {"note": "kept"})
    ] * 2
    assert trials[0].params == {"x": 0.5}
    assert attributes == {"baselines": {"gray": 1.0}}
    cutter.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "guess3d"}, "password authentication failed"),
        ({"user": "stranger", "password": "guess3d"}, "password authentication failed"),
        ({"database": "nosuch"}, 'database "nosuch" does not exist'),
        ({"port": 1}, "refused"),
    ],
)
def test_a_server_that_cannot_be_used_is_said_at_once_and_without_secrets(
    server: Server, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(StorageError, match=said) as caught:
        open_study(StudyFolder(tmp_path), name="s", directions=["minimize"], url=server.url(**wrong))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert f"postgresql://127.0.0.1:{wrong.get('port', server.port)}/" in shown
    assert not any(secret in shown for secret in (USER, SECRET, quote(SECRET, safe=""), "guess3d", "stranger"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of Optuna, where it could not begin
def test_drivers_that_begin_in_an_empty_database_at_once_all_come_in(server: Server, tmp_path: Path) -> None:
    import psycopg

    def begin(number: int, database: str) -> str:
        together.wait()
        folder, name = StudyFolder(tmp_path / f"{database}-{number}"), f"study-{number}"
        return open_study(folder, name=name, directions=["minimize"], url=server.url(database=database)).study_name

    for attempt in range(3):
        database, together = f"empty{attempt}", threading.Barrier(6)
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        with ThreadPoolExecutor(6) as pool:
            assert len(set(pool.map(begin, range(6), [database] * 6))) == 6
    gc.collect()
    for one in gc.get_objects():  # what is still held would say in another test that nobody closed it
        if isinstance(one, psycopg.Connection) and not one.closed and one.info.dbname.startswith("empty"):
            one.close()


def test_a_study_of_that_name_that_ran_elsewhere_is_refused(server: Server, tmp_path: Path) -> None:
    first = open_study(StudyFolder(tmp_path / "first"), name="same", directions=["minimize"], url=server.url())
    first.enqueue_trial({"x": 1.0})
    with pytest.raises(StorageError, match=r"holds a study 'same' that is not the one in .*second"):
        open_study(StudyFolder(tmp_path / "second"), name="same", directions=["minimize"], url=server.url())


def test_of_two_folders_that_begin_a_study_of_one_name_at_once_one_is_refused(server: Server, tmp_path: Path) -> None:
    def begin(place: str) -> str:
        together.wait()
        try:
            open_study(StudyFolder(tmp_path / place), name="raced", directions=["minimize"], url=server.url())
        except StorageError as error:
            return str(error)
        return "begun"

    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        said = dict(zip("ab", pool.map(begin, "ab"), strict=True))
    first, second = sorted("ab", key=lambda place: said[place] != "begun")
    assert said[first] == "begun"
    assert f"holds a study 'raced' that is not the one in {tmp_path / second}: it was begun elsewhere" in said[second]
    (tmp_path / first / "study.yaml").touch()  # as a driver has it that was killed before its first trial ran
    assert begin_again(server, tmp_path / first).ask().number == 0
    assert begin_again(server, tmp_path / first).ask().number == 1
    with pytest.raises(StorageError, match="it was begun elsewhere"):
        begin_again(server, tmp_path / second)


def begin_again(server: Server, folder: Path) -> optuna.Study:
    return open_study(StudyFolder(folder), name="raced", directions=["minimize"], url=server.url())


def test_a_server_killed_in_mid_study_is_waited_for_and_nothing_is_lost(server: Server, tmp_path: Path) -> None:
    (tmp_path / "served.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "search", "run", "served.yaml", "--results", "results"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLORGAN_STORAGE": server.url()}
    folder, output = StudyFolder(tmp_path / "results" / "served"), tmp_path / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=file, stderr=file)
    try:
        wait_for(lambda: folder.trial(1).checkpoint.exists() or process.poll() is not None, "the second trial")
        server.kill()
        time.sleep(2)
        server.start()
        assert process.wait(200) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    said = output.read_text()
    assert "does not answer" in said
    assert "answers again" in said
    trials, _ = stored(server, "served")
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5
    for trial in trials:
        record = read_record(folder.trial(trial.number).record)
        assert (record.objective, record.retries, len(record.epochs)) == (trial.value, 0, 4)
        assert trial.intermediate_values == {epoch.epoch: epoch.objective for epoch in record.epochs}
    assert not folder.database.exists()
    secrets = [form.encode() for form in (SECRET, quote(SECRET, safe=""), SECRET.split("/")[0])]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert not any(secret in path.read_bytes() for secret in secrets), path


@pytest.mark.skipif("CHAOS_KILLS" not in os.environ, reason="takes a while; make chaos runs it")
def test_drivers_on_both_engines_share_a_server_and_a_dashboard_shows_their_studies(
    server: Server, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLORGAN_STORAGE": server.url()}
    drivers = {}
    for name, engine in (("one", "local"), ("two", "local"), ("three", "ray")):
        (tmp_path / f"{name}.yaml").write_text(STUDY.replace("name: served", f"name: {name}"))
        command = [sys.executable, "-m", "search", "run", f"{name}.yaml", "--engine", engine]
        with (tmp_path / f"{name}.txt").open("wb") as file:
            drivers[name] = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=file, stderr=file)
    try:
        codes = {name: driver.wait(250) for name, driver in drivers.items()}
    finally:
        for driver in drivers.values():
            driver.kill()
            driver.wait()
    assert codes == dict.fromkeys(drivers, 0), [(tmp_path / f"{name}.txt").read_text() for name in drivers]
    found = {name: stored(server, name)[0] for name in drivers}
    assert [[trial.state for trial in trials] for trials in found.values()] == [[TrialState.COMPLETE] * 5] * 3
    assert [trial.params for trial in found["one"]] == [trial.params for trial in found["three"]]
    assert [trial.value for trial in found["one"]] == [trial.value for trial in found["three"]]
    assert shown_by_dashboard(server.url()) >= set(drivers)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert SECRET.encode() not in path.read_bytes(), path


def shown_by_dashboard(url: str) -> set[str]:
    """Returns the names of the studies that optuna-dashboard shows of a storage."""
    dashboard = pytest.importorskip("optuna_dashboard", reason="the extra dashboard is not installed")
    storage = optuna.storages.RDBStorage(url)
    answer: dict[str, Any] = {}

    def start_response(status: str, _headers: list[tuple[str, str]], _info: Any = None) -> None:
        answer["status"] = status

    request = {"PATH_INFO": "/api/studies", "REQUEST_METHOD": "GET", "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    page = dashboard.wsgi(storage)({**request, "wsgi.input": None, "wsgi.url_scheme": "http"}, start_response)
    studies = json.loads(b"".join(page))["study_summaries"]
    storage.engine.dispose()
    assert answer["status"].startswith("200")
    return {study["study_name"] for study in studies}
