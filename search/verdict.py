"""What a study has shown, as data: the best trial, its leads and the noise beside them, what confirmation said.

Words for it are in `verdict_words.py`; nothing is drawn or written here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from colorgan.record import TrialRecord
from colorgan.regular_file import read_regular
from search.aims import Aims
from search.comparison import DEFAULT
from search.importance import Importance, importances
from search.parameter import CategoricalParameter, is_number
from search.run import StudyResult, load_noted
from search.settings import Objective
from search.snapshot import Baselines, Seeds, by_seeds, ranked, ranked_configurations
from search.space import Space
from search.storage import StudyFolder

LAST_VALIDATIONS = 4  # of a trial, that tell how much its objective swings
NOISE_TRIALS, MIN_BENDS = 5, 2  # so many of the best are asked for it, and must show so many
CLEAR_LEAD = 2.0  # in standard deviations of a difference: 95 % of differences of nothing are smaller
Certainty = Literal["confirmed", "refuted", "clear", "unsettled", "default", "unknown"]


class Candidate(BaseModel):
    """One configuration of a confirmation: its objective on fresh seeds, and its mean improvement over the default."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    name: str
    trial: int | None = None
    values: tuple[float, ...] = ()
    mean: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    dropped: bool = False


class Confirmation(BaseModel):
    """What `promote` has found: the candidates and the name of the promoted one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    candidates: tuple[Candidate, ...]
    promoted: str
    level: float = 0.95
    baselines: Baselines = {}

    @property
    def winner(self) -> Candidate | None:
        """The promoted candidate."""
        return next((candidate for candidate in self.candidates if candidate.name == self.promoted), None)


@dataclass(frozen=True)
class Lead:
    """How far the best trial is ahead.

    Attributes:
        margin: In the metric's unit; positive is better.
        ratio: The margin in standard deviations of such a difference; None where the noise is not known.
    """

    margin: float
    ratio: float | None


@dataclass(frozen=True)
class Verdict:
    """What one study has shown so far.

    Attributes:
        result: The study; `records` of trials that do not fit its space are left out.
        ranked: The complete and feasible trials, the best first.
        default: Trial 0 where it is the default configuration.
        best: The promoted trial where a confirmation promoted one, else the complete trial with the best objective.
        noise: Standard deviation of the objective from one moment of its training to the next; seeds vary more.
        notes: What was left out or could not be read.
    """

    result: StudyResult
    ranked: tuple[TrialRecord, ...]
    default: TrialRecord | None
    best: TrialRecord | None
    noise: float | None
    importances: tuple[Importance, ...]
    confirmation: Confirmation | None
    notes: tuple[str, ...]

    @property
    def objective(self) -> Objective:
        """What was searched for."""
        return self.result.spec.objective

    @property
    def aims(self) -> Aims:
        """What was searched for in all, and what must hold."""
        return Aims(self.result.spec)

    @property
    def space(self) -> Space:
        """The searched space."""
        return Space(self.result.spec.space, self.result.spec.train)

    @property
    def baselines(self) -> dict[str, float]:
        """The objective of `gray` and `tint` on the search's photos, as far as they are measured."""
        return self._objective_of(self.result.summary.get("baselines") or {})

    @property
    def confirmed_baselines(self) -> dict[str, float]:
        """The objective of `gray` and `tint` on the photos of the confirmation."""
        return self._objective_of(self.confirmation.baselines if self.confirmation else {})

    @property
    def winner(self) -> Candidate | None:
        """What a confirmation promoted."""
        return self.confirmation.winner if self.confirmation else None

    @property
    def title(self) -> Literal["best", "promoted"]:
        """What the best trial is called."""
        return "promoted" if self.winner and self.best and self.winner.trial == self.best.number else "best"

    @property
    def certainty(self) -> Certainty:
        """How sure it is that the best trial's configuration beats the default one."""
        if winner := self.winner:
            return "refuted" if winner.name == DEFAULT else "confirmed"
        if self.best is not None and self.best is self.default:
            return "default"
        lead = self.lead_over(self.default)
        if lead is None or lead.ratio is None:
            return "unknown"
        return "clear" if lead.ratio >= CLEAR_LEAD else "unsettled"

    @cached_property
    def seeds(self) -> dict[int, Seeds]:
        """What the configurations of the complete trials came to, by the trials' numbers."""
        return by_seeds(self.result.records)

    @cached_property
    def configurations(self) -> tuple[Seeds, ...]:
        """What the configurations of the ranked trials came to, the best first."""
        return tuple(ranked_configurations(self.ranked, self.objective.direction))

    def value(self, record: TrialRecord | None) -> float | None:
        """Returns what the configuration of a trial counts for: the mean over its seeds; None unless it is complete."""
        return self.seeds[record.number].mean if record and record.number in self.seeds else None

    @property
    def second(self) -> TrialRecord | None:
        """The best complete trial of another configuration than the best one's."""
        return next((seeds.first for seeds in self.configurations if self.best not in seeds.records), None)

    def lead_over(self, other: TrialRecord | None) -> Lead | None:
        """Returns the lead of the best trial's configuration over another complete trial's."""
        value, reached = self.value(other), self.value(self.best)
        if self.best is None or other is None or reached is None or value is None:
            return None
        margin = self.better(reached, than=value)
        parts = sum(1.0 / len(self.seeds[record.number].values) for record in (self.best, other))
        return Lead(margin, margin / (self.noise * math.sqrt(parts)) if self.noise else None)

    def better(self, value: float, *, than: float) -> float:
        """Returns by how much a value is better than another; negative where it is worse."""
        return than - value if self.objective.direction == "minimize" else value - than

    def _objective_of(self, baselines: Baselines) -> dict[str, float]:
        metric = self.objective.metric
        return {name: metrics[metric] for name, metrics in baselines.items() if metric in metrics}


def judge(folder: Path) -> Verdict:
    """Reads a study, running or not, and judges it.

    Raises:
        StudyError: The folder holds no study.
    """
    result, notes = load_noted(folder)
    spec, space = result.spec, Space(result.spec.space, result.spec.train)
    records = [record for record in result.records if _fits(space, record)]
    if strange := [str(record.number) for record in result.records if record not in records]:
        notes.append(f"left out, as their parameters do not fit study.yaml: trials {', '.join(strange)}")
    confirmation = _read_confirmation(StudyFolder(folder).promoted / "confirmation.json", notes)
    winner, order = confirmation and confirmation.winner, ranked(records, spec.objective.direction)
    promoted = next((record for record in order if winner and record.number == winner.trial), None)
    default = next((r for r in records if r.number == 0 and spec.search.start_with_default), None)
    measured = [*order[:NOISE_TRIALS], *([default] if default in order[NOISE_TRIALS:] else [])]
    return Verdict(
        result=replace(result, records=tuple(records)),
        ranked=tuple(order),
        default=default,
        best=promoted or next(iter(order), None),
        noise=evaluation_noise(measured, spec.objective),
        importances=importances(spec, records),
        confirmation=confirmation,
        notes=tuple(notes),
    )


def evaluation_noise(records: Sequence[TrialRecord], objective: Objective) -> float | None:
    """Returns the standard deviation of an objective from one moment of training to the next; None if unknown.

    From the bends between each three of the last validations, which know nothing of steady progress, divided by the
    number of validations that the objective is a mean of. A difference between seeds is no part of it.
    Source: Gasser, Sroka, Jennen-Steinmetz 1986, "Residual variance and residual pattern in nonlinear regression".
    """
    bends: list[float] = []
    for record in records:
        values = [e.metrics[objective.metric] for e in record.epochs if objective.metric in e.metrics]
        last = values[-LAST_VALIDATIONS:]
        bends += [a - 2 * b + c for a, b, c in zip(last, last[1:], last[2:], strict=False)]
    if len(bends) < MIN_BENDS:
        return None
    variance = statistics.fmean(bend**2 for bend in bends) / 6  # of a - 2 b + c, each with variance 1
    return math.sqrt(variance / objective.smooth_epochs)


def _fits(space: Space, record: TrialRecord) -> bool:
    """Returns whether a record's parameters are those that the space gives a trial."""
    if set(record.params) != {path for path in space.parameters if space.active(path, record.params)}:
        return False
    return all(
        value in parameter.choices if isinstance(parameter, CategoricalParameter) else is_number(value)
        for path, value in record.params.items()
        for parameter in (space.parameters[path],)
    )


def _read_confirmation(path: Path, notes: list[str]) -> Confirmation | None:
    """Returns what was confirmed; None where nothing was, and with a note where it cannot be read."""
    try:
        return Confirmation.model_validate_json(read_regular(path))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        notes.append(f"{path}: no usable confirmation ({str(error).splitlines()[0]})")
        return None
