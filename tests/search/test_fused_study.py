"""A study whose one worker trains two trials at a time, and is killed while it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

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
HURRY = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


def records(study: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(study.glob("trials/*/result.json"))]


def epochs(study: Path) -> list[int]:
    return [len(record["epochs"]) for record in records(study)]  # type: ignore[arg-type]


@pytest.mark.timeout(900)
def test_a_killed_workers_trials_all_go_on_and_each_is_what_it_is_alone(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    environment = {**os.environ, **thread_variables("jax", 1), **kept_programs(), **HURRY}
    study = tmp_path / "results" / "side_by_side"
    command = [sys.executable, "-m", "search", "run", str(tmp_path / "study.yaml"), "--results", str(study.parent)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as driver:
        while sum(done >= 2 for done in epochs(study)) < 2:
            assert driver.poll() is None
            time.sleep(0.05)
        (worker,) = psutil.Process(driver.pid).children()
        worker.kill()
        assert driver.wait(600) == 0
    found = records(study)
    assert [(record["state"], record["retries"]) for record in found] == [
        ("complete", 1),
        ("complete", 1),
        ("complete", 0),
    ]
    config = study / "trials" / "0001" / "config.yaml"
    command = [sys.executable, "-m", "colorgan", "train", str(config), "--out", str(tmp_path / "alone")]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())["epochs"]
    for ours, theirs in zip(found[1]["epochs"], alone, strict=True):  # type: ignore[call-overload]
        assert ours["metrics"] == pytest.approx(theirs["metrics"], rel=1e-2, abs=1e-3)  # rounding grows with the steps
