"""A study on a Ray cluster of several nodes, which come and go, and what is the Ray engine's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from colorgan.config import DataConfig, TrainConfig
from colorgan.packs import CACHE_VARIABLE
from colorgan.photos import open_photos
from colorgan.versions import versions
from search.absence import Absence
from search.checkpoint_store import CheckpointStore
from search.storage import StudyFolder

pytest.importorskip("ray", reason="the extra ray is not installed")

from search.engines import EngineError, ray_cluster, ray_engine
from search.engines.ray_actor import Heard, Home, _misfit
from search.engines.ray_cluster import _fitting, _refuse_silence, actor_needs, actor_options
from search.engines.workload import Workload
from search.known_photos import KnownPhotos, StudyPhotos
from search.messages import Event, Job, TrialEnded, WorkerReady
from search.run import run_study
from search.settings import Resources, Search
from search.study import StudySpec, read_study
from search.workplace import Workplace

ROOT = Path(__file__).parents[2]
SECRET = "s3cr3t"  # noqa: S105 - of nobody
NODE = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
STUDY = """
name: clustered
train:
  data: {photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}
  generator: {filters: 4, depth: 3, dropout: 0.5}
  discriminator: {filters: 4, depth: 2}
  schedule: {epochs: 200, steps_per_epoch: 4, batch_size: 8}
  validation: {examples: 0, moving_average: 0.9}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
search: {trials: 2, sampler: {name: random}, keep_checkpoints: 1}
"""


class Run:
    """A study's driver, which is started, ended and started again with the same command."""

    def __init__(self, home: Path, *options: str) -> None:
        home.mkdir()
        (home / "study.yaml").write_text(STUDY)
        self.home, self._options = home, options
        self.folder = StudyFolder(home / "results" / "clustered")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "search", "run", "study.yaml", *self._options, *options]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.home / "output.txt").open("ab") as output:  # a session of its own, as a terminal is
            self.process = subprocess.Popen(
                command, cwd=self.home, env=env, stdout=output, stderr=output, start_new_session=True
            )
        return self.process

    @property
    def output(self) -> str:
        return (self.home / "output.txt").read_text()

    def finish(self, *options: str) -> None:
        assert self.start(*options).wait(250) == 0, self.output[-3000:]

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def epochs(self, number: int) -> int:
        return sum(len(record.epochs) for record in self.folder.records() if record.number == number)

    def log(self, number: int) -> str:
        return self.folder.trial(number).log.read_text()

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 200
        while not condition():
            assert self.process is not None
            assert self.process.poll() is None, self.output[-3000:]
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.output[-3000:]}"
            time.sleep(0.1)

    def numbers(self) -> list[Any]:
        return [
            (record.number, record.state, record.params, [(e.epoch, e.objective, e.metrics) for e in record.epochs])
            for record in self.folder.records()
        ]


def actors() -> list[psutil.Process]:
    """The workers on this process's nodes, by what Ray calls their processes."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.is_running() and "ray::TrialActor" in child.name()]


def packs(cache: Path) -> list[tuple[int, int]]:
    """What tells a pack in a cache from one that was made anew."""
    return [(found.stat().st_ino, found.stat().st_mtime_ns) for found in cache.glob("photos/*/pack.json")]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head that trains nothing, and a node with room for one worker."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {**NODE, "num_cpus": 0, "dashboard_port": None}  # any: Ray leaves a socket open where its own is taken
        made = Cluster(initialize_head=True, head_node_args=head)
        made.first = made.add_node(**NODE, num_cpus=1)
        yield made
        made.shutdown()


@pytest.mark.timeout(500)
def test_nodes_that_go_and_come_and_a_killed_driver_change_no_number(cluster: Any, tmp_path: Path) -> None:
    shared, cache = tmp_path / "shared", tmp_path / "cache"
    run = Run(tmp_path / "ray", "--engine", "ray", "--address", cluster.address, "--checkpoints", str(shared))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLORGAN_STORAGE", f"sqlite:///{tmp_path}/{SECRET}.db")
        driver = run.start()
        try:
            run.wait_for(lambda: run.epochs(0) > 2, "epochs of the first trial")
            cluster.remove_node(cluster.first, allow_graceful=False)
            cluster.add_node(**NODE, num_cpus=2, env_vars={CACHE_VARIABLE: str(cache)})
            run.wait_for(lambda: "continued" in run.log(0), "the new node")
            assert "going on elsewhere" in run.output
            run.wait_for(lambda: len(actors()) == 2, "the second worker for which it has room")
            run.wait_for(lambda: run.epochs(1) > 2, "epochs of the second trial")
            workers = actors()
            assert not any(SECRET in str(worker.environ()) for worker in workers)
            packed = packs(cache)
            assert len(packed) == 1, "a node packs the photos itself, once for both of its workers"
            driver.kill()
            driver.wait()
            psutil.wait_procs(workers, timeout=60)
            assert not [worker for worker in workers if worker.is_running()]
            run.finish("--workers", "1")
        finally:
            run.end()
    twin = Run(tmp_path / "local")
    twin.finish("--workers", "1")
    assert run.numbers() == twin.numbers()
    records = run.folder.records()
    assert [record.retries for record in records] == [1, 0]
    kept = [record.number for record in records if run.folder.trial(record.number).checkpoint.exists()]
    assert kept == [min(records, key=lambda record: record.objective or 0.0).number]
    assert not list(shared.rglob("*.npz"))
    assert packs(cache) == packed


@pytest.mark.skipif("CHAOS_KILLS" not in os.environ, reason="takes a while; make chaos runs it")
@pytest.mark.parametrize("times", [1, 4])
def test_interrupts_of_the_whole_terminal_save_the_trials_of_a_ray_of_its_own(tmp_path: Path, times: int) -> None:
    run = Run(tmp_path / "own", "--engine", "ray", "--workers", "1", "--trials", "1")
    driver = run.start()
    try:
        run.wait_for(lambda: run.epochs(0) >= 1, "an epoch")
        started = psutil.Process(driver.pid).children(recursive=True)
        for _ in range(times):
            os.killpg(driver.pid, signal.SIGINT)
            time.sleep(0.25)
        assert driver.wait(60) == 130, run.output
    finally:
        run.end()
    assert "interrupted and saved" in run.output
    assert run.folder.trial(0).checkpoint.exists()
    psutil.wait_procs(started, timeout=60)
    assert not [process for process in started if process.is_running()]


@pytest.mark.skipif("CHAOS_KILLS" not in os.environ, reason="takes a while; make chaos runs it")
def test_an_interrupt_while_a_ray_of_its_own_is_started_leaves_none_of_it(tmp_path: Path) -> None:
    run = Run(tmp_path / "own", "--engine", "ray", "--workers", "1", "--trials", "1")
    driver, started = run.start(), dict[int, psutil.Process]()

    def agents() -> bool:
        found = psutil.Process(driver.pid).children(recursive=True)
        started.update({child.pid: child for child in found})
        with suppress(psutil.Error):  # one that has ended meanwhile
            return any("agent.py" in " ".join(child.cmdline()) for child in found)
        return False

    try:
        run.wait_for(agents, "the agents of its node")
        os.killpg(driver.pid, signal.SIGINT)
        assert driver.wait(60) == 130, run.output
    finally:
        run.end()
    assert run.output == ""
    psutil.wait_procs(started.values(), timeout=20)
    assert not [process for process in started.values() if process.is_running() and process.status() != "zombie"]


def test_a_study_needs_ray_only_where_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    code = "import sys; sys.modules['ray'] = None; from search.__main__ import app; app()"
    command = [sys.executable, "-c", code, "run", "study.yaml", "--engine", "ray"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "--engine ray needs the package ray: make setup EXTRAS=ray" in done.stderr


def test_a_finished_study_starts_no_ray_and_forgets_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = STUDY.replace("epochs: 200", "epochs: 1").replace("trials: 2", "trials: 1, workers: 1")
    (tmp_path / "study.yaml").write_text(text)
    spec = read_study(tmp_path / "study.yaml")
    done = run_study(spec, results=tmp_path)
    monkeypatch.setattr("ray.init", lambda **_: pytest.fail("a Ray was started"))
    elsewhere = spec.model_copy(update={"search": spec.search.model_copy(update={"workers": 3})})
    again = run_study(elsewhere, results=tmp_path, workplace=Workplace("ray"))
    assert again.records == done.records
    assert (again.summary["workers"], again.summary["ending"]) == (1, "finished")


class ScriptedWorker:
    """A `RayWorker` without Ray, which trains nothing: it says what it is given to say."""

    made: ClassVar[list[ScriptedWorker]]

    def __init__(self, number: int, *_: Any, places: int) -> None:
        self.number, self.load, self.asked = number, Workload(places), object()
        self.memory_bytes, self.kills, self.ready, self.ready_at = 0, list[str](), True, time.monotonic()
        self.made_at = self.ready_at
        self.says: list[Event] = [WorkerReady(number, "CPU", 0.0)]
        self.begin, self.stuck, self.unfit = self.load.begin, 0.0, ""
        self.made.append(self)

    @property
    def free(self) -> int:
        return self.load.free

    def hear(self) -> Heard:
        events, self.says = tuple(self.says), []
        for event in events:
            self.load.take(event)
            self.stuck = 0.0
        return Heard(events, cpu_seconds=1.0, memory_bytes=0, unfit=self.unfit)

    def gone(self) -> bool:
        return False

    def kill(self, reason: str) -> None:
        self.kills.append(reason)

    def stuck_seconds(self) -> float:
        return self.stuck

    def excuse(self, seconds: float) -> None:
        self.stuck = max(0.0, self.stuck - seconds)

    def await_end(self, seconds: float) -> None:
        assert self.kills, seconds


class ScriptedCluster:
    """A `RayCluster` without Ray, of one node."""

    places = 1  # for workers
    joined = False

    def __init__(self, *_: Any, **__: Any) -> None:
        self.gpus, self.room, self.may_grow = lambda: False, lambda _need: self.places, True

    def join(self) -> None:
        self.joined = True

    def close(self) -> None:
        self.joined = False


def scripted(
    monkeypatch: pytest.MonkeyPatch, settings: Search, places: int = 1, say: Callable[[str], None] = print
) -> ray_engine.RayEngine:
    """A Ray engine without Ray, started, whose workers have said that they are ready."""
    ScriptedWorker.made = []
    monkeypatch.setattr(ray_engine, "RayCluster", ScriptedCluster)
    monkeypatch.setattr(ray_engine, "RayWorker", ScriptedWorker)
    monkeypatch.setattr(ray_engine.ray, "wait", lambda asked, **_: (asked, []))
    home = Home(Path.cwd(), StudyPhotos(DataConfig(), KnownPhotos(fingerprint="", train=1, valid=1, confirm=1)), {})
    engine = ray_engine.RayEngine(settings, study="s", home=home, address=None, say=say, places=places)
    engine.start()
    engine.wait(0.1)
    return engine


def test_workers_are_added_as_nodes_join_and_no_more_than_there_are_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "LOOK_SECONDS", 0.0)
    engine = scripted(monkeypatch, Search(trials=3))
    assert list(engine.idle()) == [0]
    for places, workers in ((2, 2), (9, 3)):
        monkeypatch.setattr(ScriptedCluster, "places", places)
        engine.wait(0.1)
        assert engine.count == len(ScriptedWorker.made) == workers
    engine.close()
    assert all(len(worker.kills) == 1 for worker in ScriptedWorker.made)


def test_a_worker_that_waits_for_room_is_let_go_when_its_node_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ScriptedCluster, "places", 2)
    engine = scripted(monkeypatch, Search())
    first, second = ScriptedWorker.made
    second.ready = False
    monkeypatch.setattr(ScriptedCluster, "places", 1)
    engine.wait(0.1)
    assert (engine.count, first.kills, len(second.kills)) == (1, [], 1)
    engine.close()


def test_a_worker_that_no_node_can_ever_take_is_said_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    for places, words in ((0, "GPU 8, more than any of its nodes has"), (1, "GPU 8")):
        monkeypatch.setattr(ScriptedCluster, "places", places)
        engine = scripted(monkeypatch, Search(workers=1, resources=Resources(gpu=8)), say=said.append)
        ScriptedWorker.made[0].ready = False
        monkeypatch.setattr(ray_engine, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(ray_engine, "PATIENCE_SECONDS", 0.0)
        engine.wait(0.1)
        engine.wait(0.1)
        assert said.pop() == f"1 worker without room in the cluster yet; each needs CPU 1, {words}"
        assert not said
        engine.close()


def test_that_the_driver_was_away_is_not_held_against_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "LOOK_SECONDS", 0.0)
    engine, now = scripted(monkeypatch, Search(workers=1, stuck_seconds=120.0)), [0.0]
    engine._absence = Absence(lambda: now[0])
    (worker,) = ScriptedWorker.made
    engine.dispatch(0, Job(0, TrainConfig(), tmp_path / "0.npz"))
    worker.stuck = now[0] = 150.0
    assert engine.wait(0.1) == []
    assert worker.kills == []
    worker.stuck, worker.says = 150.0, [TrialEnded(0, "complete")]  # its answer lay ready
    assert engine.wait(0.1) == [TrialEnded(0, "complete")]
    assert worker.kills == []
    engine.dispatch(0, Job(1, TrainConfig(), tmp_path / "1.npz"))
    worker.stuck = 150.0
    engine.wait(0.1)
    assert len(worker.kills) == 1
    engine.close()


def test_a_worker_whose_trials_run_out_of_memory_together_is_replaced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = scripted(monkeypatch, Search(workers=1), places=2)
    assert list(engine.idle()) == [0, 0]
    for number in range(2):
        engine.dispatch(0, Job(number, TrainConfig(), tmp_path / f"{number}.npz"))
    first = ScriptedWorker.made[0]
    first.says = [TrialEnded(number, "out of memory", "none left") for number in range(2)]
    assert [event.number for event in engine.wait(0.1) if isinstance(event, TrialEnded)] == [0, 1]
    assert (len(first.kills), list(engine.idle())) == (1, [1, 1])
    engine.close()
    assert [len(worker.kills) for worker in ScriptedWorker.made] == [1, 1]


def test_a_worker_gets_what_the_study_says_and_its_part_of_a_gpu() -> None:
    assert actor_needs(Resources(), gpus=False) == {"CPU": 1.0}
    assert actor_needs(Resources(), gpus=True) == {"CPU": 1.0, "GPU": 1.0}
    need = actor_needs(Resources(cpu=2, gpu=0.25, memory=2e9), gpus=True)
    assert need == {"CPU": 2.0, "GPU": 0.25, "memory": 2e9}
    options = actor_options(need, "jax")
    assert (options["num_cpus"], options["num_gpus"], options["memory"]) == (2.0, 0.25, 2e9)
    variables = options["runtime_env"]["env_vars"]
    assert (variables["KERAS_BACKEND"], variables["XLA_CLIENT_MEM_FRACTION"]) == ("jax", "0.225")
    growing = actor_options(need, "tensorflow")["runtime_env"]["env_vars"]
    assert growing["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    threads = actor_options({"CPU": 2.0}, "tensorflow")["runtime_env"]["env_vars"]
    assert (threads["OMP_NUM_THREADS"], threads["CUDA_VISIBLE_DEVICES"]) == ("2", "")


def test_a_node_has_room_for_what_fits_in_all_respects() -> None:
    node = {"CPU": 8.0, "GPU": 1.0, "memory": 9e9}
    assert _fitting(node, {"CPU": 1.0}) == 8
    assert _fitting(node, {"CPU": 1.0, "GPU": 0.25}) == 4
    assert _fitting(node, {"CPU": 1.0, "GPU": 0.1, "memory": 3e9}) == 3
    assert _fitting({"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}) == 0


def test_a_node_that_would_make_other_numbers_or_lose_checkpoints_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = DataConfig.model_validate({"size": 32, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4})
    witness = tmp_path / "study" / ".driver"
    witness.parent.mkdir()
    witness.write_text("process 7")
    home = Home(tmp_path, StudyPhotos(data, KnownPhotos.of(open_photos(data))), versions(), witness, "process 7")
    other = home.photos.known.model_copy(update={"fingerprint": "0" * 16})
    assert _misfit(home) == ""
    assert "keras 3.15" in _misfit(replace(home, versions={**versions(), "keras": "3.0.0"}))
    assert "has other photos at sample than the driver" in _misfit(
        replace(home, photos=replace(home.photos, known=other))
    )
    elsewhere = replace(home.photos, data=data.model_copy(update={"photos": str(tmp_path / "none")}))
    assert "photos must lie under the same path on every node" in _misfit(replace(home, photos=elsewhere))
    for unseen in (replace(home, word="another's"), replace(home, witness=tmp_path / "gone" / ".driver")):
        assert "Give --checkpoints a place that all nodes reach" in _misfit(unseen)
    store = CheckpointStore(str(tmp_path / "shared"), "study")
    store.check()
    store.sign()
    elsewhere = replace(home, witness=None, store=store.key)
    assert _misfit(elsewhere) == ""
    (tmp_path / "shared").rename(tmp_path / "the driver's machine")
    assert f"does not see what the driver wrote to {tmp_path / 'shared'}, so a trial" in _misfit(elsewhere)


@pytest.mark.timeout(200)
def test_a_study_ends_when_no_worker_is_left_that_can_do_anything_where_it_is(tmp_path: Path) -> None:
    data = DataConfig.model_validate({"size": 32, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4})
    witness, said = tmp_path / ".driver", list[str]()
    witness.write_text("process 7")
    home = Home(tmp_path, StudyPhotos(data, KnownPhotos.of(open_photos(data))), versions(), witness, "process 7")
    engine = ray_engine.RayEngine(Search(workers=1), study="parked", home=home, address=None, say=said.append)
    try:
        engine.start()
        while not engine.idle():
            engine.wait(0.5)
        witness.write_text("another's")
        engine.dispatch(0, Job(0, TrainConfig(data=data), tmp_path / "0.npz"))
        engine.kill(0)
        with pytest.raises(EngineError, match=r"no worker is left that can be used: worker \d+: .* does not see"):
            while True:
                engine.wait(0.5)
        assert said[0].startswith("worker 1 is not used: ")
    finally:
        engine.close()


def test_a_worker_that_can_do_nothing_where_it_is_keeps_its_place_and_others_are_made_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ScriptedCluster, "places", 2)
    engine = scripted(monkeypatch, Search(workers=1))
    engine.dispatch(0, Job(0, TrainConfig(), tmp_path / "0.npz"))
    ScriptedWorker.made[0].says = [TrialEnded(0, "out of memory")]
    engine.wait(0.1)
    second = ScriptedWorker.made[1]
    second.says, second.unfit, second.ready = [], "other photos", False
    engine.wait(0.1)
    engine.wait(0.1)
    assert (engine.count, list(engine.idle()), len(ScriptedWorker.made)) == (1, [2], 3)
    monkeypatch.setattr(ScriptedCluster, "places", 1)  # the node of the good one leaves
    ScriptedWorker.made[2].ready = False
    with pytest.raises(EngineError, match="no worker is left that can be used: worker 1: other photos"):
        engine.wait(0.1)
    engine.close()
    assert all(worker.kills for worker in ScriptedWorker.made)


@pytest.mark.timeout(200)
def test_what_this_machine_has_not_is_not_waited_for(tmp_path: Path) -> None:
    photos = StudyPhotos(DataConfig(), KnownPhotos(fingerprint="", train=1, valid=1, confirm=1))
    settings, home = Search(workers=1, resources=Resources(gpu=1)), Home(tmp_path, photos, {})
    engine = ray_engine.RayEngine(settings, study="gpu", home=home, address=None, say=print)
    try:
        with pytest.raises(EngineError, match=r"needs CPU 1, GPU 1 \(search\.resources\), it has CPU \d+, GPU 0, "):
            engine.start()
    finally:
        engine.close()


def test_a_node_needs_no_colorgan_of_the_same_version_as_its_code_comes_from_the_driver(tmp_path: Path) -> None:
    space = {"optimizer.generator_learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2}}
    train = {"data": {"size": 16, "crop_scales": [1.0], "train_limit": 2, "valid_limit": 1, "confirm_limit": 1}}
    train |= {"generator": {"depth": 2}, "discriminator": {"depth": 1}}
    spec, folder = StudySpec.model_validate({"name": "s", "train": train, "space": space}), StudyFolder(tmp_path)
    folder.lock.touch()
    engine = Workplace("ray").engine_for(spec, folder, open_photos(spec.train.data), say=print)
    assert isinstance(engine, ray_engine.RayEngine)
    assert engine._home.versions == {name: one for name, one in versions().items() if name != "colorgan"}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999", "nosuch.invalid:6379"])
def test_an_address_at_which_nobody_answers_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 0.1)
    photos = StudyPhotos(DataConfig(), KnownPhotos(fingerprint="", train=1, valid=1, confirm=1))
    engine = ray_engine.RayEngine(Search(), study="lost", home=Home(tmp_path, photos, {}), address=address, say=print)
    with pytest.raises(EngineError, match=f"--address {address}: nobody answers there"):
        engine.start()
    engine.close()


def test_a_driver_without_the_clusters_token_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "RAY_AUTH_MODE": "token"}
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        command = [sys.executable, "-m", "search", "run", "study.yaml", "--engine", "ray", "--address", address]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(f"--address {address}: Token authentication is enabled but no authentication token")


def test_a_head_that_is_only_being_started_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = list[socket.socket]()
    starting = threading.Timer(1.5, lambda: servers.append(socket.create_server(("127.0.0.1", port))))
    starting.start()
    _refuse_silence(f"127.0.0.1:{port}")
    starting.join()
    servers[0].close()
