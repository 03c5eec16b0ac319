"""The folder of a simulated study: nothing is written; it keeps in mind when which trial was complete."""
# ruff: noqa: ARG002 - what is not written is given all the same

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from colorgan.config import TrainConfig
from colorgan.record import TrialRecord
from search.events import Session
from search.storage import StudyFolder, TrialFolder


@dataclass(frozen=True)
class UnwrittenTrial(TrialFolder):
    """The files of a trial that has none."""

    note: Callable[[TrialRecord], None]

    def prepare(self, config: TrainConfig) -> None:
        """Does nothing."""

    def write_record(self, record: TrialRecord) -> None:
        """Notes it."""
        self.note(record)

    def append_log(self, text: str) -> None:
        """Does nothing."""


class UnwrittenSession:
    """A session that nobody looks at."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Does nothing."""

    def end(self, outcome: str, *, step: int, reason: str = "", objective: float | None = None) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class UnwrittenStudy(StudyFolder):
    """The files of a study that has none.

    Attributes:
        clock: The simulated time.
        complete: When each trial was complete, in this order, and its record.
    """

    clock: Callable[[], float]
    complete: list[tuple[float, TrialRecord]] = field(default_factory=list)

    def trial(self, number: int) -> UnwrittenTrial:
        """Returns a trial without files."""
        return UnwrittenTrial(self.path / str(number), self._note)

    def open_session(
        self, record: TrialRecord, shown: Mapping[str, bool | int | float | str], *, run: Path | None = None
    ) -> Session:
        """Returns a session without files."""
        return cast(Session, UnwrittenSession())

    def records(self) -> list[TrialRecord]:
        """Returns nothing: the study is new."""
        return []

    def _note(self, record: TrialRecord) -> None:
        if record.state == "complete":
            self.complete.append((self.clock(), record))
