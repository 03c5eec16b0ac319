"""The recording: what a few hundred real trainings of the quickstart's space said, epoch by epoch, in one small file.

One row a training, numbers only. `python -m benchmarks.replay record` makes it from the results of `record.yaml`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from colorgan.record import EpochRecord, TrialRecord
from search.space import Params
from search.storage import StudyFolder
from search.study import StudySpec, read_study

HERE = Path(__file__).parent
STUDY, FILE = HERE / "record.yaml", HERE / "recording.csv"
METRICS = ("valid/delta_e", "valid/colorfulness_ratio")
NAMES = (*METRICS, "train_seconds", "valid_seconds")
DIGITS = 5  # of the numbers kept; seeds alone change the first or second


@dataclass(frozen=True)
class Recorded:
    """One training.

    Attributes:
        params: Its configuration, by dotted path.
        parameters: Trainable weights of its generator.
        metrics: Each of `METRICS`, by epoch; shorter than the others where the training failed.
        train_seconds: By epoch, on a machine that did other things as well.
        valid_seconds: By epoch.
    """

    params: Params
    seed: int
    state: str
    parameters: int
    metrics: dict[str, tuple[float, ...]]
    train_seconds: tuple[float, ...]
    valid_seconds: tuple[float, ...]


def recorded_study() -> StudySpec:
    """Returns the study that was recorded."""
    return read_study(STUDY)


def add_to_recording(results: Path, path: Path = FILE) -> int:
    """Adds the finished trainings of a study's results to a file, but for those that it has, and returns how many."""
    study = recorded_study()
    records = [record for record in StudyFolder(results).records() if record.state in ("complete", "failed")]
    rows = {_key(study, row): row for row in _rows(path)} if path.exists() else {}
    new = {_key(study, row): row for row in (_row(study, record) for record in records)}
    added = {key: row for key, row in new.items() if key not in rows}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _columns(study), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows.values(), *added.values()])
    return len(added)


def read_recording(path: Path = FILE) -> list[Recorded]:
    """Returns all trainings of a recording."""
    return [_recorded(row) for row in _rows(path)]


def by_configuration(trainings: Iterable[Recorded]) -> list[list[Recorded]]:
    """Returns the trainings of each configuration together: its seeds."""
    groups: dict[tuple[object, ...], list[Recorded]] = defaultdict(list)
    for training in trainings:
        groups[tuple(training.params.values())].append(training)
    return list(groups.values())


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _columns(study: StudySpec) -> list[str]:
    epochs = range(1, study.train.schedule.epochs + 1)
    return [*study.space, "seed", "state", "parameters", *(f"{name}@{epoch}" for name in NAMES for epoch in epochs)]


def _key(study: StudySpec, row: dict[str, str]) -> tuple[str, ...]:
    """Returns what makes a training what it is: its configuration and seed."""
    return (*(row[path] for path in study.space), row["seed"])


def _row(study: StudySpec, record: TrialRecord) -> dict[str, str]:
    given = [_text(record.params[path]) for path in study.space]
    numbers = [value for name in NAMES for value in _padded(record, name, study.train.schedule.epochs)]
    values = [*given, str(record.seed), record.state, str(record.parameters), *numbers]
    return dict(zip(_columns(study), values, strict=True))


def _padded(record: TrialRecord, name: str, epochs: int) -> list[str]:
    found = [f"{_number(epoch, name):.{DIGITS}g}" for epoch in record.epochs]
    return [*found, *[""] * (epochs - len(found))]


def _value(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


def _text(value: object) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) and not value.is_integer() else str(value)


def _number(epoch: EpochRecord, name: str) -> float:
    return float(epoch.metrics.get(name, float("nan")) if name in METRICS else getattr(epoch, name))


def _recorded(row: dict[str, str]) -> Recorded:
    def series(name: str) -> tuple[float, ...]:
        return tuple(float(value) for key, value in row.items() if key.startswith(f"{name}@") and value)

    return Recorded(
        params={key: _value(text) for key, text in row.items() if "." in key and "@" not in key},
        seed=int(row["seed"]),
        state=row["state"],
        parameters=int(row["parameters"] or 0),
        metrics={name: series(name) for name in METRICS},
        train_seconds=series("train_seconds"),
        valid_seconds=series("valid_seconds"),
    )
