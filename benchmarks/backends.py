"""Our training step on TensorFlow against the same on JAX, and how long each takes to begin."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from statistics import median

from benchmarks.report import Cell, Options, Report
from benchmarks.step_time import BLOCK_SECONDS, CASES, SLOW_ROUNDS, Case, runner

COLUMNS = (
    *("size", "depth", "filters", "batch", "threads", "TensorFlow ms", "JAX ms", "JAX / TensorFlow", "spread"),
    *("TensorFlow ready s", "JAX ready s", "JAX again s"),
)
NOTES = [
    "ms: a step, medians over interleaved blocks of about a second; spread: smallest to largest ratio of neighbours.",
    "ready: from the start of a process until it has taken two steps; again: a second process, which finds the first's "
    "compiled programs. No dropout, float32; TensorFlow without XLA, as is the default on a CPU.",
]


def run(options: Options) -> Report:
    rows: list[tuple[Cell, ...]] = []
    rounds, cases = (2, CASES[:1]) if options.quick else (SLOW_ROUNDS, CASES[:2])
    for threads in options.thread_counts():
        for case in cases:
            row = _compare(case, threads, rounds)
            rows.append((*case, threads, *row))
            print(f"{case} threads {threads}: TensorFlow {row[0]:.1f} ms, JAX {row[1]:.1f} ms", flush=True)
    return Report("backends", COLUMNS, rows, NOTES)


def _compare(case: Case, threads: int, rounds: int) -> tuple[float | str, ...]:
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        ready, runners = [], []
        for who in ("ours", "jax", "jax"):
            started = time.perf_counter()
            runners.append(stack.enter_context(runner(who, case, threads, cache=cache)))
            ready.append(time.perf_counter() - started)
        race = runners[:2]
        steps = [max(1, round(BLOCK_SECONDS / run_block(1))) for run_block in race]
        blocks = [[run_block(n) for run_block, n in zip(race, steps, strict=True)] for _ in range(rounds)]
    ratios = [jax / tensorflow for tensorflow, jax in blocks]
    tensorflow, jax = (1e3 * median(block[i] for block in blocks) for i in (0, 1))
    return tensorflow, jax, jax / tensorflow, f"{min(ratios):.2f} to {max(ratios):.2f}", *ready
