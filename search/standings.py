"""All that has an objective in one order: trials, the default configuration, and the gray and tint baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from colorgan.record import TrialRecord, Value
from search.verdict import Verdict

AFTER = ("infeasible", "running", "waiting", "paused", "pruned", "failed")
"""States behind the complete trials: their objectives do not compare, or a constraint does not hold."""


@dataclass(frozen=True)
class Standing:
    """One row of a study's table.

    Attributes:
        name: `trial 7`, `gray` or `tint`.
        role: What it is besides a trial; `best` is the promoted one where one was promoted.
        marks: What to call that.
        state: The trial's, `infeasible` for complete ones that violate a constraint; `baseline` for those that train
            nothing.
        objective: Final for complete trials and baselines, the last reported one for the others.
        counts: What it is ranked by: of a complete trial the mean over its configuration's seeds.
    """

    name: str
    role: Literal["best", "default", "trial", "baseline"]
    state: str
    objective: float | None
    metrics: Mapping[str, float]
    marks: tuple[str, ...] = ()
    params: Mapping[str, Value] = field(default_factory=dict)
    training_seconds: float | None = None
    parameters: int | None = None
    further: Mapping[str, float] = field(default_factory=dict)
    counts: float | None = None


def standings(verdict: Verdict, *, most: int | None = None) -> list[Standing]:
    """Returns complete trials and baselines by objective, the best first, then the other trials by state.

    Args:
        verdict: The study.
        most: So many trials at most; the default and the baselines are always there.
    """
    metrics = verdict.result.summary.get("baselines") or {}
    doing_nothing = [
        Standing(name, "baseline", "baseline", value, metrics[name], counts=value)
        for name, value in verdict.baselines.items()
    ]
    possible = {record.number for record in verdict.ranked}
    complete = [_standing(verdict, record, record.state) for record in verdict.ranked]
    rows = [
        _standing(verdict, record, "infeasible" if record.state == "complete" else record.state)
        for record in verdict.result.records
        if record.number not in possible
    ]
    others = [row for state in AFTER for row in rows if row.state == state]
    shown = [*complete, *others][:most]
    shown += [row for row in [*complete, *others][len(shown) :] if row.role in ("best", "default")]
    return sorted([*shown, *doing_nothing], key=lambda row: _place(verdict, row))


def left_out(verdict: Verdict, rows: Sequence[Standing]) -> int:
    """Returns how many of a study's trials have none of these rows."""
    return len(verdict.result.records) - sum(row.role != "baseline" for row in rows)


def _standing(verdict: Verdict, record: TrialRecord, state: str) -> Standing:
    role: Literal["best", "default", "trial"] = (
        "best" if record is verdict.best else "default" if record is verdict.default else "trial"
    )
    marks: list[str] = [verdict.title] if record is verdict.best else []
    marks += ["default"] if record is verdict.default else []
    return Standing(
        f"trial {record.number}",
        role,
        state,
        record.objective,
        record.metrics,
        tuple(marks),
        record.params,
        record.training_seconds,
        record.parameters,
        record.further,
        verdict.value(record),
    )


def _place(verdict: Verdict, row: Standing) -> tuple[int, float]:
    """Returns where a row belongs: complete trials and baselines by objective, others behind them as they came."""
    if row.state in AFTER or row.counts is None:
        return 1 + (AFTER.index(row.state) if row.state in AFTER else len(AFTER)), 0.0
    return 0, verdict.better(0.0, than=row.counts)
