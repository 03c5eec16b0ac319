"""What a short trial costs beyond its steps and validation: this program against the three usual ways."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.contestants import CONTESTANTS, queue_our_trials
from benchmarks.processes import ChildError, Finished, run_python
from benchmarks.report import Cell, Options, Report
from benchmarks.trial_plan import PLAN_FILE, Plan

STEPS = 150
COLUMNS = (
    "cores", "contestant", "wall s", "core s", "CPU s", "training s", "overhead s/trial", "trials/hour",
    "ours is x times", "mean Delta E",
)  # fmt: skip
NOTES = [
    "core s: cores x wall time, start of the program included. training s: threads x time in steps and validation, "
    "measured inside; the excess of a first, tracing step is overhead. overhead: (core s - training s) / trials.",
    "cores 1: each has one thread. All cores: the two loops have one process with all threads, ours and Optuna one "
    "process with one thread per core.",
    "Ours converts colours in its step, keeps a moving average, validates nine metrics and writes checkpoints; the "
    "others are given ready float Lab arrays and measure Delta E alone, of out-of-gamut colours too.",
]


def run(options: Options) -> Report:
    trials, steps = (1, 5) if options.quick else (options.trials, STEPS)
    rows: list[tuple[Cell, ...]] = []
    notes = [f"{trials} trials of {steps} steps, 64 px, batch 16, generator filters 8, 12, 16 in turn.", *NOTES]
    for cores in options.thread_counts():
        with tempfile.TemporaryDirectory() as folder:
            plan = Plan(Path(folder), trials, steps)
            plan.save()
            queue_our_trials(plan)
            ours: float | None = None
            for name in CONTESTANTS:
                finished = _race(name, plan, cores)
                row = _row(name, finished, cores, trials, ours)
                ours = ours or 3600 * trials / finished.seconds
                rows.append(row)
                print(f"cores {cores}, {name}: {finished.seconds:.1f} s", flush=True)
                if name == "ours":
                    notes += _our_notes(finished.result, cores)
    return Report("trial_overhead", COLUMNS, rows, notes)


def _race(name: str, plan: Plan, cores: int) -> Finished:
    threads = 1 if name in ("ours", "optuna_processes") else cores
    finished = run_python(["-m", "benchmarks.contestants", name, str(plan.folder), str(cores)], threads=threads)
    done = len(finished.result["outcomes"])
    if done != plan.trials:
        raise ChildError(f"{name} finished {done} of {plan.trials} trials of {plan.folder / PLAN_FILE}")
    return finished


def _row(name: str, finished: Finished, cores: int, trials: int, ours: float | None) -> tuple[Cell, ...]:
    outcomes: list[dict[str, Any]] = finished.result["outcomes"]
    threads = 1 if name in ("ours", "optuna_processes") else cores
    training = threads * sum(outcome["train_seconds"] + outcome["valid_seconds"] for outcome in outcomes)
    core_seconds, per_hour = cores * finished.seconds, 3600 * trials / finished.seconds
    return (
        cores,
        name,
        finished.seconds,
        core_seconds,
        finished.cpu_seconds,
        training,
        (core_seconds - training) / trials,
        per_hour,
        (ours or per_hour) / per_hour,
        mean(outcome["delta_e"] for outcome in outcomes),
    )


def _our_notes(found: dict[str, Any], cores: int) -> list[str]:
    lines = [
        f"ours, cores {cores}, {kind} architecture ({found[kind]['trials']} trials): median "
        f"{found[kind]['overhead_seconds']:.2f} s beyond steps and validation, of which "
        f"{found[kind]['setup_seconds']:.2f} s before training"
        for kind in ("known", "new")
        if found[kind]
    ]
    share = f"busy share {found['busy_share']:.2f} of {found['worker_seconds']:.1f} worker-seconds"
    return [*lines, f"ours, cores {cores}: {share}"]
