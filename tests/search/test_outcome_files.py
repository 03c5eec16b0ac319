"""When a study's tables are written while it runs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from colorgan.record import TrialRecord
from search import outcome_files
from search.outcome_files import TABLES_SECONDS, TABLES_SHARE, TableWriter
from search.snapshot import Snapshot
from search.storage import StudyFolder
from search.study import StudySpec

EMPTY = Snapshot((), (), trials=1, workers=1, baselines={}, seconds=0, worker_seconds=0, busy_share=0, finished_here=0)


@pytest.mark.parametrize(("takes", "pause"), [(0.0, TABLES_SECONDS), (3.0, 3.0 / TABLES_SHARE)])
def test_tables_that_take_long_are_written_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: float, pause: float
) -> None:
    now, written = [100.0], list[float]()
    spec = StudySpec.model_validate({"name": "s", "space": {"generator.depth": {"type": "int", "low": 2, "high": 4}}})
    monkeypatch.setattr(outcome_files.time, "monotonic", lambda: now[0])

    def write(*_: object) -> None:
        written.append(now[0])
        now[0] += takes

    monkeypatch.setattr(outcome_files, "write_summary", write)
    writer = TableWriter(spec, StudyFolder(tmp_path), clock=lambda: now[0])
    writer.write_sometimes(EMPTY)
    ended = now[0]
    for after in (0.0, 0.9 * pause, pause, pause + 1):
        now[0] = ended + after
        writer.write_sometimes(EMPTY)
    assert written == [100.0, ended + pause]


def test_the_summary_of_a_folder_that_was_moved_still_leads_to_the_best_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = StudySpec.model_validate({"name": "s", "space": {"generator.depth": {"type": "int", "low": 2, "high": 4}}})
    folder = StudyFolder(Path("results/s"))
    folder.prepare()
    folder.trial(3).prepare(spec.train)
    best = TrialRecord(number=3, state="complete", objective=1.0, seed=0)
    TableWriter(spec, folder).write(replace(EMPTY, records=(best,)), "finished")
    moved = StudyFolder(folder.path.rename("moved"))
    assert moved.path / moved.read_summary()["best"]["config"] == moved.trial(3).config


def test_the_best_of_a_summary_counts_by_the_mean_over_its_seeds(tmp_path: Path) -> None:
    spec = StudySpec.model_validate(
        {
            "name": "s",
            "space": {"generator.depth": {"type": "int", "low": 2, "high": 4}},
            "further_objectives": [{"metric": "valid/ssim"}],
        }
    )
    folder = StudyFolder(tmp_path)
    values = {0: (1.0, 0.5, ""), 1: (2.0, 0.25, ""), 2: (9.0, 0.25, "trial-0000"), 3: (3.0, 0.75, "trial-0001")}
    records = tuple(
        TrialRecord(number=n, state="complete", objective=value, further={"valid/ssim": ssim}, seed=n, group=group)
        for n, (value, ssim, group) in values.items()
    )
    TableWriter(spec, folder).write(replace(EMPTY, records=records), "finished")
    summary = folder.read_summary()
    assert {key: summary["best"][key] for key in ("number", "objective", "seeds")} == {
        "number": 1,
        "objective": 2.5,
        "seeds": 2,
    }
    assert summary["front"] == [{"number": 1, "objective": 2.5, "valid/ssim": 0.5}]


def test_a_run_that_trains_nothing_leaves_a_summary_what_it_says_of_training(tmp_path: Path) -> None:
    spec = StudySpec.model_validate({"name": "s", "space": {"generator.depth": {"type": "int", "low": 2, "high": 4}}})
    folder = StudyFolder(tmp_path)
    before = {"versions": {"numpy": "1.0"}, "machine": {"cores": 3}, "workers": 7}
    folder.summary.write_text(json.dumps(before))
    TableWriter(spec, folder).write(replace(EMPTY, worker_seconds=0.0, workers=2), "finished")
    assert {key: folder.read_summary()[key] for key in before} == before
    TableWriter(spec, folder).write(replace(EMPTY, worker_seconds=1.0, workers=2), "finished")
    now = folder.read_summary()
    assert (now["versions"]["numpy"], now["machine"]["cores"], now["workers"]) == (np.__version__, os.cpu_count(), 2)
