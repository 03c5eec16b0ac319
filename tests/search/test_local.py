"""What is the local engine's own, with real worker processes; what every engine promises is `test_engines.py`'s."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from search.absence import Absence
from search.driver import Driver
from search.engines.local import EngineError, LocalEngine, usable_cores, visible_gpus
from search.messages import Event, Job, TrialEnded, WorkerLost, WorkerReady
from search.source import TrialSource
from search.space import Space
from search.storage import StudyFolder
from search.study import StudySpec

TRAIN: dict[str, Any] = {
    "data": {"size": 32, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4},
    "generator": {"filters": 4, "depth": 3},
    "discriminator": {"filters": 4, "depth": 2},
    "schedule": {"epochs": 2, "steps_per_epoch": 2, "batch_size": 8},
    "validation": {"examples": 1},
}
DRIVE = """
import pathlib, sys, time
import psutil
from search.engines.local import LocalEngine
engine = LocalEngine(workers=1, logs=pathlib.Path(sys.argv[1]))
engine.start()
(worker,) = psutil.Process().children()
while len(worker.threads()) < 2:  # the second one watches over the driver
    time.sleep(0.01)
time.sleep(0.5)
print(worker.pid, flush=True)
time.sleep(600)
"""
SPACE = {"optimizer.generator_learning_rate": {"type": "float", "low": 1e-4, "high": 1e-3}}


ANSWERING = """
import sys
from multiprocessing.connection import Connection
from search.messages import TrialEnded, WorkerReady
connection = Connection(int(sys.argv[3]))
connection.send(WorkerReady(0, "CPU", 0.1))
while True:
    job = connection.recv()
    if job.number != 2:
        connection.send(TrialEnded(job.number, "complete"))
"""


BUSY = """
import sys
from multiprocessing.connection import Connection
from search.messages import WorkerReady
connection = Connection(int(sys.argv[3]))
connection.send(WorkerReady(0, "CPU", 0.1))
while True:
    pass
"""


def study_of(train: dict[str, Any] = TRAIN, **search: Any) -> StudySpec:
    return StudySpec.model_validate({"name": "study", "train": train, "space": SPACE, "search": search})


def job(number: int, folder: Path, train: dict[str, Any] = TRAIN) -> Job:
    return Job(number, study_of(train).train, folder / f"{number}.npz")


def hear(engine: LocalEngine, wanted: Callable[[Event], bool], seconds: float = 200.0) -> list[Event]:
    """Returns all that workers said, up to the wanted event."""
    heard: list[Event] = []
    deadline = time.monotonic() + seconds
    while not any(wanted(event) for event in heard):
        assert time.monotonic() < deadline, f"waited in vain; heard {heard}"
        heard += engine.wait(0.2)
    return heard


def ended(number: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, TrialEnded) and event.number == number


def wait_until_idle(engine: LocalEngine, count: int) -> None:
    while len(engine.idle()) < count:
        hear(engine, lambda event: isinstance(event, WorkerReady))


def processes() -> dict[int, psutil.Process]:
    """This process's workers by number."""
    found = {}
    for process in psutil.Process().children():
        command = [] if process.status() == psutil.STATUS_ZOMBIE else ["just started"]
        while command == ["just started"]:  # the kernel shows a new command line a moment later
            command = process.cmdline() or command
        if "search.engines.worker" in command:
            found[int(command[-2])] = process
    return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(workers=2, logs=tmp_path / "logs")
    engine.start()
    yield engine
    engine.close()


def test_a_hung_worker_is_killed_at_the_trials_limit_while_the_other_goes_on(
    engine: LocalEngine, tmp_path: Path
) -> None:
    wait_until_idle(engine, 2)
    for number, worker in enumerate((0, 1), 4):  # so that both hold the architecture, and nothing but hanging is slow
        engine.dispatch(worker, job(number, tmp_path))
        hear(engine, ended(number))
    hung: dict[int, psutil.Process] = {}

    def hang() -> None:
        live = driver.snapshot().records
        if not hung and live[0].state == "running" and live[0].worker is not None:
            hung[live[0].worker] = processes()[live[0].worker]
            hung[live[0].worker].suspend()

    spec = study_of(trials=4, sampler={"name": "random"}, trial_timeout_seconds=8.0)
    study = optuna.create_study()
    source = TrialSource(spec, study, Space(spec.space, spec.train))
    driver = Driver(
        spec, study, engine, StudyFolder(tmp_path), source=source, show=lambda _: hang(), say=lambda _: None
    )
    driver.run()
    first, *others = study.trials
    assert first.state.name == "FAIL"
    assert first.user_attrs["reason"] == "ran longer than trial_timeout_seconds 8"
    assert [trial.state.name for trial in others] == ["COMPLETE"] * 3
    assert all(trial.datetime_complete < first.datetime_complete for trial in others)  # type: ignore[operator]
    (process,) = hung.values()
    assert not process.is_running()


def test_a_worker_that_is_stopped_in_the_middle_of_a_message_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = tmp_path / "python"
    half = "import os, sys, time; os.write(int(sys.argv[3]), b'\\0\\0\\x10\\0half'); time.sleep(600)"  # of 4096 bytes
    torn.write_text(f"#!{sys.executable}\n{half}\n")
    torn.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(torn))
    engine = LocalEngine(workers=1, logs=tmp_path / "logs")
    engine.start()
    try:
        log = tmp_path / "logs" / "worker-0.log"
        for _ in range(5):
            assert engine.wait(0.1) == []
        assert log.read_text() == ""
    finally:
        engine.close()


def test_that_the_driver_was_away_is_not_held_against_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = tmp_path / "python"
    answering.write_text(f"#!{sys.executable}\n{ANSWERING}")
    answering.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(answering))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    engine, now = LocalEngine(workers=1, logs=tmp_path / "logs", stuck_seconds=2.0), [0.0]
    engine._absence = Absence(lambda: now[0])
    engine.start()
    try:
        wait_until_idle(engine, 1)
        for number in (0, 1):  # whose ends lie ready meanwhile
            engine.dispatch(0, job(number, tmp_path))
            time.sleep(2.5)
            assert hear(engine, lambda _: True) == [TrialEnded(number, "complete")]
        engine.dispatch(0, job(2, tmp_path))  # which does not end
        time.sleep(2.5)
        now[0] = 1000.0
        assert engine.wait(0.5) == []
        (lost,) = hear(engine, lambda _: True)
        assert isinstance(lost, WorkerLost)
        assert lost.reason == "its worker process did nothing for 2 s (stuck_seconds) and was ended"
    finally:
        engine.close()


def test_a_worker_of_several_trials_that_computes_for_ever_does_not_outlast_the_limit_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = tmp_path / "python"
    busy.write_text(f"#!{sys.executable}\n{BUSY}")
    busy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(busy))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    engine, now = LocalEngine(workers=1, logs=tmp_path / "logs", places=2, stuck_seconds=3.0), [0.0]
    engine._absence = Absence(lambda: now[0])
    engine.start()
    try:
        wait_until_idle(engine, 2)
        for number in (0, 1):
            engine.dispatch(0, job(number, tmp_path))
        engine.kill(0)
        time.sleep(3.5)
        now[0] = 1000.0  # the driver was away, and may not have heard it yet
        assert [engine.wait(0.5) for _ in range(2)] == [[], []]
        lost = hear(engine, lambda event: isinstance(event, WorkerLost), 60.0)
        assert [event.number for event in lost if isinstance(event, WorkerLost)] == [0, 1]
        assert {event.reason for event in lost if isinstance(event, WorkerLost)} == {
            "its worker process came to no pause for 3 s (stuck_seconds) and was ended"
        }
    finally:
        engine.close()


def test_a_stopped_worker_ends_with_its_driver(tmp_path: Path) -> None:
    line = [sys.executable, "-c", DRIVE, str(tmp_path)]
    with subprocess.Popen(line, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        worker = psutil.Process(int(driver.stdout.readline()))
        worker.suspend()
        driver.kill()
    gone, _ = psutil.wait_procs([worker], timeout=60)
    assert gone == [worker]


def test_a_worker_past_its_limit_is_replaced_between_two_trials(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children()}
    engine = LocalEngine(workers=1, logs=tmp_path / "logs", worker_memory_bytes=1)
    engine.start()
    try:
        (first,) = (process for process in psutil.Process().children() if process.pid not in before)
        wait_until_idle(engine, 1)
        engine.dispatch(0, job(0, tmp_path, {**TRAIN, "data": {**TRAIN["data"], "photos": str(tmp_path / "none")}}))
        (failed,) = hear(engine, ended(0))
        assert isinstance(failed, TrialEnded)
        assert failed.how == "failed"
        assert engine.idle() == []
        assert first.wait(60) in (0, None)
        assert engine.memory_bytes()[0] > 0
    finally:
        engine.close()
    assert {process.pid for process in psutil.Process().children()} <= before


def test_workers_that_cannot_start_end_the_study_and_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no TensorFlow here >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    engine = LocalEngine(workers=2, logs=tmp_path / "logs")
    engine.start()
    try:
        with pytest.raises(EngineError, match=r"exit code 3.*no TensorFlow here"):
            while True:
                engine.wait(1.0)
    finally:
        engine.close()


def test_each_gpu_has_a_worker_that_sees_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text('#!/bin/sh\necho "$CUDA_VISIBLE_DEVICES $TF_FORCE_GPU_ALLOW_GROWTH" >&2\nexec sleep 600\n')
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert visible_gpus() == ["3", "5"]
    engine = LocalEngine(workers=None, logs=tmp_path / "logs")
    assert engine.count == 2
    engine.start()
    try:
        logs = [tmp_path / "logs" / f"worker-{number}.log" for number in (0, 1)]
        while not all(log.read_text().endswith("\n") for log in logs):
            time.sleep(0.02)
        assert [log.read_text() for log in logs] == ["3 true\n", "5 true\n"]
    finally:
        engine.close()


def test_without_a_gpu_each_core_has_a_worker_but_no_more_than_there_are_trials(tmp_path: Path) -> None:
    assert visible_gpus() == []
    assert LocalEngine(workers=None, logs=tmp_path).count == usable_cores()
    assert LocalEngine(workers=None, logs=tmp_path, most=1).count == 1
    assert LocalEngine(workers=8, logs=tmp_path, most=3).count == 3
