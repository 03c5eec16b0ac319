"""What a check is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorgan.config import Backend, parse_config
from search.engines.local import usable_cores, visible_gpus
from search.storage import StudyFolder
from search.study import StudySpec

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        level: A `warning` may cost time or surprise; with a `problem` a study cannot run or may lose something.
        found: One line.
        mend: One line, what to do; empty where all is well.
    """

    level: Level
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Case:
    """What is examined.

    Attributes:
        results: Folder of all studies, whether it is there yet or not.
        study: The study that shall run; without one, what any study needs is examined.
        storage: Optuna storage URL; None is SQLite in the results.
    """

    results: Path = Path("results")
    study: StudySpec | None = None
    storage: str | None = None

    @property
    def folder(self) -> StudyFolder | None:
        """The study's folder, whether it is there yet or not."""
        return StudyFolder(self.results / self.study.name) if self.study else None

    def folders(self) -> list[StudyFolder]:
        """Returns the folders to look into: the study's, else those of all studies; only those that are there."""
        if self.folder:
            return [self.folder] if self.folder.path.is_dir() else []
        return [StudyFolder(path.parent) for path in sorted(self.results.glob("*/study.yaml"))]

    @property
    def backend(self) -> Backend:
        """What the study computes with; without one, what a study would that does not say."""
        return self.study.train.backend if self.study else parse_config({}).backend

    def workers(self) -> int:
        """Returns how many workers the study would have on this machine."""
        if self.study is None:
            return len(visible_gpus()) or usable_cores()
        wanted, each = self.study.search.workers, self.study.search.workers_per_gpu
        return wanted if isinstance(wanted, int) else len(visible_gpus()) * each or usable_cores()


Check = Callable[[Case], Finding]


def ok(found: str) -> Finding:
    """Returns a finding that all is well."""
    return Finding("ok", found)


def warning(found: str, mend: str) -> Finding:
    """Returns a finding that may cost time or surprise."""
    return Finding("warning", found, mend)


def problem(found: str, mend: str) -> Finding:
    """Returns a finding with which a study cannot run or may lose something."""
    return Finding("problem", found, mend)
