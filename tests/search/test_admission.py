"""What a study is refused for before it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorgan.folder import PhotosError
from search.admission import admit, usable_photos
from search.known_photos import KnownPhotos, KnownPhotosError
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


def test_a_folder_of_a_run_by_hand_is_no_place_for_a_study(photos: Path, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "results" / "sky")
    folder.path.mkdir(parents=True)
    (folder.path / "result.json").touch()
    with pytest.raises(
        StudyError, match=r"sky: holds a training run \(result.json\), not a study; give the study another"
    ):
        admit(spec(photos), folder, storage=None, view=View())


def test_a_confirmation_without_photos_of_its_own_is_refused(photos: Path) -> None:
    with pytest.raises(PhotosError, match=r"no photos to confirm, .*; raise data\.confirm_fraction"):
        usable_photos(spec(photos, "confirm"))


def test_another_question_is_refused_before_photos_are_looked_for(photos: Path, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "results" / "sky")
    folder.path.mkdir(parents=True)
    folder.study.write_text(spec(photos).to_yaml())
    with pytest.raises(StudyError, match=r"this study ran with another train\.data\.photos"):
        admit(spec(tmp_path / "nosuch"), folder, storage=None, view=View())


def begun(photos: Path, results: Path) -> StudyFolder:
    """The folder of a study that has begun with these photos."""
    folder = StudyFolder(results / "sky")
    folder.path.mkdir(parents=True)
    folder.study.write_text(spec(photos).to_yaml())
    KnownPhotos.of(usable_photos(spec(photos))).write(folder.photos)
    return folder


def test_a_study_goes_on_with_the_photos_that_it_began_with_and_no_others(photos: Path, tmp_path: Path) -> None:
    folder = begun(photos, tmp_path / "results")
    added, first = photos / "4.png", photos / "0.png"
    first.touch()
    admit(spec(photos), folder, storage=None, view=View())
    Image.fromarray(np.zeros((40, 40, 3), dtype=np.uint8)).save(added)
    with pytest.raises(StudyError, match=r"sky: data\.photos: .*photos: other photos than .* then, .* now\. Trials"):
        admit(spec(photos), folder, storage=None, view=View())
    first_as_it_was = first.read_bytes()
    added.replace(first)
    with pytest.raises(StudyError, match=r"other photos than .* put the photos back"):
        admit(spec(photos), folder, storage=None, view=View())
    first.write_bytes(first_as_it_was)
    admit(spec(photos), folder, storage=None, view=View())


def test_a_study_of_which_no_photos_were_kept_goes_on_with_those_that_are_there(photos: Path, tmp_path: Path) -> None:
    folder = begun(photos, tmp_path / "results")
    folder.photos.unlink()
    (photos / "0.png").unlink()
    found = admit(spec(photos), folder, storage=None, view=View())
    assert found.train_photos + found.valid_photos == 3


def test_what_was_kept_of_photos_is_not_believed_when_it_is_damaged(photos: Path, tmp_path: Path) -> None:
    folder = begun(photos, tmp_path / "results")
    folder.photos.write_text(folder.photos.read_text().replace('"fingerprint": "', '"fingerprint": "0'))
    with pytest.raises(KnownPhotosError, match=r"photos\.json: damaged .*remove this file"):
        admit(spec(photos), folder, storage=None, view=View())
