"""A study's plots: which there are, and how they come to `plots/` as PNG and SVG, and into a page.

Optuna computes the importances; the drawing is ours. `optuna.visualization.matplotlib` draws through pyplot, whose
style it changes for the whole process, needs SciPy for its contours, knows no baselines, no seconds and no workers,
and makes one wide figure of all parameters, which no phone can show.
"""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from search.parameter_plots import draw_contour, draw_importance, draw_parallel, draw_slice
from search.plot_style import BEST, FAILED, INK, LINE, MUTED, PAPER, SECOND, STYLE
from search.progress_plots import draw_cost, draw_front, draw_history, draw_learning_curves, draw_timeline
from search.verdict import Verdict

PNG_DPI = 200
VARIABLES = {
    PAPER: "--paper",
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    BEST: "--best",
    SECOND: "--second",
    FAILED: "--failed",
}


@dataclass(frozen=True)
class PlotKind:
    """One kind of plot: the stem of its files, its title, what it shows, and who draws it."""

    name: str
    title: str
    shows: str
    draw: Callable[[Verdict], Figure | None]


@dataclass(frozen=True)
class Plot:
    """A plot that was drawn: its kind, and its SVG for a page (see `for_page`)."""

    kind: PlotKind
    svg: str


KINDS = (
    PlotKind(
        "history",
        "History",
        "The objective of each trial in the order of their numbers, and the best so far, for which a configuration "
        "with several seeds counts by their mean, from its first trial on. Trials far worse than most are at the edge.",
        draw_history,
    ),
    PlotKind(
        "learning_curves",
        "Learning curves",
        "The objective over the epochs of each trial; a curve that ends early was pruned or has failed.",
        draw_learning_curves,
    ),
    PlotKind(
        "importance",
        "Importance",
        "How much each parameter decides whether a trial is among the best (PED-ANOVA). The pale bar is what shuffled "
        "results reach; only blue bars are longer.",
        draw_importance,
    ),
    PlotKind(
        "slice",
        "Slice",
        "The objective of complete trials against each parameter, the most important first; blue is the best trial, "
        "orange the default.",
        draw_slice,
    ),
    PlotKind(
        "contour",
        "Contour",
        "The objective over pairs of the most important parameters; the darker, the better. The circle is the best.",
        draw_contour,
    ),
    PlotKind(
        "parallel_coordinates",
        "Parallel coordinates",
        "Each line is a complete trial; the best tenth is blue, the best one bold, the default orange. A parameter "
        "that a trial does not have lies below its axis.",
        draw_parallel,
    ),
    PlotKind(
        "front",
        "Objectives against each other",
        "What configurations reached in the first objective and in each further one, on the mean of their seeds; the "
        "line joins those that no other beats in both.",
        draw_front,
    ),
    PlotKind(
        "cost",
        "Objective against cost",
        "What a configuration reached for its training time and its size, on the mean of its seeds; the line joins the "
        "best for less.",
        draw_cost,
    ),
    PlotKind(
        "timeline",
        "Timeline of workers",
        "When each worker was busy with a trial; dotted lines stand for longer pauses of the whole study.",
        draw_timeline,
    ),
)


def write_plots(verdict: Verdict, folder: Path) -> list[Plot]:
    """Draws what there is to draw and writes `NAME.png` and `NAME.svg`; what is no longer drawn is removed.

    Args:
        verdict: The study.
        folder: Made if missing.

    Raises:
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    for kind in KINDS:
        with matplotlib.rc_context({**STYLE, "svg.hashsalt": kind.name}):
            figure = kind.draw(verdict)
            if figure is None:
                for suffix in ("png", "svg"):
                    (folder / f"{kind.name}.{suffix}").unlink(missing_ok=True)
                continue
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # the layout is found; to find it again for each file doubles the time
            svg = _rendered(figure, "svg")
            _write(folder / f"{kind.name}.svg", svg)
            _write(folder / f"{kind.name}.png", _rendered(figure, "png"))
        plots.append(Plot(kind, for_page(svg.decode(), f"{kind.title}. {kind.shows}")))
    return plots


def for_page(svg: str, label: str) -> str:
    """Returns an SVG to stand inside an HTML page: its width, font and colours are the page's.

    Args:
        svg: As matplotlib writes it, whose texts are escaped.
        label: What it shows, for those who do not see it.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)  # else twice in a page
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", body)
    opening, _, rest = body.partition(">")
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    return f'{opening} role="img" aria-label="{html.escape(label)}">{rest}'


def _rendered(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Writes a file in place of an older one; a reader never meets a torn one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
