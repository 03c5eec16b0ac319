"""Real studies whose workers have little memory: what becomes of the trial that needs more, and of the others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from typer.testing import CliRunner

from search.__main__ import app
from search.storage import StudyFolder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's address space")
WORKER = """#!{python}
import resource, runpy, sys
from pathlib import Path
import tensorflow

has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (has + {more}, has + {more}))
del sys.argv[:2]  # itself and -m
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
STUDY = """
name: memory
train:
  data: {{photos: {photos}, size: 512, crop_scales: [1.0]}}
  generator: {{filters: 1, depth: 2}}
  discriminator: {{filters: 1, depth: 1}}
  schedule: {{epochs: 1, steps_per_epoch: 1, batch_size: 1}}
  validation: {{examples: 0, batch_size: 1}}
space:
  schedule.batch_size: {{type: categorical, choices: [1, 4096]}}
  losses.l1_weight: {{type: categorical, choices: [1.0, 100.0], when: {{schedule.batch_size: 1}}}}
search: {{trials: 3, sampler: {{name: brute_force}}, workers: 1}}
"""
MORE_BYTES = 2 << 30  # than it has when TensorFlow is imported; 4096 of these crops, as bytes, are 3 << 30


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[int, str, StudyFolder]]:
    """Runs a study with `python -m search run` on workers of little memory; returns exit code, output and folder."""
    limited = tmp_path / "python"
    limited.write_text(WORKER.format(python=sys.executable, more=MORE_BYTES))
    limited.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(limited))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    photos, random = tmp_path / "photos", np.random.default_rng(0)
    photos.mkdir()
    for number in range(8):
        Image.fromarray(random.integers(0, 256, (512, 512, 3), dtype=np.uint8)).save(photos / f"{number}.png")

    def run(study: str) -> tuple[int, str, StudyFolder]:
        (tmp_path / "study.yaml").write_text(study.format(photos=photos))
        result = CliRunner().invoke(app, ["run", str(tmp_path / "study.yaml"), "--results", str(tmp_path)])
        return result.exit_code, result.output, StudyFolder(tmp_path / "memory")

    return run


def test_a_trial_that_needs_more_memory_than_there_is_fails_with_that_reason_and_the_others_complete(
    run: Callable[[str], tuple[int, str, StudyFolder]],
) -> None:
    code, output, folder = run(STUDY)
    assert code == 0, output
    records = folder.records()
    (large,) = [record for record in records if record.params["schedule.batch_size"] == 4096]
    assert large.state == "failed"
    assert [record.state for record in records if record is not large] == ["complete"] * 2
    assert large.reason.startswith("memory ran out while the networks were built; use a smaller schedule.batch_size")
    log = folder.trial(large.number).log.read_text()
    assert "MemoryError" in log
    events = EventAccumulator(str(folder.session(large.number)))
    events.Reload()
    content = events.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
    end = HParamsPluginData.FromString(content).session_end_info
    assert end.status == STATUS_FAILURE
