"""The page's plots."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.replay.findings import Findings
from benchmarks.replay.plan import AT_HOME, BUDGETS, WHOLE
from benchmarks.replay.regret import Curves, Measure

SHOWN = {  # at home: what is plotted, and how
    ("random", "none"): "#777777",
    ("tpe", "none"): "#1f5fa8",
    ("tpe", "median"): "#7fb2e5",
    ("tpe", "asha"): "#c8552b",
    ("random", "asha"): "#e8a33d",
    ("cmaes", "none"): "#3a8f4d",
}
CROWDS = {("random", "none"): "#777777", ("tpe", "none"): "#1f5fa8", ("tpe", "asha"): "#c8552b"}
LENGTHS = {"drawn": ("6 epochs", "2/2"), "long drawn": ("24 epochs", "8/2")}
"""Parts with trainings of either length, in drawn spaces, and where asha's rungs are there."""
DRAWN = {
    "random, none": "#777777",
    "tpe, none": "#1f5fa8",
    "tpe, asha {}": "#c8552b",
    "curve_gp, none": "#b994d6",
    "curve_gp, asha {}": "#7a3fa0",
    "curve_gp, asha {}, min_agreement 0.5": "#d6498f",
}
FIRST = 3.0  # trainings: before that few searches have a complete trial


def draw(found: Findings, folder: Path) -> None:
    """Draws regret against budget at home and by length of training, and against time by number of workers."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        _at_home(found).savefig(folder / "methods.png", dpi=110)
        _crowds(found).savefig(folder / "methods_workers.png", dpi=110)
        _lengths(found).savefig(folder / "methods_lengths.png", dpi=110)


def _at_home(found: Findings) -> Figure:
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    both = figure.subplots(1, 2)
    titles: tuple[tuple[Measure, str], ...] = (
        ("found", "best configuration found"),
        ("promoted", "promoted unconfirmed"),
    )
    for axes, (measure, title) in zip(both, titles, strict=True):
        for (sampler, pruner), colour in SHOWN.items():
            for cell in found.cells("cross", row=sampler, column=pruner, workers=[AT_HOME]):
                _line(axes, found.curves(cell, measure), colour, f"{sampler}, {pruner}")
        _lines(axes, found, measure)
        _budget(axes, title)
    both[0].set_ylabel("regret in Delta E")
    both[0].legend(frameon=False, fontsize=8)
    return figure


def _lengths(found: Findings) -> Figure:
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    both = figure.subplots(1, len(LENGTHS), sharey=True)
    for axes, (part, (length, rungs)) in zip(both, LENGTHS.items(), strict=True):
        for row, colour in DRAWN.items():
            for cell in found.cells(part, row=row.format(rungs)):
                _line(axes, found.curves(cell, "found"), colour, cell.row)
        for cell in found.cells(part, row="random, none"):
            goal = found.curves(cell, "found").at(WHOLE).value
            axes.axhline(goal, color="#777777", linewidth=0.8, linestyle=":")
        axes.axvline(WHOLE / 4, color="#b03060", linewidth=0.8, linestyle="--")
        _scale(axes)
        _budget(axes, f"trainings of {length}, drawn spaces")
        axes.legend(frameon=False, fontsize=8)
    both[0].set_ylabel("regret in Delta E of the best found")
    return figure


def _line(axes: Axes, curves: Curves, colour: str, label: str) -> None:
    low, high = (np.where(np.isfinite(edge), edge, np.nan) for edge in curves.band())
    axes.plot(curves.costs, curves.mean(), color=colour, label=label)
    axes.fill_between(curves.costs, low, high, color=colour, alpha=0.12, linewidth=0)


def _budget(axes: Axes, title: str) -> None:
    axes.set_xlim(FIRST, 100)
    axes.set_xticks([3, 5, 10, 16, 25, 50, 100], ["3", "5", "10", "16", "25", "50", "100"])
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("budget in whole trainings, 2 workers")


def _crowds(found: Findings) -> Figure:
    figure = Figure(figsize=(8.6, 3.0), layout="constrained")
    several = figure.subplots(1, len(CROWDS), sharey=True)
    shades = np.linspace(1.0, 0.25, len(BUDGETS))
    for axes, ((sampler, pruner), colour) in zip(several, CROWDS.items(), strict=True):
        for workers, shade in zip(BUDGETS, shades, strict=True):
            for cell in found.cells("cross", row=sampler, column=pruner, workers=[workers]):
                curves = found.curves(cell, "found")
                axes.plot(curves.costs * found.seconds(cell, 1.0), curves.mean(), color=colour, alpha=shade)
                axes.lines[-1].set_label(f"{workers:,}")
        _lines(axes, found, "found")
        axes.set_title(f"{sampler}, {pruner}", fontsize=9)
        axes.set_xlabel("simulated seconds")
        axes.legend(frameon=False, fontsize=7, title="workers", title_fontsize=7)
    several[0].set_ylabel("regret in Delta E of the best found")
    return figure


def _lines(axes: Axes, found: Findings, measure: Measure) -> None:
    axes.axhline(found.goals[measure].value, color="#777777", linewidth=0.8, linestyle=":")
    axes.axhline(found.default, color="#b03060", linewidth=0.8, linestyle="--")
    axes.annotate("default configuration", (1.0, found.default), xycoords=("axes fraction", "data"), fontsize=7)
    axes.texts[-1].set(ha="right", va="bottom", color="#b03060")
    _scale(axes)


def _scale(axes: Axes) -> None:
    axes.set_ylim(0, 1.6)
    axes.set_xscale("log")
    axes.minorticks_off()
