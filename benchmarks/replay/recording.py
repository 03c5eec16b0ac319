"""The recordings: what real trainings of the quickstart's space said, epoch by epoch, in a small file for each length.

One row a training, numbers only. `python -m benchmarks.replay record` makes them from the results of `record.yaml`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from colorgan.record import EpochRecord, TrialRecord
from search.space import Params
from search.storage import StudyFolder
from search.study import StudySpec, read_study

HERE = Path(__file__).parent
STUDY = HERE / "record.yaml"
METRIC = "valid/delta_e"  # the quickstart's objective
METRICS = (METRIC, "valid/colorfulness_ratio")
SECONDS = ("train_seconds", "valid_seconds")
DIGITS = 5  # of the numbers kept; seeds alone change the first or second


@dataclass(frozen=True)
class Recorded:
    """One training.

    Attributes:
        params: Its configuration, by dotted path.
        parameters: Trainable weights of its generator.
        metrics: Each of its recording's, by epoch; shorter than the others where the training failed.
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


@dataclass(frozen=True)
class Recording:
    """Trainings of one length, all over the space.

    Attributes:
        path: Where they are kept.
        scale: The scale of `record.yaml` that makes them; None is the study as it stands.
        metrics: Which are kept.
        metric: The one of them that is searched for.
    """

    path: Path
    scale: str | None = None
    metrics: tuple[str, ...] = METRICS
    metric: str = METRIC

    def study(self) -> StudySpec:
        """Returns the study that is recorded."""
        tree = read_study(STUDY, scale=self.scale).model_dump()
        tree["objective"]["metric"] = self.metric
        return StudySpec.model_validate(tree)

    def read(self) -> list[Recorded]:
        """Returns all trainings."""
        return [self._recorded(row) for row in _rows(self.path)]

    def complete(self) -> list[Recorded]:
        """Returns those that came to their end."""
        return [one for one in self.read() if one.state == "complete"]

    def add(self, results: Path) -> int:
        """Adds the finished trainings of a study's results, but for those that it has, and returns how many."""
        study = self.study()
        records = [record for record in StudyFolder(results).records() if record.state in ("complete", "failed")]
        rows = {_key(study, row): row for row in _rows(self.path)} if self.path.exists() else {}
        new = {_key(study, row): row for row in (self._row(study, record) for record in records)}
        added = {key: row for key, row in new.items() if key not in rows}
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns(study), lineterminator="\n")
            writer.writeheader()
            writer.writerows([*rows.values(), *added.values()])
        return len(added)

    def _columns(self, study: StudySpec) -> list[str]:
        epochs, names = range(1, study.train.schedule.epochs + 1), (*self.metrics, *SECONDS)
        return [*study.space, "seed", "state", "parameters", *(f"{name}@{epoch}" for name in names for epoch in epochs)]

    def _row(self, study: StudySpec, record: TrialRecord) -> dict[str, str]:
        given = [_text(record.params[path]) for path in study.space]
        names, epochs = (*self.metrics, *SECONDS), study.train.schedule.epochs
        numbers = [value for name in names for value in _padded(record, name, epochs)]
        values = [*given, str(record.seed), record.state, str(record.parameters), *numbers]
        return dict(zip(self._columns(study), values, strict=True))

    def _recorded(self, row: dict[str, str]) -> Recorded:
        def series(name: str) -> tuple[float, ...]:
            return tuple(float(value) for key, value in row.items() if key.startswith(f"{name}@") and value)

        return Recorded(
            params={key: _value(text) for key, text in row.items() if "." in key and "@" not in key},
            seed=int(row["seed"]),
            state=row["state"],
            parameters=int(row["parameters"] or 0),
            metrics={name: series(name) for name in self.metrics},
            train_seconds=series("train_seconds"),
            valid_seconds=series("valid_seconds"),
        )


SHORT = Recording(HERE / "recording.csv")
LONG = Recording(
    HERE / "recording_long.csv", "long", (*METRICS, "valid/delta_e_2000", "valid/psnr_db", "valid/chroma_kl")
)

LONG_KL = replace(LONG, metric="valid/chroma_kl")


def recording_of(results: Path) -> Recording:
    """Returns the recording that a study's results belong to.

    Raises:
        ValueError: They are of no study that is recorded.
    """
    known = {recording.study().name: recording for recording in (SHORT, LONG)}
    name = read_study(StudyFolder(results).study).name
    if name not in known:
        raise ValueError(f"{results}: the study {name} is not recorded; recorded are {', '.join(known)}")
    return known[name]


def by_configuration(trainings: Iterable[Recorded]) -> list[list[Recorded]]:
    """Returns the trainings of each configuration together: its seeds."""
    groups: dict[tuple[object, ...], list[Recorded]] = defaultdict(list)
    for training in trainings:
        groups[tuple(training.params.values())].append(training)
    return list(groups.values())


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _key(study: StudySpec, row: dict[str, str]) -> tuple[str, ...]:
    """Returns what makes a training what it is: its configuration and seed."""
    return (*(row[path] for path in study.space), row["seed"])


def _padded(record: TrialRecord, name: str, epochs: int) -> list[str]:
    found = [f"{_number(epoch, name):.{DIGITS}g}" for epoch in record.epochs]
    return [*found, *[""] * (epochs - len(found))]


def _value(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


def _text(value: object) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) and not value.is_integer() else str(value)


def _number(epoch: EpochRecord, name: str) -> float:
    return float(getattr(epoch, name) if name in SECONDS else epoch.metrics.get(name, float("nan")))
