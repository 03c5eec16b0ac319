"""The versions that are written beside results."""

from __future__ import annotations

import keras

from colorgan.versions import differing, versions


def test_versions_name_what_shapes_a_result_and_what_else_is_asked_for_and_installed() -> None:
    found = versions("optuna", "no-such-package")
    assert found["keras"] == keras.__version__
    assert {"python", "numpy", "optuna"} <= found.keys()
    assert "no-such-package" not in found


def test_versions_that_make_other_numbers_are_named() -> None:
    before = {"python": "3.11.2", "tensorflow-cpu": "2.21.0", "keras": "3.15.0"}
    assert differing(before, before | {"jax": "0.9.0"}) == ""
    gpu = {"python": "3.11.2", "tensorflow": "2.21.0", "keras": "3.15.0"}
    assert differing(before, gpu) == ""
    assert differing(before, gpu | {"keras": "3.14.0"}) == "keras 3.14.0 instead of 3.15.0"
    assert differing(before, gpu | {"tensorflow": "2.20.0"}) == "tensorflow 2.20.0 instead of 2.21.0"
    assert differing({}, gpu) == ""
