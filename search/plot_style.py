"""How plots look, and what several of them need: colours, baseline lines, limits that survive a diverged trial.

Figures are made without pyplot: no window, no backend, no state of a notebook is touched. They are sized for a phone,
where an inline SVG is about as wide as on paper.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.verdict import Verdict
from search.words import number

# The report replaces each of these colours by a variable of its own, so that a plot follows its dark mode.
PAPER, INK, MUTED, LINE, BEST, SECOND, FAILED = (
    *("#ffffff", "#1f2327", "#7b8490", "#d9dde2", "#1161c9", "#b8590a", "#b42331"),
)
WIDTH, HEIGHT = 4.6, 2.9  # inches
LONG_NAME, LINE_LETTERS = 24, 34  # letters below a panel of half the width, and of a smaller size
MAX_VECTOR_POINTS = 20_000  # beyond, points and lines are drawn as pixels, also in SVG
LABEL_SHARE = 0.065  # of the vertical axis, that a label is high
FAR = 3.0  # times the distance from the best to the 75 % point: what lies farther is drawn at the edge
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "text.color": INK,
    "text.parse_math": False,  # a name or choice with $ is no formula
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
}


def new_figure(*, panels: int = 1, columns: int = 1, height: float = HEIGHT) -> tuple[Figure, list[Axes]]:
    """Returns a figure with that many panels in rows of `columns`, each `height` inches high."""
    rows = -(-panels // columns)
    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(panels)]


def draw_baselines(axes: Axes, verdict: Verdict) -> None:
    """Draws a horizontal line for gray and tint, and one for the default configuration, with their names."""
    lines = dict(verdict.baselines)
    if (default := verdict.value(verdict.default)) is not None:
        lines["default"] = default
    low, high = sorted(axes.get_ylim())
    above = -float("inf")
    for name, value in sorted(lines.items(), key=lambda line: line[1]):
        colour = SECOND if name == "default" else MUTED
        if low <= value <= high:
            axes.axhline(value, color=colour, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        beyond = "" if low <= value <= high else f" ({number(value)})"
        above = max(min(max(value, low), high), above + LABEL_SHARE * (high - low))
        axes.annotate(
            name + beyond,
            (1, above),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8,
            annotation_clip=False,
        )


def limit_objective(axes: Axes, verdict: Verdict, values: Iterable[float], *, baselines: bool = False) -> None:
    """Limits the vertical axis to these objectives and, if wanted, the baselines, but for those far worse than most."""
    axes.set_ylim(*objective_limits(verdict, [*values, *(verdict.baselines.values() if baselines else ())]))


def objective_limits(verdict: Verdict, values: Iterable[float]) -> tuple[float, float]:
    """Returns the lowest and highest objective to be shown of these."""
    shown = np.array([*values], dtype=float)
    if not shown.size:
        return 0.0, 1.0
    sign = 1.0 if verdict.objective.direction == "minimize" else -1.0
    badness = np.sort(sign * shown)
    best, most = badness[0], badness[int(0.75 * (len(badness) - 1))]
    far = best + FAR * (most - best) if most > best else badness[-1]
    worst = max(badness[badness <= far])
    pad = 0.06 * (worst - best) or abs(best) * 0.05 or 0.5
    low, high = sorted((sign * (best - pad), sign * (worst + pad)))
    return float(low), float(high)


def opacity(lines: int) -> float:
    """Returns how opaque each of so many crossing lines is, so that where they are dense can be seen."""
    return min(0.6, max(0.08, 40 / (lines + 1)))


def dot_size(points: int) -> float:
    """Returns the area of each of so many dots in square points."""
    return min(16.0, max(4.0, 2000 / (points + 1)))


def rasterized(points: int) -> bool:
    """Returns whether so many points are better drawn as pixels."""
    return points > MAX_VECTOR_POINTS


def finish(axes: Axes, *, x: str, y: str, grid: str = "y") -> None:
    """Names the axes and draws a grid behind the data."""
    name = textwrap.fill(x, LINE_LETTERS, break_long_words=False, break_on_hyphens=False)
    axes.set_xlabel(name, fontsize=9 if len(x) <= LONG_NAME else 7)
    axes.set_ylabel(y)
    axes.grid(axis=grid, zorder=0)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def inside(axes: Axes, values: Sequence[float]) -> list[float]:
    """Returns the values, those beyond the vertical axis moved to its edge."""
    low, high = sorted(axes.get_ylim())
    return [min(max(value, low), high) for value in values]
