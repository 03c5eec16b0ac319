"""Broken command lines: exit code 2, one message that says what to give, and nothing begun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from colorgan.__main__ import app as core
from search.__main__ import app as search

ROOT = Path(__file__).parents[2]
STUDY = """
name: sky
train: {data: {size: 32}, generator: {filters: 4, depth: 3}, discriminator: {filters: 4, depth: 2}}
space: {losses.l1_weight: {type: float, low: 1, high: 300}}
search: {trials: 2, workers: 1}
"""
CONFIG = "data: {size: 32}\ngenerator: {depth: 3}\ndiscriminator: {depth: 2}\n"
BAD_INPUT = 2
LONG = "x" * 5000

SEARCH = {  # the arguments, | between them -> words of the message
    "nosuch": "No such command 'nosuch'",
    "--nosuch": "No such option: --nosuch",
    "run": "Missing argument",
    "run|nosuch.yaml": "nosuch.yaml: no such file",
    "run|folder": "folder: not a regular file, but a folder; give a YAML file",
    "run|pipe": "pipe: not a regular file",
    "run|loop": "loop: a symbolic link that leads to no file",
    "run|photo.jpg": "photo.jpg:1: not UTF-8 text",
    f"run|{LONG}": "File name too long",
    "run|a\0b": "null byte",
    "run|\x1b[2J.yaml": r"\x1b[2J.yaml: no such file",
    "run|sky.yaml|sky.yaml": "unexpected extra argument",
    "run|sky.yaml|--trials|0": "search.trials: must be at least 1; received 0",
    "run|sky.yaml|--trials|-1": "search.trials: must be at least 1; received -1",
    "run|sky.yaml|--trials|1.5": "'--trials'",
    "run|sky.yaml|--trials|nan": "'--trials'",
    "run|sky.yaml|--trials|": "'--trials'",
    f"run|sky.yaml|--trials|{'9' * 30}": "search.trials: must be at most 1000000",
    f"run|sky.yaml|--trials|{'9' * 5000}": "'--trials'",
    "run|sky.yaml|--trials": "requires an argument",
    "run|sky.yaml|--workers|0": "must be auto or a whole number of at least 1 and at most 1024; received 0",
    "run|sky.yaml|--workers|many": "'--workers'",
    "run|sky.yaml|--workers|2000000": "at most 1024; received 2000000",
    "run|sky.yaml|--data|": "train.data.photos: must not be empty",
    f"run|sky.yaml|--data|{LONG}": "train.data.photos: must have at most 4096 characters",
    "run|sky.yaml|--data|\udcff": "train.data.photos: must be text without halves of characters",
    "run|sky.yaml|--results|a\0b": "'--results'",
    "run|sky.yaml|--storage|": "storage URL",
    "run|sky.yaml|--storage|study.db": "storage URL",
    "run|sky.yaml|--storage|://": "storage URL",
    "run|sky.yaml|--storage|file:///etc/passwd": "storage URL",
    "run|sky.yaml|--storage|redis://host": "storage URL",
    "run|sky.yaml|--storage|sqlite:///pipe": "sqlite:///pipe: is a named pipe, no file; name a file",
    "run|sky.yaml|--storage|sqlite:///folder": "sqlite:///folder: is a folder, no file",
    "run|sky.yaml|--storage|sqlite:////dev/zero": "sqlite:////dev/zero: is a device, no file",
    "run|sky.yaml|--storage|sqlite:///loop": "sqlite:///loop: Too many levels of symbolic links",
    "run|sky.yaml|--storage|sqlite:///nosuch/study.db": "there is no folder nosuch; make it",
    "run|sky.yaml|--storage|sqlite:///:memory:": "in memory, where no study goes on",
    "run|sky.yaml|--storage|sqlite://": "in memory, where no study goes on",
    f"run|sky.yaml|--storage|sqlite:///{LONG}": "too long; SQLite opens paths of at most 500 bytes",
    "run|sky.yaml|--data|nosuch": "data.photos: nosuch: no such folder",
    "run|sky.yaml|--data|folder": "data.photos: folder: too few photos: 0 files",
    "run|sky.yaml|--data|unreadable": "photo.jpg: not a JPEG, PNG or WebP file",
    f"run|sky.yaml|--data|{'x' * 300}": "File name too long",
    "check|nosuch.yaml": "nosuch.yaml: no such file",
    "check|sky.yaml|--data|": "train.data.photos: must not be empty",
    "check|sky.yaml|--data|nosuch": "train.data.photos: nosuch: no such folder",
    "check|sky.yaml|--data|folder": "train.data.photos: folder: too few photos: 0 files",
    "check|sky.yaml|--data|pipe": "train.data.photos: pipe: is a file, not a folder",
    f"check|sky.yaml|--data|{'x' * 300}": "File name too long",
    "status|nosuch": "nosuch: no such file",
    "status|folder": "folder: no study here (no study.yaml); run it first, or name the folder of one that ran",
    f"status|{LONG}": "File name too long; allowed are 255 bytes a name and 4096 a path",
    "status|pipe": "pipe: not a regular file",
    "status|loop": "loop: a symbolic link that leads to no file",
    "tensorboard|sky.yaml": "python -m search run sky.yaml",
    "tensorboard|sky.yaml|--port|-1": "'--port'",
    "tensorboard|sky.yaml|--port|0": "'--port'",
    "tensorboard|sky.yaml|--port|65536": "'--port'",
    "tensorboard|sky.yaml|--port|http": "'--port'",
    "dashboard|folder": "study.db: no such file; run the study first",
    "dashboard|sky.yaml|--port|65536": "'--port'",
    f"tensorboard|{LONG}": "File name too long; allowed are",
    f"dashboard|{LONG}": "File name too long; allowed are",
    f"doctor|--study|{LONG}": "File name too long; allowed are",
    f"compare|{LONG}": "File name too long; allowed are",
    f"promote|{LONG}": "File name too long; allowed are",
    "compare": "Missing argument",
    "compare|folder": "folder: no study here",
    "compare|sky.yaml|nosuch": "no such file",
    "promote|folder": "folder: no study here",
    "promote|sky.yaml|--top|0": "'--top'",
    "promote|sky.yaml|--top|-3": "'--top'",
    "promote|sky.yaml|--seeds|1": "'--seeds'",
    "promote|sky.yaml|--seeds|1000000000": "'--seeds'",
    "promote|sky.yaml|--weight|x": "'--weight'",
    "promote|sky.yaml|--workers|0": "'--workers'",
    "promote|sky.yaml|--against|parameters": "--against parameters: only --pick knee and --pick weights heed it",
    "promote|sky.yaml|--against|parameters|--pick|3": "--against parameters: only --pick knee and --pick weights",
    "promote|sky.yaml|--weight|1": "--weight 1: only --pick weights heeds it; add that",
    "promote|sky.yaml|--weight|1|--pick|knee": "--weight 1: only --pick weights heeds it; add that",
}

CORE = {
    "nosuch": "No such command 'nosuch'",
    "train": "Missing argument",
    "train|nosuch.yaml": "nosuch.yaml: no such file",
    "train|folder": "folder: not a regular file, but a folder",
    "train|pipe": "pipe: not a regular file",
    "train|photo.jpg": "photo.jpg:1: not UTF-8 text",
    "train|sky.yaml": "sky.yaml:1: a study, not a configuration: make search STUDY=sky.yaml",
    "train|config.yaml|--data|nosuch": "data.photos: nosuch: no such folder",
    "train|config.yaml|--data|folder": "data.photos: folder: too few photos: 0 files",
    "train|config.yaml|--data|unreadable|--out|out": "photo.jpg: not a JPEG, PNG or WebP file",
    f"train|config.yaml|--out|{LONG}": "a path of 5",
    f"train|config.yaml|--out|{'x' * 300}": "a name of 300 bytes; at most 255 fit; give another folder in --out",
    "train|config.yaml|--out|loop": "loop: a symbolic link that leads to no folder",
    "train|config.yaml|--out|pipe": "pipe: not a folder; give another folder in --out",
    "evaluate|nosuch|sample": "nosuch: no such file or folder",
    "evaluate|folder": "Missing argument",
    "evaluate|folder|sample|--part|test": "'all', 'train', 'valid', 'confirm'",
    "export": "Missing argument",
    f"evaluate|{LONG}|sample": "File name too long; allowed are",
    f"export|{LONG}": "File name too long; allowed are",
    f"colorize|folder|{LONG}": "File name too long; allowed are",
    f"colorize|folder|photo.jpg|--output|{LONG}": "File name too long; allowed are",
    f"colorize|folder|folder|--output|{LONG}": "File name too long; allowed are",
    "export|nosuch": "nosuch: no such file or folder",
    "colorize|nosuch|photo.jpg": "nosuch: no such file or folder",
    "colorize|folder|nosuch.jpg": "nosuch.jpg: no such file or folder",
    "colorize|folder|loop": "loop: no such file or folder",
    "colorize|folder|folder": "folder: no photos in this folder",
    "colorize|folder|photo.jpg|--output|photo.jpg": "photo.jpg: is there already and is not replaced",
    "colorize|folder|photo.jpg|--output|photo.txt": "no photo is written as .txt; allowed are",
    "colorize|folder|photo.jpg|--strength|-1": "'--strength'",
    "colorize|folder|photo.jpg|--strength|nan": "'--strength'",
    "colorize|folder|photo.jpg|--strength|inf": "'--strength'",
    "colorize|folder|photo.jpg|--strength|lots": "'--strength'",
    "colorize|folder|photo.jpg|--threads|0": "'--threads'",
    "colorize|folder|photo.jpg|--threads|1000000": "'--threads'",
    "colorize|a\0b|photo.jpg": "null byte",
    "cache|folder": "unexpected extra argument",
    "cache|--nosuch": "No such option",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")  # so that messages in frames stay in one line
    Path("sky.yaml").write_text(STUDY)
    Path("photo.jpg").write_bytes(b"\xff\xd8\xff")
    Path("config.yaml").write_text(CONFIG)
    Path("folder").mkdir()
    Path("unreadable").mkdir()
    for name in ("another.jpg", "photo.jpg"):
        Path("unreadable", name).write_bytes(b"\xff\xd8\xff" + name.encode())
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")


def assert_refused(app: object, arguments: str, words: str) -> Result:
    """Checks that a command line is refused as it should be."""
    before = sorted(Path().rglob("*"))
    result = CliRunner().invoke(app, arguments.split("|"))
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert (result.exit_code, result.stdout) == (BAD_INPUT, "")
    assert words in result.stderr
    assert all(char.isprintable() for char in result.stderr.replace("\n", "")), "it could steer the terminal"
    assert sorted(Path().rglob("*")) == before, "something was written"
    return result


def shortened(value: object) -> str:
    return ascii(str(value))[1:41]


@pytest.mark.parametrize(("arguments", "words"), SEARCH.items(), ids=shortened)
def test_a_broken_command_line_of_the_search_begins_nothing(arguments: str, words: str) -> None:
    assert_refused(search, arguments, words)


@pytest.mark.parametrize(("arguments", "words"), CORE.items(), ids=shortened)
def test_a_broken_command_line_of_the_core_begins_nothing(arguments: str, words: str) -> None:
    assert_refused(core, arguments, words)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ("sky.yaml", "sky.yaml: not a folder"),
        ("pipe", "pipe: not a folder"),
        ("/dev/null", "/dev/null: not a folder"),
        ("/dev/null/below", "/dev/null: not a folder"),
        ("loop", "loop: a symbolic link that leads to no folder"),
        ("loop/below", "loop: a symbolic link that leads to no folder"),
        ("x" * 300, "a name of 300 bytes; at most 255 fit"),
        ("é" * 150, "a name of 300 bytes; at most 255 fit"),
        ("long/" * 200, "bytes; at most 491 are allowed here"),
        (LONG, "bytes; at most 491 are allowed here"),
    ],
    ids=shortened,
)
def test_results_that_cannot_be_a_folder_end_a_run_with_a_message(results: str, words: str) -> None:
    assert_refused(search, f"run|sky.yaml|--results|{results}", f"{words}; give another folder in --results")


def test_results_of_a_study_without_usable_photos_stay_as_they_are() -> None:
    Path("sky.yaml").write_text(STUDY.replace("size: 32", "size: 32, photos: folder"))
    Path("results/sky").mkdir(parents=True)
    Path("results/sky/study.yaml").write_bytes(Path("sky.yaml").read_bytes())
    Path("results/sky/.driver").write_text('{"process": 1, "host": "elsewhere", "since": 0}')

    def contents() -> dict[Path, tuple[int, bytes]]:
        found = Path("results").rglob("*")
        return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in found}

    before = contents()
    assert_refused(search, "run|sky.yaml", "data.photos: folder: too few photos: 0 files")
    assert contents() == before


def test_a_name_that_differs_only_in_case_from_a_study_there_is_refused() -> None:
    """On many file systems both are one folder."""
    Path("results/sky").mkdir(parents=True)
    Path("results/sky/study.yaml").write_text(STUDY.replace("name: sky", "name: Sky"))
    result = CliRunner().invoke(search, ["run", "sky.yaml"])
    assert result.exit_code == BAD_INPUT
    assert "this study ran with another name ('Sky', now 'sky')" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "check", "pipe"], b"pipe: not a regular file; give a YAML file\n"),
        (["search", "check", b"\xff.yaml"], b"\\udcff.yaml: no such file\n"),
        (["colorgan", "train", "/dev/zero"], b"/dev/zero: not a regular file; give a YAML file\n"),
    ],
    ids=shortened,
)
def test_a_process_ends_with_exit_code_2_and_its_one_message(arguments: list[str | bytes], words: bytes) -> None:
    command = [sys.executable, "-m", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    found = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (BAD_INPUT, b"", words)
