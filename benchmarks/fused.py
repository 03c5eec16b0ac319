"""Several trials as one program on JAX: what a trial's step takes among others, against a program of one trial."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.processes import run_python
from benchmarks.report import Cell, Options, Report
from benchmarks.step_time import Case
from search.engines.local import visible_gpus

COLUMNS = ("size", "depth", "filters", "batch", "way", "members", "ms a step of each", "against one at a time")
ON_GPU = (
    *(Case(64, 4, filters, 16) for filters in (8, 16, 64)),
    *(Case(128, 5, filters, 8) for filters in (8, 16, 64)),
)
ON_CPU = (Case(64, 4, 8, 16),)
WAYS = ("vmap", "map")


def run(options: Options) -> Report:
    gpu = bool(visible_gpus())
    members: Sequence[int] = (1, 2, 4, 8, 16, 32, 64) if gpu else (1, 2, 4)
    cases, members = ((ON_GPU if gpu else ON_CPU), members) if not options.quick else (ON_CPU, (1, 2))
    rows = [row for case in cases for way in WAYS for row in _rows(case, way, members, gpu=gpu)]
    where = "on a GPU" if gpu else "on one CPU thread"
    return Report("fused", COLUMNS, rows, [f"A step of all members, divided by their number, {where}; float32."])


def _rows(case: Case, way: str, members: Sequence[int], *, gpu: bool) -> list[tuple[Cell, ...]]:
    arguments = ["-m", "benchmarks.fused_steps", *map(str, case), way, *map(str, members)]
    seconds = run_python(arguments, threads=1, gpu=gpu).result
    each = {count: float(seconds[str(count)]) / count for count in members}
    return [(*case, way, count, 1e3 * each[count], each[count] / each[1]) for count in members]
