"""What benchmarks are given and give back, and the machine they ran on."""

from __future__ import annotations

import dataclasses
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import psutil

from colorgan.processor import processor_name
from colorgan.versions import versions
from search.engines.local import usable_cores

Cell = str | int | float | None


@dataclass(frozen=True)
class Options:
    """What the command line says; each benchmark takes what concerns it."""

    quick: bool = False
    trials: int = 8
    photos: int = 2000
    profile: bool = False
    setting: Literal["one", "all", "both"] = "both"

    def thread_counts(self) -> list[int]:
        """Returns the numbers of cores to measure with: one, all, or both."""
        if self.quick and self.setting == "both":
            return [1]
        counts = {"one": [1], "all": [usable_cores()], "both": [1, usable_cores()]}[self.setting]
        return sorted(set(counts))


@dataclass(frozen=True)
class Report:
    """One benchmark's outcome: a table, and notes that say how to read it."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Returns the table in Markdown, its columns aligned, and the notes."""
        cells = [self.columns, *(tuple(_shown(cell) for cell in row) for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
            for row in cells
        ]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([*lines, *(f"- {note}" for note in self.notes)])

    def tree(self) -> dict[str, Any]:
        """Returns the same as plain values."""
        return dataclasses.asdict(self)


def machine() -> dict[str, Any]:
    """Returns what the numbers depend on: cores, processor, load before the start, versions."""
    found = versions()
    try:
        found["keras-tuner"] = version("keras-tuner")
    except PackageNotFoundError:
        found["keras-tuner"] = "missing"
    return {
        "cores": usable_cores(),
        "processor": processor_name(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "versions": found,
    }


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    return (
        f"{cell:.3g}"
        if isinstance(cell, float) and abs(cell) < 100
        else f"{cell:.0f}"
        if isinstance(cell, float)
        else str(cell)
    )
