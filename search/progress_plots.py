"""Plots over trials, epochs, cost and time: history, learning curves, objective against cost, timeline of workers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from colorgan.record import TrialRecord
from search.plot_style import (
    BEST,
    FAILED,
    INK,
    LINE,
    MUTED,
    SECOND,
    dot_size,
    draw_baselines,
    finish,
    inside,
    limit_objective,
    new_figure,
    opacity,
    rasterized,
)
from search.quantities import SIZE, TIME
from search.tradeoff import pair_front, trade_off
from search.verdict import Verdict

PAUSE_SHARE = 0.2  # of the working time; a longer time without any trial is cut out of the timeline
NOT_COMPLETE = ("pruned", "running", "waiting", "paused")
MOST_FRONTS = 4  # further objectives that are drawn
ROW_INCHES, MAX_TIMELINE_INCHES = 0.22, 6.0


def draw_history(verdict: Verdict) -> Figure | None:
    """Draws each trial's objective by number, the best so far, the baselines; failed trials at the foot."""
    records = verdict.result.records
    valued = [(record, record.objective) for record in records if record.objective is not None]
    complete = [(record, value) for record, value in valued if record.state == "complete"]
    failed = [record.number for record in records if record.state == "failed"]
    if not valued and not failed:
        return None
    figure, [axes] = new_figure()
    limit_objective(axes, verdict, [value for _, value in complete], baselines=True)
    possible = {record.number for record in verdict.ranked}
    for shown, fill, name in (
        ([one for one in complete if one[0].number in possible], MUTED, "complete"),
        ([one for one in complete if one[0].number not in possible], LINE, "infeasible"),
        ([one for one in valued if one[0].state in NOT_COMPLETE], "none", "pruned or running, its last value"),
    ):
        _points(axes, [(record.number, value) for record, value in shown], color=fill, label=name)
    if failed:
        foot = axes.get_ylim()[0]
        axes.plot(failed, [foot] * len(failed), "x", color=FAILED, markersize=5, clip_on=False, label="failed")
    if steps := _best_so_far(verdict):
        numbers, values = zip(*[*steps, (records[-1].number, steps[-1][1])], strict=True)
        axes.step(numbers, values, where="post", color=BEST, linewidth=1.6, label="best so far")
    draw_baselines(axes, verdict)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(axes, x="trial", y=verdict.objective.metric)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def draw_learning_curves(verdict: Verdict) -> Figure | None:
    """Draws the objective over the epochs of each trial; the best and the default stand out."""
    curves = [(record, curve) for record in verdict.result.records if (curve := list(record.reports.items()))]
    if not curves:
        return None
    figure, [axes] = new_figure()
    limit_objective(axes, verdict, [value for _, curve in curves for _, value in curve], baselines=True)
    others = [curve for record, curve in curves if record not in (verdict.best, verdict.default)]
    axes.add_collection(_faint(others))
    ends = [curve[-1] for curve in others]
    axes.plot([x for x, _ in ends], [y for _, y in ends], ".", color=MUTED, markersize=3)
    for record, colour, name in ((verdict.default, SECOND, "default"), (verdict.best, BEST, verdict.title)):
        if record and (curve := list(record.reports.items())):
            label = f"{name}: trial {record.number}"
            axes.plot([x for x, _ in curve], [y for _, y in curve], color=colour, linewidth=1.8, label=label)
    axes.set_xlim(0.5, max(x for _, curve in curves for x, _ in curve) + 0.5)
    draw_baselines(axes, verdict)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(axes, x="epoch", y=verdict.objective.metric)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=2)
    return figure


def draw_cost(verdict: Verdict) -> Figure | None:
    """Draws the objective of configurations against training seconds and generator weights, with the best for less."""
    complete = verdict.configurations
    if not complete:
        return None
    figure, panels = new_figure(panels=2, columns=2, height=2.7)
    seconds = [(fmean(record.training_seconds for record in seeds.records), seeds) for seeds in complete]
    weights = [(float(seeds.first.parameters), seeds) for seeds in complete if seeds.first.parameters]
    shown = ((seconds, TIME, "training seconds"), (weights, SIZE, "generator weights"))
    for axes, (priced, price, name) in zip(panels, shown, strict=True):
        limit_objective(axes, verdict, [seeds.mean for seeds in complete])
        _points(axes, [(x, seeds.mean) for x, seeds in priced], color=MUTED)
        front = _staircase(verdict, price) if priced else []
        axes.plot([x for x, _ in front], inside(axes, [y for _, y in front]), color=LINE, zorder=1.5, linewidth=1.4)
        for record, colour in ((verdict.default, SECOND), (verdict.best, BEST)):
            _points(axes, [(x, seeds.mean) for x, seeds in priced if record in seeds.records], color=colour)
        finish(axes, x=name, y=verdict.objective.metric if axes is panels[0] else "", grid="both")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 5))
    return figure


def draw_front(verdict: Verdict) -> Figure | None:
    """Draws the first objective of configurations against each further one, where the study has such."""
    complete, shown = verdict.configurations, verdict.aims.further[:MOST_FRONTS]
    if not complete or not shown:
        return None
    figure, panels = new_figure(panels=len(shown), columns=2, height=2.7)
    for axes, one in zip(panels, shown, strict=True):
        limit_objective(axes, verdict, [seeds.mean for seeds in complete])
        points = [(seeds.further.get(one.name, 0.0), seeds.mean) for seeds in complete]
        _points(axes, points, color=MUTED)
        front = [(seeds.further[one.name], seeds.mean) for seeds in pair_front(verdict.ranked, verdict.aims, one)]
        axes.plot([x for x, _ in front], inside(axes, [y for _, y in front]), color=LINE, zorder=1.5, linewidth=1.4)
        for record, colour in ((verdict.default, SECOND), (verdict.best, BEST)):
            own = [point for point, seeds in zip(points, complete, strict=True) if record in seeds.records]
            _points(axes, own, color=colour)
        finish(axes, x=one.words(), y=verdict.objective.metric if axes is panels[0] else "", grid="both")
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure


def draw_timeline(verdict: Verdict) -> Figure | None:
    """Draws when each worker was busy with which trial; long pauses of the whole study are cut out."""
    timed = [
        (r, r.started, _length(r)) for r in verdict.result.records if r.started is not None and r.worker is not None
    ]
    if not timed:
        return None
    workers = sorted({record.worker for record, _, _ in timed if record.worker is not None})
    figure, [axes] = new_figure(height=min(1.3 + ROW_INCHES * len(workers), MAX_TIMELINE_INCHES))
    cuts = _pauses([(start, start + length) for _, start, length in timed])
    first = min(start for _, start, _ in timed)
    last = max(start + length for _, start, length in timed) - first - sum(length for _, length in cuts)
    unit, name = (1.0, "seconds") if last < 180 else (60.0, "minutes") if last < 10_800 else (3600.0, "hours")
    colours = {"complete": MUTED, "pruned": LINE, "failed": FAILED}
    for record, start, length in timed:
        place = start - first - sum(pause for at, pause in cuts if at <= start)
        colour = BEST if record is verdict.best else colours.get(record.state, INK)
        row = workers.index(record.worker)  # type: ignore[arg-type] # those without one are not timed
        axes.broken_barh(
            [(place / unit, length / unit)], (row - 0.38, 0.76), facecolor=colour, edgecolor="none", alpha=0.9
        )
    for index, (at, _) in enumerate(cuts):
        axes.axvline(
            (at - first - sum(pause for _, pause in cuts[:index])) / unit, color=INK, linestyle=":", linewidth=1
        )
    for label, colour in (
        (verdict.title, BEST),
        ("complete", MUTED),
        ("pruned", LINE),
        ("failed", FAILED),
        ("running", INK),
    ):
        if label == verdict.title or any(record.state == label for record, _, _ in timed):
            axes.plot([], [], "s", color=colour, label=label)
    axes.set_yticks(range(len(workers)), [str(worker) for worker in workers])
    if len(workers) > 1 / ROW_INCHES * MAX_TIMELINE_INCHES:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    finish(axes, x=name, y="worker", grid="x")
    figure.legend(loc="outside upper left", ncols=5)
    return figure


def _points(axes: Axes, shown: Sequence[tuple[float, float]], *, color: str, label: str = "") -> None:
    """Draws points; those beyond the vertical axis stand at its edge. `none` draws rings."""
    if not shown:
        return
    xs, ys = [x for x, _ in shown], inside(axes, [y for _, y in shown])
    edge = MUTED if color == "none" else color
    axes.scatter(
        xs,
        ys,
        s=dot_size(len(xs)),
        c=color,
        edgecolors=edge,
        linewidths=0.8,
        zorder=3,
        label=label,
        rasterized=rasterized(len(xs)),
    )


def _faint(curves: Sequence[Sequence[tuple[float, float]]]) -> LineCollection:
    points, alpha = sum(len(curve) for curve in curves), opacity(len(curves))
    return LineCollection(curves, colors=MUTED, linewidths=0.7, alpha=alpha, rasterized=rasterized(points))


def _best_so_far(verdict: Verdict) -> list[tuple[int, float]]:
    complete = sorted(verdict.configurations, key=lambda seeds: seeds.first.number)
    pick = min if verdict.objective.direction == "minimize" else max
    best = accumulate((seeds.mean for seeds in complete), pick)
    return list(zip((seeds.first.number for seeds in complete), best, strict=True))


def _staircase(verdict: Verdict, against: str) -> list[tuple[float, float]]:
    """Returns the corners of the front of the objective against a price: what can be had for at most so much."""
    found = trade_off(verdict.ranked, verdict.objective, (against,))
    points = [(found.measures[1].of(seeds) or 0.0, seeds.mean) for seeds in found.front]
    corners = [(dearer, value) for (dearer, _), (_, value) in pairwise(points)]
    return [point for pair in zip(points, [*corners, None], strict=True) for point in pair if point]


def _length(record: TrialRecord) -> float:
    """Returns how long a trial has been on its workers; of one that is running, what it has reported."""
    return record.seconds or record.setup_seconds + record.training_seconds


def _pauses(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the beginnings and lengths of times without any trial that are long beside the time with one."""
    gaps: list[tuple[float, float]] = []
    busy, end = 0.0, min(start for start, _ in spans)
    for start, stop in sorted(spans):
        if start > end:
            gaps.append((end, start - end))
        busy += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return [(at, length) for at, length in gaps if length > PAUSE_SHARE * busy]
