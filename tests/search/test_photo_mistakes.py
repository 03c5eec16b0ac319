"""A study whose photos cannot be used is told where it says so, before anything is begun or read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from colorgan.folder import SAMPLE_FOLDER
from search.study import StudyError, StudySpec, read_study

STUDY = """
name: sky
train:
  data: {photos: sample, size: 32}
  generator: {depth: 3}
  discriminator: {depth: 2}
  validation: {part: valid}
space: {losses.l1_weight: {type: float, low: 1, high: 300}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with two photos in `mine/two`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine/two").mkdir(parents=True)
    for photo in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:2]:
        shutil.copy(photo, tmp_path / "mine/two")
    return tmp_path


def look(*, file: str = "study.yaml", data: str | None = None, part: str = "valid", **changed: str) -> StudySpec:
    text = STUDY.replace("part: valid", f"part: {part}")
    for before, after in changed.items():
        assert before in text
        text = text.replace(before, after)
    Path(file).write_text(text)
    return read_study(file, data=data, look=True)


def told(**wanted: str) -> str:
    with pytest.raises(StudyError) as refused:
        look(**wanted)
    return str(refused.value)


def test_a_folder_that_is_not_there_is_named_where_the_study_names_it(home: Path) -> None:
    assert told(sample="nosuch") == (
        "study.yaml:4: train.data.photos: nosuch: no such folder. Give a folder of photos, or `sample` "
        f"(it was looked for in {home})"
    )
    assert "smaple: no such folder; did you mean sample? Give a folder" in told(sample="smaple")
    assert told(sample=f"{home}/smaple").endswith("/smaple: no such folder. Give a folder of photos, or `sample`")
    (home / "empty").mkdir()
    assert "train.data.photos: empty: too few photos: 0 files; the least are 2" in told(sample="empty")
    assert "train.data.photos: study.yaml: is a file, not a folder" in told(sample="study.yaml")
    (home / "samples").touch()
    assert "samples: is a file, not a folder; unpack an archive first. Give a folder" in told(sample="samples")


def test_it_is_named_beside_all_other_mistakes_in_the_order_of_the_file(home: Path) -> None:
    lines = told(sample="nosuch", sky="a/b", losses="loses").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["study.yaml:2", "name"],
        ["study.yaml:4", "train.data.photos"],
        ["study.yaml:8", "space.loses.l1_weight"],
    ]


def test_photos_that_are_given_instead_are_looked_at_instead(home: Path) -> None:
    assert told(data="nosuch").startswith("train.data.photos: nosuch: no such folder.")
    assert look(sample="nosuch", data="mine").train.data.photos == "mine"
    first, second = told(sky="a/b", data="nosuch").splitlines()
    assert first.startswith("study.yaml:2: name: ")
    assert second.startswith("train.data.photos: nosuch: ")


def test_a_folder_beside_the_study_is_named_where_the_command_starts_elsewhere(home: Path) -> None:
    message = told(file="mine/study.yaml", sample="two")
    assert message.endswith(
        f"(it was looked for in {home}). There is one beside the study: give {home}/mine/two, or start the command in "
        f"{home}/mine"
    )
    (home / "two").symlink_to("mine/two")
    look(file="mine/study.yaml", sample="two")


def test_a_part_that_no_photo_is_in_is_named_before_any_is_read(home: Path) -> None:
    look(part="confirm")
    look(part="confirm", data="mine")
    where = "study.yaml:7: train.validation.part: "
    none = told(part="confirm", sample="mine, confirm_fraction: 0.0")
    assert none.startswith(f"{where}no photos to confirm, as data.confirm_fraction is 0; raise it")
    names = [photo.name for photo in (home / "mine/two").iterdir()]
    (home / "mine/two/split.csv").write_text(f"file,split\n{names[0]},train\n{names[1]},valid\n")
    assert told(part="confirm", sample="mine/two").startswith(f"{where}mine/two/split.csv names no photo to confirm")
    (home / "mine/two/split.csv").write_text(f"file,split\n{names[0]},training\n")
    assert "study.yaml:4: train.data.photos: mine/two/split.csv:2: split is 'training'" in told(sample="mine/two")


def test_parts_that_every_study_needs_are_named_where_the_photos_are(home: Path) -> None:
    message = told(sample="mine, valid_fraction: 0.0")
    assert message == "study.yaml:4: train.data.photos: no photos to valid, as data.valid_fraction is 0; raise it"
    names = [photo.name for photo in (home / "mine/two").iterdir()]
    (home / "mine/two/split.csv").write_text(f"file,split\n{names[0]},valid\n{names[1]},valid\n")
    assert "train.data.photos: mine/two/split.csv names no photo to train; " in told(sample="mine/two")


def test_without_a_look_photos_need_not_be_there(home: Path) -> None:
    Path("study.yaml").write_text(STUDY.replace("sample", "nosuch"))
    assert read_study("study.yaml").train.data.photos == "nosuch"
