"""A study's Optuna trials beside the trials' records: whether they agree, and the former made anew from the latter.

That is for a storage that was damaged, or lost, or is another than before.

A record holds all that samplers and most pruners look at, so a study goes on as if its storage had been there. What
Optuna's methods note for themselves is not in it: successive halving and hyperband lose their rungs, evolution its
generations and covariance, and begin these anew.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import optuna
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from colorgan.record import TrialRecord, after_last_epoch
from search.aims import Aims
from search.live_trial import METRICS
from search.source import GROUP
from search.space import Space
from search.storage import StudyFolder

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


def restore(study: optuna.Study, space: Space, folder: StudyFolder, aims: Aims) -> str:
    """Adds the trials of its folder that a study does not know; returns a note for people, or nothing.

    It knows none where its storage was lost, and not the last ones where that is an older copy, or where whoever did
    this was killed. Trials keep their numbers. Those that were not finished, and those in between without a usable
    record, are RUNNING: the driver takes them over.

    Args:
        study: As it was opened.
        space: The study's.
        folder: Its files.
        aims: The study's.
    """
    known = len(study.get_trials(deepcopy=False))
    unknown = {record.number: record for record in folder.records() if record.number >= known}
    if not unknown:
        return ""
    if baselines := folder.read_summary().get("baselines"):
        study.set_user_attr("baselines", baselines)
    for number in range(known, max(unknown) + 1):
        study.add_trial(
            _trial(unknown[number], space, aims) if number in unknown else create_trial(state=TrialState.RUNNING)
        )
    few = f"only the first {known} trials" if known else "no trial"
    return f"the storage knew {few} of this study: {len(unknown)} are taken from their records"


def disagreement(study: optuna.Study, records: Sequence[TrialRecord], directions: Sequence[str], *, whole: bool) -> str:
    """Returns what contradicts the records in a study that has trials, or nothing.

    A record is written just before Optuna is told, so it may be ahead by a step.

    Args:
        study: As it was opened.
        records: Of its folder.
        directions: Of its objectives, by its file.
        whole: Whether it must know all trials that have a record. A database may be an older copy, or its filling by
            `restore` may have been cut short.
    """
    trials = study.get_trials(deepcopy=False)
    found = [direction.name.lower() for direction in study.directions]
    if found != list(directions):
        return f"its direction is {', '.join(found)}, not {', '.join(directions)}"
    for record in records if trials else ():
        if record.number >= len(trials):
            if whole:
                return f"it knows no trial {record.number}, which has a record"
            continue
        trial = trials[record.number]
        asked = trial.params.items() <= record.params.items()
        if not asked or (trial.state.is_finished() and not _agree(trial, record)):
            return f"trial {record.number} contradicts its record"
    return ""


def unrecorded(study: optuna.Study, recorded: Container[int]) -> str:
    """Returns for people which finished trials have no record any more, nor its copy; or nothing.

    Args:
        study: As it was opened.
        recorded: Numbers of the trials that have one.
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.number not in recorded]
    lost = [str(trial.number) for trial in trials if trial.state.is_finished() and METRICS in trial.user_attrs]
    if not lost:
        return ""
    return (
        f"the record and its copy are lost of trial{'s' * (len(lost) > 1)} {', '.join(lost)}: the sampler knows what "
        "became of it, the tables do not"
    )


def _agree(trial: FrozenTrial, record: TrialRecord) -> bool:
    """Returns whether a finished trial and a record say the same.

    A failed trial may have been told as pruned, at a value that no epoch has (`objective.failed_value`).
    """
    if record.state == "failed" and trial.state == TrialState.PRUNED:
        return trial.params.items() <= record.params.items() and (
            record.reports.items() <= trial.intermediate_values.items()
        )
    values = _values(record) if trial.state == TrialState.COMPLETE else trial.values
    return (
        trial.state == STATES.get(record.state)
        and trial.values == values
        and trial.params.items() <= record.params.items()
        and trial.intermediate_values == record.reports
    )


def _values(record: TrialRecord) -> list[float] | None:
    return None if record.objective is None else [record.objective, *record.further.values()]


def _trial(record: TrialRecord, space: Space, aims: Aims) -> FrozenTrial:
    """Returns a trial as Optuna would have it; RUNNING and without parameters where the record makes no sense."""
    reports, state = record.reports, STATES.get(record.state, TrialState.RUNNING)
    failed_value = aims.objective.failed_value
    if record.state == "failed" and failed_value is not None:
        reports, state = reports | {after_last_epoch(record): failed_value}, TrialState.PRUNED
    stopped = [reports[max(reports)]] if reports and not aims.several else None  # as Optuna has it
    values = {TrialState.COMPLETE: _values(record), TrialState.PRUNED: stopped}
    fixed = FixedTrial(dict(record.params))
    notes = {METRICS: record.metrics, **({"reason": record.reason} if record.reason else {})}
    try:
        space.suggest(cast(optuna.Trial, fixed))  # learns the distributions
        trial = create_trial(
            state=state,
            values=values.get(state),
            params=fixed.params,
            distributions=fixed.distributions,
            intermediate_values=reports,
            user_attrs=(notes if state.is_finished() else {}) | _attributes(record, aims),
            constraints=record.violations if state.is_finished() else None,
        )
    except ValueError:
        return create_trial(state=TrialState.RUNNING)
    if record.started is not None:
        trial.datetime_start = datetime.fromtimestamp(record.started)  # local time, as Optuna's
        trial.datetime_complete = (
            trial.datetime_start + timedelta(seconds=record.seconds) if state.is_finished() else None
        )
    return trial


def _attributes(record: TrialRecord, aims: Aims) -> dict[str, Any]:
    """Returns what the driver notes of a trial, finished or not."""
    notes = aims.notes(record) if record.epochs else {}
    return notes | ({GROUP: record.group} if record.group else {})
