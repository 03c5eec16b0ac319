"""Simulates all searches of a plan in some processes, and keeps what became of each in one file."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.replay.judgement import Search
from benchmarks.replay.plan import Cell
from benchmarks.replay.simulation import Setting, simulate
from benchmarks.replay.surrogate import recorded_surrogate

Results = dict[str, list[Search]]
"""Searches by `Cell.name`, in the order of their repeats."""


def run_all(plan: Sequence[Cell], path: Path, *, processes: int, say: Callable[[str], None]) -> Results:
    """Simulates all searches of a plan, and writes them to a file.

    First all that a plan without `times` has, those that take longest first; so a file that is cut short serves one.
    """
    order = [
        (setting.repeat // c.repeats, -_patience(setting), c.name, setting) for c in plan for setting in c.settings()
    ]
    jobs = [(name, setting) for _, _, name, setting in sorted(order, key=lambda job: job[:2])]
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the processes when they start
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, int], Search] = {}
    with multiprocessing.get_context("spawn").Pool(processes) as pool, path.open("w", encoding="utf-8") as file:
        for done, (name, repeat, search) in enumerate(pool.imap_unordered(_simulate, jobs), 1):
            found[name, repeat] = search
            file.write(json.dumps({"name": name, "repeat": repeat, **dataclasses.asdict(search)}) + "\n")
            file.flush()
            if done % max(1, len(jobs) // 20) == 0:
                say(f"{done}/{len(jobs)} searches")
    return _grouped(found)


def read_all(path: Path, plan: Sequence[Cell]) -> Results:
    """Returns the searches of a plan that a file holds."""
    wanted = {(cell.name, setting.repeat) for cell in plan for setting in cell.settings()}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        tree = json.loads(line)
        key = tree.pop("name"), tree.pop("repeat")
        if key in wanted:
            found[key] = Search(**tree)
    return _grouped(found)


def _grouped(found: dict[tuple[str, int], Search]) -> Results:
    results: Results = defaultdict(list)
    for name, repeat in sorted(found):
        results[name].append(found[name, repeat])
    return dict(results)


def _simulate(job: tuple[str, Setting]) -> tuple[str, int, Search]:
    name, setting = job
    draw = setting.repeat if setting.drawn else None
    space, judged = (recorded_surrogate(one, draw) for one in (setting.recording, setting.judged or setting.recording))
    return name, setting.repeat, simulate(setting, space, judged=judged)


def _patience(setting: Setting) -> float:
    """Returns roughly how long a search takes to simulate."""
    slow = {"tpe": 3.0, "gp": 50.0, "curve_gp": 25.0, "keras_tuner.bayesian": 100.0, "keras_tuner.hyperband": 5.0}
    return (
        setting.trainings * slow.get(setting.sampler["name"], 1.0) * (1.0 if setting.pruner["name"] == "none" else 2.5)
    )
