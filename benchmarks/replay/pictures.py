"""The page's plots."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.replay.findings import Findings
from benchmarks.replay.plan import AT_HOME, BUDGETS
from benchmarks.replay.regret import Measure

SHOWN = {  # at home: what is plotted, and how
    ("random", "none"): "#777777",
    ("tpe", "none"): "#1f5fa8",
    ("tpe", "median"): "#7fb2e5",
    ("tpe", "asha"): "#c8552b",
    ("random", "asha"): "#e8a33d",
    ("cmaes", "none"): "#3a8f4d",
}
CROWDS = {("random", "none"): "#777777", ("tpe", "none"): "#1f5fa8", ("tpe", "asha"): "#c8552b"}
FIRST = 3.0  # trainings: before that few searches have a complete trial


def draw(found: Findings, folder: Path) -> None:
    """Draws regret against budget at home, and against time with any number of workers."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        _at_home(found).savefig(folder / "methods.png", dpi=110)
        _crowds(found).savefig(folder / "methods_workers.png", dpi=110)


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
                curves = found.curves(cell, measure)
                low, high = (np.where(np.isfinite(edge), edge, np.nan) for edge in curves.band())
                axes.plot(curves.costs, curves.mean(), color=colour, label=f"{sampler}, {pruner}")
                axes.fill_between(curves.costs, low, high, color=colour, alpha=0.12, linewidth=0)
        _lines(axes, found, measure)
        axes.set_xlim(FIRST, 100)
        axes.set_xticks([3, 5, 10, 16, 25, 50, 100], ["3", "5", "10", "16", "25", "50", "100"])
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("budget in whole trainings, 2 workers")
    both[0].set_ylabel("regret in Delta E")
    both[0].legend(frameon=False, fontsize=8)
    return figure


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
    axes.set_ylim(0, 1.6)
    axes.set_xscale("log")
    axes.minorticks_off()
