"""What `summary.json` holds, as far as we read it again: nothing of it is believed before it has this shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from colorgan.regular_file import read_regular


class BestTrial(BaseModel):
    """The best trial so far."""

    model_config = ConfigDict(extra="allow")

    number: int
    config: str = ""
    """Its configuration's file, below the study's folder."""


class Summary(BaseModel):
    """A study's outcome; `outcome_files.py` writes it, with more keys than these."""

    model_config = ConfigDict(extra="allow")

    ending: str | None = None
    trials: dict[str, int] = Field(default_factory=dict)
    best: BestTrial | None = None
    baselines: dict[str, dict[str, float | None]] = Field(default_factory=dict)
    wall_seconds: float = 0.0
    worker_seconds: float = 0.0
    busy_seconds: float = 0.0
    busy_share: float = 0.0
    workers: int = 0
    machine: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


def read_summary(path: Path) -> dict[str, Any]:
    """Returns what the file holds, missing keys at their defaults; empty where there is no such file, or another."""
    try:
        return Summary.model_validate_json(read_regular(path)).model_dump()
    except (OSError, ValidationError):
        return {}
