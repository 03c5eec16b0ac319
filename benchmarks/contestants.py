"""The contestants of `trial_overhead`: `python -m benchmarks.contestants NAME FOLDER CORES`, each a process of its own.

Each runs all trials of the plan in the folder and prints, as JSON, the seconds of steps and validation and the Delta E
of each trial. The three usual ways are written as their guides show them; every trial's networks and learning rate are
the plan's instead of the sampler's, so that all do equal work.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.trial_plan import FILTERS, LEARNING_RATES, Plan

if TYPE_CHECKING:
    from search.workplace import Workplace

OUR_STUDY = "ours"
Outcomes = list[dict[str, Any]]


def queue_our_trials(plan: Plan) -> None:
    """Creates the storage of our study with the plan's trials waiting in it: not part of what is measured."""
    from search.database import open_study
    from search.storage import StudyFolder

    study = open_study(StudyFolder(plan.folder / OUR_STUDY), name=OUR_STUDY, directions=["minimize"])
    for number in range(plan.trials):
        study.enqueue_trial(plan.params(number))


def ours(plan: Plan, cores: int, workplace: Workplace | None = None) -> dict[str, Any]:
    """This program: a study that finds its trials waiting, as it finds those of an interrupted run."""
    from search.run import HERE, run_study
    from search.study import StudySpec

    rate = {"type": "float", "low": min(LEARNING_RATES), "high": max(LEARNING_RATES), "log": True}
    filters = {"type": "categorical", "choices": FILTERS}
    spec = StudySpec.model_validate(
        {
            "name": OUR_STUDY,
            "train": plan.config().model_dump(),
            "space": {"generator.filters": filters, "optimizer.generator_learning_rate": rate},
            "search": {"trials": plan.trials, "workers": cores},
        }
    )
    result = run_study(spec, results=plan.folder, workplace=workplace or HERE)
    epochs = [epoch for record in result.records for epoch in record.epochs]
    return {
        "outcomes": [
            {"train_seconds": e.train_seconds, "valid_seconds": e.valid_seconds, "delta_e": e.objective} for e in epochs
        ],
        "busy_share": result.summary["busy_share"],
        "worker_seconds": result.summary["worker_seconds"],
        "known": _overhead([record for record in result.records if not record.built]),
        "new": _overhead([record for record in result.records if record.built]),
    }


def hparams_loop(plan: Plan, _cores: int) -> dict[str, Any]:
    """TensorBoard's HParams guide: one process, each model built anew, a run directory and a summary per trial."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api as hp

    from benchmarks.usual_ways import load_photos, train_trial

    filters = hp.HParam("filters", hp.Discrete(FILTERS))
    rate = hp.HParam("learning_rate", hp.RealInterval(min(LEARNING_RATES), max(LEARNING_RATES)))
    logs = plan.folder / "hparams"
    with tf.summary.create_file_writer(str(logs)).as_default():
        hp.hparams_config(hparams=[filters, rate], metrics=[hp.Metric("delta_e", display_name="Delta E")])
    photos, outcomes = load_photos(plan), list[dict[str, Any]]()
    for number in range(plan.trials):
        with tf.summary.create_file_writer(str(logs / f"run-{number}")).as_default():
            hp.hparams(dict(zip((filters, rate), plan.params(number).values(), strict=True)))
            outcomes.append(dataclasses.asdict(train_trial(plan, number, photos)))
            tf.summary.scalar("delta_e", outcomes[-1]["delta_e"], step=1)
    return {"outcomes": outcomes}


def keras_tuner(plan: Plan, _cores: int) -> dict[str, Any]:
    """KerasTuner: RandomSearch with the training loop in `run_trial`."""
    import keras_tuner as kt

    from benchmarks.usual_ways import load_photos, train_trial

    photos, outcomes = load_photos(plan), list[dict[str, Any]]()

    class Tuner(kt.RandomSearch):  # type: ignore[misc]
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> float:
            trial.hyperparameters.Choice("filters", list(FILTERS))
            trial.hyperparameters.Float("rate", min(LEARNING_RATES), max(LEARNING_RATES), sampling="log")
            outcomes.append(dataclasses.asdict(train_trial(plan, len(outcomes), photos)))
            return float(outcomes[-1]["delta_e"])

    folder = str(plan.folder / "keras_tuner")
    Tuner(max_trials=plan.trials, seed=0, directory=folder, project_name="bench").search()
    return {"outcomes": outcomes}


def optuna_processes(plan: Plan, cores: int) -> dict[str, Any]:
    """Optuna: `n_jobs` threads, each starting a process per trial that imports TensorFlow, trains, prints the value."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    outcomes: Outcomes = []

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_categorical("generator.filters", FILTERS)
        trial.suggest_float("optimizer.generator_learning_rate", min(LEARNING_RATES), max(LEARNING_RATES), log=True)
        command = [sys.executable, "-m", "benchmarks.usual_ways", str(plan.folder), str(trial.number)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        outcomes.append(json.loads(printed.splitlines()[-1]))
        return float(outcomes[-1]["delta_e"])

    study = optuna.create_study(storage=f"sqlite:///{plan.folder}/optuna.db")
    study.optimize(objective, n_trials=plan.trials, n_jobs=cores)
    return {"outcomes": outcomes}


CONTESTANTS: dict[str, Callable[[Plan, int], dict[str, Any]]] = {
    "ours": ours,
    "hparams_loop": hparams_loop,
    "keras_tuner": keras_tuner,
    "optuna_processes": optuna_processes,
}


def _overhead(records: list[Any]) -> dict[str, float | int] | None:
    """Returns, as medians over trials, the time before training and all time beyond steps and validation."""
    if not records:
        return None
    return {
        "trials": len(records),
        "setup_seconds": statistics.median(record.setup_seconds for record in records),
        "overhead_seconds": statistics.median(record.seconds - record.training_seconds for record in records),
    }


if __name__ == "__main__":
    _found = CONTESTANTS[sys.argv[1]](Plan.load(Path(sys.argv[2])), int(sys.argv[3]))
    print(json.dumps(_found))
