"""A study whose one worker trains two trials at a time, and is killed while it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from colorgan.backend_choice import thread_variables
from colorgan.programs import kept_programs

pytestmark = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed (the extra `jax`)")
STUDY = """
name: side_by_side
backend: jax
train:
  data: {size: 16, crop_scales: [1.0], train_limit: 12, valid_limit: 3, confirm_limit: 1}
  generator: {filters: 2, depth: 2, dropout: 0.0}
  discriminator: {filters: 2, depth: 1}
  schedule: {epochs: 20, steps_per_epoch: 3, batch_size: 2}
  validation: {batch_size: 4, examples: 0}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 2.0e-3, log: true}
search: {trials: 3, workers: 1, fuse: 2, sampler: {name: random}, keep_checkpoints: 0}
"""
ROOT = Path(__file__).parents[2]
WORKERS = {"local": "search.engines.worker", "ray": "ray::TrialActor"}
"""What the command line of a worker that trains has in it."""
HURRY = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


def records(study: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(study.glob("trials/*/result.json"))]


def epochs(study: Path) -> list[int]:
    return [len(record["epochs"]) for record in records(study)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {**os.environ, **thread_variables("jax", 1), **kept_programs(), **HURRY}


@pytest.fixture(scope="module")
def alone(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Any]:
    """Returns the epochs of a configuration trained by itself."""

    @cache
    def trained(config: str) -> Any:
        folder = tmp_path_factory.mktemp("alone")
        (folder / "config.yaml").write_text(config)
        command = [sys.executable, "-m", "colorgan", "train", str(folder / "config.yaml"), "--out", str(folder / "run")]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        return json.loads((folder / "run" / "result.json").read_text())["epochs"]

    return lambda config: trained(config.read_text())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_killed_workers_trials_all_go_on_and_each_is_what_it_is_alone(
    engine: str, tmp_path: Path, environment: dict[str, str], alone: Callable[[Path], Any]
) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra ray is not installed")
    (tmp_path / "study.yaml").write_text(STUDY)
    study = tmp_path / "results" / "side_by_side"
    command = [sys.executable, "-m", "search", "run", str(tmp_path / "study.yaml"), "--results", str(study.parent)]
    with subprocess.Popen(
        [*command, "--engine", engine], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as driver:
        while sum(done >= 2 for done in epochs(study)) < 2:
            assert driver.poll() is None
            time.sleep(0.05)
        children = psutil.Process(driver.pid).children(recursive=True)
        (worker,) = [child for child in children if WORKERS[engine] in " ".join(child.cmdline())]
        worker.kill()
        assert driver.wait(600) == 0
    found = records(study)
    assert [(record["state"], record["retries"]) for record in found] == [
        ("complete", 1),
        ("complete", 1),
        ("complete", 0),
    ]
    for ours, theirs in zip(found[1]["epochs"], alone(study / "trials" / "0001" / "config.yaml"), strict=True):  # type: ignore[call-overload]
        assert ours["metrics"] == pytest.approx(theirs["metrics"], rel=1e-2, abs=1e-3)  # rounding grows with the steps
