import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec

import h5py
import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from typer.testing import CliRunner

from colorgan import onnx_file
from colorgan.__main__ import app
from colorgan.architecture_picture import draw_architecture, find_blocks
from colorgan.blocks import initialize
from colorgan.checkpoint import Checkpoint
from colorgan.config import parse_config
from colorgan.discriminator import build_discriminator
from colorgan.errors import CannotRunError
from colorgan.export import export_run
from colorgan.generator import build_generator
from colorgan.model import load_model, load_run
from colorgan.model_card import find_baselines
from colorgan.photos import open_photos
from colorgan.record import TrialRecord, write_record
from colorgan.trainer import Trainer

ROOM = {
    "data": {"size": 16, "crop_scales": [1.0], "train_limit": 8, "valid_limit": 2, "confirm_limit": 1},
    "generator": {"filters": 4, "depth": 3, "dropout": 0.4},
    "discriminator": {"filters": 4, "depth": 2},
    "schedule": {"epochs": 1, "steps_per_epoch": 3, "batch_size": 4},
    "validation": {"batch_size": 4, "examples": 0},
}
CONFIG = parse_config(ROOM)
MISSING = onnx_file.missing_packages()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trial's folder in a study that knows its baselines."""
    study = tmp_path_factory.mktemp("study")
    (study / "trials" / "0003").mkdir(parents=True)
    baselines = {"gray": {"valid/delta_e": 20.2125}, "tint": {"valid/delta_e": 21.565}}
    (study / "summary.json").write_text(json.dumps({"baselines": baselines}))
    trainer = Trainer(CONFIG, open_photos(CONFIG.data))
    list(trainer.epochs())
    trainer.save(study / "trials" / "0003" / "checkpoint.npz")
    return study / "trials" / "0003"


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def export(run, said):
    return export_run(run, say=said.append)


@pytest.fixture
def lightness():
    return np.random.default_rng(0).uniform(-1, 1, (2, 16, 24, 1)).astype(np.float32)


def colorgan(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def test_everything_is_there_and_nothing_else(run, export, said):
    wanted = {
        "generator.keras", "discriminator.keras", "generator.weights.h5", "discriminator.weights.h5", "saved_model",
        "architecture.png", "summary.txt", "card.md",
    }  # fmt: skip
    assert {path.name for path in export.iterdir()} == (wanted if MISSING else wanted | {"generator.onnx"})
    assert export == run / "export"
    assert bool(MISSING) == any("pip install 'colorgan[onnx]'" in line for line in said)
    assert {path.name for path in run.iterdir()} == {"checkpoint.npz", "export"}


READ_ELSEWHERE = """
import sys
import numpy as np
import colorgan.blocks
import keras
import tensorflow as tf
folder, lightness = sys.argv[1], np.load(sys.argv[2])
chroma = np.zeros((*lightness.shape[:3], 2), np.float32)
generator = keras.saving.load_model(folder + "/generator.keras", compile=False, safe_mode=True)
discriminator = keras.saving.load_model(folder + "/discriminator.keras", compile=False, safe_mode=True)
saved = tf.saved_model.load(folder + "/saved_model")
served = saved.serve(lightness)
logits = discriminator([lightness, chroma], training=False)
np.savez(sys.argv[3], keras=generator(lightness, training=False), served=served, logits=logits)
assert not [name for name in sys.modules if name in ("colorgan.model", "colorgan.trainer", "colorgan.export")]
"""


def test_keras_in_safe_mode_and_tensorflow_read_it_in_another_process(run, export, lightness, tmp_path):
    np.save(tmp_path / "lightness.npy", lightness)
    arguments = [str(path) for path in (export, tmp_path / "lightness.npy", tmp_path / "found.npz")]
    subprocess.run([sys.executable, "-c", READ_ELSEWHERE, *arguments], check=True, capture_output=True)
    loaded, chroma = load_run(run), np.zeros((2, 16, 24, 2), np.float32)
    with np.load(tmp_path / "found.npz") as found:
        assert np.allclose(found["keras"], loaded.model.predict(lightness), atol=1e-5)
        assert np.allclose(found["served"], loaded.model.predict(lightness), atol=1e-5)
        assert np.allclose(found["logits"], loaded.discriminator([lightness, chroma], training=False), atol=1e-5)


def test_the_generators_keras_file_knows_its_configuration(run, export):
    with zipfile.ZipFile(export / "generator.keras") as archive:
        card = json.loads(archive.read("colorgan.json"))
    assert (parse_config(card["config"]), card["epoch"]) == (CONFIG, 1)


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_the_weights_are_read_by_h5py(run, export, name):
    found = []
    with h5py.File(export / f"{name}.weights.h5") as file:
        file.visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    networks = {"generator": load_run(run).model.generator, "discriminator": load_run(run).discriminator}
    kernels = [np.asarray(weight) for weight in networks[name].weights if weight.name == "kernel"]
    assert kernels
    for kernel in kernels:
        assert any(array.shape == kernel.shape and np.array_equal(array, kernel) for array in found)


@pytest.mark.skipif(bool(MISSING), reason=f"the extra onnx is not installed: {', '.join(MISSING)}")
def test_an_onnx_runtime_predicts_what_keras_does(run, export, lightness):
    import onnxruntime

    session = onnxruntime.InferenceSession(export / "generator.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: lightness})
    assert np.allclose(found, load_model(run).predict(lightness), atol=1e-5)


def test_onnx_without_its_extra_cannot_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "PACKAGES", ("nosuch_package",))
    with pytest.raises(CannotRunError, match=r"needs nosuch_package; pip install 'colorgan\[onnx\]'"):
        export_run(run, out=tmp_path / "out", formats=["onnx"])
    assert not (tmp_path / "out").exists()


def test_only_the_formats_asked_for_are_written(run, tmp_path):
    result = colorgan("export", run, "--out", tmp_path / "new", "--format", "h5")
    assert result.exit_code == 0
    assert result.output.strip() == f"written: {tmp_path / 'new'}"
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "generator.weights.h5", "discriminator.weights.h5", "architecture.png", "summary.txt", "card.md",
    }  # fmt: skip
    card = (tmp_path / "new" / "card.md").read_text()
    assert "generator.keras" not in card
    assert "saved_model" not in card


def test_the_card_says_what_one_must_know(export):
    card = (export / "card.md").read_text()
    assert "keep their own licences" in card
    assert "1 of 1, 3 steps" in card
    assert "Seed: 0" in card
    assert "| gray | tint |" in card
    assert "20.21 | 21.57" in card
    assert "no evidence of what was there" in card
    assert "keras 3." in card
    assert all(f"`{path.name}`" in card for path in export.iterdir() if path.name != "card.md")


def test_the_cards_configuration_is_the_runs(export):
    card = (export / "card.md").read_text()
    import yaml

    assert parse_config(yaml.safe_load(card.partition("```yaml\n")[2].partition("```")[0])) == CONFIG


def test_the_card_claims_no_licence_of_a_users_photos_and_no_baselines_it_does_not_know(run, tmp_path):
    found = load_run(run).checkpoint
    config = CONFIG.with_values({"data.photos": "/home/somebody/holidays"})
    type(found)(config, 3, 1, found.loss_sums, 0.0, (), found.arrays).save(tmp_path / "checkpoint.npz")
    card = (export_run(tmp_path, formats=["h5"]) / "card.md").read_text()
    assert "the folder `holidays`" in card
    assert "licence is not known" in card
    assert "This run has not been validated yet." in card


@pytest.mark.parametrize(
    ("values", "epoch", "others"),
    [
        ({"data.renew_epochs": 1}, 2, True),
        ({"data.renew_epochs": 1}, 1, False),
        ({"data.renew_epochs": 1, "data.valid_limit": None}, 2, False),
        ({"data.renew_epochs": 1, "validation.part": "confirm"}, 2, False),
        ({}, 2, False),
    ],
)
def test_the_card_says_where_baselines_are_of_other_photos_than_the_model(run, tmp_path, values, epoch, others):
    found, folder = load_run(run).checkpoint, tmp_path / "trials" / "0003"
    folder.mkdir(parents=True)
    shutil.copy(run.parent.parent / "summary.json", tmp_path)
    history = (replace(found.history[0], epoch=epoch),)
    config = CONFIG.with_values({"data.train_limit": 12, "data.valid_limit": 3, **values})
    type(found)(config, 3, 1, found.loss_sums, 0.0, history, found.arrays).save(folder / "checkpoint.npz")
    card = (export_run(folder, formats=["h5"]) / "card.md").read_text()
    assert "20.21 | 21.57" in card
    assert ("| gray (first photos) | tint (first photos) |" in card) == others
    assert ("They are of the photos that the run began with" in card) == others


def test_the_card_of_hsv_says_what_goes_in_and_comes_out(run, tmp_path):
    found = load_run(run).checkpoint
    config = CONFIG.with_values({"data.color_space": "hsv"})
    type(found)(config, 3, 1, found.loss_sums, 0.0, (), found.arrays).save(tmp_path / "checkpoint.npz")
    card = (export_run(tmp_path, formats=["h5"]) / "card.md").read_text()
    assert "the hue and saturation of a photo from its value in HSV" in card
    assert "Input: 2 * value - 1" in card
    assert "lightness / 50" not in card


THESIS = CONFIG.with_values(
    {"data.color_space": "hsv", "generator.noise": 0.2, "generator.split_decoders": True}
    | {"discriminator.unstrided_blocks": 0}
)


@pytest.fixture(scope="module")
def thesis_run(tmp_path_factory):
    """A run of networks with a noise channel, split decoders and no unstrided block, untrained."""
    networks = {
        "generator": build_generator(THESIS.generator, size=16),
        "discriminator": build_discriminator(THESIS.discriminator, size=16),
    }
    for seed, network in enumerate(networks.values()):
        initialize(network, seed=seed, dropout=0.4, noise=0.2)
    arrays = {
        f"{name}/{i}/{variable.name}": ops.convert_to_numpy(variable)
        for name, network in networks.items()
        for i, variable in enumerate(network.variables)
    }
    folder = tmp_path_factory.mktemp("thesis")
    Checkpoint(THESIS, 3, 1, (), 0.0, (), arrays).save(folder / "checkpoint.npz")
    return folder, networks["generator"]


def test_split_decoders_and_noise_are_exported_and_read_back(thesis_run, lightness):
    folder, generator = thesis_run
    export = export_run(folder, formats=["keras", "h5"] + ([] if MISSING else ["onnx"]))
    expected = ops.convert_to_numpy(generator(lightness[:, :, :16], training=False))
    for path in (folder / "checkpoint.npz", export / "generator.keras"):
        assert np.allclose(load_model(path).predict(lightness[:, :, :16]), expected, atol=1e-6)
    loaded = keras.saving.load_model(export / "generator.keras", compile=False, safe_mode=True)
    assert np.allclose(loaded(lightness[:, :, :16], training=False), expected, atol=1e-6)
    if not MISSING:
        import onnxruntime

        session = onnxruntime.InferenceSession(export / "generator.onnx", providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: lightness[:, :, :16]})
        assert np.allclose(found, expected, atol=1e-5)


def test_two_decoders_are_drawn_as_one_under_both_names(thesis_run):
    _, generator = thesis_run
    blocks = find_blocks(generator)
    assert [block.name for block in blocks if block.kind == "up"] == [
        f"{name}_up_{block}" for block in (2, 1, 0) for name in ("first", "second")
    ]
    details = {block.name: block.details for block in blocks}
    assert details["first_up_2"] == details["second_up_2"] == ("batch norm", "dropout 0.4", "leaky ReLU 0.2")
    assert details["lightness"] == ("and noise 0.2",)
    discriminator = build_discriminator(THESIS.discriminator, size=16)
    single = build_generator(CONFIG.generator, size=16)
    sizes = [draw_architecture(network, discriminator).size for network in (generator, single)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("name", ["result.json", "../../summary.json"])
def test_baselines_are_found_where_a_run_or_its_study_keeps_them(tmp_path, name):
    folder = tmp_path / "trials" / "0001"
    folder.mkdir(parents=True)
    assert find_baselines(folder) == {}
    write_record(folder / "result.json", TrialRecord(number=1, state="complete", seed=0))  # a trial's has none
    for unusable in ("torn {", "[]", '{"baselines": 3}'):
        (folder / name).write_text(unusable)
        assert find_baselines(folder) == {}
    (folder / name).write_text('{"baselines": {"gray": {"valid/l1": 0.5}, "other": {}}}')
    assert find_baselines(folder) == {"gray": {"valid/l1": 0.5}}


def test_the_summary_names_every_layer_of_both_networks(export):
    summary = (export / "summary.txt").read_text()
    for network in (build_generator(CONFIG.generator, size=16), build_discriminator(CONFIG.discriminator, size=16)):
        assert all(layer.name in summary for layer in network.layers)


def test_the_picture_can_be_read(export):
    with Image.open(export / "architecture.png") as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 400


def test_the_blocks_of_the_picture_are_those_of_the_networks():
    config = parse_config({}).generator
    blocks = find_blocks(build_generator(config, size=256))
    assert [block.kind for block in blocks] == ["input"] + ["down"] * 5 + ["up"] * 5
    assert [block.shape for block in blocks[:3]] == ["256 x 256 x 1", "128 x 128 x 64", "64 x 64 x 128"]
    assert blocks[-1].shape == "256 x 256 x 2"
    assert blocks[-1].details == ("tanh",)
    assert blocks[1].details == ("leaky ReLU 0.2",)
    assert blocks[2].details == ("batch norm", "leaky ReLU 0.2")
    assert blocks[6].details == ("batch norm", "dropout 0.5", "leaky ReLU 0.2")
    assert blocks[6].words == "4 x 4 transposed convolution, stride 2"


def test_the_discriminators_blocks_end_in_one_logit_a_patch():
    blocks = find_blocks(build_discriminator(parse_config({}).discriminator, size=256))
    assert [block.kind for block in blocks] == ["input", "input", "down", "down", "down", "flat", "flat"]
    assert blocks[-1].shape == "30 x 30 x 1"  # pix2pix, 70 x 70 patches of 256 px


@pytest.mark.parametrize("depth", [2, 5, 9])
def test_the_picture_grows_with_the_networks(depth):
    config = parse_config({"data": {"size": 512}, "generator": {"depth": depth, "filters": 2}})
    generator = build_generator(config.generator, size=512)
    picture = draw_architecture(generator, build_discriminator(config.discriminator, size=512))
    assert picture.height >= 94 * depth


def test_an_export_is_never_overwritten(run, export):
    before = (export / "generator.keras").read_bytes()
    result = colorgan("export", run)
    assert result.exit_code == 2
    assert "already there, and nothing is overwritten" in result.stderr
    assert (export / "generator.keras").read_bytes() == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda run, folder: folder / "nosuch", "nosuch: no such file or folder"),
        (lambda run, folder: run / "export" / "generator.keras", "holds no discriminator"),
        (lambda run, folder: (folder / "c.npz").write_bytes(b"PK torn") and folder / "c.npz", "damaged checkpoint"),
        (lambda run, folder: folder, "no model in this folder"),
    ],
)
def test_what_is_no_run_is_bad_input_and_leaves_nothing(run, export, tmp_path, make, message):
    result = colorgan("export", make(run, tmp_path), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_bad_input(run, tmp_path):
    (tmp_path / "file").touch()
    result = colorgan("export", run, "--out", tmp_path / "file" / "out", "--format", "h5")
    assert result.exit_code == 2
    assert "file: not a folder; give another folder in --out" in result.stderr


def test_an_empty_path_is_not_the_folder_that_one_is_in(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = colorgan("export", run, "--out", "", "--format", "h5")
    assert (result.exit_code, "an empty path" in result.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


def test_an_export_can_be_moved_and_used_by_its_folder(export, tmp_path, lightness):
    shutil.copytree(export, tmp_path / "moved")
    assert np.array_equal(load_model(tmp_path / "moved").predict(lightness), load_model(export).predict(lightness))


def test_the_extra_is_looked_up_where_packages_are():
    assert onnx_file.missing_packages() == [name for name in onnx_file.PACKAGES if find_spec(name) is None]
