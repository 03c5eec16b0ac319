import io
import json
import os
import shutil
import warnings
import zipfile

import keras
import numpy as np
import pytest
from keras import ops

from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import parse_config
from colorgan.errors import BadInputError
from colorgan.export import export_run
from colorgan.model import CARD, MAX_JSON_BYTES, ModelError, find_model, load_model, load_run
from colorgan.photos import open_photos
from colorgan.trainer import Trainer

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 8, "valid_limit": 2, "confirm_limit": 1},
        "generator": {"filters": 4, "depth": 3, "dropout": 0.4},
        "discriminator": {"filters": 4, "depth": 2},
        "optimizer": {"generator_learning_rate": 1e-2},
        "schedule": {"epochs": 2, "steps_per_epoch": 3, "batch_size": 4},
        "validation": {"batch_size": 4, "examples": 0},
    }
)


@pytest.fixture(scope="module")
def trained():
    trainer = Trainer(CONFIG, open_photos(CONFIG.data))
    assert len(list(trainer.epochs())) == 2
    return trainer


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    trained.save(folder / "checkpoint.npz")
    export_run(folder, formats=["keras"])
    return folder


@pytest.fixture
def lightness():
    return np.random.default_rng(3).uniform(-1, 1, (2, 16, 16, 1)).astype(np.float32)


def repacked(source, target, changes):
    """A Keras file with some entries replaced; None leaves one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        entries = {name: old.read(name) for name in old.namelist()} | changes
        for name, data in entries.items():
            if data is not None:
                new.writestr(name, data)
    return target


def test_a_checkpoint_gives_the_moving_average_that_was_validated(trained, run, lightness):
    model = load_model(run / "checkpoint.npz")
    average = ops.convert_to_numpy(trained.best_generator(lightness, training=False))
    raw = ops.convert_to_numpy(trained.generator(lightness, training=False))
    assert np.allclose(model.predict(lightness), average, atol=1e-6)
    assert not np.allclose(model.predict(lightness), raw, atol=1e-3)
    assert (model.config, model.epoch) == (CONFIG, 2)


def test_without_a_moving_average_a_checkpoint_gives_the_raw_weights(run, tmp_path, trained, lightness):
    found = Checkpoint.load(run / "checkpoint.npz")
    arrays = {name: array for name, array in found.arrays.items() if not name.startswith("average/")}
    config = CONFIG.with_values({"validation.moving_average": None})
    Checkpoint(config, 6, 2, found.loss_sums, 0.0, found.history, arrays).save(tmp_path / "raw.npz")
    raw = ops.convert_to_numpy(trained.generator(lightness, training=False))
    assert np.allclose(load_model(tmp_path / "raw.npz").predict(lightness), raw, atol=1e-6)


def test_an_export_predicts_what_its_checkpoint_does(run, lightness):
    checkpoint, export = load_model(run), load_model(run / "export")
    assert np.array_equal(export.predict(lightness), checkpoint.predict(lightness))
    assert (export.config, export.epoch) == (checkpoint.config, 2)
    assert export.source == run / "export" / "generator.keras"


def test_a_model_takes_any_photo_whose_sides_are_multiples_of_its_own(run):
    model = load_model(run)
    assert model.multiple == 8
    assert model.predict(np.zeros((1, 8, 24, 1), np.float32)).shape == (1, 8, 24, 2)


def test_a_run_has_both_networks(trained, run, lightness):
    loaded, chroma = load_run(run), np.zeros((2, 16, 16, 2), np.float32)
    judged = trained.discriminator([lightness, chroma], training=False)
    assert np.allclose(loaded.discriminator([lightness, chroma], training=False), judged, atol=1e-6)
    assert loaded.checkpoint.step == 6


def test_a_run_trained_in_16_bit_is_given_in_32(run, tmp_path):
    found = Checkpoint.load(run / "checkpoint.npz")
    config = CONFIG.with_values({"precision.policy": "mixed_bfloat16"})
    Checkpoint(config, 6, 2, found.loss_sums, 0.0, found.history, found.arrays).save(tmp_path / "mixed.npz")
    assert load_model(tmp_path / "mixed.npz").generator.get_layer("down_1").compute_dtype == "bfloat16"
    networks = load_run(tmp_path / "mixed.npz")
    layers = [*networks.model.generator.layers, *networks.discriminator.layers]
    assert {layer.compute_dtype for layer in layers} == {"float32"}


def test_the_best_checkpoint_of_a_run_comes_first(run, tmp_path):
    shutil.copy(run / "checkpoint.npz", tmp_path / "checkpoint.npz")
    assert find_model(tmp_path) == tmp_path / "checkpoint.npz"
    shutil.copy(run / "checkpoint.npz", tmp_path / "best.npz")
    assert find_model(tmp_path) == tmp_path / "best.npz"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nosuch", r"nosuch: no such file or folder"),
        (lambda folder: (folder / "photo.jpg").write_bytes(b"x") and folder / "photo.jpg", r"photo\.jpg: not a model"),
        (lambda folder: folder, r"no model in this folder .*Give a run's folder"),
        (lambda folder: (folder / "trials").mkdir() or folder, r"It is a study: name one of its trials"),
        (lambda folder: (folder / "config.yaml").write_text("x") and folder, r"Train it first: make train CONFIG="),
    ],
)
def test_where_there_is_no_model_the_error_says_what_to_give(tmp_path, make, message):
    with pytest.raises(ModelError, match=message):
        load_model(make(tmp_path))


@pytest.mark.parametrize("name", ["empty.npz", "empty.keras"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(BadInputError, match=rf"{name}: damaged"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_export_is_refused(run, tmp_path, share):
    data = (run / "export" / "generator.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ModelError, match=r"cut\.keras: damaged, or no exported generator"):
        load_model(tmp_path / "cut.keras")


def test_a_flipped_bit_of_the_weights_is_noticed(run, tmp_path):
    data = bytearray((run / "export" / "generator.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.keras").write_bytes(data)
    with pytest.raises(ModelError, match=r"flipped\.keras: damaged \(model\.weights\.h5 does not match its checksum\)"):
        load_model(tmp_path / "flipped.keras")


def test_another_programs_keras_file_is_refused(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=r"not a generator that `python -m colorgan export` wrote"):
        load_model(tmp_path / "other.keras")


def test_the_discriminator_is_no_generator(run):
    with pytest.raises(ModelError, match="not a generator"):
        load_model(run / "export" / "discriminator.keras")


@pytest.mark.parametrize("card", [b"[]", b"{}", b"no JSON", b'{"config": {}, "epoch": "x"}', b" " * (1 << 21)])
def test_a_card_that_is_none_is_refused(run, tmp_path, card):
    path = repacked(run / "export" / "generator.keras", tmp_path / "g.keras", {CARD: card})
    with pytest.raises(ModelError, match=r"g\.keras: "):
        load_model(path)


@pytest.mark.parametrize(("entry", "size"), [(CARD, MAX_JSON_BYTES), ("config.json", MAX_JSON_BYTES), ("x", 1 << 26)])
def test_a_small_file_that_would_take_all_memory_is_refused(run, tmp_path, entry, size):
    path = tmp_path / "bomb.keras"
    shutil.copy(run / "export" / "generator.keras", path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings(action="ignore"):
        archive.writestr(entry, b" " * (size + 1))  # a second entry of a name hides the first
    with pytest.raises(ModelError, match=r"bomb\.keras: .*(more than|as large)"):
        load_model(path)


def test_a_configuration_with_mistakes_is_named_with_its_file(run, tmp_path):
    card = json.dumps({"config": {"generator": {"filters": -1}}, "epoch": 1})
    path = repacked(run / "export" / "generator.keras", tmp_path / "g.keras", {CARD: card})
    with pytest.raises(BadInputError, match=r"g\.keras: colorgan\.json: generator\.filters"):
        load_model(path)


def test_another_configurations_weights_are_refused(run, tmp_path):
    card = json.dumps({"config": CONFIG.with_values({"generator.filters": 2}).model_dump(mode="json")})
    path = repacked(run / "export" / "generator.keras", tmp_path / "g.keras", {CARD: card})
    with pytest.raises(ModelError, match=r"g\.keras: "):
        load_model(path)


def test_a_keras_file_that_would_run_code_is_refused_and_runs_none(run, tmp_path):
    witness = tmp_path / "executed"

    def leave_a_trace(x):
        witness.touch()
        return x

    photo = keras.Input((None, None, 1), name="lightness")
    chroma = keras.layers.Conv2D(2, 1, name="up_0")(keras.layers.Lambda(leave_a_trace)(photo))
    harmful = keras.Model(photo, chroma)
    harmful.save(tmp_path / "lambda.keras")
    witness.unlink()
    with zipfile.ZipFile(tmp_path / "lambda.keras") as archive:
        description = archive.read("config.json")
    assert b"Lambda" in description
    dressed = repacked(run / "export" / "generator.keras", tmp_path / "dressed.keras", {"config.json": description})
    for path, message in ((tmp_path / "lambda.keras", "not a generator that"), (dressed, "its layers are not those")):
        with pytest.raises(ModelError, match=message):
            load_model(path)
    assert not witness.exists()


class Harmful:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


def test_a_checkpoint_with_pickled_objects_is_refused_and_runs_none(run, tmp_path):
    with np.load(run / "checkpoint.npz") as archive:
        arrays = dict(archive)
    arrays["generator/0/kernel"] = np.array([Harmful(tmp_path / "executed")], dtype=object)
    np.savez(tmp_path / "harmful.npz", **arrays)
    with pytest.raises(CheckpointError, match=r"harmful\.npz: damaged checkpoint"):
        load_model(tmp_path / "harmful.npz")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("rename", ["average/{}/kernel", "average/{}x/kernel"])
def test_a_checkpoint_with_other_variables_is_refused(run, tmp_path, rename):
    found = Checkpoint.load(run / "checkpoint.npz")
    arrays = {**found.arrays, rename.format(99): np.zeros(3, np.float32)}
    Checkpoint(CONFIG, 6, 2, found.loss_sums, 0.0, found.history, arrays).save(tmp_path / "c.npz")
    with pytest.raises(ModelError, match=r"c\.npz: its (average/weights|variables)"):
        load_model(tmp_path / "c.npz")


def test_an_export_is_no_run(run):
    with pytest.raises(ModelError, match="holds no discriminator; give the run's folder"):
        load_run(run / "export")


def test_a_zip_that_is_no_model_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "hello")
    (tmp_path / "notes.keras").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="not a generator that"):
        load_model(tmp_path / "notes.keras")
