"""Resident memory of the driver and of its workers over many short trials of one study, seen from outside."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.processes import ChildError, resident_bytes, run_python
from benchmarks.report import Cell, Options, Report
from colorgan.record import FINISHED
from search.engines.local import usable_cores
from search.storage import StudyFolder
from search.study import StudySpec

COLUMNS = ("trials done", "driver MB", "workers MB")
EVERY_SECONDS = 1.0


class Sample(NamedTuple):
    """Resident bytes at one moment."""

    done: int
    driver: int
    workers: tuple[int, ...]


def run(options: Options) -> Report:
    trials, step = (4, 1) if options.quick else (50, 10)
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as temporary:
        spec = _study(trials, steps=2 if options.quick else 80)
        study, folder = Path(temporary) / "study.yaml", StudyFolder(Path(temporary) / spec.name)
        study.write_text(spec.to_yaml(), encoding="utf-8")

        def watch(process: psutil.Process) -> None:
            if sample := _sample(process, folder):
                samples.append(sample)

        command = ["-m", "search", "run", str(study), "--results", temporary]
        seconds = run_python(command, threads=1, watch=watch, every=EVERY_SECONDS).seconds
    chosen = _choose(samples, trials, step)
    rows: list[tuple[Cell, ...]] = [(s.done, s.driver / 1e6, _list(s.workers)) for s in chosen]
    first, last = chosen[min(1, len(chosen) - 1)], chosen[-1]  # by the second row each worker knows both networks
    grown = [(b - a) / 1e6 for a, b in zip(first.workers, last.workers, strict=True)]
    notes = [
        f"{trials} trials in {seconds:.0f} s, {usable_cores()} workers, 2 architectures in turn, 32 px.",
        f"Growth from {first.done} to {last.done} trials: driver {(last.driver - first.driver) / 1e6:+.1f} MB, "
        f"workers {', '.join(f'{value:+.1f}' for value in grown)} MB.",
    ]
    return Report("memory", COLUMNS, rows, notes)


def _study(trials: int, steps: int) -> StudySpec:
    return StudySpec.model_validate(
        {
            "name": "memory",
            "train": {
                "data": {"photos": "sample", "size": 32, "valid_limit": 8},
                "generator": {"filters": 4, "depth": 3, "dropout": 0.0},
                "discriminator": {"filters": 4, "depth": 2},
                "schedule": {"epochs": 4, "steps_per_epoch": steps, "batch_size": 8},
            },
            "space": {
                "generator.filters": {"type": "categorical", "choices": [4, 8]},
                "optimizer.generator_learning_rate": {"type": "float", "low": 1e-4, "high": 1e-3, "log": True},
            },
            "search": {"trials": trials, "workers": usable_cores()},
        }
    )


def _sample(driver: psutil.Process, folder: StudyFolder) -> Sample | None:
    """Returns a sample, or None while not all workers run."""
    try:
        workers = sorted(driver.children(), key=lambda process: process.pid)
    except psutil.Error:
        return None
    done = sum(record.state in FINISHED for record in folder.records())
    sizes = tuple(resident_bytes(worker) for worker in workers)
    full = len(sizes) == usable_cores() and all(sizes)
    return Sample(done, resident_bytes(driver), sizes) if full else None


def _choose(samples: list[Sample], trials: int, step: int) -> list[Sample]:
    """Returns the first sample after each `step` trials, and the last of all, when the workers still ran."""
    chosen = []
    for wanted in range(step, trials, step):
        chosen += [sample for sample in samples if sample.done >= wanted][:1]
    if not chosen:
        raise ChildError("the study ended before its memory could be sampled")
    return list(dict.fromkeys([*chosen, samples[-1]]))


def _list(sizes: tuple[int, ...]) -> str:
    return ", ".join(f"{size / 1e6:.0f}" for size in sizes)
