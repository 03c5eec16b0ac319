"""What a run by hand says of itself: lines in the terminal and in its log, and how an epoch reads."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from colorgan.disk import append
from colorgan.epoch import EpochResult
from colorgan.plain_console import PlainConsole
from colorgan.plain_text import plain

_NAMED = ("valid/delta_e", "valid/colorfulness_ratio", "train/l1", "train/generator_adversarial")


class RunLog:
    """Says a line to the terminal and to the run's log."""

    def __init__(self, path: Path, console: PlainConsole) -> None:
        self._path, self._console = path, console

    def say(self, line: str) -> None:
        """Says it now; a terminal that was closed does not matter.

        Raises:
            OSError: The log cannot be written.
        """
        append(self._path, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {plain(line)}\n".encode())
        with suppress(OSError):
            self._console.say(line)


def epoch_line(result: EpochResult) -> str:
    """Returns an epoch's result in a line."""
    metrics = ", ".join(f"{name} {result.metrics[name]:.4g}" for name in _NAMED if name in result.metrics)
    return f"epoch {result.epoch}, step {result.step}, {result.train_seconds + result.valid_seconds:.1f} s: {metrics}"


def duration(seconds: float) -> str:
    """Returns a time in words, to the minute."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "less than a minute"
