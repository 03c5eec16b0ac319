"""The quickstart as a user runs it: wall time, share of worker time spent training, and what the search found."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.processes import ROOT, run_python
from benchmarks.report import Options, Report
from colorgan.strict_yaml import read_yaml, write_yaml

STUDY = ROOT / "studies" / "quickstart.yaml"
QUICK_SCHEDULE = {"epochs": 5, "steps_per_epoch": 4, "batch_size": 16}
COLUMNS = (
    "trials", "workers", "wall s", "busy share", "best Delta E", "gray", "tint", "pruned", "failed",
)  # fmt: skip


def run(options: Options) -> Report:
    with tempfile.TemporaryDirectory() as temporary:
        study = STUDY
        if options.quick:
            tree = read_yaml(STUDY).value
            tree["train"]["schedule"], tree["search"]["trials"] = QUICK_SCHEDULE, 2
            study = Path(temporary) / STUDY.name
            study.write_text(write_yaml(tree), encoding="utf-8")
        results = Path(temporary) / "results"
        finished = run_python(["-m", "search", "run", str(study), "--results", str(results)], threads=1)
        summary = json.loads(next(results.glob("*/summary.json")).read_text(encoding="utf-8"))
    metric = summary["objective"]["metric"]
    states, baselines = summary["trials"], summary["baselines"]
    row = (
        states["wanted"],
        summary["workers"],
        finished.seconds,
        summary["busy_share"],
        summary["best"]["objective"],
        baselines["gray"][metric],
        baselines["tint"][metric],
        states["pruned"],
        states["failed"],
    )
    return Report("quickstart", COLUMNS, [row], [f"best: {json.dumps(summary['best']['params'])}"])
