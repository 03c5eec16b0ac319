"""A study on JAX, and what is done with its trials, where TensorFlow cannot be imported."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed (the extra `jax`)"),
    pytest.mark.timeout(1200),  # of the processor's time it is one minute
]
ROOT = Path(__file__).parents[2]
STUDY = """
name: tiny
backend: jax
train:
  data: {size: 16, crop_scales: [1.0], train_limit: 12, valid_limit: 3, confirm_limit: 1}
  generator: {filters: 4, depth: 3}
  discriminator: {filters: 4, depth: 2}
  schedule: {epochs: 2, steps_per_epoch: 3, batch_size: 4}
  validation: {examples: 2, batch_size: 4}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 5.0e-3, log: true}
search: {trials: 2, workers: 1, sampler: {name: random}}
"""
AFTERWARDS = """
import sys
from colorgan.__main__ import app
trial, photo, out = sys.argv[1:]
for command in (
    ["train", trial + "/config.yaml", "--out", out + "/run"],
    ["evaluate", out + "/run", "sample", "--part", "valid", "--out", out + "/evaluation"],
    ["colorize", out + "/run", photo, "--output", out + "/colour.jpg"],
):
    app(command, standalone_mode=False)
assert sys.modules["tensorflow"] is None
"""


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """That of processes which cannot import TensorFlow, and which compile in a hurry."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['tensorflow'] = None\n")
    hurry = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    return {**os.environ, **hurry, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}


def run(environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def metrics(record: Path) -> list[dict[str, float]]:
    return [epoch["metrics"] for epoch in json.loads(record.read_text())["epochs"]]


def test_a_study_its_tables_a_training_and_colours_need_no_tensorflow(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(STUDY)
    folder = tmp_path / "results" / "tiny"
    run(environment, "-m", "search", "run", str(tmp_path / "tiny.yaml"), "--results", str(tmp_path / "results"))
    run(environment, "-m", "search", "compare", str(folder))
    assert (folder / "report.html").exists()
    assert "\n  backend: jax\n" in (folder / "study.yaml").read_text()
    assert "\nbackend: jax\n" in (folder / "trials" / "0001" / "config.yaml").read_text()
    photo = next((ROOT / "colorgan" / "historical_photos").glob("*.jpg"))
    run(environment, "-c", AFTERWARDS, str(folder / "trials" / "0001"), str(photo), str(tmp_path))
    assert (tmp_path / "colour.jpg").exists()
    assert metrics(tmp_path / "run" / "result.json") == metrics(folder / "trials" / "0001" / "result.json")
