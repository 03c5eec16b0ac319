"""A study whose machine runs full, whose terminal goes away, and which goes on with the same command each time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from colorgan.record import TrialRecord, read_record
from search.storage import StudyFolder

pytestmark = [
    pytest.mark.timeout(900),  # all happens in one fixture, and machines may be slow
    pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files, which only Linux can"),
]
ROOT = Path(__file__).parents[2]
STUDY = """
name: stops
train:
  data: {photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}
  generator: {filters: 4, depth: 3}
  discriminator: {filters: 4, depth: 2}
  schedule: {epochs: 40, steps_per_epoch: 8, batch_size: 8}
  validation: {examples: 0}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
search: {trials: 2, sampler: {name: random}, workers: 1}
"""
NO_HANG_UP = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"


@dataclass
class Stops:
    """A study, and what its commands said, by what befell them."""

    home: Path
    said: dict[str, tuple[int, str]] = field(default_factory=dict)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def folder(self) -> StudyFolder:
        return StudyFolder(self.home / "results" / "stops")

    def records(self) -> list[TrialRecord]:
        found = []
        for number in range(2):
            try:
                found.append(read_record(self.folder.trial(number).record))
            except ValueError:
                continue
        return found

    def epochs(self) -> int:
        return sum(len(record.epochs) for record in self.records())

    def start(self, *before: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "search", "run", "study.yaml"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with (log or self.home / "log.txt").open("wb") as output:
            errors = output if log else subprocess.STDOUT
            stdout = subprocess.PIPE if log else output
            process = subprocess.Popen([*before, *command], cwd=self.home, env=env, stdout=stdout, stderr=errors)
        self.started.append(process)
        return process

    def wait(self, process: subprocess.Popen[bytes], epochs: int) -> None:
        """Waits until so many epochs are done while the study runs."""
        deadline = time.monotonic() + 200
        while self.epochs() < epochs:
            assert process.poll() is None, (self.home / "log.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self, name: str, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
        self.said[name] = (process.wait(200), (log or self.home / "log.txt").read_text())


@pytest.fixture(scope="module")
def stops(tmp_path_factory: pytest.TempPathFactory) -> Stops:
    stops = Stops(tmp_path_factory.mktemp("stops"))
    (stops.home / "study.yaml").write_text(STUDY)
    try:
        _suffer(stops)
    finally:
        for process in stops.started:
            process.kill()
            process.wait()
    return stops


def _suffer(stops: Stops) -> None:
    process = stops.start()
    stops.wait(process, stops.epochs() + 1)
    psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (2000, 2000))  # no file may grow beyond 2 kB
    stops.end("disk full", process)
    log = stops.home / "errors.txt"
    process = stops.start(log=log)
    stops.wait(process, stops.epochs() + 1)
    assert process.stdout is not None
    process.stdout.close()  # as a closed terminal does, beside the signal
    process.send_signal(signal.SIGHUP)
    stops.end("terminal closed", process, log)
    process = stops.start(sys.executable, "-c", NO_HANG_UP)
    stops.wait(process, stops.epochs() + 1)
    process.send_signal(signal.SIGHUP)
    stops.end("nohup", process)


def test_a_full_disk_stops_the_study_with_the_file_the_reason_and_the_remedy(stops: Stops) -> None:
    code, said = stops.said["disk full"]
    assert code == 1
    assert "Traceback" not in said
    assert "File too large" in said or "full" in said
    assert "same command" in said


def test_a_closed_terminal_stops_the_study_resumably(stops: Stops) -> None:
    code, said = stops.said["terminal closed"]
    assert "Traceback" not in said
    assert code in (1, 130)  # whom it would be told is gone


def test_under_nohup_a_closed_terminal_is_no_matter(stops: Stops) -> None:
    code, said = stops.said["nohup"]
    assert code == 0
    assert "2 complete of 2 wanted" in said


def test_after_all_that_every_trial_has_every_epoch_once_and_none_has_failed(stops: Stops) -> None:
    for record in stops.records():
        assert record.state == "complete"
        assert [epoch.epoch for epoch in record.epochs] == list(range(1, 41))
    assert "continued from the checkpoint" in stops.folder.trial(0).log.read_text()
    assert not [path for path in stops.folder.path.rglob(".*") if path != stops.folder.lock]
