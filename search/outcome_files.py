"""Writes a study's tables and its summary, while it runs now and then and whole at its end."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from typing import Any

from colorgan.versions import versions
from search.aims import Aims
from search.snapshot import Snapshot, best_seeds, count_states
from search.storage import StudyFolder
from search.study import StudySpec
from search.table import epochs_table, trials_table, write_summary, write_table
from search.tradeoff import study_front

SEARCH_PACKAGES = ("optuna", "tensorboard", "pandas")
OF_TRAINING = ("workers", "machine", "versions")  # in a summary; a run that trains nothing leaves them as they were
TABLES_SECONDS = 30.0  # between two writings of the tables while the study runs
TABLES_SHARE = 0.02  # of the driver's time at most: of ten thousand trials a writing takes seconds


class TableWriter:
    """Writes trials.csv, epochs.csv and summary.json, while the study runs only now and then."""

    def __init__(self, spec: StudySpec, folder: StudyFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec, self._aims, self._folder, self._clock = spec, Aims(spec), folder, clock
        self._before = folder.read_summary()
        self._due = -math.inf

    def write_sometimes(self, snapshot: Snapshot) -> None:
        """Writes if the last time is a while ago."""
        if self._clock() >= self._due:
            self.write(snapshot, "running")

    def write(self, snapshot: Snapshot, ending: str) -> None:
        """Writes all three."""
        started = time.monotonic()
        write_table(trials_table(snapshot.records), self._folder.trials_table)
        write_table(epochs_table(snapshot.records), self._folder.epochs_table)
        write_summary(self._summary(snapshot, ending), self._folder.summary)
        self._due = self._clock() + max(TABLES_SECONDS, (time.monotonic() - started) / TABLES_SHARE)

    def _summary(self, snapshot: Snapshot, ending: str) -> dict[str, Any]:
        best = best_seeds(snapshot.records, self._spec.objective.direction)
        wall, worker = (snapshot.seconds + self._earlier("wall_seconds"), snapshot.worker_seconds)
        busy = snapshot.busy_share * worker + self._earlier("busy_seconds")
        worker += self._earlier("worker_seconds")
        return {
            "study": self._spec.name,
            "ending": ending,
            "objective": self._spec.objective.model_dump(mode="json"),
            **self._front(snapshot),
            "trials": {"wanted": snapshot.trials, **count_states(snapshot.records)},
            "best": best
            and {
                "number": best.first.number,
                "objective": best.mean,
                "seeds": len(best.values),
                "params": best.first.params,
                "metrics": best.first.metrics,
                "config": str(self._folder.trial(best.first.number).config.relative_to(self._folder.path)),
            },
            "baselines": snapshot.baselines,
            "wall_seconds": wall,
            "worker_seconds": worker,
            "busy_seconds": busy,
            "busy_share": busy / worker if worker else 0.0,
            "workers": snapshot.workers,
            "machine": {"system": platform.platform(), "cores": os.cpu_count()},
            "versions": versions(*SEARCH_PACKAGES),
            **({} if snapshot.worker_seconds else {key: one for key in OF_TRAINING if (one := self._before.get(key))}),
        }

    def _front(self, snapshot: Snapshot) -> dict[str, Any]:
        """Returns what a study of several objectives has found: what no other configuration beats in all."""
        if not self._aims.several:
            return {}
        front = [
            {"number": seeds.first.number, "objective": seeds.mean, **seeds.further}
            for seeds in study_front(snapshot.records, self._aims)
        ]
        further = [one.model_dump(mode="json") for one in self._aims.further]
        return {"further_objectives": further, "front": front}

    def _earlier(self, key: str) -> float:
        """Returns what earlier runs of the study have summed up."""
        return float(self._before.get(key, 0.0))
