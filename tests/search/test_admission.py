"""What a study is refused for before it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorgan.folder import PhotosError
from search.admission import admit, usable_photos
from search.storage import StudyFolder
from search.study import StudyError, StudySpec
from search.view import View

SPACE = {"losses.l1_weight": {"type": "float", "low": 1.0, "high": 9.0}}


def spec(photos: Path, part: str = "valid") -> StudySpec:
    data = {"photos": str(photos), "size": 32, "crop_scales": [1.0], "valid_fraction": 0.5, "confirm_fraction": 0.0}
    train = {"data": data, "generator": {"depth": 2}, "discriminator": {"depth": 1}, "validation": {"part": part}}
    return StudySpec.model_validate({"name": "sky", "train": train, "space": SPACE})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        values = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / f"{seed}.png")
    return folder


def test_a_study_that_may_begin_gets_its_photos_and_nothing_is_written(photos: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = admit(spec(photos), StudyFolder(tmp_path / "results" / "sky"), storage=None, view=View())
    assert (found.train_photos + found.valid_photos, found.confirm_photos) == (4, 0)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_confirmation_without_photos_of_its_own_is_refused(photos: Path) -> None:
    with pytest.raises(PhotosError, match=r"no photos to confirm; raise data\.confirm_fraction"):
        usable_photos(spec(photos, "confirm"))


def test_another_question_is_refused_before_photos_are_looked_for(photos: Path, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "results" / "sky")
    folder.path.mkdir(parents=True)
    folder.study.write_text(spec(photos).to_yaml())
    with pytest.raises(StudyError, match=r"this study ran with another train\.data\.photos"):
        admit(spec(tmp_path / "nosuch"), folder, storage=None, view=View())
