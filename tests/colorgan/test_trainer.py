import itertools
import json
import math
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from keras import ops

from colorgan import trainer as trainer_room
from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import parse_config
from colorgan.epoch import TRAIN_METRICS, VALID_METRICS
from colorgan.model import load_model
from colorgan.photos import PhotosError, open_photos
from colorgan.progress import NonFiniteLossError
from colorgan.trainer import Trainer

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 12, "valid_limit": 3, "confirm_limit": 1},
        "generator": {"filters": 4, "depth": 3, "dropout": 0.4},
        "discriminator": {"filters": 4, "depth": 2},
        "losses": {"label_smoothing": 0.1, "l2_weight": 5.0},
        "optimizer": {"generator_learning_rate": 1e-3, "discriminator_learning_rate": 5e-4},
        "schedule": {"epochs": 3, "steps_per_epoch": 4, "batch_size": 4, "decay": "linear"},
        "validation": {"batch_size": 4, "examples": 2},
        "seed": 11,
    }
)
OTHERS = {
    "losses.l1_weight": 3.0,
    "losses.adversarial_weight": 2.0,
    "losses.label_smoothing": 0.0,
    "optimizer.generator_beta_1": 0.9,
    "optimizer.beta_2": 0.9,
    "optimizer.generator_learning_rate": 1e-2,
    "generator.dropout": 0.1,
    "schedule.decay": "constant",
}


@pytest.fixture(scope="module")
def photos():
    return open_photos(CONFIG.data)


@pytest.fixture(scope="module")
def warm(photos):
    return Trainer(CONFIG, photos)


def variables(trainer):
    return {name: ops.convert_to_numpy(v).copy() for name, v in trainer._variables().items()}


def run(trainer):
    """The run's metrics, and every variable at its end."""
    return [result.metrics for result in trainer.epochs()], variables(trainer)


def assert_equal(first, second):
    assert first[0] == second[0]
    assert first[1].keys() == second[1].keys()
    assert all(np.array_equal(first[1][name], second[1][name]) for name in first[1])


def test_an_epoch_reports_every_metric_and_the_examples_that_are_due(warm, photos):
    warm.reset(CONFIG)
    results = list(warm.epochs())
    assert [(result.epoch, result.step) for result in results] == [(1, 4), (2, 8), (3, 12)]
    assert list(results[0].metrics) == [metric.key for metric in TRAIN_METRICS + VALID_METRICS]
    assert all(math.isfinite(value) for value in results[0].metrics.values())
    sheet = results[0].examples
    assert sheet.shape == (2, 16, 48, 3)
    assert np.array_equal(sheet[0, :, 16:32], photos.valid[0])
    assert np.all(np.ptp(sheet[:, :, :16].astype(int), axis=-1) <= 1)  # gray


def test_pictures_are_shown_once_and_not_kept(warm):
    warm.reset(CONFIG)
    shown = [result.examples is not None for result in warm.epochs()]
    assert any(shown)
    assert [result.examples for result in warm.history] == [None] * len(shown)


@pytest.mark.parametrize("l1_weight", [100.0, 0.0])  # without a loss there is no gradient
def test_the_ends_of_their_ranges_make_no_step_divide_by_0(warm, l1_weight):
    ends = {"generator.dropout": 0.999999, "optimizer.epsilon": 1e-30}
    ends |= {f"optimizer.{name}": 0.999999 for name in ("generator_beta_1", "discriminator_beta_1", "beta_2")}
    weights = {"losses.l1_weight": l1_weight, "losses.l2_weight": 0.0, "losses.adversarial_weight": 0.0}
    warm.reset(CONFIG.with_values({**ends, **weights}))
    list(warm.epochs())
    assert all(np.isfinite(values).all() for values in variables(warm).values())


def test_a_users_own_keras_settings_change_nothing(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float64", "image_data_format": "channels_first"}')
    code = (
        "from colorgan.config import DiscriminatorConfig, GeneratorConfig\n"
        "from colorgan.discriminator import build_discriminator\n"
        "from colorgan.generator import build_generator\n"
        "for network in (build_generator(GeneratorConfig(filters=4, depth=3), size=16),\n"
        "                build_discriminator(DiscriminatorConfig(filters=4, depth=2), size=16)):\n"
        "    print(network.inputs[0].shape, network.weights[0].dtype)\n"
    )
    environment = {**os.environ, "KERAS_HOME": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.split("\n")[0] == "(None, 16, 16, 1) float32"


def test_a_tenth_trial_in_a_warm_trainer_equals_the_first_and_a_new_trainers(warm, photos):
    warm.reset(CONFIG)
    first = run(warm)
    for seed in range(8):
        warm.reset(CONFIG.with_values(OTHERS), seed)
        next(warm.epochs())
    warm.reset(CONFIG)
    tenth = run(warm)
    assert_equal(first, tenth)
    assert_equal(run(Trainer(CONFIG, photos)), tenth)


def test_a_warm_trainer_equals_a_cold_process(warm, tmp_path):
    warm.reset(CONFIG.with_values(OTHERS), 3)
    expected, _ = run(warm)
    (tmp_path / "config.yaml").write_text(CONFIG.with_values({**OTHERS, "seed": 3}).to_yaml())
    command = [sys.executable, "-m", "colorgan", "train", str(tmp_path / "config.yaml"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    epochs = json.loads((tmp_path / "result.json").read_text())["epochs"]
    assert [epoch["metrics"] for epoch in epochs] == expected


def test_a_reset_neither_builds_nor_traces(warm, monkeypatch):
    networks = warm.generator, warm.discriminator

    def traced(*_):
        raise AssertionError("traced again")

    monkeypatch.setattr("colorgan.step.Networks.losses", traced)
    monkeypatch.setattr("colorgan.trainer.find_chroma", traced)
    warm.reset(CONFIG.with_values(OTHERS), seed=99)
    run(warm)
    assert (warm.generator, warm.discriminator) == networks


def test_a_reset_for_another_architecture_is_refused(warm):
    with pytest.raises(ValueError, match="another architecture"):
        warm.reset(CONFIG.with_values({"generator.filters": 2}))


@pytest.mark.parametrize("pauses", [1, 3, 5, 9])
def test_a_run_resumed_from_any_pause_equals_an_uninterrupted_one(warm, photos, tmp_path, monkeypatch, pauses):
    warm.reset(CONFIG)
    undisturbed = run(warm)
    monkeypatch.setattr(trainer_room, "PAUSE_SECONDS", 0.0)
    warm.reset(CONFIG)
    for _ in itertools.islice(warm.pauses(), pauses):
        pass
    warm.save(tmp_path / "checkpoint.npz")
    saved = variables(warm)
    warm.reset(CONFIG, seed=5)
    next(warm.epochs())  # another trial in between
    warm.restore(Checkpoint.load(tmp_path / "checkpoint.npz"))
    assert all(np.array_equal(value, saved[name]) for name, value in variables(warm).items())
    for _ in warm.epochs():
        pass
    assert_equal(([result.metrics for result in warm.history], variables(warm)), undisturbed)


def test_a_checkpoint_of_other_variables_is_refused(warm, tmp_path):
    warm.reset(CONFIG)
    warm.save(tmp_path / "checkpoint.npz")
    checkpoint = Checkpoint.load(tmp_path / "checkpoint.npz")
    arrays = dict(itertools.islice(checkpoint.arrays.items(), 3))
    with pytest.raises(CheckpointError, match="not those of its configuration"):
        warm.restore(replace(checkpoint, arrays=arrays))


THESIS = CONFIG.with_values(
    {
        "data.color_space": "hsv",
        "data.renew_epochs": 1,
        "generator.noise": 0.3,
        "generator.normalization": "instance",
        "generator.split_decoders": True,
        "discriminator.normalization": "instance",
        "discriminator.unstrided_blocks": 0,
    }
)


@pytest.fixture(scope="module")
def thesis():
    """A trainer of the thesis' choices: HSV, split decoders, noise, instance normalization, new photos."""
    return Trainer(THESIS, open_photos(THESIS.data))


@pytest.fixture(scope="module")
def first(thesis):
    """The first run of that trainer."""
    return run(thesis)


def test_the_thesis_choices_give_the_same_run_warm_and_cold(first, thesis):
    thesis.reset(THESIS.with_values({**OTHERS, "generator.noise": 0.01}), 3)
    next(thesis.epochs())
    thesis.reset(THESIS)
    assert_equal(run(thesis), first)
    assert all(math.isfinite(value) for metrics in first[0] for value in metrics.values())


@pytest.mark.parametrize("pauses", [2, 5, 8])
def test_the_thesis_choices_are_resumed_exactly_in_every_part(first, thesis, tmp_path, monkeypatch, pauses):
    monkeypatch.setattr(trainer_room, "PAUSE_SECONDS", 0.0)
    thesis.reset(THESIS)
    for _ in itertools.islice(thesis.pauses(), pauses):
        pass
    thesis.save(tmp_path / "checkpoint.npz")
    thesis.reset(THESIS.with_values({"generator.noise": 1.0}), seed=5)
    next(thesis.epochs())
    thesis.restore(Checkpoint.load(tmp_path / "checkpoint.npz"))
    for _ in thesis.epochs():
        pass
    assert_equal(([result.metrics for result in thesis.history], variables(thesis)), first)


def test_the_noise_changes_the_run_and_its_draws_go_on(first, thesis):
    thesis.reset(THESIS)
    seeds = {name: v for name, v in variables(thesis).items() if name.endswith("seed_generator_state")}
    assert len(seeds) > 1
    assert all(not np.array_equal(first[1][name], state) for name, state in seeds.items())
    thesis.reset(THESIS.with_values({"generator.noise": 0.01}))
    assert next(thesis.epochs()).metrics != first[0][0]


def test_each_epoch_is_trained_and_measured_on_its_own_photos_and_confirmed_on_the_same(thesis):
    thesis.reset(THESIS)
    photos = [thesis.progress.batches.photos(epoch) for epoch in range(3)]
    trained = [
        {crop.tobytes() for step in range(4 * e, 4 * e + 4) for crop in thesis.progress.batches.batch(step).array()}
        for e in range(3)
    ]
    for shown, crops in zip(photos, trained, strict=True):
        assert crops <= {view.tobytes() for crop in shown.train for view in (crop, crop[:, ::-1])}
        assert np.array_equal(shown.confirm, thesis.photos.confirm)
    assert not any(a & b for a, b in itertools.combinations(trained, 2))
    result = next(thesis.epochs())
    second = next(thesis.epochs())
    assert np.array_equal(result.examples[0, :, 16:32], photos[0].valid[0])
    measured = thesis.validator.measure(photos[1].valid, thesis._predict)
    assert measured == {key: second.metrics[key] for key in measured}
    assert measured != thesis.validator.measure(photos[0].valid, thesis._predict)


def test_a_saved_model_of_hsv_finds_the_chroma_that_was_validated(thesis, tmp_path):
    thesis.reset(THESIS)
    next(thesis.epochs())
    thesis.save(tmp_path / "checkpoint.npz")
    crops = np.array(thesis.photos.valid[:2])
    validated = np.asarray(thesis._predict(crops))
    assert np.allclose(load_model(tmp_path / "checkpoint.npz").find_chroma(crops), validated, atol=1e-5)


def test_another_seed_gives_another_run(warm):
    warm.reset(CONFIG, 1)
    first, _ = run(warm)
    warm.reset(CONFIG, 2)
    assert run(warm)[0] != first


def test_each_pass_trains_on_each_crop_once_and_in_another_order(warm, photos):
    warm.reset(CONFIG.with_values({"data.flip": False}))
    steps = len(photos.train)  # four passes of batches of four
    crops = [crop.tobytes() for step in range(steps) for crop in warm.progress.batches.batch(step).array()]
    passes = [crops[i : i + len(photos.train)] for i in range(0, len(crops), len(photos.train))]
    everything = Counter(crop.tobytes() for crop in photos.train)
    assert len(passes) == 4
    assert all(Counter(found) == everything for found in passes)
    assert passes[0] != passes[1]


def test_about_half_of_the_crops_are_mirrored_in_each_pass_others_than_before(warm, photos):
    warm.reset(CONFIG)
    found = [crop for step in range(100) for crop in warm.progress.batches.batch(step).array()]
    straight = {crop.tobytes() for crop in photos.train}
    mirrored = {crop[:, ::-1].tobytes() for crop in photos.train}
    assert not straight & mirrored
    are = [crop.tobytes() in mirrored for crop in found]
    assert all(now or crop.tobytes() in straight for now, crop in zip(are, found, strict=True))
    assert 160 < sum(are) < 240
    by_pass = {}
    for place, crop in enumerate(found):
        by_pass.setdefault(place // len(photos.train), set()).add(crop.tobytes())
    assert len({frozenset(crops & mirrored) for crops in by_pass.values()}) > 1


def test_fewer_crops_than_a_batch_are_enough(photos):
    few = replace(photos, train=photos.train[:3], valid=photos.valid[:1])
    trainer = Trainer(CONFIG.with_values({"schedule.steps_per_epoch": None}), few)
    assert [result.step for result in trainer.epochs()] == [1, 2, 3]


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (6, 1.0), (9, 0.5), (11, 1 / 6)])
def test_linear_decay_halves_the_way_to_zero(warm, step, factor):
    warm.reset(CONFIG)  # 12 steps, decay from the sixth on
    warm.progress.step = step
    assert warm.progress.knobs().generator_learning_rate == pytest.approx(1e-3 * factor)
    assert warm.progress.knobs().discriminator_learning_rate == pytest.approx(5e-4 * factor)


def test_a_loss_that_explodes_ends_the_run_with_step_and_name(warm):
    warm.reset(CONFIG.with_values({"losses.l1_weight": 1e6, "optimizer.generator_learning_rate": 1.0}))
    kernel = warm.generator.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    with pytest.raises(NonFiniteLossError, match=r"train/generator_adversarial is nan at step 1\b"):
        list(warm.epochs())


def test_the_moving_average_follows_its_warm_up(warm):
    warm.reset(CONFIG)
    average, weight = warm.best_generator.weights, warm.generator.weights
    expected = [ops.convert_to_numpy(v).astype(np.float64) for v in weight]
    for step in range(3):
        warm.train_step(warm.progress.batch().array(), warm.progress.knobs())
        warm.train_step.settle()
        warm.progress.step += 1
        decay = (1 + step) / (10 + step)
        expected = [decay * e + (1 - decay) * ops.convert_to_numpy(w) for e, w in zip(expected, weight, strict=True)]
        assert all(np.allclose(e, a, atol=1e-6) for e, a in zip(expected, average, strict=True))


def test_without_a_moving_average_the_raw_generator_is_validated(photos):
    trainer = Trainer(CONFIG.with_values({"validation.moving_average": None}), photos)
    assert trainer.best_generator is trainer.generator
    assert math.isfinite(next(trainer.epochs()).metrics["valid/delta_e"])


def test_the_validation_follows_its_own_schedule(warm):
    warm.reset(CONFIG.with_values({"validation.epochs": 2, "validation.example_epochs": 3}))
    results = list(warm.epochs())
    assert ["valid/delta_e" in result.metrics for result in results] == [False, True, True]
    assert [result.examples is not None for result in results] == [True, False, True]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_to_about_the_same(warm, photos, policy):
    warm.reset(CONFIG)
    full = next(warm.epochs()).metrics
    mixed = next(Trainer(CONFIG.with_values({"precision.policy": policy}), photos).epochs()).metrics
    assert mixed["valid/delta_e"] == pytest.approx(full["valid/delta_e"], rel=0.05)
    assert mixed["train/l1"] == pytest.approx(full["train/l1"], rel=0.05)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_repeated_and_resumed_exactly(photos, tmp_path, policy):
    config = CONFIG.with_values({"precision.policy": policy})
    trainer = Trainer(config, photos)
    whole = run(trainer)
    trainer.reset(config)
    next(trainer.epochs())
    trainer.save(tmp_path / "checkpoint.npz")
    resumed = Trainer(config, photos)
    resumed.restore(Checkpoint.load(tmp_path / "checkpoint.npz"))
    metrics, state = run(resumed)
    assert_equal(([whole[0][0], *metrics], state), whole)


def test_more_training_lowers_the_reconstruction_loss(warm):
    plan = {"schedule.epochs": 12, "schedule.decay": "constant", "generator.dropout": 0.01}
    warm.reset(CONFIG.with_values(plan))
    losses = [result.metrics["train/l1"] for result in warm.epochs()]
    assert losses[-1] < 0.9 * losses[0]


def test_a_run_is_measured_on_the_part_that_it_names(warm, photos):
    def measured(part, **parts):
        warm.reset(CONFIG.with_values({"validation.part": part}), photos=replace(photos, **parts))
        return next(warm.epochs()).metrics["valid/delta_e"]

    on_valid = measured("valid")
    assert measured("confirm") != on_valid
    assert measured("confirm", confirm=photos.valid) == on_valid
    with pytest.raises(PhotosError, match=r"no photos to confirm, .*; raise data\.confirm_fraction"):
        measured("confirm", confirm=photos.valid[:0])
    warm.reset(CONFIG, photos=photos)
