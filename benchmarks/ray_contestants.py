"""The contestants of `ray_engine`: `python -m benchmarks.ray_contestants NAME FOLDER CORES`, each a process of its own.

As `contestants.py`: each runs all trials of the plan in the folder and prints what it found, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contestants import ours
from benchmarks.trial_plan import FILTERS, LEARNING_RATES, Plan


def local(plan: Plan, cores: int) -> dict[str, Any]:
    """This program on worker processes of its own."""
    return ours(plan, cores)


def on_ray(plan: Plan, cores: int) -> dict[str, Any]:
    """This program on a Ray that it starts and stops."""
    from search.workplace import Workplace

    return ours(plan, cores, Workplace("ray"))


def ray_tune(plan: Plan, cores: int) -> dict[str, Any]:
    """Ray Tune with OptunaSearch, as its guides show it: a function that builds, trains and reports, an actor a trial.

    What it trains is this program's own trainer, so that nothing but the way differs.
    """
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def train(params: dict[str, Any]) -> None:
        from colorgan.photos import open_photos
        from colorgan.trainer import Trainer

        config = plan.config().with_values(params)
        trainer = Trainer(config, open_photos(config.data))
        for result in trainer.epochs():
            seconds = {"train_seconds": result.train_seconds, "valid_seconds": result.valid_seconds}
            tune.report({"delta_e": result.metrics["valid/delta_e"], **seconds})

    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 2**20)
    space = {
        "generator.filters": tune.choice(list(FILTERS)),
        "optimizer.generator_learning_rate": tune.loguniform(min(LEARNING_RATES), max(LEARNING_RATES)),
    }
    first = [plan.params(number) for number in range(plan.trials)]
    search = OptunaSearch(metric="delta_e", mode="min", points_to_evaluate=first)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(search_alg=search, num_samples=plan.trials),
        run_config=tune.RunConfig(storage_path=str(plan.folder), name="tune", verbose=0),
    )
    results = tuner.fit()
    found = [results[number].metrics or {} for number in range(len(results))]
    keys = ("delta_e", "train_seconds", "valid_seconds")
    return {"outcomes": [{key: metrics[key] for key in keys} for metrics in found]}


CONTESTANTS: dict[str, Callable[[Plan, int], dict[str, Any]]] = {"local": local, "ray": on_ray, "ray_tune": ray_tune}


if __name__ == "__main__":
    _found = CONTESTANTS[sys.argv[1]](Plan.load(Path(sys.argv[2])), int(sys.argv[3]))
    print(json.dumps(_found))
