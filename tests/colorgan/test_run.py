import itertools

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


def test_a_finished_run_has_nothing_left_to_do(trainer, tmp_path):
    list(epochs(trainer, tmp_path / "c.npz"))
    trainer.reset(CONFIG)
    resume(trainer, CONFIG, tmp_path / "c.npz")
    assert list(epochs(trainer, tmp_path / "c.npz")) == []


def test_a_damaged_checkpoint_is_set_aside_and_the_run_starts_anew(trainer, tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(b"PK torn")
    assert "set aside as damaged-c.npz, started anew" in resume(trainer, CONFIG, path)
    assert (tmp_path / "damaged-c.npz").read_bytes() == b"PK torn"
    assert not path.exists()
    assert trainer.step == 0


def test_another_configurations_checkpoint_is_not_used(trainer, tmp_path):
    path = tmp_path / "c.npz"
    trainer.save(path)
    other = CONFIG.with_values({"losses.l1_weight": 1.0})
    trainer.reset(other)
    assert "of another configuration" in resume(trainer, other, path)
    assert trainer.config == other
