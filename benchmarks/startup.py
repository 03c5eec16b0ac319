"""How long commands take to answer, and the memory of a driver that has imported all it needs."""

from __future__ import annotations

from statistics import median

import psutil

from benchmarks.processes import resident_bytes, run_python
from benchmarks.report import Cell, Options, Report

COMMANDS = {
    "python -m search --help": ["-m", "search", "--help"],
    "python -m search check studies/quickstart.yaml": ["-m", "search", "check", "studies/quickstart.yaml"],
    "python -m colorgan --help": ["-m", "colorgan", "--help"],
    "import of all that a driver needs": ["-c", "import search.run"],
}
COLUMNS = ("command", "median s", "fastest s", "slowest s", "CPU s", "peak MB")


def run(options: Options) -> Report:
    rows: list[tuple[Cell, ...]] = []
    for name, arguments in COMMANDS.items():
        runs = [run_python(arguments, threads=1) for _ in range(1 if options.quick else 5)]
        seconds = [finished.seconds for finished in runs]
        cpu = median(finished.cpu_seconds for finished in runs)
        rows.append((name, median(seconds), min(seconds), max(seconds), cpu, _peak_bytes(arguments) / 1e6))
    return Report("startup", COLUMNS, rows, ["The driver's memory while a study runs: benchmark memory."])


def _peak_bytes(arguments: list[str]) -> int:
    """Returns the most resident memory seen in a run of its own, looked at a hundred times a second."""
    seen: list[int] = []

    def watch(process: psutil.Process) -> None:
        seen.append(resident_bytes(process))

    run_python(arguments, threads=1, watch=watch, every=0.01)
    return max(seen)
