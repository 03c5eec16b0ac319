import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from colorgan.checkpoint import Checkpoint, CheckpointError, read_run, remove_checkpoints, remove_previous
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


def test_writing_leaves_the_one_before_and_nothing_else(checkpoint, tmp_path):
    for step in (1, 2, 3):
        replace(checkpoint, step=step).save(tmp_path / "c.npz")
        assert Checkpoint.load(tmp_path / "c.npz").step == step
    assert Checkpoint.load(tmp_path / "previous-c.npz").step == 2
    assert {path.name for path in tmp_path.iterdir()} == {"c.npz", "previous-c.npz"}


def test_a_file_system_without_links_keeps_a_copy(checkpoint, tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for step in (1, 2):
        replace(checkpoint, step=step).save(tmp_path / "c.npz")
    assert Checkpoint.load(tmp_path / "previous-c.npz").step == 1
    assert {path.name for path in tmp_path.iterdir()} == {"c.npz", "previous-c.npz"}


def test_the_configuration_alone_is_read_without_the_variables(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "c.npz")
    data = bytearray((tmp_path / "c.npz").read_bytes())
    data[data.index(np.arange(6, dtype=np.float32).tobytes())] ^= 1
    (tmp_path / "c.npz").write_bytes(data)
    assert read_run(tmp_path / "c.npz") == (checkpoint.config, checkpoint.epoch)


def test_removing_a_checkpoint_removes_all_that_lies_beside_it(checkpoint, tmp_path):
    for name in ("damaged-c.npz", "damaged-2-c.npz", ".c.npz.4711", ".previous-c.npz.4711", "other.npz", ".c.npz.txt"):
        (tmp_path / name).touch()
    for _ in range(2):
        checkpoint.save(tmp_path / "c.npz")
    remove_previous(tmp_path / "c.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"c.npz", "other.npz", ".c.npz.txt"}
    remove_checkpoints(tmp_path / "c.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"other.npz", ".c.npz.txt"}
    remove_checkpoints(tmp_path / "c.npz")


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.npz: no such checkpoint"):
        Checkpoint.load(tmp_path / "none.npz")
