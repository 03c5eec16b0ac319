"""Runs benchmarks and prints a table each: `python -m benchmarks [NAME ...] [--quick] [--out FILE]`."""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.processes import ChildError
from benchmarks.report import Options, Report, machine

NAMES = (
    *("startup", "step_time", "backends", "fused", "packing", "trial_overhead", "memory", "driver_scale"),
    *("hparams_page", "colorize", "ray_engine", "quickstart", "population"),
)  # fmt: skip


def main() -> None:
    given = _arguments()
    options = Options(
        quick=given.quick, trials=given.trials, photos=given.photos, profile=given.profile, setting=given.setting
    )
    facts, reports, failed = machine(), [], False
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    print(f"{command}\n" + "\n".join(f"{key}: {value}" for key, value in facts.items()), flush=True)
    for name in given.names or NAMES:
        print(f"\n== {name}", flush=True)
        try:
            report: Report = importlib.import_module(f"benchmarks.{name}").run(options)
        except ChildError as error:
            print(f"{name}: {error}", flush=True)
            failed = True
            continue
        print(report.text(), flush=True)
        reports.append(report)
    if given.out:
        tree: dict[str, Any] = {"command": command, **facts, "benchmarks": [report.tree() for report in reports]}
        given.out.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if failed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; default: all of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="a smoke test of each; its numbers mean nothing")
    parser.add_argument("--out", type=Path, help="also write the results to this file, as JSON")
    parser.add_argument(
        "--trials", type=int, default=8, help="trial_overhead: of each contestant; population: members (8)"
    )
    parser.add_argument(
        "--setting",
        choices=["one", "all", "both"],
        default="both",
        help="trial_overhead, step_time, backends: cores (both)",
    )
    parser.add_argument("--photos", type=int, default=2000, help="packing: number of photos (2000)")
    parser.add_argument("--profile", action="store_true", help="step_time: also print what our step's time goes into")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(NAMES)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if min(given.trials, given.photos) < 1:
        parser.error("--trials and --photos must be at least 1")
    return given


if __name__ == "__main__":
    main()
