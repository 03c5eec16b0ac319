"""Real studies under real kills at random moments, and what they must be worth afterwards.

One kill is made with all tests, beside the five chosen ones of `test_run.py`. `make chaos` sets CHAOS_KILLS for more,
and prints what it did.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colorgan.record import EpochRecord, read_record
from search.storage import StudyFolder

KILLS, SEED = int(os.environ.get("CHAOS_KILLS", "1")), int(os.environ.get("CHAOS_SEED", "0"))
KILLS_PER_STUDY = 25
TRIALS = 2 if KILLS < KILLS_PER_STUDY else 10
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600 + 60 * KILLS)
STUDY = """
name: chaos
train:
  data: {{photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}}
  generator: {{filters: 4, depth: 3, dropout: 0.5}}
  discriminator: {{filters: 4, depth: 2}}
  schedule: {{epochs: 25, steps_per_epoch: 8, batch_size: 8}}
  validation: {{examples: 1, moving_average: 0.9}}
space:
  optimizer.generator_learning_rate: {{type: float, low: 1.0e-4, high: 1.0e-2, log: true}}
  generator.filters: {{type: categorical, choices: [4, 6]}}
search: {{trials: {trials}, {method}, workers: {workers}, retries: 10000, stuck_seconds: 4}}
"""


@dataclass
class Victim:
    """A study that is killed again and again, and started again with the same command."""

    home: Path
    workers: int
    method: str
    seen: set[psutil.Process] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> StudyFolder:
        return StudyFolder(self.home / "results" / "chaos")

    @property
    def trials(self) -> list[FrozenTrial]:
        if not self.epochs_done():  # perhaps there is no storage yet
            return []
        return optuna.load_study(study_name="chaos", storage=f"sqlite:///{self.folder.database}").trials

    def start(self) -> subprocess.Popen[bytes]:
        study = self.home / "study.yaml"
        if not study.exists():
            self.home.mkdir()
            study.write_text(STUDY.format(trials=TRIALS, method=self.method, workers=self.workers))
        command = [sys.executable, "-m", "search", "run", str(study), "--results", str(self.home / "results")]
        with (self.home / "output.txt").open("ab") as output:
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(command, cwd=self.home, env=env, stdout=output, stderr=output)
        return self.process

    def running(self) -> subprocess.Popen[bytes]:
        """Returns its driver, started again where it has ended."""
        if self.process is None or self.process.poll() is not None:
            return self.start()
        return self.process

    def workers_now(self) -> list[psutil.Process]:
        try:
            found = psutil.Process(self.running().pid).children()
        except psutil.NoSuchProcess:
            return []
        self.seen.update(found)
        return found

    def epochs_done(self) -> int:
        count = 0
        for number in range(TRIALS):
            try:
                count += len(read_record(self.folder.trial(number).record).epochs)
            except ValueError:
                continue
        return count

    def finish(self) -> None:
        """Lets it run to its end."""
        for _ in range(20):
            if self.running().wait(400) == 0:
                return
            self.process = None
        raise AssertionError((self.home / "output.txt").read_text()[-3000:])


def kill_worker(victim: Victim, chance: random.Random, number: int) -> None:
    if found := victim.workers_now():
        chance.choice(found).send_signal(number)


def kill_driver(victim: Victim, chance: random.Random) -> None:
    victim.running().kill()


def kill_all(victim: Victim, chance: random.Random) -> None:
    """As a machine that restarts does: no process is left, and the files are as they were."""
    workers = victim.workers_now()
    victim.running().kill()
    for worker in workers:
        if worker.is_running():
            worker.kill()


def end_driver(victim: Victim, chance: random.Random) -> None:
    victim.running().terminate()


WAYS: dict[str, Callable[[Victim, random.Random], None]] = {
    "worker SIGKILL": lambda victim, chance: kill_worker(victim, chance, signal.SIGKILL),
    "worker SIGSEGV": lambda victim, chance: kill_worker(victim, chance, signal.SIGSEGV),
    "worker SIGSTOP": lambda victim, chance: kill_worker(victim, chance, signal.SIGSTOP),
    "driver SIGKILL": kill_driver,
    "driver SIGTERM": end_driver,
    "all SIGKILL": kill_all,
}


def torment(victim: Victim, kills: int, chance: random.Random) -> None:
    """Kills something so often, mostly while trials train."""
    for _ in range(kills):
        before, driver = victim.epochs_done(), victim.running()
        if chance.random() < 0.8:
            deadline = time.monotonic() + 60
            while victim.epochs_done() <= before and driver.poll() is None and time.monotonic() < deadline:
                victim.workers_now()
                time.sleep(0.02)
        time.sleep(chance.expovariate(2.0))
        if driver.poll() == 0:
            return  # it is finished
        way = chance.choice(sorted(WAYS))
        finished = {trial.number: trial for trial in victim.trials if trial.state.is_finished()}
        WAYS[way](victim, chance)
        victim.kills[way] += 1
        if way.startswith(("driver", "all")):
            driver.wait(120)
        assert [trial for trial in victim.trials if trial.number in finished] == list(finished.values())


FORMS = [
    (1, "sampler: {name: tpe, n_startup_trials: 2}, pruner: {name: asha, min_epochs: 5}"),
    (1, "sampler: {name: tpe, n_startup_trials: 2}"),
    (2, "sampler: {name: random}"),
]


@pytest.fixture(scope="module", params=FORMS[: 1 if KILLS < KILLS_PER_STUDY else None])
def studies(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[Victim], Victim]]:
    """Studies that were tormented and ended well, and their undisturbed twin."""
    workers, method = request.param
    home = tmp_path_factory.mktemp(f"chaos-{workers}")
    chance, victims = random.Random(SEED + workers), []  # noqa: S311 - no secret
    twin = Victim(home / "twin", workers, method)
    try:
        twin.finish()
        left = KILLS if KILLS < KILLS_PER_STUDY else KILLS // len(FORMS)
        while left > 0:
            victims.append(victim := Victim(home / f"victim-{len(victims)}", workers, method))
            torment(victim, min(left, KILLS_PER_STUDY), chance)
            victim.finish()
            left -= sum(victim.kills.values())
            print(f"{workers} workers, study {len(victims)}: {dict(victim.kills)}, {left} kills to go", flush=True)
        yield victims, twin
    finally:
        for victim in [twin, *victims]:
            if victim.process is not None:
                victim.process.kill()
                victim.process.wait()


def test_every_trial_ends_once_with_the_numbers_of_an_undisturbed_study(studies: tuple[list[Victim], Victim]) -> None:
    victims, twin = studies

    def essence(trial: FrozenTrial) -> tuple[object, ...]:
        return trial.number, trial.state, trial.params, trial.value, trial.intermediate_values

    def numbers(epochs: tuple[EpochRecord, ...]) -> list[tuple[object, ...]]:
        return [(epoch.epoch, epoch.step, epoch.objective, epoch.metrics) for epoch in epochs]

    for victim in victims:
        assert {trial.state for trial in victim.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
        assert list(map(essence, victim.trials)) == list(map(essence, twin.trials))
        for ours, theirs in zip(victim.folder.records(), twin.folder.records(), strict=True):
            assert numbers(ours.epochs) == numbers(theirs.epochs)


def test_the_dashboard_shows_every_epoch_once(studies: tuple[list[Victim], Victim]) -> None:
    for victim in studies[0]:
        for record in victim.folder.records():
            found = EventAccumulator(str(victim.folder.tensorboard / f"trial-{record.number:04d}"))
            found.Reload()
            shown = {scalar.step: scalar.value for scalar in found.Scalars("valid/delta_e")}
            assert len(shown) == len(found.Scalars("valid/delta_e"))
            assert shown == pytest.approx({epoch.step: epoch.metrics["valid/delta_e"] for epoch in record.epochs})


def test_nothing_is_left_behind(studies: tuple[list[Victim], Victim]) -> None:
    for victim in studies[0]:
        psutil.wait_procs(victim.seen, timeout=30)
        assert not [process for process in victim.seen if process.is_running()]
        drafts = [path for path in victim.folder.path.rglob(".*") if path != victim.folder.lock]
        assert drafts == []
        assert victim.folder.lock.read_text() == ""
