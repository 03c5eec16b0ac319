"""What is refused of a place before anything is started there."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorgan.errors import BadInputError
from colorgan.photos import open_photos
from search.engines import EngineError
from search.storage import StudyFolder
from search.study import StudySpec
from search.workplace import Workplace


def test_only_ray_has_an_address() -> None:
    with pytest.raises(BadInputError, match="--address auto: only --engine ray joins a cluster"):
        Workplace(address="auto")


def test_trials_that_share_a_program_are_refused_on_ray(tmp_path: Path) -> None:
    tree = {
        "backend": "jax",
        "data": {"size": 16, "train_limit": 4, "valid_limit": 2},
        "generator": {"depth": 3},
        "discriminator": {"depth": 2},
    }
    space = {"losses.l1_weight": {"type": "categorical", "choices": [1.0, 100.0]}}
    spec = StudySpec.model_validate({"name": "sky", "train": tree, "space": space, "search": {"fuse": 2}})
    with pytest.raises(EngineError, match=r"search.fuse: on Ray each worker trains one trial at a time"):
        Workplace("ray").engine_for(spec, StudyFolder(tmp_path), open_photos(spec.train.data), print)
