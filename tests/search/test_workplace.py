"""What is refused of a place before anything is started there, and how many workers it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from colorgan.errors import BadInputError
from colorgan.photos import open_photos
from search.storage import StudyFolder
from search.study import StudySpec
from search.workplace import Workplace


def test_only_ray_has_an_address() -> None:
    with pytest.raises(BadInputError, match="--address auto: only --engine ray joins a cluster"):
        Workplace(address="auto")


@pytest.mark.parametrize("engine", ["local", "ray"])
@pytest.mark.parametrize("place", ["memory://", "memory://bucket/prefix", "simplecache::memory://bucket"])
def test_no_process_memory_is_a_place_for_checkpoints(engine: Literal["local", "ray"], place: str) -> None:
    with pytest.raises(BadInputError, match=f"--checkpoints {place}: each process has a memory of its own"):
        Workplace(engine, checkpoints=place)


@pytest.mark.parametrize(("seeds", "workers"), [(1, 2), (3, 6), (10, 8)])
def test_there_are_workers_for_the_further_seeds_as_well(tmp_path: Path, seeds: int, workers: int) -> None:
    search = {"trials": 2, "seeds_per_trial": seeds, "workers": 8}
    space = {"optimizer.generator_learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2}}
    train = {"data": {"size": 16, "crop_scales": [1.0], "train_limit": 2, "valid_limit": 1, "confirm_limit": 1}}
    train |= {"generator": {"depth": 2}, "discriminator": {"depth": 1}}
    spec = StudySpec.model_validate({"name": "s", "train": train, "space": space, "search": search})
    engine = Workplace().engine_for(spec, StudyFolder(tmp_path), open_photos(spec.train.data), say=print)
    assert engine.count == workers
