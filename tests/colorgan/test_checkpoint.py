import resource
import subprocess
import sys

import numpy as np
import pytest

from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult


@pytest.fixture
def checkpoint():
    history = (EpochResult(1, 5, {"train/l1": 0.1 + 0.2}, np.zeros((1, 2, 6, 3), np.uint8), 1.5, 0.25),)
    arrays = {"generator/0/kernel": np.arange(6, dtype=np.float32), "step/0/seed": np.array([1, 2], np.uint32)}
    return Checkpoint(TrainConfig(seed=4), 7, 1, (0.1, 1 / 3), 0.75, history, arrays)


def test_a_checkpoint_is_read_as_it_was_written_but_for_the_examples(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "c.npz")
    loaded = Checkpoint.load(tmp_path / "c.npz")
    assert loaded.config == checkpoint.config
    assert (loaded.step, loaded.epoch, loaded.loss_sums, loaded.train_seconds) == (7, 1, (0.1, 1 / 3), 0.75)
    assert loaded.history[0].metrics == checkpoint.history[0].metrics
    assert loaded.history[0].examples is None
    assert {name: (a.dtype, a.tolist()) for name, a in loaded.arrays.items()} == {
        name: (a.dtype, a.tolist()) for name, a in checkpoint.arrays.items()
    }


def test_writing_leaves_nothing_else_in_the_folder(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "c.npz")
    checkpoint.save(tmp_path / "c.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "c.npz"]


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_truncated_checkpoint_is_recognised(checkpoint, tmp_path, keep):
    path = tmp_path / "c.npz"
    checkpoint.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(CheckpointError, match=r"c\.npz: damaged checkpoint"):
        Checkpoint.load(path)


def test_flipped_bits_are_recognised_wherever_they_are(checkpoint, tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path)
    data, original = path.read_bytes(), Checkpoint.load(path)
    for place in range(0, len(data), 37):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            loaded = Checkpoint.load(path)
        except CheckpointError:
            continue
        # a bit that carries nothing, such as a time stamp in the archive's directory
        assert {k: v.tolist() for k, v in loaded.arrays.items()} == {k: v.tolist() for k, v in original.arrays.items()}
        assert loaded.config == original.config


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.npz: no such checkpoint"):
        Checkpoint.load(tmp_path / "none.npz")


def test_objects_that_would_run_code_are_refused(tmp_path):
    np.savez(tmp_path / "c.npz", meta=np.array([{"format": 1}], dtype=object))
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        Checkpoint.load(tmp_path / "c.npz")


def test_a_full_disk_leaves_the_older_checkpoint_whole(checkpoint, tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path)
    before = path.read_bytes()
    code = (
        "import signal, sys, numpy as np; from dataclasses import replace; from pathlib import Path\n"
        "from colorgan.checkpoint import Checkpoint\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "path = Path(sys.argv[1]); checkpoint = Checkpoint.load(path)\n"
        "try: replace(checkpoint, arrays={'big': np.zeros(10**6)}).save(path)\n"
        "except OSError as error: print(type(error).__name__, error.errno)\n"
    )
    limit = 100_000  # bytes that a file may have: the disk is full after them
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.stdout.startswith("OSError"), done.stderr
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
