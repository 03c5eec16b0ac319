"""Ctrl-C at the first moments of a command: real processes, interrupted at what they are just importing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from colorgan.interruption import uninterrupted

ROOT = Path(__file__).parents[2]
CONFIG = "data: {size: 32}\ngenerator: {filters: 4, depth: 3}\ndiscriminator: {filters: 4, depth: 2}\n"
STUDY = "name: sky\nspace: {losses.l1_weight: {type: float, low: 1, high: 300}}\n"


def interrupted_after(module: str, *arguments: str, folder: Path) -> tuple[int, str]:
    """Interrupts a command as soon as it has imported a module; returns its exit code and what it wrote itself."""
    command = [sys.executable, "-X", "importtime", "-m", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process:
        try:
            for line in process.stderr:
                if line.startswith("import time:") and line.rpartition("|")[2].strip() == module:
                    break
            process.send_signal(signal.SIGINT)
            said = [line for line in process.stderr if not line.startswith("import time:")]
            return process.wait(timeout=60), "".join(said)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("search", "search.hidden_storage"),
        ("search", "typer._click.core"),
        ("search", "typer"),
        ("search", "pydantic._internal._generate_schema"),  # within the command
        ("search", "search.run"),
        ("colorgan", "shutil"),
        ("colorgan", "typer"),
        ("colorgan", "numpy"),
        ("colorgan", "colorgan.hand_run"),
    ],
)
def test_a_command_that_is_interrupted_while_it_imports_ends_without_a_word(
    package: str, module: str, tmp_path: Path
) -> None:
    (tmp_path / "sky.yaml").write_text(STUDY)
    (tmp_path / "config.yaml").write_text(CONFIG)
    arguments = ("run", "sky.yaml", "--results", "out") if package == "search" else ("train", "config.yaml")
    code, said = interrupted_after(module, package, *arguments, folder=tmp_path)
    assert "Traceback" not in said
    assert said == ""
    assert code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "sky.yaml"]


def test_a_command_that_runs_in_the_background_does_not_heed_the_terminals_interrupt(tmp_path: Path) -> None:
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    inside = (
        "import signal; from colorgan.interruption import *; end_at_interrupt();"
        "interruptible(lambda: print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN))"
    )
    command = [sys.executable, "-c", ignoring, sys.executable, "-c", inside]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "True\n"


def test_what_must_not_be_cut_in_half_is_done_before_an_interrupt_counts() -> None:
    before, done = signal.getsignal(signal.SIGINT), list[str]()
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is before
