"""How a study went, for the terminal: the best trial beside the default and both baselines, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from rich.table import Table

from colorgan.record import TrialRecord
from search.narrow_table import Column, NarrowTable
from search.ownership import Owner
from search.photo_mistakes import why_unconfirmable
from search.snapshot import Baselines, best_record, by_seeds, count_states
from search.space import Space
from search.storage import StudyFolder
from search.study import StudySpec
from search.words import duration, number


def summary_table(spec: StudySpec, records: Sequence[TrialRecord], baselines: Baselines) -> NarrowTable:
    """Returns the best trial beside the default configuration and both baselines: objective, metrics, parameters."""
    best, counts = best_record(records, spec.objective.direction), by_seeds(records)
    default = next((r for r in records if r.number == 0 and spec.search.start_with_default), None)
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for name, record in (("best", best), ("default", default if default is not best else None)):
        if record:
            reached = counts[record.number].mean if record.number in counts else record.objective
            state = "" if record.state == "complete" else f", {record.state}"
            row = {"objective": reached, **record.metrics}
            found.append((f"{name}: trial {record.number}{state}", row, record.params))
    for name, metrics in baselines.items():
        found.append((name, {"objective": metrics.get(spec.objective.metric), **metrics}, {}))
    keys = ["objective", *(key for _, metrics, _ in found[:1] for key in metrics if key.startswith("valid/"))]
    space = Space(spec.space, spec.train)
    paths = [path for path in space.parameters if any(path in params for _, _, params in found)]
    return NarrowTable(
        f"{spec.name}: {spec.objective.metric}, {spec.objective.direction}",
        [*keys, *map(space.label, paths)],
        [
            Column(name, [*(number(metrics.get(key)) for key in keys), *(number(params.get(path)) for path in paths)])
            for name, metrics, params in found
        ],
        sections=frozenset({len(keys) - 1}),
    )


def promotion_table(facts: Mapping[str, Any]) -> Table:
    """Returns the candidates of a confirmation, and the baselines, by what `confirmation.json` holds."""
    title = f"{facts['study']}: {facts['metric']} on photos and seeds that no trial saw, {facts['direction']}"
    gained = f"better than default ({facts['level']:.0%})"
    table = Table("", "searched", "confirmed", "seeds", gained, title=title, title_justify="left")
    for found in facts["candidates"]:
        gain = ""
        if found["interval"]:
            low, high = found["interval"]
            gain = f"{found['difference']:+.3g} ({low:+.3g} to {high:+.3g})"
        name = f"{found['name']} (promoted)" if found["name"] == facts["promoted"] else found["name"]
        table.add_row(name, number(found["searched"]), number(found["mean"]), str(len(found["values"])), gain)
    for name, metrics in facts["baselines"].items():
        table.add_row(name, "", number(metrics.get(facts["metric"])), "", "")
    return table


def summary_lines(
    spec: StudySpec,
    folder: Path,
    records: Sequence[TrialRecord],
    summary: Mapping[str, Any],
    owner: Owner | None = None,
) -> list[str]:
    """Returns what a person wants to know beside the table: how the study went, where all is, what to type next.

    Args:
        spec: The study.
        folder: Its files.
        records: Of its trials, which are counted.
        summary: What its `summary.json` holds, which may be missing or damaged.
        owner: The driver that its lock names.
    """
    states = ", ".join(f"{count} {state}" for state, count in count_states(records).items() if count)
    wanted = summary.get("trials", {}).get("wanted", spec.search.trials)
    lines = [f"{states or 'no trials yet'} of {wanted} wanted"]
    if owner is not None:
        lines.append(_running_line(owner))
    elif summary.get("ending") not in (None, "finished"):
        lines.append(f"not running (it ended by: {summary['ending']}); the same command goes on")
    if summary.get("worker_seconds"):
        lines.append(
            f"{duration(summary['wall_seconds'])} on {summary['workers']} worker"
            f"{'' if summary['workers'] == 1 else 's'}, "
            f"{summary['busy_share']:.1%} of their time spent training and validating"
        )
    lines.append(f"tables: {folder / 'trials.csv'}, {folder / 'epochs.csv'}; for machines: {folder / 'summary.json'}")
    place = quote(str(folder))
    best = best_record(records, spec.objective.direction)
    promoted = StudyFolder(folder).promoted / "config.yaml"
    if promoted.exists():
        lines.append(f"train what was promoted on: make train CONFIG={quote(str(promoted))}")
    elif best is not None:
        config = StudyFolder(folder).trial(best.number).config
        lines.append(f"train the best on: make train CONFIG={quote(str(config))}")
    lines.append(f"compare in TensorBoard: make tensorboard STUDY={place}; as a report: make compare STUDY={place}")
    if best is not None and not why_unconfirmable(spec.train):
        again = ("anew", " AGAIN=1") if promoted.exists() else ("the best", "")
        lines.append(f"confirm and promote {again[0]}: make promote STUDY={place}{again[1]}")
    return lines


def why_no_best(spec: StudySpec, records: Sequence[TrialRecord], table: Path) -> str:
    """Returns why a study has no best trial.

    Args:
        spec: The study.
        records: Of its trials.
        table: Where they are listed.
    """
    complete = [record for record in records if record.state == "complete"]
    broken = [key for key in spec.constraints if any(record.violations.get(key, 0.0) > 0 for record in complete)]
    if not broken:
        return f"no trial was completed; the reasons are in {table}"
    bounds = ", ".join(f"{key} {spec.constraints[key].words()}" for key in broken)
    which = "configuration, on the mean of its seeds," if spec.search.seeds_per_trial > 1 else "trial"
    return (
        f"no {which} holds the study's constraints ({bounds}); the trials that were completed ({len(complete)}) are in "
        f"{table}. Let the study run further (--trials), or give one with other constraints a new name"
    )


def _running_line(owner: Owner) -> str:
    match owner.is_alive:
        case True:
            return f"it is being run by {owner}"
        case False:
            return f"its driver ({owner}) died; the same command goes on"
    return f"it is being run by {owner}, if that machine is alive"
