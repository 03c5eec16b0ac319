"""What importing a room does not load; the directions of imports themselves are import-linter's contracts."""

import subprocess
import sys

import pytest

TRAINING = {"keras", "tensorflow"}
HEAVY = TRAINING | {"optuna", "pandas", "tensorboard"}


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages that a Python process loads."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("package", ["colorgan", "search"])
def test_help_loads_neither_training_nor_search_libraries(package: str):
    assert not imported_by("-m", package, "--help") & HEAVY


@pytest.mark.parametrize("module", ["colorgan.config", "colorgan.photos", "colorgan.record"])
def test_configurations_and_photos_load_no_tensorflow(module: str):
    assert not imported_by("-c", f"import {module}") & HEAVY


def test_checking_a_study_loads_no_tensorflow():
    assert not imported_by("-c", "import search, search.study") & TRAINING


def test_the_driver_loads_no_tensorflow():
    loaded = imported_by("-c", "import search.run, search.engines.local")
    assert {"optuna", "tensorboard"} <= loaded
    assert not loaded & TRAINING
