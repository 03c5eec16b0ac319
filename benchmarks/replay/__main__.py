"""Which method? `python -m benchmarks.replay` simulates all searches on the recording and writes its two pages.

python -m benchmarks.replay [--quick]            simulate, then write tables and plots; quick: print a few
python -m benchmarks.replay page                 the same from the searches simulated last
python -m benchmarks.replay record RESULTS       add the results of record.yaml, or of its scale long, to the recording
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.replay.findings import Findings
from benchmarks.replay.page import blocks, write_page
from benchmarks.replay.pictures import draw
from benchmarks.replay.plan import cells, missing
from benchmarks.replay.recording import recording_of
from benchmarks.replay.searches import read_all, run_all
from benchmarks.replay.surrogate import recorded_surrogate

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (DOCS / "methods.md", DOCS / "methods_measured.md")


def main() -> None:
    given = _arguments()
    if given.what == "record":
        recording = recording_of(given.results)
        print(f"{recording.add(given.results)} trainings added to {recording.path.relative_to(ROOT)}")
        return
    searches = given.out / ("quick.jsonl" if given.quick else "searches.jsonl")
    plan = cells(times=given.times, quick=given.quick)
    if given.what == "simulate":
        for name, module in missing().items():
            print(f"without {name}: {module} is not installed", flush=True)
        run_all(plan, searches, processes=given.processes, say=lambda line: print(line, flush=True))
    found = Findings(plan, read_all(searches, plan), recorded_surrogate())
    made = blocks(found, command="make replay" + (f" TIMES={given.times}" if given.times > 1 else ""))
    if given.quick:
        print("\n\n".join(f"== {name}\n\n{text}" for name, text in made.items()))
        return
    draw(found, DOCS / "images")
    for page in PAGES:
        write_page(page, made)
        print(f"wrote {page.relative_to(ROOT)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["simulate", "page", "record"], default="simulate")
    parser.add_argument("results", nargs="?", type=Path, help="record: the results folder of record.yaml")
    parser.add_argument("--quick", action="store_true", help="a few searches, to see that all works; writes no page")
    parser.add_argument(
        "--times", type=int, default=1, help="so many times as many searches, for narrower intervals (1)"
    )
    parser.add_argument("--processes", type=int, default=2, help="that simulate at the same time (2)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "results" / "replay_searches", help="where searches are kept"
    )
    given = parser.parse_args()
    if (given.what == "record") != (given.results is not None):
        parser.error("record needs the results folder, and nothing else takes one")
    return given


if __name__ == "__main__":
    main()
    sys.exit(0)
