"""The versions that are written beside results."""

from __future__ import annotations

import keras

from colorgan.versions import versions


def test_versions_name_what_shapes_a_result_and_what_else_is_asked_for_and_installed() -> None:
    found = versions("optuna", "no-such-package")
    assert found["keras"] == keras.__version__
    assert {"python", "numpy", "optuna"} <= found.keys()
    assert "no-such-package" not in found
