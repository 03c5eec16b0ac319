"""Where a results folder can be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from colorgan.new_folder import new_folder
from colorgan.place import PlaceError, check_place, too_long


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("link").symlink_to("folder")
    Path("loop").symlink_to("loop")
    Path("nowhere").symlink_to("gone")


@pytest.mark.parametrize("folder", [".", "folder", "folder/a/b", "link", "link/a", "new", "x" * 255, "/"])
def test_a_folder_that_could_be_made_is_one(folder: str) -> None:
    check_place(Path(folder), "--out")
    Path(folder).mkdir(parents=True, exist_ok=True)
    assert Path(folder).is_dir()


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("file", "file: not a folder; give another folder in --out"),
        ("file/a/b", "file: not a folder"),
        ("loop", "loop: a symbolic link that leads to no folder"),
        ("loop/a/b", "loop: a symbolic link that leads to no folder"),
        ("nowhere", "nowhere: a symbolic link that leads to no folder"),
        ("folder/" + "x" * 256, "a name of 256 bytes; at most 255 fit"),
        ("new/" + "é" * 128 + "/a", "a name of 256 bytes; at most 255 fit"),
        ("a/" * 2000, "at most 3840 are allowed here"),
    ],
)
def test_a_folder_that_could_not_be_made_is_none(folder: str, words: str) -> None:
    with pytest.raises(PlaceError) as caught:
        check_place(Path(folder), "--out")
    assert words in str(caught.value)


def test_a_new_folder_of_too_long_a_name_is_refused() -> None:
    with pytest.raises(PlaceError, match="a name of 256 bytes; at most 255 fit"), new_folder(Path("x" * 256)):
        pass


def test_a_limit_counts_the_whole_path(tmp_path: Path) -> None:
    size = len(os.fsencode(tmp_path)) + len("/new")
    check_place(Path("new"), "--out", path_bytes=size)
    with pytest.raises(PlaceError, match=f"a path of {size} bytes; at most {size - 1} are allowed here"):
        check_place(Path("new"), "--out", path_bytes=size - 1)


def test_only_a_path_that_is_too_long_is_said_to_be() -> None:
    assert too_long(OSError(errno.ENAMETOOLONG, "File name too long", "x")).startswith("x: File name too long; allowed")
    assert too_long(OSError(errno.ENOENT, "No such file", "x")) == ""
