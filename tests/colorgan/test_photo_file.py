"""Photo files are read at full quality and written whole, under new names only."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorgan.decode import PhotoError, decode_photo
from colorgan.deep_png import write_deep_png
from colorgan.folder import SAMPLE_FOLDER
from colorgan.photo_file import Photo, format_of, read_photo, write_photo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OTHER = SRGB.replace("sRGB".encode("utf-16-be"), "film".encode("utf-16-be"))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    with Image.open(SAMPLE_FOLDER / "py-china.jpg") as image:
        return np.asarray(image.convert("RGB").resize((90, 64)))


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("a.jpg", {"quality": 92}), ("a.webp", {"lossless": True}), ("a.webp", {"quality": 80})],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_that_training_sees(
    tmp_path: Path, pixels: np.ndarray, name: str, options: dict, mode: str
) -> None:
    path = saved(tmp_path / name, Image.fromarray(pixels).convert(mode), **options)
    np.testing.assert_array_equal(read_photo(path).pixels, np.asarray(decode_photo(path.read_bytes())))


def test_cmyk_becomes_rgb_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path / "a.jpg", Image.fromarray(pixels).convert("CMYK"))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, np.asarray(decode_photo(path.read_bytes())))
    assert photo.notes == ("CMYK converted to RGB",)


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_transparency_and_the_colours_under_it_are_kept(tmp_path: Path, pixels: np.ndarray, name: str) -> None:
    alpha = np.arange(64 * 90, dtype=np.uint8).reshape(64, 90)
    photo = Photo(pixels, alpha)
    assert write_photo(tmp_path / name, photo) == ()
    again = read_photo(tmp_path / name)
    np.testing.assert_array_equal(again.pixels, pixels)
    np.testing.assert_array_equal(again.alpha, alpha)


def test_a_palette_with_a_transparent_colour_has_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 8, 16))
    photo = read_photo(saved(tmp_path / "a.png", image, transparency=0))
    assert (photo.alpha[:, :8] == 0).all()
    assert (photo.alpha[:, 8:] == 255).all()


def test_transparent_parts_are_white_in_jpeg_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    photo = Photo(pixels, np.zeros((64, 90), np.uint8))
    assert write_photo(tmp_path / "a.jpg", photo) == ("transparent parts made white, as JPEG has no transparency",)
    assert (read_photo(tmp_path / "a.jpg").pixels == 255).all()


def test_16_bits_of_gray_are_kept(tmp_path: Path) -> None:
    values = (np.arange(64 * 64, dtype=np.uint16) * 15).reshape(64, 64)
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(values)))
    assert photo.pixels.shape == (64, 64, 3)
    assert all(np.array_equal(photo.pixels[..., channel], values) for channel in range(3))


def test_16_bits_of_colour_and_transparency_are_kept(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (20, 30, 4), dtype=np.uint16)
    write_photo(tmp_path / "a.png", Photo(values[..., :3], values[..., 3]))
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, values[..., :3])
    np.testing.assert_array_equal(photo.alpha, values[..., 3])


def test_all_16_bit_values_are_rounded_to_8_where_a_format_has_no_more(tmp_path: Path) -> None:
    values = np.broadcast_to(np.arange(65536, dtype=np.uint16).reshape(256, 256, 1), (256, 256, 3))
    photo = Photo(values)
    np.testing.assert_array_equal(np.asarray(photo.flat()), np.round(values / 257))
    assert write_photo(tmp_path / "a.webp", photo) == ("16 bits reduced to 8, as WEBP has no more",)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.webp").pixels, np.round(values / 257))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "deep.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone_and_other_exif_data_kept(
    tmp_path: Path, pixels: np.ndarray, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274], exif[315] = orientation, "Felice Beato"
    source, target = tmp_path / name, tmp_path / f"copy-{name}"
    if name == "deep.png":
        with source.open("wb") as file:
            write_deep_png(file, pixels.astype(np.uint16) * 257, exif=exif.tobytes())
    else:
        Image.fromarray(pixels).save(source, exif=exif)
    write_photo(target, read_photo(source))
    with Image.open(target) as image:
        assert dict(image.getexif()) == {315: "Felice Beato"}
        upright = np.asarray(decode_photo(source.read_bytes()), float)
        assert image.size == upright.shape[1::-1]
        assert np.abs(np.asarray(image.convert("RGB"), float) - upright).mean() < 2


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_resolution_is_kept(tmp_path: Path, pixels: np.ndarray, name: str) -> None:
    write_photo(tmp_path / name, read_photo(saved(tmp_path / f"b-{name}", Image.fromarray(pixels), dpi=(600, 600))))
    assert read_photo(tmp_path / name).dpi == pytest.approx((600, 600), abs=0.02)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_an_srgb_profile_is_kept(tmp_path: Path, pixels: np.ndarray, name: str) -> None:
    photo = read_photo(saved(tmp_path / f"b-{name}", Image.fromarray(pixels), icc_profile=SRGB))
    assert photo.notes == ()
    write_photo(tmp_path / name, photo)
    assert read_photo(tmp_path / name).icc == SRGB


def test_another_profile_is_replaced_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(pixels), icc_profile=OTHER))
    assert photo.notes == ("ICC profile film built-in replaced by sRGB",)
    assert b"s\0R\0G\0B" in photo.icc


def test_a_broken_profile_is_dropped_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(pixels), icc_profile=b"nonsense"))
    assert (photo.icc, photo.notes) == (None, ("broken ICC profile dropped",))


def test_16_bits_with_another_profile_are_reduced_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        write_deep_png(file, pixels.astype(np.uint16) * 257, icc=OTHER)
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels.dtype == np.uint8
    assert "16 bits reduced to 8 when its profile was replaced" in photo.notes


def test_of_an_animation_the_first_picture_is_taken_and_that_is_said(tmp_path: Path, pixels: np.ndarray) -> None:
    first = Image.fromarray(pixels)
    path = saved(tmp_path / "a.png", first, save_all=True, append_images=[Image.new("RGB", first.size)] * 2)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.notes == ("the first of its 3 pictures",)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95])
def test_a_cut_off_16_bit_file_is_an_error(tmp_path: Path, share: float) -> None:
    data, path = BytesIO(), tmp_path / "a.png"
    write_deep_png(data, np.random.default_rng(0).integers(0, 2**16, (40, 40, 3), dtype=np.uint16))
    path.write_bytes(data.getvalue()[: int(len(data.getvalue()) * share)])
    with pytest.raises(PhotoError):
        read_photo(path)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name, message in (("none.png", "no such file"), ("pipe.png", "not a regular file"), (".", "not a regular")):
        with pytest.raises(PhotoError, match=message):
            read_photo(tmp_path / name)


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path, pixels: np.ndarray) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    (tmp_path / "link.png").symlink_to("nowhere")
    for name in ("a.png", "link.png"):
        with pytest.raises(FileExistsError):
            write_photo(tmp_path / name, Photo(pixels))
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "link.png"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, pixels: np.ndarray) -> None:
    wide = np.zeros((8, 16_384, 3), np.uint8)
    with pytest.raises(PhotoError, match="WEBP holds 16383 a side"):
        write_photo(tmp_path / "a.webp", Photo(wide))
    with pytest.raises(TypeError):
        write_photo(tmp_path / "a.png", Photo(np.zeros((8, 8, 5), np.uint8)))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_photo(tmp_path / "file" / "a.png", Photo(pixels))


def test_the_suffix_says_the_format() -> None:
    names = {"a.PNG": "PNG", "a.webp": "WEBP", "a.jpeg": "JPEG", "a.JPG": "JPEG", "a.jfif": "JPEG"}
    assert {name: format_of(Path(name)) for name in names} == names


def test_a_name_as_long_as_a_file_may_have_is_written(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / f"{'x' * 251}.png"
    assert write_photo(path, Photo(pixels)) == ()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
