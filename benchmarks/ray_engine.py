"""What Ray costs a short trial: this program's two engines, and Ray Tune with OptunaSearch, on the same trials."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.contestants import queue_our_trials
from benchmarks.processes import Finished, run_python
from benchmarks.ray_contestants import CONTESTANTS
from benchmarks.report import Cell, Options, Report
from benchmarks.trial_overhead import STEPS
from benchmarks.trial_plan import Plan

COLUMNS = (
    "contestant", "wall s", "training s", "overhead s/trial", "known s/trial", "new s/trial", "trials/hour",
    "local is x times", "mean Delta E",
)  # fmt: skip
NOTES = [
    "All cores, one thread per core. training s: time in steps and validation. overhead: (cores x wall time - training "
    "s) / trials, start of the program and of Ray included.",
    "known, new: median seconds of a trial beyond its steps and validation in a worker that has its architecture, or "
    "must build it; without the start of anything.",
    "Ray Tune trains with this program's trainer, without checkpoints; each of its trials is a process of its own.",
]


def run(options: Options) -> Report:
    trials, steps = (2, 5) if options.quick else (options.trials, STEPS)
    cores = options.thread_counts()[-1]
    rows: list[tuple[Cell, ...]] = []
    first: float | None = None
    for name in CONTESTANTS:
        with tempfile.TemporaryDirectory() as folder:
            plan = Plan(Path(folder), trials, steps)
            plan.save()
            queue_our_trials(plan)
            arguments = ["-m", "benchmarks.ray_contestants", name, folder, str(cores)]
            finished = run_python(arguments, threads=1)
        first = first or finished.seconds
        rows.append(_row(name, finished, cores, first))
        print(f"cores {cores}, {name}: {finished.seconds:.1f} s", flush=True)
    return Report("ray_engine", COLUMNS, rows, [f"{trials} trials of {steps} steps on {cores} cores.", *NOTES])


def _row(name: str, finished: Finished, cores: int, first: float) -> tuple[Cell, ...]:
    found: dict[str, Any] = finished.result
    outcomes = found["outcomes"]
    training = sum(outcome["train_seconds"] + outcome["valid_seconds"] for outcome in outcomes)
    known, new = (found.get(kind) or {"overhead_seconds": None} for kind in ("known", "new"))
    return (
        name,
        finished.seconds,
        training,
        (cores * finished.seconds - training) / len(outcomes),
        known["overhead_seconds"],
        new["overhead_seconds"],
        3600 * len(outcomes) / finished.seconds,
        finished.seconds / first,
        mean(outcome["delta_e"] for outcome in outcomes),
    )
