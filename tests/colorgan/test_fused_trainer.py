"""Several runs as one program; `test_on_jax.py` runs it in a process of its own."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("of a process on JAX", allow_module_level=True)

import jax

from colorgan import fused_trainer as room
from colorgan.config import parse_config
from colorgan.fused_trainer import FusedTrainer, best_places
from colorgan.photos import open_photos
from colorgan.run import resume
from colorgan.trainer import Trainer

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 12, "valid_limit": 3, "confirm_limit": 1},
        "generator": {"filters": 2, "depth": 2, "dropout": 0.4},
        "discriminator": {"filters": 2, "depth": 1},
        "schedule": {"epochs": 2, "steps_per_epoch": 3, "batch_size": 2, "decay": "linear"},
        "validation": {"batch_size": 4, "examples": 1},
        "seed": 11,
    }
)
LONGER = CONFIG.with_values({"schedule.epochs": 3, "losses.l1_weight": 3.0, "generator.dropout": 0.1, "seed": 3})
FASTER = CONFIG.with_values({"optimizer.generator_learning_rate": 5e-3, "losses.label_smoothing": 0.2, "seed": 4})


@pytest.fixture(scope="module")
def trainer():
    return Trainer(CONFIG, open_photos(CONFIG.data))


@pytest.fixture(scope="module")
def alone(trainer):
    """What each run measures by itself."""
    found = {}
    for config in (CONFIG, LONGER, FASTER):
        trainer.reset(config)
        found[config] = [result.metrics for result in trainer.epochs()]
    return found


@pytest.fixture(scope="module")
def fused(trainer):
    return FusedTrainer(trainer, 2)


def enter(fused, trainer, config):
    trainer.reset(config)
    return fused.enter()


def run_all(fused, trainer, configs):
    """Trains the runs, each at the first free place, and returns what each measured."""
    waiting, measured, at = list(configs), {config: [] for config in configs}, {}
    while waiting or fused.places:
        while waiting and len(fused.places) < 2:
            config = waiting.pop(0)
            at[enter(fused, trainer, config)] = config
        assert fused.train() == {}
        for place in fused.at_epoch_end():
            result = fused.look(place).finish_epoch()
            measured[at[place]].append(result.metrics)
            if result.epoch == at[place].schedule.epochs:
                fused.leave(place)
    return measured


def assert_close(found, expected):
    assert [metrics.keys() for metrics in found] == [metrics.keys() for metrics in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)


def test_each_of_many_runs_is_the_run_that_it_would_be_alone_and_the_next_takes_a_free_place(fused, trainer, alone):
    found = run_all(fused, trainer, [CONFIG, LONGER, FASTER])
    for config, expected in alone.items():
        assert_close(found[config], expected)


def test_members_taken_one_after_another_measure_the_same(trainer, alone):
    one_by_one = FusedTrainer(trainer, 2, way="map")
    found = run_all(one_by_one, trainer, [CONFIG, FASTER])
    for config, measured in found.items():
        assert_close(measured, alone[config])


def test_a_run_that_leaves_with_a_checkpoint_goes_on_beside_others(fused, trainer, alone, tmp_path):
    place, _ = enter(fused, trainer, LONGER), enter(fused, trainer, CONFIG)
    while not fused.at_epoch_end():
        fused.train()
    first = fused.look(place).finish_epoch().metrics
    fused.look(place).save(tmp_path / "checkpoint.npz")
    for taken in fused.places:
        fused.leave(taken)
    enter(fused, trainer, FASTER)
    trainer.reset(LONGER)
    assert "continued from the checkpoint after epoch 1" in resume(trainer, LONGER, tmp_path / "checkpoint.npz")
    place, rest = fused.enter(), []
    while len(rest) < 2:
        fused.train()
        for one in fused.at_epoch_end():
            result = fused.look(one).finish_epoch()
            if one == place:
                rest.append(result.metrics)
            elif result.epoch == 2:
                fused.leave(one)
    fused.leave(place)
    assert_close([first, *rest], alone[LONGER])


def test_a_loss_that_explodes_ends_its_own_run_alone(fused, trainer, alone):
    trainer.reset(FASTER)
    kernel = trainer.generator.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    broken = fused.enter()
    sound = enter(fused, trainer, CONFIG)
    (place,), (error,) = zip(*fused.train().items(), strict=True)
    assert (place, str(error)[:46]) == (broken, "train/generator_adversarial is nan at step 1; ")
    fused.leave(broken)
    while not fused.at_epoch_end():
        fused.train()
    assert_close([fused.look(sound).finish_epoch().metrics], alone[CONFIG][:1])
    fused.leave(sound)


def test_a_full_house_takes_no_more(fused, trainer):
    places = [enter(fused, trainer, CONFIG) for _ in range(2)]
    with pytest.raises(ValueError, match="not in list"):
        fused.enter()
    for place in places:
        fused.leave(place)


def test_a_run_that_could_not_enter_has_no_place(trainer):
    fused = FusedTrainer(trainer, 2)
    for array in jax.tree.leaves(fused._step._states):
        array.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        enter(fused, trainer, CONFIG)
    assert fused.places == []


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({1: 1.0, 2: 2.0}, 1),  # two at a time take twice as long
        ({1: 1.0, 2: 1.1, 4: 1.9, 8: 3.9}, 4),  # eight take twice as long as four
        ({1: 1.0, 2: 1.0, 4: MemoryError()}, 2),
        ({1: 1.0, 2: 1.0, 4: 1.0, 8: 1.0}, 8),  # no more were to be tried
    ],
)
def test_as_many_places_are_best_as_still_make_a_step_of_each_quicker(trainer, monkeypatch, seconds, expected):
    def measured(_, places):
        if isinstance(seconds[places], Exception):
            raise seconds[places]
        return seconds[places]

    monkeypatch.setattr(room, "step_seconds", measured)
    assert best_places(trainer, most=8) == expected


def test_measuring_leaves_the_run_as_it_stands(trainer, monkeypatch, alone):
    monkeypatch.setattr(room, "MEASURED_SECONDS", 0.01)
    trainer.reset(CONFIG)
    assert best_places(trainer, most=2) in (1, 2)
    assert [result.metrics for result in trainer.epochs()] == alone[CONFIG]
