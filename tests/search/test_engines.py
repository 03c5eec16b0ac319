"""What every engine promises the driver, with real workers: of this machine, and of a Ray that runs on it.

The tests share one worker of each engine and are in the order of its life.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from colorgan.config import TrainConfig
from colorgan.folder import SAMPLE_FOLDER
from colorgan.photos import open_photos
from colorgan.versions import versions
from search.engines import Engine
from search.engines.local import LocalEngine
from search.known_photos import KnownPhotos, StudyPhotos
from search.messages import EpochDone, Event, Job, TrialEnded, TrialStarted, WorkerLost, WorkerReady
from search.settings import Search

TRAIN: dict[str, Any] = {
    "data": {"size": 32, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4},
    "generator": {"filters": 4, "depth": 3},
    "discriminator": {"filters": 4, "depth": 2},
    "schedule": {"epochs": 2, "steps_per_epoch": 2, "batch_size": 8},
    "validation": {"examples": 1},
}
LONG = {**TRAIN, "schedule": {**TRAIN["schedule"], "epochs": 100_000}}
STUCK_SECONDS, TRIALS_PER_WORKER = 6.0, 4
SECRET = "s3cr3t"  # noqa: S105 - of nobody


@dataclass
class Pool:
    """An engine with one worker, and how its process is found from outside."""

    engine: Engine
    find: Callable[[], list[psutil.Process]]
    seen: set[psutil.Process] = field(default_factory=set)

    def process(self) -> psutil.Process:
        """The worker's process, once that of the worker before has ended."""
        deadline = time.monotonic() + 60
        while len(found := self.find()) != 1:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        self.seen.add(found[0])
        return found[0]

    def hear(self, wanted: Callable[[Event], bool], seconds: float = 200.0) -> list[Event]:
        """Returns all that workers said, up to the wanted event."""
        heard: list[Event] = []
        deadline = time.monotonic() + seconds
        while not any(wanted(event) for event in heard):
            assert time.monotonic() < deadline, f"waited in vain; heard {heard}"
            heard += self.engine.wait(0.2)
        return heard

    def idle(self) -> int:
        """Returns the number of the worker, once it waits for a job."""
        while not self.engine.idle():
            self.hear(lambda event: isinstance(event, WorkerReady))
        (worker,) = self.engine.idle()
        return worker

    def lost(self) -> WorkerLost:
        found = self.hear(lambda event: isinstance(event, WorkerLost))[-1]
        assert isinstance(found, WorkerLost)
        return found


def job(number: int, folder: Path, train: dict[str, Any] = TRAIN) -> Job:
    return Job(number, TrainConfig.model_validate(train), folder / f"{number}.npz")


def ended(number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, TrialEnded) and event.number == number


def done(number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, EpochDone) and event.number == number


def local_pool(settings: Search, logs: Path, photos: StudyPhotos) -> Pool:
    engine = LocalEngine(
        workers=1,
        logs=logs,
        trials_per_worker=settings.trials_per_worker,
        stuck_seconds=settings.stuck_seconds,
        photos=photos,
    )

    def find() -> list[psutil.Process]:
        living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
        return [child for child in living if "search.engines.worker" in child.cmdline()]

    return Pool(engine, find)


def ray_pool(settings: Search, logs: Path, photos: StudyPhotos) -> Pool:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    import ray
    from ray.util.state import list_actors

    from search.engines.ray_actor import Home
    from search.engines.ray_engine import RayEngine

    home = Home(Path.cwd(), photos, versions())

    def find() -> list[psutil.Process]:
        here = ray.get_runtime_context().gcs_address  # another test may have a Ray of its own
        alive = [actor for actor in list_actors(here) if actor.state == "ALIVE"]
        assert all(actor.name.startswith("contract/worker-") for actor in alive)
        return [psutil.Process(actor.pid) for actor in alive]

    return Pool(RayEngine(settings, study="contract", home=home, address=None, say=print), find)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos of the study that the engines believe to work for."""
    folder = tmp_path_factory.mktemp("photos")
    for file in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:12]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module", params=[local_pool, ray_pool])
def pool(request: pytest.FixtureRequest, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    data = TrainConfig.model_validate({"data": {**TRAIN["data"], "photos": str(photos)}}).data
    settings = Search(workers=1, stuck_seconds=STUCK_SECONDS, trials_per_worker=TRIALS_PER_WORKER)
    known = StudyPhotos(data, KnownPhotos.of(open_photos(data)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLORGAN_STORAGE", f"postgresql://somebody:{SECRET}@localhost/studies")
        made = request.param(settings, tmp_path_factory.mktemp("logs"), known)
    made.engine.start()
    yield made
    made.engine.close()
    psutil.wait_procs(made.seen, timeout=30)
    assert len(made.seen) == 5
    assert not [process for process in made.seen if process.is_running()]


def test_a_worker_builds_an_architecture_once_and_then_holds_it(pool: Pool, tmp_path: Path) -> None:
    engine, worker = pool.engine, pool.idle()
    key = job(0, tmp_path).config.architecture()
    for number, built in ((0, True), (1, False)):
        assert engine.holds(worker, key) == (not built)
        engine.dispatch(worker, job(number, tmp_path))
        assert worker not in engine.idle()
        heard = pool.hear(ended(number))
        assert [type(event) for event in heard] == [TrialStarted, EpochDone, EpochDone, TrialEnded]
        assert isinstance(heard[0], TrialStarted)
        assert heard[0].built == built
        assert heard[-1] == TrialEnded(number, "complete", architectures=frozenset({key}))
        assert engine.idle() == [worker]


def test_no_process_knows_the_storages_password(pool: Pool) -> None:
    for process in [pool.process(), *psutil.Process().children(recursive=True)]:
        with process.oneshot():
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                assert SECRET not in str(process.environ())


def test_a_stopped_trial_leaves_a_checkpoint_where_it_is_wanted_and_an_old_worker_goes_between_two_trials(
    pool: Pool, tmp_path: Path
) -> None:
    old, before = pool.process(), pool.engine.worker_seconds()
    for number, save in ((2, True), (3, False)):
        pool.engine.dispatch(pool.idle(), job(number, tmp_path, LONG))
        pool.hear(lambda event: isinstance(event, TrialStarted))
        pool.engine.stop(number, save=save)
        last = pool.hear(ended(number))[-1]
        assert isinstance(last, TrialEnded)
        assert last.how == "stopped"
    assert (tmp_path / "2.npz").exists()
    assert pool.engine.idle() == []
    pool.idle()
    assert pool.process() != old
    assert not pool.engine.holds(pool.idle(), job(0, tmp_path).config.architecture())
    assert pool.engine.worker_seconds() > before


def test_a_killed_worker_is_reported_with_its_trial_which_goes_on_in_a_new_one(pool: Pool, tmp_path: Path) -> None:
    worker = pool.idle()
    pool.engine.dispatch(worker, job(4, tmp_path, LONG))
    pool.hear(done(4))
    pool.process().kill()
    lost = pool.lost()
    assert (lost.worker, lost.number) == (worker, 4)
    assert lost.reason.startswith("its worker process ")
    assert lost.perhaps_memory
    pool.engine.dispatch(pool.idle(), job(4, tmp_path, LONG))
    started = pool.hear(lambda event: isinstance(event, TrialStarted))[-1]
    assert isinstance(started, TrialStarted)
    assert started.history
    assert "continued from the checkpoint" in started.note


def test_a_hung_worker_is_killed_when_the_driver_wants_it(pool: Pool, tmp_path: Path) -> None:
    hung = pool.process()
    hung.suspend()
    pool.engine.kill(4)
    lost = pool.lost()
    assert (lost.number, lost.reason, lost.perhaps_memory) == (4, "its worker process was ended on purpose", False)
    assert hung.wait(60) is None or not hung.is_running()


def test_a_worker_that_does_nothing_any_more_is_replaced(pool: Pool, tmp_path: Path) -> None:
    pool.engine.dispatch(pool.idle(), job(5, tmp_path, LONG))
    pool.hear(done(5))
    pool.process().suspend()
    lost = pool.lost()
    assert lost.number == 5
    assert lost.reason == "its worker process did nothing for 6 s (stuck_seconds) and was ended"


def test_photos_that_have_changed_fail_no_trial_of_a_new_worker_but_stop_the_study(
    pool: Pool, photos: Path, tmp_path: Path
) -> None:
    worker = pool.idle()
    file = min(photos.iterdir())
    away = file.replace(tmp_path / file.name)
    pool.engine.dispatch(worker, job(6, tmp_path))
    (end,) = pool.hear(ended(6))
    assert isinstance(end, TrialEnded)
    assert end.how == "blocked"
    assert "other photos than the study began with: " in end.reason
    away.replace(file)
    pool.engine.dispatch(worker, job(6, tmp_path))
    end = pool.hear(ended(6))[-1]
    assert isinstance(end, TrialEnded)
    assert end.how == "complete"


def test_a_worker_for_which_there_is_nothing_is_let_go(pool: Pool) -> None:
    pool.idle()
    process = pool.process()
    pool.engine.release_idle()
    assert pool.engine.idle() == []
    psutil.wait_procs([process], timeout=60)
    assert not process.is_running()
    assert pool.engine.wait(3.0) == []  # no other takes its place
