"""Photos are coloured in their own lightness at full resolution, one by one or by the folder, as a user would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from typer.testing import CliRunner

from colorgan import colorize
from colorgan.__main__ import app
from colorgan.checkpoint import Checkpoint
from colorgan.color import Planes, displayed_planes
from colorgan.colorize import colorize_photo, paint, predict_chroma
from colorgan.config import parse_config
from colorgan.folder import SAMPLE_FOLDER
from colorgan.generator import build_generator
from colorgan.model import Model, ModelError, load_model
from colorgan.photo_file import Photo, read_photo

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0, 2.0]},
        "generator": {"filters": 2, "depth": 2, "dropout": 0.0},
        "discriminator": {"filters": 2, "depth": 1},
    }
)
CHROMA = (0.15, -0.1)  # of every pixel, scaled; 16.5 and -11 in Lab
HISTORICAL = SAMPLE_FOLDER.parent / "historical_photos"


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose generator gives all pixels the same chroma, whatever it sees."""
    generator = build_generator(CONFIG.generator, size=None)
    for weight in generator.weights:
        if weight.name == "kernel":
            weight.assign(ops.zeros_like(weight))
    generator.get_layer("up_0").bias.assign(np.arctanh(CHROMA))
    arrays = {f"generator/{i}/{w.name}": ops.convert_to_numpy(w) for i, w in enumerate(generator.weights)}
    path = tmp_path_factory.mktemp("model") / "checkpoint.npz"
    Checkpoint(CONFIG, step=0, epoch=3, loss_sums=(), train_seconds=0.0, history=(), arrays=arrays).save(path)
    return path


@pytest.fixture(scope="module")
def model(model_file: Path) -> Model:
    return load_model(model_file)


@pytest.fixture(scope="module")
def random_model() -> Model:
    """A generator with random weights, whose chroma differs from place to place."""
    generator, draw = build_generator(CONFIG.generator, size=None), np.random.default_rng(0)
    for weight in generator.weights:
        if weight.name == "kernel":
            weight.assign(draw.normal(0, 0.4, weight.shape))
    return Model(CONFIG, generator, Path("random"))


@pytest.fixture(scope="module")
def china() -> np.ndarray:
    with Image.open(SAMPLE_FOLDER / "py-china.jpg") as image:
        return np.asarray(image.convert("RGB"))


def lightness(pixels: np.ndarray) -> np.ndarray:
    return rgb2lab(pixels / np.iinfo(pixels.dtype).max)[..., 0]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["colorize", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_every_pixel_keeps_its_lightness_and_gets_the_models_chroma(model: Model, china: np.ndarray) -> None:
    gray = np.asarray(Image.fromarray(china).convert("L").convert("RGB"))
    coloured = colorize_photo(model, Photo(gray)).pixels
    assert np.abs(lightness(coloured) - lightness(gray)).max() < 0.6  # 8-bit rounding and the tolerance
    lab = rgb2lab(coloured / 255.0)
    middle = (lab[..., 0] > 40) & (lab[..., 0] < 80)  # where a screen can show the whole chroma
    assert np.abs(lab[middle][:, 1:] - 110 * np.array(CHROMA)).max() < 1.5


def test_16_bit_lightness_is_kept_to_the_last_few_steps(model: Model) -> None:
    ramp = np.linspace(9000, 50000, 64 * 64).astype(np.uint16).reshape(64, 64, 1)
    pixels = np.broadcast_to(ramp, (64, 64, 3))
    coloured = colorize_photo(model, Photo(pixels)).pixels
    assert coloured.dtype == np.uint16
    assert np.abs(lightness(coloured) - lightness(pixels)).max() < 0.002 + colorize.LIGHTNESS_TOLERANCE
    inside = np.ptp(coloured.astype(int), axis=-1) > 0
    assert np.median(np.abs(lightness(coloured) - lightness(pixels))[inside]) < 0.002


def test_a_colour_beyond_the_screen_loses_chroma_and_not_lightness(model: Model) -> None:
    gray = np.repeat(np.arange(256, dtype=np.uint8), 16).reshape(64, 64, 1).repeat(3, axis=2)
    chroma = np.full((4, 4, 2), (0.9, -0.7), np.float32)
    painted = paint(gray, chroma)
    clipped = lab2rgb(np.dstack([lightness(gray), np.full((64, 64), 99.0), np.full((64, 64), -77.0)]))
    assert np.abs(lightness(painted) - lightness(gray)).max() < 0.6
    assert np.abs(rgb2lab(clipped)[..., 0] - lightness(gray)).max() > 15
    assert (painted[gray[..., 0] == 0] == 0).all()
    assert (painted[gray[..., 0] == 255] == 255).all()


def test_strength_scales_the_chroma_and_zero_gives_gray(model: Model, china: np.ndarray) -> None:
    gray = np.full((32, 32, 3), 128, np.uint8)
    np.testing.assert_array_equal(colorize_photo(model, Photo(gray), strength=0.0).pixels, gray)
    for strength in (0.5, 2.0):
        lab = rgb2lab(colorize_photo(model, Photo(gray), strength=strength).pixels / 255.0)
        assert np.abs(lab[..., 1:] - strength * 110 * np.array(CHROMA)).max() < 1.0
    shades = colorize_photo(model, Photo(china), strength=0.0).pixels
    assert np.ptp(shades.astype(int), axis=-1).max() <= 1


def test_sepia_and_colour_give_what_gray_of_their_lightness_gives(random_model: Model) -> None:
    sepia = read_photo(HISTORICAL / "dust-bowl-home.jpg").pixels[100:260, 100:300]
    deep = np.round(lab2rgb(np.dstack([lightness(sepia)] + 2 * [np.zeros(sepia.shape[:2])])) * 65535).astype(np.uint16)
    of_sepia, of_gray = (colorize_photo(random_model, Photo(pixels)) for pixels in (sepia, deep))
    assert np.abs(of_sepia.pixels.astype(float) - of_gray.pixels / 257).mean() < 1


@pytest.fixture(scope="module")
def red_model() -> Model:
    """Finds red in HSV: on the one side of the circle's cut in bright places, on the other in dark ones."""
    value = keras.Input((None, None, 1))
    chroma = keras.ops.concatenate([0.95 * keras.ops.sign(value), 0.0 * value], axis=-1)
    config = CONFIG.with_values({"data.color_space": "hsv"})
    return Model(config, keras.Model(value, chroma), Path("red"))


def test_hues_on_both_sides_of_red_are_averaged_to_red(red_model: Model, china: np.ndarray) -> None:
    chroma = predict_chroma(red_model, Image.fromarray(china))
    assert chroma[..., 0].min() > 0
    gray = np.asarray(Image.fromarray(china).convert("L").convert("RGB"))
    coloured = colorize_photo(red_model, Photo(gray)).pixels
    assert np.abs(lightness(coloured) - lightness(gray)).max() < 0.6
    middle = (gray[..., 0] > 60) & (gray[..., 0] < 140)  # where a screen can show it
    saturation = np.ptp(coloured.astype(float), axis=-1) / coloured.max(axis=-1).clip(1)
    assert np.median(saturation[middle]) == pytest.approx(0.5, abs=0.05)


def test_a_model_of_hsv_too_is_given_no_more_than_lightness(random_model: Model) -> None:
    model = replace(random_model, config=CONFIG.with_values({"data.color_space": "hsv"}))
    sepia = read_photo(HISTORICAL / "dust-bowl-home.jpg").pixels[100:260, 100:300]
    gray = np.round(255 * lab2rgb(np.dstack([lightness(sepia)] + 2 * [np.zeros(sepia.shape[:2])]))).astype(np.uint8)
    of_sepia, of_gray = (colorize_photo(model, Photo(pixels)).pixels.astype(float) for pixels in (sepia, gray))
    assert np.abs(of_sepia - of_gray).mean() < 1.5


def test_strips_are_painted_as_the_whole(
    random_model: Model, china: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    chroma = predict_chroma(random_model, Image.fromarray(china))
    whole = paint(china, chroma)
    assert np.ptp(chroma) > 0.1
    monkeypatch.setattr(colorize, "STRIP_PIXELS", 7 * china.shape[1])
    assert np.abs(paint(china, chroma).astype(int) - whole).max() <= 1


def test_a_backend_that_compiles_for_each_length_meets_few_and_paints_the_same(
    china: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    chroma, met = np.random.default_rng(0).uniform(-1, 1, (16, 16, 2)).astype(np.float32), set[int]()
    photos = [china[: 40 + n, : 50 + 3 * n] for n in range(6)]
    plain = [paint(photo, chroma) for photo in photos]

    def displayed(planes: Planes) -> tuple[Planes, Planes]:
        met.add(len(planes[0]))
        return displayed_planes(planes)

    monkeypatch.setattr(colorize, "displayed_planes", displayed)
    monkeypatch.setattr(colorize, "room_for", lambda length: 1 << max(0, length - 1).bit_length())
    for photo, expected in zip(photos, plain, strict=True):
        assert np.array_equal(paint(photo, chroma), expected)
    assert met <= {2**n for n in range(13)}
    assert len(met) < len(photos)


@pytest.mark.parametrize("size", [(16, 16), (9, 8), (8, 128), (37, 23), (500, 61)])
def test_any_shape_is_coloured(random_model: Model, china: np.ndarray, size: tuple[int, int]) -> None:
    image = Image.fromarray(china).resize(size)
    chroma = predict_chroma(random_model, image)
    scale = 2 if min(size) >= 32 else 1  # as in training, photos are not enlarged beyond scale 1
    assert chroma.shape == (
        max(16 * scale, round(16 * scale * size[1] / min(size))),
        max(16 * scale, round(16 * scale * size[0] / min(size))),
        2,
    )
    assert np.isfinite(chroma).all()
    assert colorize_photo(random_model, Photo(np.asarray(image))).pixels.shape == (size[1], size[0], 3)


def test_a_model_gone_astray_is_refused() -> None:
    broken = build_generator(CONFIG.generator, size=None)
    broken.get_layer("up_0").bias.assign([np.nan, 0.0])
    with pytest.raises(ModelError, match="random: gives colours that are not finite"):
        colorize_photo(Model(CONFIG, broken, Path("random")), Photo(np.zeros((16, 16, 3), np.uint8)))


def test_crops_are_spread_over_the_whole_length() -> None:
    assert colorize._starts(64, 64, 48) == [0]
    assert colorize._starts(65, 64, 48) == [0, 1]
    assert colorize._starts(200, 64, 48) == [0, 45, 91, 136]


def test_alpha_is_kept_and_doubled_side_by_side(model: Model, china: np.ndarray) -> None:
    alpha = np.arange(china.shape[0] * china.shape[1]).reshape(china.shape[:2]).astype(np.uint8)
    photo = Photo(china, alpha, dpi=(300.0, 300.0), notes=("a note",))
    one, two = colorize_photo(model, photo), colorize_photo(model, photo, compare=True)
    np.testing.assert_array_equal(one.alpha, alpha)
    np.testing.assert_array_equal(two.alpha, np.hstack([alpha, alpha]))
    np.testing.assert_array_equal(two.pixels[:, china.shape[1] :], one.pixels)
    assert np.ptp(two.pixels[:, : china.shape[1]].astype(int), axis=-1).max() <= 1
    assert (one.dpi, one.notes) == (photo.dpi, photo.notes)


def test_one_photo_is_coloured_beside_itself_and_never_again(model_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "nagasaki.jpg"
    source.write_bytes((HISTORICAL / "nagasaki-boats.jpg").read_bytes())
    code, text = run(model_file, source)
    assert code == 0, text
    assert "trained for 3 epochs" in text
    assert f"-> {tmp_path / 'nagasaki-colour.jpg'}" in text.replace("\n", "")
    with Image.open(tmp_path / "nagasaki-colour.jpg") as result, Image.open(source) as before:
        assert result.size == before.size
        assert np.abs(lightness(np.asarray(result)) - lightness(np.asarray(before.convert("RGB")))).mean() < 1
    kept = (tmp_path / "nagasaki-colour.jpg").read_bytes()
    code, text = run(model_file, source)
    assert (code, "is there already and is not replaced" in text) == (2, True)
    assert (tmp_path / "nagasaki-colour.jpg").read_bytes() == kept


def test_a_folder_is_coloured_but_for_unreadable_files_which_are_named_at_the_end(
    model_file: Path, tmp_path: Path, china: np.ndarray
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(china).save(folder / "a.jpg")
    Image.fromarray(china).convert("LA").save(folder / "sub" / "b.png")
    Image.fromarray(china).convert("CMYK").save(folder / "c.jpg")
    (folder / "empty.jpg").touch()
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:2000])
    Image.new("L", (1, 400)).save(folder / "line.png")
    Image.new("L", (4000, 20)).save(folder / "long.png")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    code, text = run(model_file, folder, "--output", out, "--strength", "0.5")
    assert code == 1
    end = text[text.index("5 could not be coloured:") :]
    assert "cut.jpg: " in end
    for reason in (
        "dangling.jpg: cannot be read: No such file or directory",
        "empty.jpg: empty",
        "line.png: 1 x 400: a side of less than 8 pixels",
        "long.png: 4000 x 20: one side is more than 16 times the other",
    ):
        assert reason in end
    assert "CMYK converted to RGB" in text
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert found == ["a-colour.jpg", "c-colour.jpg", "sub/b-colour.png"]
    code, text = run(model_file, folder, "--output", out)
    assert code == 1
    assert "3 left out, as their results are there already" in text


def test_where_nothing_can_be_read_the_input_is_wrong(model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.png").write_bytes(b"<html>not found</html>")
    code, text = run(model_file, tmp_path)
    assert code == 2
    assert "not one photo could be coloured:\n  a.jpg: empty\n  b.png: not a JPEG, PNG or WebP file" in text
    assert run(model_file, tmp_path / "a.jpg")[0] == 2
    assert not list(tmp_path.glob("*-colour*"))


def test_what_cannot_be_written_is_said(model_file: Path, tmp_path: Path, china: np.ndarray) -> None:
    Image.fromarray(china).save(tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    code, text = run(model_file, tmp_path / "a.jpg", "--output", tmp_path / "file" / "b.jpg")
    assert code == 2
    assert "cannot be written: " in text


def test_wrong_arguments_are_refused(model_file: Path, tmp_path: Path) -> None:
    for arguments in (
        (model_file, tmp_path / "none.jpg"),
        (tmp_path / "none.npz", SAMPLE_FOLDER / "py-china.jpg", "--output", tmp_path),
        (model_file, SAMPLE_FOLDER / "py-china.jpg", "--output", tmp_path, "--strength", "3"),
    ):
        assert run(*arguments)[0] == 2
    assert not list(tmp_path.iterdir())


def test_what_another_process_colours_meanwhile_is_left_out(
    model_file: Path, tmp_path: Path, china: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.fromarray(china).save(photos / "a.jpg")
    write = colorize.write_photo

    def write_late(path: Path, photo: Photo) -> tuple[str, ...]:
        write(path, photo)
        return write(path, photo)

    monkeypatch.setattr(colorize, "write_photo", write_late)
    code, text = run(model_file, photos, "--output", out)
    assert (code, "a.jpg: left out, as its result is there by now" in text, "0 of 1 coloured" in text) == (
        0,
        True,
        True,
    )
    code, text = run(model_file, photos / "a.jpg", "--output", tmp_path / "b.jpg")
    assert (code, "b.jpg: is there already and is not replaced" in text.replace("\n", "")) == (2, True)


def test_an_empty_path_is_not_the_folder_that_one_is_in(
    model_file: Path, tmp_path: Path, china: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(china).save(tmp_path / "a.jpg")
    for arguments in ((model_file, ""), (model_file, "a.jpg", "--output", "")):
        code, text = run(*arguments)
        assert (code, "an empty path" in text) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
