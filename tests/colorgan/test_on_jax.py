"""The second backend: what holds on TensorFlow holds on JAX, in a process of its own, and both agree."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from colorgan.backend_choice import thread_variables
from colorgan.programs import kept_programs

pytestmark = [
    pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed (the extra `jax`)"),
    pytest.mark.timeout(1200),  # of the processor's time it is one minute each
]
HERE = Path(__file__).parent
HELD = (  # as many as take a minute; each is compiled anew
    "test_jax_backend.py",
    "test_jax_photos.py",
    "test_jax_step.py",
    "test_fused_trainer.py",
    "../search/test_fused.py",
    "test_losses.py::test_cross_entropy_is_exact_where_a_sigmoid_would_saturate",
    "test_losses.py::test_least_squares_is_the_mean_squared_distance_from_the_target",
    "test_step.py",
    "test_blocks.py::test_batch_normalization_equals_keras_own",
    "test_blocks.py::test_dropout_zeroes_the_stated_share_and_keeps_the_mean",
    "test_color.py::test_lab_is_that_of_scikit_image_over_the_rgb_cube",
    "test_discriminator.py::test_each_logit_of_the_papers_settings_sees_70_pixels",
    "test_generator.py::test_a_saved_generator_is_loaded_in_safe_mode_to_the_same_colours",
    "test_metrics.py::test_every_metric_is_scikit_images_photo_by_photo",
    "test_trainer.py::test_a_tenth_trial_in_a_warm_trainer_equals_the_first_and_a_new_trainers",
    "test_trainer.py::test_a_reset_neither_builds_nor_traces",
    "test_trainer.py::test_a_run_resumed_from_any_pause_equals_an_uninterrupted_one",
    "test_trainer.py::test_a_loss_that_explodes_ends_the_run_with_step_and_name",
    "test_trainer.py::test_the_thesis_choices_give_the_same_run_warm_and_cold",
    "test_trainer.py::test_the_thesis_choices_are_resumed_exactly_in_every_part",
)
SMALL = {"data": {"size": 16}, "schedule": {"batch_size": 3}}
CASES = [
    SMALL
    | {
        "generator": {"filters": 4, "depth": 3, "dropout": 0.0},
        "discriminator": {"filters": 4, "depth": 2},
        "losses": {"adversarial": "bce"},
    },
    SMALL
    | {
        "generator": {"filters": 4, "depth": 2, "dropout": 0.0, "normalization": "instance", "split_decoders": True},
        "discriminator": {"filters": 4, "depth": 1, "normalization": "instance"},
        "losses": {"adversarial": "least_squares"},
    },
]


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of a process on JAX whose programs are compiled in a hurry."""
    hurry = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    return {**os.environ, **thread_variables("jax", 1), **kept_programs(), **hurry, "KERAS_BACKEND": "jax"}


def test_what_holds_on_tensorflow_holds_on_jax(on_jax: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / test) for test in HELD)]
    done = subprocess.run(command, env=on_jax, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert not re.search(r"\d skipped", done.stdout), done.stdout[-1000:]


def test_both_backends_take_the_same_step(on_jax: Mapping[str, str], tmp_path: Path) -> None:
    program = HERE / "one_step.py"
    command = [sys.executable, str(program), json.dumps(CASES), str(tmp_path / "found.npz")]
    subprocess.run(command, env={**on_jax, "PYTHONPATH": str(HERE.parents[1])}, check=True)
    one_step = runpy.run_path(str(program))["one_step"]
    with np.load(tmp_path / "found.npz") as jax:
        for number, case in enumerate(CASES):
            tensorflow = one_step(case)
            assert {f"{number} {name}" for name in tensorflow} == {n for n in jax.files if n.startswith(f"{number} ")}
            for name, expected in tensorflow.items():
                largest = np.abs(expected).max()
                np.testing.assert_allclose(
                    jax[f"{number} {name}"], expected, rtol=1e-4, atol=1e-4 * largest, err_msg=name
                )
