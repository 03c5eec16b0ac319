"""A storage URL on the command line: soon gone from the list of processes, and used all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.hidden_storage import without_storage

ROOT = Path(__file__).parents[2]
STUDY = "name: sky\nspace: {losses.l1_weight: {type: float, low: 1, high: 300}}\n"
URL = "nosuch://somebody:s3cret@127.0.0.1:1/studies"


@pytest.mark.parametrize(
    ("given", "rest", "storage"),
    [
        ("run s.yaml --storage pg://u:p@h/d --trials 3", "run s.yaml --trials 3", "pg://u:p@h/d"),
        ("run --storage=pg://u:p@h/d s.yaml", "run s.yaml", "pg://u:p@h/d"),
        ("run s.yaml --storage pg://u:p@h/d --storage pg://u:q@h/d", "run s.yaml", "pg://u:q@h/d"),
        ("run s.yaml --storage pg://u:p@h/d --storage sqlite:///s.db", "run s.yaml", "sqlite:///s.db"),
        ("run s.yaml --storage=pg://u:p@h/d --storage=", "run s.yaml", "pg://u:p@h/d"),
        ("run s.yaml --storage s3cret", "run s.yaml", "s3cret"),  # refused, but after seconds
    ],
)
def test_a_storage_is_taken_from_a_command_line(given: str, rest: str, storage: str) -> None:
    assert without_storage(given.split(" ")) == (rest.split(" "), storage)


@pytest.mark.parametrize(
    "given",
    [
        "run s.yaml",
        "run s.yaml --storage sqlite:///s.db",
        "run s.yaml --storage=",
        "run s.yaml --storage",
        "run -- --storage pg://u:p@h/d",
        "run s.yaml --storages pg://u:p@h/d",
    ],
)
def test_a_command_line_without_a_secret_stays_as_it_is(given: str) -> None:
    assert without_storage(given.split(" ")) == (given.split(" "), "")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="shows no command lines of processes")
def test_the_list_of_processes_shows_no_password_of_a_command_that_runs(tmp_path: Path) -> None:
    (tmp_path / "sky.yaml").write_text(STUDY)
    arguments = [
        "-W",
        "ignore",
        "-X",
        "importtime",
        "-m",
        "search",
        "run",
        "sky.yaml",
        "--storage",
        URL,
        "--trials",
        "3",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process:
        try:
            for line in process.stderr:
                if line.rpartition("|")[2].strip() == "typer":  # the command itself has not begun
                    break
            shown = Path(f"/proc/{process.pid}/cmdline").read_text()
            said = process.stderr.read()
            code = process.wait(timeout=60)
        finally:
            process.kill()
    hidden = [word for word in arguments if word not in ("--storage", URL)]
    assert shown.split("\0")[1:-1] == hidden
    assert "s3cret" not in said
    assert "the storage URL given begins with nosuch://, which is no database" in said
    assert code == 2


def test_a_command_without_the_option_refuses_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "search", "check", "sky.yaml", "--storage", URL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (2, "")
    assert "No such option: --storage" in found.stderr
    assert "s3cret" not in found.stderr
