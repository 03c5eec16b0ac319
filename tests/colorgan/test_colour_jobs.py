"""Results get new names, mirror the tree, and never replace anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorgan.colour_jobs import COMPARE, plan_jobs
from colorgan.errors import BadInputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def targets(folder: Path, output: Path | None = None, **options: str) -> list[str]:
    return [str(job.target.relative_to(folder)) for job in plan_jobs(folder, output, **options).jobs]


def test_results_lie_beside_their_photos_under_a_new_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b/c.PNG", "notes.txt", ".hidden.png")
    assert targets(tmp_path) == ["a-colour.jpg", "b/c-colour.PNG"]
    assert targets(tmp_path, word=COMPARE) == ["a-compare.jpg", "b/c-compare.PNG"]


def test_an_output_folder_mirrors_the_tree_and_is_not_coloured_itself(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b/c.png", "out/a-colour.jpg", "out/other.jpg")
    assert targets(tmp_path, tmp_path / "out") == ["out/b/c-colour.png"]


def test_results_of_an_earlier_run_are_left_alone_and_are_no_photos(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a-colour.jpg", "a-compare.jpg", "b.jpg", "sunset-colour.jpg", "-colour.jpg")
    plan = plan_jobs(tmp_path)
    assert [job.name for job in plan.jobs] == ["-colour.jpg", "b.jpg", "sunset-colour.jpg"]
    assert plan.present == 1


def test_a_single_photo_goes_where_the_output_says(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "raw", "dir.v2/x")
    photo = tmp_path / "a.jpg"

    def target(output: Path | None, photo: Path = photo) -> str:
        return str(plan_jobs(photo, output).jobs[0].target.relative_to(tmp_path))

    assert target(None) == "a-colour.jpg"
    assert target(None, tmp_path / "raw") == "raw-colour.png"
    assert target(tmp_path / "b.png") == "b.png"
    assert target(tmp_path / "new") == "new/a-colour.jpg"
    assert target(tmp_path / "dir.v2") == "dir.v2/a-colour.jpg"


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("none.jpg", None, "no such photo or folder"),
        ("a.jpg", "a.jpg", "is there already and is not replaced"),
        ("a.jpg", "a.tif", r"no photo is written as .tif; allowed are .jfif, .jpe, .jpeg, .jpg, .png, .webp"),
        ("b.jpg", None, "b-colour.jpg: is there already"),
        ("folder", "a.jpg", "is a file, but .* is a folder"),
        ("folder", "new.jpg", "is a file, but .* is a folder"),
        ("empty", None, "no photos in this folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_done(
    tmp_path: Path, source: str, output: str | None, message: str
) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "b-colour.jpg", "folder/c.jpg", "empty/notes.txt")
    with pytest.raises(BadInputError, match=message):
        plan_jobs(tmp_path / source, tmp_path / output if output else None)


def test_a_folder_named_sample_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "sample/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert [job.name for job in plan_jobs(Path("sample")).jobs] == ["a.jpg"]
