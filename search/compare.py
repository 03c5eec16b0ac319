"""Compares the trials of a study, and studies with each other: tables in the terminal, and the files of a comparison.

Reads what a study has left, running or not; neither its Optuna storage nor its workers are touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from colorgan.links import refuse_links_out
from colorgan.mistakes import shown
from colorgan.record import Value
from search import verdict_words
from search.known_photos import KnownPhotos, KnownPhotosError
from search.narrow_table import Column, NarrowTable
from search.plots import write_plots
from search.report import COMPARISON, write_comparison, write_report
from search.standings import AFTER, Standing, left_out, standings
from search.storage import StudyFolder
from search.table import write_table
from search.verdict import Verdict, judge
from search.words import counted, duration, number, short_names

PLOTS = "plots"
MOST_ROWS = 20
STYLES = {"best": "bold cyan", "default": "yellow", "baseline": "italic bright_black", "trial": ""}


@dataclass(frozen=True)
class Comparison:
    """What was compared and written.

    Attributes:
        verdicts: Of the studies; those with the same metric stand together, the best first.
        reports: Each study's `report.html`, in this order.
        page: `compare.html` beside the first study; None for a single study.
        warnings: Why the studies' numbers do not compare.
    """

    verdicts: tuple[Verdict, ...]
    reports: tuple[Path, ...]
    page: Path | None
    warnings: tuple[str, ...]

    @property
    def pages(self) -> tuple[Path, ...]:
        """All pages, that of several studies last."""
        return self.reports if self.page is None else (*self.reports, self.page)


def compare(folders: Sequence[Path]) -> Comparison:
    """Judges studies and writes each one's `trials.csv`, `plots/` and `report.html`, and a page of several studies.

    Raises:
        StudyError: A folder holds no study.
        LinkError: A link in a folder leads out of it.
        OSError: A file cannot be written.
    """
    distinct = {folder.resolve(): folder for folder in reversed(folders)}
    for folder in distinct:
        refuse_links_out(folder)
    verdicts = sorted((judge(folder) for folder in reversed(distinct.values())), key=_place)
    reports = [_write(verdict) for verdict in verdicts]
    warnings = differences(verdicts)
    page = None
    if len(verdicts) > 1:
        page = write_comparison(verdicts, folders[0].parent / COMPARISON, warnings=warnings)
    return Comparison(tuple(verdicts), tuple(reports), page, tuple(warnings))


def differences(verdicts: Sequence[Verdict]) -> list[str]:
    """Returns why the objectives of studies do not compare."""
    first, found = verdicts[0].result.spec, []
    for verdict in verdicts[1:]:
        spec = verdict.result.spec
        if spec.objective.metric != first.objective.metric:
            found.append(f"{first.name} searches for {first.objective.metric}, {spec.name} for {spec.objective.metric}")
        elif spec.objective.direction != first.objective.direction:
            ways = first.objective.direction, spec.objective.direction
            found.append(f"{first.name} is to {ways[0]} {spec.objective.metric}, {spec.name} to {ways[1]} it")
        elif spec.objective.smooth_epochs != first.objective.smooth_epochs:
            found.append(f"{first.name} and {spec.name} average their metric over different numbers of validations")
        if spec.train.data != first.train.data:
            found.append(f"{first.name} and {spec.name} use different photos or crops (train.data)")
        elif len({_photos(verdicts[0]), _photos(verdict)} - {""}) > 1:
            found.append(
                f"the photos under {shown(spec.train.data.photos)} were others for {first.name} than for {spec.name}"
            )
    return [f"Their numbers do not compare: {one}." for one in found]


def trials_view(verdict: Verdict, *, most: int = MOST_ROWS) -> NarrowTable:
    """Returns a study's trials by objective, with the default configuration and both baselines in their places."""
    rows, objective, names = standings(verdict, most=most), verdict.objective, short_names(verdict.space)
    marks = [(*row.marks, row.state) if row.state in AFTER else row.marks for row in rows]
    columns = [Column(objective.metric, [number(row.objective) for row in rows], kept=True)]
    columns += [Column(one.name, [_shown(row.further, one.name) for row in rows]) for one in verdict.aims.further]
    columns += [Column(name, [_shown(row.params, path) for row in rows]) for path, name in names.items()]
    columns.append(Column("training", [_seconds(row) for row in rows], kept=True))
    return NarrowTable(
        f"{verdict.result.spec.name}: {objective.metric}, {objective.direction}",
        [", ".join([row.name, *mark]) for row, mark in zip(rows, marks, strict=True)],
        columns,
        [STYLES[row.role] for row in rows],
    )


def studies_view(comparison: Comparison) -> Table:
    """Returns the bests of several studies side by side."""
    table = Table(title="best of each study", title_justify="left")
    for name in ("study", "metric", "best", "trial", "default", "gray", "tint", "how sure"):
        left = name in ("study", "metric", "how sure")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    for verdict in comparison.verdicts:
        best, default = verdict.best, verdict.default
        cells = [
            verdict.result.spec.name,
            verdict.objective.metric,
            number(verdict.value(best)),
            number(best and best.number),
            number(verdict.value(default)),
            *(number(verdict.baselines.get(name)) for name in ("gray", "tint")),
            verdict_words.BADGES[verdict.certainty] if best else "no result yet",
        ]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def verdict_lines(verdict: Verdict) -> list[str]:
    """Returns the verdict for the terminal: how good, how sure, what mattered, what it cost, what was left out."""
    hidden = left_out(verdict, standings(verdict, most=MOST_ROWS))
    return [
        *([f"{counted(hidden, 'more trial')}: {StudyFolder(verdict.result.folder).trials_table}"] if hidden else []),
        verdict_words.headline(verdict),
        *verdict_words.leads(verdict),
        *verdict_words.certainty(verdict),
        *verdict_words.importance(verdict),
        *verdict_words.cost(verdict),
        *verdict.notes,
    ]


def _write(verdict: Verdict) -> Path:
    folder = StudyFolder(verdict.result.folder)
    write_table(verdict.result.trials, folder.trials_table)
    return write_report(verdict, write_plots(verdict, folder.path / PLOTS))


def _photos(verdict: Verdict) -> str:
    """Returns the fingerprint of the photos that a study began with; nothing where that is not known."""
    with suppress(KnownPhotosError):
        known = KnownPhotos.read(StudyFolder(verdict.result.folder).photos)
        return known.fingerprint if known else ""
    return ""


def _place(verdict: Verdict) -> tuple[str, bool, float]:
    value = verdict.value(verdict.best)
    return verdict.objective.metric, value is None, 0.0 if value is None else verdict.better(0.0, than=value)


def _shown(values: Mapping[str, Value], key: str) -> str:
    return number(values[key]) if key in values else ""


def _seconds(row: Standing) -> str:
    return "" if row.training_seconds is None else duration(row.training_seconds)
