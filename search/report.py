"""A study as one page: `report.html`, and several studies side by side as `compare.html`.

A page holds all that it shows: no script, no font, no picture comes from elsewhere, and its content policy forbids
it. All texts of a study are escaped by the templates (`search/templates/`), for a study may come from a stranger.
"""

from __future__ import annotations

import base64
import io
import os
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image, UnidentifiedImageError

from colorgan.record import TrialRecord, write_whole
from colorgan.regular_file import read_regular
from search import verdict_words
from search.parameter import CategoricalParameter, Parameter
from search.plots import Plot
from search.standings import left_out, standings
from search.storage import StudyFolder
from search.verdict import Verdict
from search.words import duration, number, short_names

REPORT, COMPARISON = "report.html", "compare.html"
MOST_ROWS, MOST_REASONS, MOST_NUMBERS = 25, 40, 12
MAX_SHEET_BYTES = 600_000  # a larger sheet is shown as JPEG
JPEG_QUALITY = 90
MAX_SHEET_PIXELS = 1600  # of the longer side of a sheet that is shown as JPEG


@dataclass(frozen=True)
class Sheet:
    """A trial's example sheet: which trial, whose, and its picture as a data URI; empty with a reason without one."""

    title: str
    caption: str
    source: str
    missing: str


@dataclass(frozen=True)
class Setting:
    """A searched parameter: its name, the best trial's and the default's value, and what was searched."""

    name: str
    best: str
    default: str
    searched: str


@dataclass(frozen=True)
class Failure:
    """A reason, and the trials that failed for it."""

    reason: str
    trials: tuple[int, ...]
    more: int


def write_report(verdict: Verdict, plots: Sequence[Plot]) -> Path:
    """Writes a study's `report.html` into its folder and returns its path.

    Raises:
        OSError: It cannot be written.
    """
    path = verdict.result.folder / REPORT
    page, rows = _environment().get_template("report.html.jinja"), standings(verdict, most=MOST_ROWS)
    text = page.render(
        **_common(verdict),
        figures={plot.kind.name: _figure(plot) for plot in plots},
        settings=_settings(verdict),
        command=_command(verdict),
        sheets=_sheets(verdict),
        rows=rows,
        hidden=left_out(verdict, rows),
        names=short_names(verdict.space),
        failures=_failures(verdict),
    )
    write_whole(path, text)
    return path


def write_comparison(verdicts: Sequence[Verdict], path: Path, *, warnings: Sequence[str]) -> Path:
    """Writes one page that sets the bests of several studies side by side, with links to their reports.

    Raises:
        OSError: It cannot be written.
    """
    studies = [
        {
            **_common(verdict),
            "link": quote(os.path.relpath(verdict.result.folder / REPORT, path.parent)),
            "sheet": _sheets(verdict)[:1],
        }
        for verdict in verdicts
    ]
    page = _environment().get_template("compare.html.jinja")
    write_whole(path, page.render(studies=studies, warnings=warnings, written=_now()))
    return path


def _environment() -> Environment:
    templates = FileSystemLoader(Path(__file__).with_name("templates"))
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, duration=duration, breakable=_breakable)
    return environment


def _breakable(name: str) -> Markup:
    """Returns a dotted path that a narrow page may break behind its dots and underscores."""
    return Markup("<wbr>").join(re.split(r"(?<=[._])", name))


def _common(verdict: Verdict) -> dict[str, Any]:
    """Returns what every page says of a study."""
    return {
        "verdict": verdict,
        "spec": verdict.result.spec,
        "summary": verdict.result.summary,
        "folder": verdict.result.folder,
        "headline": verdict_words.headline(verdict),
        "certainty": verdict.certainty if verdict.best else "none",
        "badge": verdict_words.BADGES[verdict.certainty] if verdict.best else "no result yet",
        "leads": verdict_words.leads(verdict),
        "sure": verdict_words.certainty(verdict),
        "mattered": verdict_words.importance(verdict),
        "cost": verdict_words.cost(verdict),
        "running": sum(record.state in ("running", "waiting", "paused") for record in verdict.result.records),
        "written": _now(),
    }


def _figure(plot: Plot) -> dict[str, str]:
    svg = Markup(plot.svg)  # noqa: S704 - matplotlib escapes its texts
    return {"title": plot.kind.title, "shows": plot.kind.shows, "svg": svg}


def _settings(verdict: Verdict) -> list[Setting]:
    best = verdict.best.params if verdict.best else {}
    default = verdict.default.params if verdict.default else {}
    space = verdict.space
    return [
        Setting(
            space.label(path),
            number(best[path]) if path in best else "not used",
            number(default[path]) if path in default else "not used",
            _searched(parameter),
        )
        for path, parameter in space.parameters.items()
    ]


def _command(verdict: Verdict) -> str:
    """Returns the command that trains on: the promoted configuration, else the best trial's; nothing without one."""
    folder = StudyFolder(verdict.result.folder)
    best = folder.trial(verdict.best.number).config if verdict.best else None
    config = folder.promoted / "config.yaml" if verdict.winner else best
    return f"make train CONFIG={shlex.quote(str(config))}" if config else ""


def _searched(parameter: Parameter) -> str:
    if isinstance(parameter, CategoricalParameter):
        return ", ".join(number(parameter.shown(choice)) for choice in parameter.choices)
    return f"{number(parameter.low)} to {number(parameter.high)}{', log' if parameter.log else ''}"


def _sheets(verdict: Verdict) -> list[Sheet]:
    """Returns the sheets of the best, median and worst configuration and of the default, each trial once."""
    order = [seeds.first for seeds in verdict.configurations]
    wanted: list[tuple[str, TrialRecord | None]] = [(verdict.title, verdict.best)]
    if order:
        wanted += [("median", order[(len(order) - 1) // 2]), ("worst", order[-1])]
    wanted.append(("default", verdict.default))
    titles: dict[int, list[str]] = {}
    for title, record in wanted:
        if record is not None:
            titles.setdefault(record.number, []).append(title)
    records = {record.number: record for _, record in wanted if record is not None}
    return [_sheet(verdict, records[trial], ", ".join(found).capitalize()) for trial, found in titles.items()]


def _sheet(verdict: Verdict, record: TrialRecord, title: str) -> Sheet:
    caption = f"trial {record.number}, {verdict.objective.metric} {number(record.objective)}"
    path = StudyFolder(verdict.result.folder).trial(record.number).examples
    try:
        return Sheet(title, caption, _data_uri(path), "")
    except FileNotFoundError:
        return Sheet(title, caption, "", "This trial has left no example sheet.")
    except (UnidentifiedImageError, OSError) as error:
        return Sheet(title, caption, "", f"Its example sheet cannot be read ({type(error).__name__}).")


def _data_uri(path: Path) -> str:
    """Returns a picture as a data URI, a large one as a smaller JPEG.

    Raises:
        OSError: There is none, or it is no picture.
    """
    content, kind = read_regular(path), "png"
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        picture.load()
        if len(content) > MAX_SHEET_BYTES:
            smaller, buffer = picture.convert("RGB"), io.BytesIO()
            smaller.thumbnail((MAX_SHEET_PIXELS, MAX_SHEET_PIXELS))
            smaller.save(buffer, format="jpeg", quality=JPEG_QUALITY, subsampling=0)
            content, kind = buffer.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _failures(verdict: Verdict) -> list[Failure]:
    """Returns the reasons of failed trials, the most frequent first."""
    by_reason: dict[str, list[int]] = {}
    for record in verdict.result.records:
        if record.state == "failed":
            by_reason.setdefault(record.reason or "no reason given", []).append(record.number)
    common = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return [
        Failure(reason, tuple(trials[:MOST_NUMBERS]), max(0, len(trials) - MOST_NUMBERS))
        for reason, trials in common[:MOST_REASONS]
    ]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M")
