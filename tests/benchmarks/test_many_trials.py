"""The driver is measured as it runs: all that it writes is written, and each part's time is counted."""

import json
import subprocess
import sys


def test_a_measured_study_writes_all_files_and_counts_every_parts_time():
    command = [sys.executable, "-m", "benchmarks.many_trials", "6", "3", "random", "asha", "2"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found["reports"] >= 6
    parts = {"driver", "events", "files", "pruner", "sampler", "simulation", "snapshot and tables", "storage"}
    assert found["parts"].keys() == parts
    assert all(seconds > 0 for seconds in found["parts"].values())
