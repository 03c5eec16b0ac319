import itertools
import os
import re
import shutil

import numpy as np
import pytest

from colorgan.checkpoint import Checkpoint
from colorgan.config import parse_config
from colorgan.photos import open_photos
from colorgan.run import resume, train
from colorgan.trainer import Trainer

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 6, "valid_limit": 2, "confirm_limit": 1},
        "generator": {"filters": 2, "depth": 2, "dropout": 0.0},
        "discriminator": {"filters": 2, "depth": 1},
        "schedule": {"epochs": 3, "steps_per_epoch": 2, "batch_size": 2, "checkpoint_epochs": 2},
    }
)
OFTEN = CONFIG.with_values({"schedule.checkpoint_epochs": 1})


@pytest.fixture(scope="module")
def built():
    return Trainer(CONFIG, open_photos(CONFIG.data))


@pytest.fixture
def trainer(built):
    built.reset(CONFIG)
    return built


def epochs(trainer, path):
    return (result for result in train(trainer, path) if result is not None)


def test_checkpoints_are_written_as_scheduled_and_at_the_end(trainer, tmp_path):
    path = tmp_path / "c.npz"
    saved = [Checkpoint.load(path).epoch if path.exists() else None for _ in epochs(trainer, path)]
    assert saved == [None, 2, 3]


def test_without_a_checkpoint_there_is_nothing_to_say(trainer, tmp_path):
    assert resume(trainer, CONFIG, tmp_path / "c.npz") == ""


def test_a_run_goes_on_where_its_checkpoint_ends(trainer, tmp_path):
    path = tmp_path / "c.npz"
    for _ in itertools.islice(epochs(trainer, path), 2):
        pass
    trainer.reset(CONFIG)
    assert resume(trainer, CONFIG, path) == "continued from the checkpoint after epoch 2, step 4"
    assert [result.epoch for result in epochs(trainer, path)] == [3]
    assert [result.epoch for result in trainer.history] == [1, 2, 3]


def test_a_longer_run_that_is_beyond_this_ones_end_is_another(trainer, tmp_path):
    path, short = tmp_path / "c.npz", CONFIG.with_values({"schedule.epochs": 1})
    next(epochs(trainer, path))
    trainer.progress.step += 1  # in the midst of its second epoch
    trainer.save(path)
    trainer.reset(short)
    assert resume(trainer, short, path) == "the checkpoint found is of another configuration; started anew"
    assert trainer.step == 0


def test_a_finished_run_has_nothing_left_to_do(trainer, tmp_path):
    list(epochs(trainer, tmp_path / "c.npz"))
    trainer.reset(CONFIG)
    resume(trainer, CONFIG, tmp_path / "c.npz")
    assert list(epochs(trainer, tmp_path / "c.npz")) == []


@pytest.fixture(scope="module")
def undisturbed(built, tmp_path_factory):
    """Metrics of each epoch, and the folder of checkpoints after each."""
    folder = tmp_path_factory.mktemp("undisturbed")
    built.reset(OFTEN)
    metrics = []
    for result in epochs(built, folder / "c.npz"):
        metrics.append(result.metrics)
        shutil.copy(folder / "c.npz", folder / f"{result.epoch}.npz")
    return metrics, folder


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def assert_ends_as(undisturbed, trainer, path):
    """The rest of the run gives the same metrics and the same weights to the last bit."""
    metrics, folder = undisturbed
    list(epochs(trainer, path))
    assert [result.metrics for result in trainer.history] == metrics
    found, expected = Checkpoint.load(path), Checkpoint.load(folder / "3.npz")
    assert all(np.array_equal(found.arrays[name], array) for name, array in expected.arrays.items())


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before_it(trainer, undisturbed, tmp_path):
    path = tmp_path / "c.npz"
    trainer.reset(OFTEN)
    for _ in itertools.islice(epochs(trainer, path), 2):
        pass
    flip(path)
    torn = path.read_bytes()
    trainer.reset(OFTEN)
    said = resume(trainer, OFTEN, path)
    assert re.search(r"c\.npz: damaged checkpoint \(.+\); set aside as damaged-c\.npz", said)
    assert said.endswith("; continued from the one before it after epoch 1, step 2")
    assert (tmp_path / "damaged-c.npz").read_bytes() == torn
    assert_ends_as(undisturbed, trainer, path)


def test_where_both_are_damaged_the_run_starts_anew_once(trainer, undisturbed, tmp_path):
    path = tmp_path / "c.npz"
    for name, number in (("previous-c.npz", 1), ("c.npz", 2)):
        shutil.copy(undisturbed[1] / f"{number}.npz", tmp_path / name)
        flip(tmp_path / name)
    trainer.reset(OFTEN)
    said = resume(trainer, OFTEN, path)
    assert said.count("set aside as") == 2
    assert said.endswith("set aside as damaged-2-c.npz; started anew")
    assert trainer.step == 0
    assert resume(trainer, OFTEN, path) == ""
    assert_ends_as(undisturbed, trainer, path)


def test_a_run_killed_before_its_new_checkpoint_had_its_name_goes_on_from_the_one_before(
    trainer, undisturbed, tmp_path
):
    shutil.copy(undisturbed[1] / "2.npz", tmp_path / "previous-c.npz")
    for name in (".c.npz.4711", ".previous-c.npz.4712"):  # the latter a copy that had no name yet
        (tmp_path / name).write_bytes(b"half of the next")
    trainer.reset(OFTEN)
    assert resume(trainer, OFTEN, tmp_path / "c.npz") == "continued from the checkpoint after epoch 2, step 4"
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]
    assert_ends_as(undisturbed, trainer, tmp_path / "c.npz")


@pytest.mark.parametrize("thing", ["nothing", "text", "folder", "array", "link"])
def test_whatever_stands_in_a_checkpoints_place_is_set_aside(trainer, tmp_path, thing):
    path = tmp_path / "c.npz"
    match thing:
        case "nothing":
            path.touch()
        case "text":
            path.write_bytes(b"PK torn")
        case "folder":
            (path / "inside").mkdir(parents=True)
        case "array":
            np.savez(path, a=np.zeros(3))
        case "link":
            path.symlink_to("nowhere")
    assert resume(trainer, CONFIG, path).endswith("; set aside as damaged-c.npz; started anew")
    assert os.path.lexists(tmp_path / "damaged-c.npz")
    assert not os.path.lexists(path)
    assert trainer.step == 0
    trainer.save(path)
    assert resume(trainer, CONFIG, path) == "continued from the checkpoint after epoch 0, step 0"


def test_another_configurations_checkpoint_is_not_used(trainer, tmp_path):
    path = tmp_path / "c.npz"
    trainer.save(path)
    other = CONFIG.with_values({"losses.l1_weight": 1.0})
    trainer.reset(other)
    assert "of another configuration" in resume(trainer, other, path)
    assert trainer.config == other
