"""One long study on simulated workers, its driver measured: `python -m benchmarks.many_trials TRIALS WORKERS ...`.

The driver is the real one with all that it writes: records, logs, configurations, event files, tables, SQLite. Only the
trainings are simulated: a report every ten seconds of simulated time, with all metrics and example images.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
from optuna.storages import BaseStorage
from PIL import Image

from benchmarks.processes import ROOT, private_bytes
from benchmarks.replay.engine import SimulatedEngine, Training
from benchmarks.stopwatch import Stopwatch
from colorgan.config import TrainConfig
from colorgan.epoch import METRICS, EpochResult
from colorgan.folder import SAMPLE_FOLDER
from search import live_trial
from search.columns import metric_columns
from search.database import open_study
from search.driver import Driver
from search.events import Session, write_experiment
from search.methods import make_pruner, make_sampler
from search.outcome_files import TableWriter
from search.owned_storage import gathered, settle
from search.proposals import Proposer
from search.snapshot import Snapshot
from search.source import TrialSource
from search.space import Space
from search.storage import StudyFolder, TrialFolder
from search.study import StudySpec, read_study
from search.view import View

REPORT_SECONDS = 10.0
EPOCHS = 6
PRUNER_ARGUMENTS = {"median": {"warmup_epochs": 2}, "asha": {"min_epochs": 1, "reduction_factor": 3}}
EVERY = 500  # messages, between two points of the course
SIZE = 64  # pixels


def main() -> None:
    trials, workers, sampler, pruner, examples = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        spec = _spec(int(trials), sampler, pruner, int(examples))
        print(json.dumps(_measure(spec, int(workers), StudyFolder(Path(temporary)))))


@dataclass
class _Course:
    """What a study has done by when: trials finished, messages heard, real and processor seconds."""

    engine: SimulatedEngine
    points: list[tuple[int, int, float, float]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def note(self, finished: int, *, every: int) -> None:
        """Notes where the study stands, if so many messages were heard since the last time."""
        heard = self.engine.heard
        if not self.points or heard >= self.points[-1][1] + every:
            self.points.append((finished, heard, time.perf_counter() - self.started, time.process_time() - self.cpu))


def _measure(spec: StudySpec, workers: int, folder: StudyFolder) -> dict[str, Any]:
    watch, process = Stopwatch(), psutil.Process()
    _time_parts(watch)
    engine = SimulatedEngine(workers=workers, train=partial(_train, _examples(spec.train.validation.examples)))
    course = _Course(engine)
    study, driver = _study(spec, folder, engine, watch, course)
    memory = private_bytes(process)
    course.started, course.cpu = time.perf_counter(), time.process_time()
    engine.start()
    with gathered(study):
        driver.run()
    course.note(spec.search.trials, every=0)
    seconds, cpu_seconds = course.points[-1][2:]
    return {
        "reports": sum(len(record.epochs) for record in driver.snapshot().records),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "simulated_seconds": engine.now,
        "memory_bytes": private_bytes(process),
        "memory_before_bytes": memory,
        "parts": {**watch.seconds, "driver": cpu_seconds - sum(watch.seconds.values())},
        "course": course.points,
    }


def _study(
    spec: StudySpec, folder: StudyFolder, engine: SimulatedEngine, watch: Stopwatch, course: _Course
) -> tuple[optuna.Study, Driver]:
    """Returns a study with its driver, as `search/run.py` makes them."""
    space, view, direction = Space(spec.space, spec.train), View(), spec.objective.direction
    pruner, writer = make_pruner(spec), TableWriter(spec, folder, clock=lambda: engine.now)
    study = open_study(folder, name=spec.name, directions=[direction], sampler=make_sampler(spec, space), pruner=pruner)
    write_experiment(folder.tensorboard, hparams=space.hparams(), metrics=metric_columns(spec))

    def show(snapshot: Snapshot) -> None:
        view.show(snapshot)
        settle(study._storage)
        writer.write_sometimes(snapshot)
        course.note(snapshot.finished_here, every=EVERY)

    source, silent = TrialSource(spec, study, space), lambda _: None
    driver = Driver(spec, study, engine, folder, source=source, show=show, say=silent, clock=lambda: engine.now)
    watch.time("pruner", pruner, "prune")
    watch.time("storage", study._storage, *(name for name in dir(BaseStorage) if not name.startswith("_")), "settle")
    watch.time("snapshot and tables", driver, "snapshot")
    watch.time("snapshot and tables", writer, "write")
    return study, driver


def _spec(trials: int, sampler: str, pruner: str, examples: int) -> StudySpec:
    tree = read_study(ROOT / "studies" / "quickstart.yaml", trials=trials).model_dump()
    tree["search"]["sampler"], tree["search"]["pruner"] = {"name": sampler}, {"name": pruner}
    tree["search"]["pruner"] |= PRUNER_ARGUMENTS.get(pruner, {})
    tree["train"]["schedule"]["epochs"] = EPOCHS
    tree["train"]["validation"]["examples"] = examples
    return StudySpec.model_validate(tree)


def _train(examples: Any, number: int, config: TrainConfig) -> Training:
    """Returns a training whose objective falls from epoch to epoch, to what its configuration is worth."""
    chance = random.Random(number)  # noqa: S311 - no secret
    rate = config.optimizer.generator_learning_rate
    worth = 18 + math.log(rate / 1e-3) ** 2 + 0.1 * math.log(config.losses.l1_weight / 100) ** 2
    seconds = REPORT_SECONDS * chance.uniform(0.9, 1.1)  # so that reports come one by one
    epochs = []
    for epoch in range(1, EPOCHS + 1):
        metrics = {key: chance.random() for key in METRICS} | {"valid/delta_e": worth + 3 / epoch + chance.random()}
        shown = examples if epoch in (1, EPOCHS) or epoch % 2 == 0 else None
        epochs.append(EpochResult(epoch, 60 * epoch, metrics, shown, 0.95 * seconds, 0.05 * seconds))
    return Training(epochs, parameters=390_000)


def _examples(count: int) -> Any:
    """Returns what a trial shows of so many validation photos: gray, real, and half coloured; None for no photo."""
    photos = []
    for path in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:count]:
        with Image.open(path) as photo:
            real = np.asarray(photo.convert("RGB").resize((SIZE, SIZE)))
        gray = np.repeat(real.mean(axis=2, keepdims=True), 3, axis=2)
        photos.append(np.concatenate([gray, real, (gray + real) / 2], axis=1).astype(np.uint8))
    return np.stack(photos) if photos else None


def _time_parts(watch: Stopwatch) -> None:
    watch.time("sampler", Proposer, "before_trial", "infer_relative_search_space", "sample_relative")
    watch.time("sampler", Proposer, "sample_independent", "after_trial")
    watch.time("files", TrialFolder, "prepare", "write_record", "append_log")
    watch.time("files", live_trial, "write_sheet")
    watch.time("events", Session, "__init__", "scalars", "images", "end")
    watch.time("simulation", SimulatedEngine, "wait", "dispatch", "idle", "start", "stop")


if __name__ == "__main__":
    main()
