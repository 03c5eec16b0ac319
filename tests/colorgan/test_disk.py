"""Files are written whole or not at all, and what goes wrong is said in words."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from colorgan.disk import (
    append,
    cannot_write,
    copy_whole,
    draft_of,
    explain,
    out_of_room,
    remove_drafts,
    set_aside,
    written_whole,
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_takes_the_place_of_the_older_one_which_is_kept_where_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in (b"one", b"two", b"three"):
        with written_whole(path, keep=tmp_path / "before.txt") as file:
            file.write(text)
            assert not path.exists() or path.read_bytes() != text
    assert path.read_bytes() == b"three"
    assert (tmp_path / "before.txt").read_bytes() == b"two"
    assert names(tmp_path) == {"a.txt", "before.txt"}


def test_whatever_is_raised_while_a_file_is_written_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), written_whole(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"a.txt"}


def test_an_error_names_the_file_and_not_its_draft(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "nowhere" / "a.txt"):
        pass
    assert caught.value.filename == str(tmp_path / "nowhere" / "a.txt")


def test_a_copy_takes_no_room_and_leaves_no_draft_even_of_itself(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    for _ in range(2):
        copy_whole(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "b").samefile(tmp_path / "a")
    assert names(tmp_path) == {"a", "b"}


def test_drafts_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = {"a.txt", ".a.txt", ".a.txt.swp", ".ab.txt.12", "a.txt.12", ".b.txt.12"}
    for name in (*kept, ".a.txt.12", ".a.txt.4711"):
        (tmp_path / name).touch()
    remove_drafts(tmp_path / "a.txt")
    assert names(tmp_path) == kept
    remove_drafts(tmp_path / "nowhere" / "a.txt")


def test_a_name_of_any_length_has_a_draft_of_its_own_that_is_found_again(tmp_path: Path) -> None:
    for name in ("x" * 255, "x" * 254 + "y", "é" * 127):
        with written_whole(tmp_path / name) as file:
            file.write(b"new")
        assert (tmp_path / name).read_bytes() == b"new"
    drafts = [draft_of(tmp_path / name) for name in ("x" * 255, "x" * 254 + "y")]
    for draft in drafts:
        draft.touch()
    remove_drafts(tmp_path / ("x" * 255))
    assert [draft.exists() for draft in drafts] == [False, True]


def test_what_is_set_aside_replaces_nothing(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "a.txt").write_text(str(number))
        set_aside(tmp_path / "a.txt")
    (tmp_path / "a.txt").mkdir()
    assert set_aside(tmp_path / "a.txt") == tmp_path / "damaged-4-a.txt"
    assert names(tmp_path) == {"damaged-a.txt", "damaged-2-a.txt", "damaged-3-a.txt", "damaged-4-a.txt"}
    assert (tmp_path / "damaged-2-a.txt").read_text() == "1"


def test_what_is_appended_stands_at_the_end(tmp_path: Path) -> None:
    append(tmp_path / "log", b"one\n")
    append(tmp_path / "log", b"two\n")
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_full_disk_is_the_machines_fault_and_a_missing_file_is_not() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        assert out_of_room(OSError(number, "reason"))
        assert cannot_write(OSError(number, "reason"))
    for number in (errno.EACCES, errno.EPERM, errno.EIO):
        assert not out_of_room(OSError(number, "reason"))
        assert cannot_write(OSError(number, "reason"))
    for number in (errno.ENOENT, errno.EISDIR, errno.EMFILE, None):
        assert not cannot_write(OSError(number, "reason"))


def test_an_error_is_said_with_its_file_and_what_to_do() -> None:
    assert explain(OSError(errno.ENOSPC, "No space left on device", "/a")).startswith(
        "/a: cannot be written: No space left on device; make room there"
    )
    assert explain(OSError(errno.EACCES, "Permission denied", "/a")).startswith("/a: no access: Permission denied; all")
    assert explain(OSError(errno.EISDIR, "Is a directory", "/a")) == "/a: Is a directory"
    gone = explain(FileNotFoundError(errno.ENOENT, "No such file or directory", "/no/folder/file"))
    assert gone.startswith("/no/folder/file: No such file or directory; there is no folder /no/folder: if there was")
    assert explain(FileNotFoundError(errno.ENOENT, "No such file", "/file")) == "/file: No such file"
    assert explain(OSError("no number and no file")) == "no number and no file"
