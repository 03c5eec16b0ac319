"""What the driver itself can take: studies of thousands of trials on a thousand simulated workers.

The study is `many_trials.py`'s, each in a process of its own. A thousand workers that report every ten seconds are a
hundred reports a second; a driver that handles more in a second of real time keeps up with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import ROOT, run_python
from benchmarks.report import Cell, Options, Report

COLUMNS = (
    "sampler", "pruner", "trials", "reports", "simulated s", "real s", "CPU s", "reports/s", "reports/CPU s",
    "CPU ms/trial", "first 1,000", "last 1,000", "driver MB", "grown by MB", "CPU ms/trial by part",
)  # fmt: skip
PICTURE = ROOT / "docs" / "images" / "driver_scale.png"
WORKERS = 1000
LEAST = 0.005  # of a trial's time, in seconds, that the table names


class Case(NamedTuple):
    """One study."""

    sampler: str
    pruner: str
    trials: int
    examples: int = 0  # photos that a trial shows, at every second epoch


SIZES = (1000, 2500, 5000, 10_000)
CASES = (
    *(Case("random", pruner, trials) for pruner in ("none", "median", "asha") for trials in SIZES),
    *(Case("tpe", pruner, trials) for pruner in ("none", "median", "asha") for trials in SIZES[:2]),
    *(Case("curve_gp", "asha", trials) for trials in SIZES[:2]),
    Case("random", "none", 1000, examples=4),
)


def run(options: Options) -> Report:
    cases, workers = (
        (CASES, WORKERS) if not options.quick else ((Case("random", "asha", 30), Case("tpe", "none", 30)), 10)
    )
    found = [_study(case, workers) for case in cases]
    rows = [row(case, result) for case, result in zip(cases, found, strict=True)]
    notes = [
        f"{workers} workers, six epochs of ten seconds; asha from the first epoch on, a third going on. The driver "
        f"keeps up if it handles {workers / 10:.0f} reports a second. One study shows four photos every second epoch.",
        "CPU: the driver's own processor time, to which other programs on the machine add little. First and last: of "
        "a study's trials, by their messages, without the first hand-out to all workers at once and without its end.",
    ]
    if not options.quick:
        draw(dict(zip(cases, found, strict=True)), PICTURE)
        notes.append(f"{PICTURE.relative_to(ROOT)}: processor time of a trial in the course of the studies.")
    return Report("driver_scale", COLUMNS, rows, notes)


def row(case: Case, result: dict[str, Any]) -> tuple[Cell, ...]:
    trials, cpu = case.trials, result["cpu_seconds"]
    pace = _pace(result["course"], trials, over=WORKERS)
    parts = sorted(result["parts"].items(), key=lambda part: -part[1])
    return (
        case.sampler,
        case.pruner + (", examples" if case.examples else ""),
        trials,
        result["reports"],
        result["simulated_seconds"],
        result["seconds"],
        cpu,
        result["reports"] / result["seconds"],
        result["reports"] / cpu,
        1000 * cpu / trials,
        pace[0][1] if trials > 2 * WORKERS else None,
        pace[-1][1] if trials > 2 * WORKERS else None,
        result["memory_bytes"] / 1e6,
        (result["memory_bytes"] - result["memory_before_bytes"]) / 1e6,
        ", ".join(f"{name} {1000 * spent / trials:.1f}" for name, spent in parts if spent > LEAST * cpu),
    )


def draw(found: dict[Case, dict[str, Any]], path: Path) -> None:
    """Draws what a trial costs in the course of each sampler's and pruner's longest study."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    longest = {(case.sampler, case.pruner): case for case in sorted(found, key=lambda case: case.trials)}
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for (sampler, pruner), case in longest.items():
        pace = _pace(found[case]["course"], case.trials, over=WORKERS)
        axes.plot([done for done, _ in pace], [ms for _, ms in pace], label=f"{sampler}, {pruner}", linewidth=1.5)
    axes.set(xlabel="trials done", ylabel="processor time per trial (ms)", xlim=(0, None), ylim=(0, None))
    axes.set_title(f"The driver with {WORKERS:,} simulated workers, means over as many trials", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _study(case: Case, workers: int) -> dict[str, Any]:
    arguments = (case.trials, workers, case.sampler, case.pruner, case.examples)
    finished = run_python(["-m", "benchmarks.many_trials", *map(str, arguments)], threads=1)
    print(f"{case.sampler}, {case.pruner}, {case.trials} trials: {finished.seconds:.0f} s", flush=True)
    result: dict[str, Any] = finished.result
    return result


def _pace(course: Sequence[Sequence[float]], trials: int, over: int) -> list[tuple[float, float]]:
    """Returns trials done, and milliseconds of processor time for each of the last `over` of them.

    A trial is counted by its messages, of which all have about equally many. Left out are the hand-out to all workers
    at once, which ends before the second point, and the end, when paused trials are closed.
    """
    per_trial, inner = course[-1][1] / trials, course[1:-1]
    pace, first = [], 0
    for point in inner:
        while inner[first + 1][1] <= point[1] - over * per_trial:
            first += 1
        heard = point[1] - inner[first][1]
        if heard >= 0.95 * over * per_trial:
            pace.append((point[1] / per_trial, 1000 * (point[3] - inner[first][3]) / heard * per_trial))
    return pace
