import csv
import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from colorgan.__main__ import app
from colorgan.config import parse_config
from colorgan.epoch import VALID_METRICS
from colorgan.errors import BadInputError
from colorgan.evaluate import evaluate, examples
from colorgan.evaluation_report import tabulate
from colorgan.folder import SAMPLE_FOLDER, PhotosError
from colorgan.model import Model, load_model
from colorgan.named_photos import name_photos
from colorgan.new_folder import free_name, new_folder
from colorgan.photos import open_photos
from colorgan.sheets import GAP, LINE
from colorgan.split import hash_photo
from colorgan.trainer import Trainer
from colorgan.validation import Validator

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "valid_limit": 12},
        "generator": {"filters": 4, "depth": 3, "dropout": 0.4},
        "discriminator": {"filters": 4, "depth": 2},
        "optimizer": {"generator_learning_rate": 1e-2},
        "schedule": {"epochs": 1, "steps_per_epoch": 6, "batch_size": 4},
        "validation": {"batch_size": 5, "examples": 0},
    }
)
KEYS = [metric.key for metric in VALID_METRICS]


@pytest.fixture(scope="module")
def trained():
    trainer = Trainer(CONFIG, open_photos(CONFIG.data))
    list(trainer.epochs())
    return trainer


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    trained.save(folder / "checkpoint.npz")
    return folder


@pytest.fixture(scope="module")
def model(run):
    return load_model(run)


@pytest.fixture(scope="module")
def own_photos(run, model):
    return evaluate(model, "sample", part="valid")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven sample photos, a copy of the first under another name, a broken one and an empty one."""
    folder = tmp_path_factory.mktemp("below") / "photos"
    (folder / "deeper").mkdir(parents=True)
    for path in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:11]:
        shutil.copy(path, folder / path.name)
    first = sorted(folder.glob("*.jpg"))[0]
    shutil.copy(first, folder / "deeper" / "copy.jpg")
    (folder / "torn.jpg").write_bytes(first.read_bytes()[:200])
    (folder / "empty.png").touch()
    return folder


@pytest.fixture(scope="module")
def evaluated(run, folder):
    """What the command says and writes of that folder."""
    return colorgan("evaluate", run, folder), run / "evaluations" / "photos-all"


def rows_of(out):
    with (out / "evaluation.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def colorgan(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def without_colour(model):
    """The same model with no weights: it predicts no chroma at all."""
    generator = load_model(model.source).generator
    for weight in generator.weights:
        weight.assign(np.zeros(weight.shape, np.float32))
    return Model(model.config, generator, model.source)


def test_a_runs_own_photos_give_the_numbers_of_its_training(trained, own_photos):
    trainings = trained.history[-1].metrics  # means over crops
    for key, values in own_photos.values["model"].items():
        if key in trainings:
            assert np.average(values, weights=own_photos.crops) == pytest.approx(trainings[key], rel=1e-4)
    assert own_photos.crops.sum() == len(trained.photos.valid)


def test_a_model_of_hsv_is_measured_by_the_lab_chroma_it_finds(model, folder):
    hsv = replace(model, config=CONFIG.with_values({"data.color_space": "hsv"}))
    found = evaluate(hsv, str(folder))
    _, crops = next(found.photos.read([found.measured[0]]))
    validator = Validator(batch_size=len(crops), precision=CONFIG.precision)
    expected = validator.measure(crops, hsv.find_chroma)
    assert {key: values[0] for key, values in found.per_photo("model").items()} == pytest.approx(expected, rel=1e-4)
    assert found.means("gray") == evaluate(model, str(folder)).means("gray")


def test_the_baselines_are_those_of_training(trained, own_photos):
    trainings = trained.validator.baselines(trained.photos.train, trained.photos.valid)
    for who, tolerance in (("gray", 1e-4), ("tint", 0.02)):  # the tint's mean is over photos, training's over crops
        found = np.average(own_photos.values[who]["valid/delta_e"], weights=own_photos.crops)
        assert found == pytest.approx(trainings[who]["valid/delta_e"], rel=tolerance)


def test_a_model_that_adds_no_colour_is_the_gray_baseline(model):
    found = evaluate(without_colour(model), "sample", part="valid")
    for key, values in found.per_photo("gray").items():
        assert np.allclose(found.per_photo("model")[key], values, rtol=1e-5, atol=1e-6)


def test_means_are_over_photos_and_the_ratio_is_that_of_the_means(own_photos):
    assert tabulate(own_photos).caption.startswith("means over photos, the ratio is that of the means;")
    values, means = own_photos.per_photo("model"), own_photos.means("model")
    assert set(values) == set(means) == set(KEYS)
    for key in set(KEYS) - {"valid/colorfulness_ratio"}:
        assert means[key] == pytest.approx(values[key].mean())
    real = values["valid/colorfulness"] / values["valid/colorfulness_ratio"]
    assert means["valid/colorfulness_ratio"] == pytest.approx(values["valid/colorfulness"].mean() / real.mean())
    assert own_photos.medians("model")["valid/ssim"] == pytest.approx(np.median(values["valid/ssim"]))


def test_the_parts_of_a_folder_are_those_of_its_packs():
    named, packed = name_photos(CONFIG.data), open_photos(CONFIG.data)
    assert len(named.select("train")) == packed.train_photos
    assert len(named.select("confirm")) == packed.confirm_photos
    assert packed.valid_photos == 12  # by its limit
    crops = np.concatenate([crops for _, crops in named.read(named.select("valid"), limit=12)])
    assert np.array_equal(crops, packed.valid)


@pytest.mark.parametrize(
    "ends", [(min,), (max,), (min, max)]
)  # where the only valid photo stands, the only confirm one
def test_the_parts_are_those_of_the_packs_where_a_parts_only_photo_is_broken(tmp_path, ends):
    for path in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:6]:
        shutil.copy(path, tmp_path / path.name)
    torn = path.read_bytes()[:-2000]
    for end in ends:
        found = [hash_photo(None, torn + str(number).encode(), seed=0) for number in range(200)]
        number = found.index(end(found, key=lambda photo: photo.place))
        (tmp_path / f"{end.__name__}.jpg").write_bytes(torn + str(number).encode())
    changes = {"photos": str(tmp_path), "valid_fraction": 0.01, "confirm_fraction": 0.01}
    config = CONFIG.data.model_copy(update=changes)
    named, packed = name_photos(config), open_photos(config)
    for part, crops in (("train", packed.train), ("valid", packed.valid), ("confirm", packed.confirm)):
        found = [crops for _, crops in named.read(named.select(part))]
        assert np.array_equal(np.concatenate(found) if found else crops[:0], crops)
    assert {item.name for item in named.skipped} == {line.split(": ")[0] for line in packed.unreadable}
    assert len(named.skipped) == len(ends)


def test_all_is_every_photo_once(evaluated):
    result, out = evaluated
    assert result.exit_code == 0
    names = [row["photo"] for row in rows_of(out)]
    assert len(names) == 11
    assert names == sorted(names)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["measured"], summary["duplicates"]) == (11, 1)
    assert set(summary["skipped"]) == {"torn.jpg", "empty.png"}


def test_the_ranking_begins_with_the_least_error(own_photos):
    errors = dict(zip(own_photos.measured, own_photos.values["model"]["valid/delta_e"], strict=True))
    ranked = own_photos.ranked()
    assert len(ranked) == 12
    assert all(errors[better] <= errors[worse] for better, worse in pairwise(ranked))


def test_examples_show_the_photos_asked_for(own_photos):
    shown = examples(own_photos, own_photos.ranked()[:3])
    assert shown.shape == (3, 16, 48, 3)
    crops = [crops for _, crops in own_photos.photos.read(own_photos.ranked()[:3])]
    assert all(np.array_equal(row[:, 16:32], crop[len(crop) // 2]) for row, crop in zip(shown, crops, strict=True))
    assert np.all(np.ptp(shown[:, :, :16].astype(int), axis=-1) <= 1)  # gray


def test_the_command_shows_the_table_and_names_what_it_skipped(evaluated):
    output = evaluated[0].output
    assert "11 photos" in output
    assert all(key in output for key in KEYS)
    assert "torn.jpg" in output
    assert "its numbers say nothing about others" in output
    assert f"written: {evaluated[1]}" in output


def test_means_and_medians_are_those_of_the_rows(evaluated):
    rows, summary = rows_of(evaluated[1]), json.loads((evaluated[1] / "summary.json").read_text())
    for who, prefix in (("model", ""), ("gray", "gray/"), ("tint", "tint/")):
        column = [float(row[f"{prefix}valid/delta_e_2000"]) for row in rows]
        assert np.mean(column) == pytest.approx(summary["mean"][who]["valid/delta_e_2000"])
        assert np.median(column) == pytest.approx(summary["median"][who]["valid/delta_e_2000"])


def test_three_sheets_show_eight_photos_each(evaluated):
    sizes = set()
    for name in ("evenly_spaced", "worst", "best"):
        with Image.open(evaluated[1] / f"{name}.png") as image:
            sizes.add(image.size)
    assert sizes == {(3 * (128 + GAP) - GAP, LINE + 8 * (128 + GAP + LINE) - GAP)}
    names = {"evaluation.csv", "summary.json", "evenly_spaced.png", "worst.png", "best.png"}
    assert {path.name for path in evaluated[1].iterdir()} == names


def test_a_photo_alone_has_the_same_numbers_and_a_folder_of_its_own(run, own_photos, tmp_path):
    (run / "evaluations" / "one-all").mkdir(parents=True)  # an earlier evaluation
    (tmp_path / "one").mkdir()
    shutil.copy(own_photos.measured[7].file.path, tmp_path / "one" / "alone.jpg")
    assert colorgan("evaluate", run, tmp_path / "one").exit_code == 0
    (row,) = rows_of(run / "evaluations" / "one-all-2")
    for key, values in own_photos.per_photo("model").items():
        assert float(row[key]) == pytest.approx(values[7], rel=1e-4, abs=1e-6)


def test_an_evaluation_is_never_overwritten(run, evaluated):
    before = (evaluated[1] / "evaluation.csv").stat().st_mtime_ns
    again = colorgan("evaluate", run, "sample", "--out", evaluated[1])
    assert again.exit_code == 2
    assert "already there, and nothing is overwritten" in again.stderr
    assert (evaluated[1] / "evaluation.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize("part", ["all", "confirm"])
def test_photos_without_a_readable_one_are_bad_input_and_leave_nothing(run, tmp_path, part):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    result = colorgan("evaluate", run, folder, "--part", part, "--out", tmp_path / "out" / "new")
    assert result.exit_code == 2
    assert f"no readable photo to measure in part {part}" in result.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nosuch", "sample"), "nosuch: no such file"),
        (("RUN", "nosuch"), "nosuch: no such folder. Give a folder"),
        (("RUN", "~nosuch"), "~nosuch: no such folder. Give a folder"),
        (("RUN", "loop"), "loop: "),
        (("RUN", ""), "an empty path"),
        (("RUN", "sample", "--out", ""), "an empty path"),
    ],
)
def test_a_wrong_path_is_bad_input(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    result = colorgan("evaluate", *(run if argument == "RUN" else argument for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_photo_that_is_gone_when_the_sheets_are_made_is_an_error(own_photos):
    first, second = own_photos.measured[:2]
    gone = replace(first, file=replace(first.file, path="/nosuch/photo.jpg"))
    with pytest.raises(PhotosError, match="no readable photo"):
        examples(replace(own_photos, photos=name_photos(CONFIG.data)), [gone, second])


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a" / "out") as draft:
        (draft / "file").touch()
        raise ZeroDivisionError
    assert not list((tmp_path / "a").iterdir())
    with new_folder(tmp_path / "a" / "out") as draft:
        (draft / "file").touch()
        assert not (tmp_path / "a" / "out").exists()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]
    assert (tmp_path / "a" / "out" / "file").exists()


def test_a_new_folder_takes_an_empty_one_and_no_file(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="already there"), new_folder(tmp_path / "file"):
        pass
    with (
        pytest.raises(BadInputError, match="file: not a folder; give another folder in --out"),
        new_folder(tmp_path / "file" / "x"),
    ):
        pass
    with new_folder(tmp_path / "empty") as draft:
        (draft / "content").touch()
    assert (tmp_path / "empty" / "content").exists()


def test_a_free_name_is_the_first_that_is_not_taken(tmp_path):
    assert free_name(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").touch()
    assert free_name(tmp_path / "a") == tmp_path / "a-3"
