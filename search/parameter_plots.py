"""Plots over parameters: importance, slice, contour, parallel coordinates. They show complete trials."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter
from matplotlib.tri import Triangulation

from colorgan.record import TrialRecord, Value
from search.parameter import CategoricalParameter, Parameter, is_number
from search.plot_style import (
    BEST,
    INK,
    LINE,
    MUTED,
    SECOND,
    dot_size,
    finish,
    inside,
    limit_objective,
    new_figure,
    objective_limits,
    opacity,
    rasterized,
)
from search.verdict import Verdict
from search.words import number, short_names

MAX_PANELS = 12  # parameters in the slice plot and the parallel coordinates, the most important ones
CONTOURED = 3  # parameters whose pairs are drawn
LEVELS, MIN_SURFACE = 10, 10  # of a contour; it takes so many distinct points
EDGE, MAX_TICKS = 0.06, 5
GOOD = 0.1  # of the trials, the best ones, stand out in the parallel coordinates
_BLUES = LinearSegmentedColormap.from_list("blues", ["#0b3c7d", "#3f7fd0", "#a9c8ec", "#eef3f9"])  # best is darkest


@dataclass(frozen=True)
class Scale:
    """How a parameter's values lie on an axis.

    Attributes:
        name: Short, and no other parameter's.
    """

    path: str
    name: str
    parameter: Parameter

    @property
    def log(self) -> bool:
        """Whether orders of magnitude count."""
        return not isinstance(self.parameter, CategoricalParameter) and self.parameter.log

    @property
    def choices(self) -> list[str]:
        """The names of a categorical parameter's values; empty for a number."""
        if not isinstance(self.parameter, CategoricalParameter):
            return []
        return [number(self.parameter.shown(choice)) for choice in self.parameter.choices]

    def place(self, value: Value) -> float:
        """Returns where a value lies: itself, or its place among the choices."""
        if isinstance(self.parameter, CategoricalParameter):
            return float(self.parameter.choices.index(value))
        return float(value) if is_number(value) else math.nan

    def share(self, value: Value) -> float:
        """Returns where a value lies between both ends, in [0, 1]."""
        ends = [self.place(end) for _, end in self.parameter.ends()]
        low, high, at = min(ends), max(ends), self.place(value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low) if high > low else 0.5

    def dress(self, axes: Axes, *, axis: str) -> None:
        """Sets scale, limits and ticks of an axis, `x` or `y`, to all that the parameter can be."""
        target, limit = (axes.xaxis, axes.set_xlim) if axis == "x" else (axes.yaxis, axes.set_ylim)
        ends = [self.place(end) for _, end in self.parameter.ends()]
        low, high = min(ends), max(ends)
        if self.log:
            (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
            edge = (high / low) ** EDGE if high > low else 2.0
            limit(low / edge, high * edge)
            target.set_major_locator(LogLocator(numticks=5))
            target.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            target.set_minor_locator(NullLocator())
            return
        edge = 0.5 if self.choices or high == low else EDGE * (high - low)
        limit(low - edge, high + edge)
        if self.choices:
            target.set_ticks(range(len(self.choices)), self.choices)
        elif (self.parameter.count() or MAX_TICKS + 1) <= MAX_TICKS:
            target.set_ticks([self.place(value) for value in self.parameter.values()])
        else:
            target.set_major_locator(MaxNLocator(4, integer=self.parameter.type == "int"))


def scales(verdict: Verdict) -> list[Scale]:
    """Returns the axes of all parameters, the most important first, then in the order of the study."""
    space = verdict.space
    important = [one.path for one in verdict.importances]
    paths = [*important, *(path for path in space.parameters if path not in important)]
    names = short_names(space)
    return [Scale(path, names[path], space.parameters[path]) for path in paths]


def draw_importance(verdict: Verdict) -> Figure | None:
    """Draws each parameter's share over a pale bar as long as chance would make it."""
    found = verdict.importances[::-1]
    if not found:
        return None
    names = {scale.path: scale.name for scale in scales(verdict)}
    figure, [axes] = new_figure(height=0.9 + 0.27 * len(found))
    rows, longest = range(len(found)), max(one.share for one in found)
    axes.barh(rows, [one.chance for one in found], color=LINE, height=0.8, label="by chance, 19 of 20 shuffles")
    colours = [BEST if one.stands_out else MUTED for one in found]
    axes.barh(rows, [one.share for one in found], color=colours, height=0.4)
    for row, one in enumerate(found):
        axes.annotate(f"{one.share:.0%}", (one.share, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(found)), [names[one.path] for one in found])
    axes.set_xlim(0, 1.2 * longest)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    finish(axes, x="share of importance", y="", grid="x")
    figure.legend(loc="outside upper left")
    return figure


def draw_slice(verdict: Verdict) -> Figure | None:
    """Draws the objective against each parameter."""
    shown = [scale for scale in scales(verdict) if any(scale.path in r.params for r in verdict.ranked)][:MAX_PANELS]
    if not shown:
        return None
    figure, panels = new_figure(panels=len(shown), columns=min(2, len(shown)), height=1.75)
    for place, (axes, scale) in enumerate(zip(panels, shown, strict=True)):
        limit_objective(axes, verdict, [record.objective or 0.0 for record in verdict.ranked])
        scale.dress(axes, axis="x")
        having = [record for record in verdict.ranked if scale.path in record.params]
        for records, colour, size in (
            (having, MUTED, dot_size(len(having))),
            ([r for r in having if r is verdict.default], SECOND, 26),
            ([r for r in having if r is verdict.best], BEST, 26),
        ):
            xs = [scale.place(record.params[scale.path]) for record in records]
            ys = inside(axes, [record.objective or 0.0 for record in records])
            axes.scatter(xs, ys, s=size, c=colour, alpha=0.85, linewidths=0, rasterized=rasterized(len(xs)))
        finish(axes, x=scale.name, y="" if place % 2 else verdict.objective.metric, grid="both")
    return figure


def draw_contour(verdict: Verdict) -> Figure | None:
    """Draws the objective over each pair of the most important parameters."""
    shown = [scale for scale in scales(verdict) if any(scale.path in r.params for r in verdict.ranked)][:CONTOURED]
    pairs = list(itertools.combinations(shown, 2))
    if not pairs:
        return None
    figure, panels = new_figure(panels=len(pairs), columns=min(2, len(pairs)), height=2.2)
    low, high = objective_limits(verdict, [record.objective or 0.0 for record in verdict.ranked])
    colours = _BLUES if verdict.objective.direction == "minimize" else _BLUES.reversed()
    norm = Normalize(low, high)
    mapped = ScalarMappable(norm, colours)
    for axes, (across, up) in zip(panels, pairs, strict=True):
        _contour(axes, verdict, (across, up), colours, norm)
    figure.colorbar(mapped, ax=panels, label=verdict.objective.metric, location="top", shrink=0.6, aspect=40)
    return figure


def draw_parallel(verdict: Verdict) -> Figure | None:
    """Draws a line for each complete trial across the objective and all parameters."""
    axes_of = [scale for scale in scales(verdict) if any(scale.path in r.params for r in verdict.ranked)][:MAX_PANELS]
    if not axes_of:
        return None
    figure, [axes] = new_figure(height=3.6)
    low, high = objective_limits(verdict, [record.objective or 0.0 for record in verdict.ranked])
    good = max(1, round(GOOD * len(verdict.ranked)))
    lines = [_line(record, axes_of, low, high) for record in verdict.ranked]
    for part, colour, width, alpha in (
        (lines[good:], MUTED, 0.7, opacity(len(lines))),
        (lines[:good], BEST, 0.8, opacity(good)),
        ([line for line, r in zip(lines, verdict.ranked, strict=True) if r is verdict.default], SECOND, 1.8, 1.0),
        ([line for line, r in zip(lines, verdict.ranked, strict=True) if r is verdict.best], BEST, 2.2, 1.0),
    ):
        raster = rasterized(len(part) * (len(axes_of) + 1))
        axes.add_collection(LineCollection(part, colors=colour, linewidths=width, alpha=alpha, rasterized=raster))
    ends = [(number(low), number(high)), *(_ends(scale) for scale in axes_of)]
    for x, (bottom, top) in enumerate(ends):
        axes.axvline(x, color=LINE, linewidth=1, zorder=0)
        axes.text(x, -0.03, bottom, ha="center", va="top", fontsize=7, color=INK)
        axes.text(x, 1.03, top, ha="center", va="bottom", fontsize=7, color=INK)
    axes.set_xlim(-0.3, len(axes_of) + 0.3)
    axes.set_ylim(-0.22, 1.1)
    names = [verdict.objective.metric, *(scale.name for scale in axes_of)]
    axes.set_xticks(range(len(names)), names, rotation=28, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.yaxis.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _contour(axes: Axes, verdict: Verdict, pair: tuple[Scale, Scale], colours: Colormap, norm: Normalize) -> None:
    """Draws one pair; the surface where the points span one, the points always."""
    across, up = pair
    having = [r for r in verdict.ranked if across.path in r.params and up.path in r.params]
    across.dress(axes, axis="x")
    up.dress(axes, axis="y")
    x, y = (np.array([scale.place(r.params[scale.path]) for r in having]) for scale in (across, up))
    low, high = objective_limits(verdict, [record.objective or 0.0 for record in verdict.ranked])
    z = np.clip([record.objective or 0.0 for record in having], low, high)
    shares = np.array([(across.share(r.params[across.path]), up.share(r.params[up.path])) for r in having])
    if not across.choices and not up.choices and _spans(shares):
        levels = np.linspace(low, high, LEVELS + 1)
        mesh = Triangulation(x, y, Triangulation(*shares.T).triangles)  # made in shares, where both axes count alike
        axes.tricontourf(mesh, z, levels=levels, cmap=colours, norm=norm, alpha=0.9)
    size = dot_size(len(having))
    axes.scatter(x, y, s=size, c=z, cmap=colours, norm=norm, edgecolors=INK, linewidths=0.03 * size, zorder=3)
    for record in (record for record in having if record is verdict.best):
        best = (across.place(record.params[across.path]), up.place(record.params[up.path]))
        axes.scatter(*best, s=60, facecolors="none", edgecolors=INK, linewidths=1.8, zorder=4)
    finish(axes, x=across.name, y=up.name, grid="both")


def _spans(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    """Returns whether points (count, 2) are no line: only such have triangles between them."""
    distinct = np.unique(points.round(6), axis=0)
    return len(distinct) >= MIN_SURFACE and np.linalg.matrix_rank(distinct - distinct[0], tol=1e-3) == 2


def _line(record: TrialRecord, across: list[Scale], low: float, high: float) -> list[tuple[float, float]]:
    """Returns a trial's line; a parameter that it does not have lies below the others."""
    first = min(max(((record.objective or 0.0) - low) / (high - low), 0.0), 1.0)
    shares = [scale.share(record.params[scale.path]) if scale.path in record.params else -0.16 for scale in across]
    return [(float(x), y) for x, y in enumerate([first, *shares])]


def _ends(scale: Scale) -> tuple[str, str]:
    if scale.choices:
        return scale.choices[0], scale.choices[-1]
    ends = [number(end) for _, end in scale.parameter.ends()]
    return ends[0], ends[-1]
