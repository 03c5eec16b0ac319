"""One photo file in any format becomes upright 8-bit sRGB crops, or one clear error."""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorgan.config import DataConfig
from colorgan.decode import PhotoError, decode_photo, read_crops
from colorgan.folder import SAMPLE_FOLDER

CHINA = SAMPLE_FOLDER / "py-china.jpg"


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    with Image.open(CHINA) as image:
        return image.convert("RGB").resize((96, 64), Image.Resampling.LANCZOS)


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, *, depth: int, color: int, rows: bytes = b"", key: bytes = b"") -> bytes:
    """A PNG file that Pillow itself cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + (chunk(b"tRNS", key) if key else b"") + body


def distance(image: Image.Image, expected: Image.Image) -> float:
    assert image.mode == "RGB"
    assert image.size == expected.size
    return float(np.abs(np.asarray(image, float) - np.asarray(expected.convert("RGB"), float)).mean())


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [("PNG", {}, 0), ("WEBP", {"lossless": True}, 0), ("WEBP", {"quality": 95}, 4), ("JPEG", {"quality": 95}, 4)],
)
def test_each_format_gives_the_photo_back(photo: Image.Image, kind: str, options: dict, tolerance: float) -> None:
    assert distance(decode_photo(encode(photo, kind, **options)), photo) <= tolerance


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA"])
def test_each_png_mode_gives_the_photo_as_that_mode_shows_it(photo: Image.Image, mode: str) -> None:
    image = photo.quantize(64) if mode == "P" else photo.convert(mode)
    assert distance(decode_photo(encode(image)), image) == 0


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_cmyk_jpeg_become_rgb(photo: Image.Image, mode: str) -> None:
    image = photo.convert(mode)
    assert distance(decode_photo(encode(image, "JPEG", quality=95)), image) < 4


def test_16_bit_gray_is_scaled_not_clipped() -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    expected = np.round(values / 257)
    decoded = np.asarray(decode_photo(encode(Image.fromarray(values))))
    for channel in range(3):
        np.testing.assert_array_equal(decoded[..., channel], expected)


def test_16_bit_rgb_is_scaled() -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (16, 16, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    decoded = np.asarray(decode_photo(png(16, 16, depth=16, color=2, rows=rows)), float)
    assert np.abs(decoded - values / 257).max() <= 1


def test_transparent_parts_become_white(photo: Image.Image) -> None:
    image = photo.convert("RGBA")
    alpha = Image.new("L", photo.size, 255)
    alpha.paste(0, (0, 0, 48, 64))
    image.putalpha(alpha)
    decoded = np.asarray(decode_photo(encode(image)))
    assert (decoded[:, :48] == 255).all()
    np.testing.assert_array_equal(decoded[:, 48:], np.asarray(photo)[:, 48:])


def test_a_palette_with_a_transparent_colour_becomes_white_there() -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 8, 16))
    decoded = np.asarray(decode_photo(encode(image, transparency=0)))
    assert (decoded[:, :8] == 255).all()
    assert (decoded[:, 8:] == (0, 0, 255)).all()


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3)])
def test_a_transparent_colour_of_16_bits_becomes_white_where_all_its_bits_are_equal(color: int, channels: int) -> None:
    values = np.full((16, 16, channels), 0x0A14, np.uint16)
    values[:, 8:12], values[:, 12:] = 0x0A15, 0x1414  # one of its bytes each
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    decoded = np.asarray(decode_photo(png(16, 16, depth=16, color=color, rows=rows, key=b"\x0a\x14" * channels)))
    assert (decoded[:, :8] == 255).all()
    assert (decoded[:, 8:12] == 0x0A).all()
    assert (decoded[:, 12:] == 0x14).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(photo: Image.Image, orientation: int, kind: str) -> None:
    turns = Image.Transpose
    undo = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    stored = photo.transpose(undo[orientation]) if orientation > 1 else photo
    exif = Image.Exif()
    exif[274] = orientation
    data = encode(stored, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {"lossless": True}))
    assert distance(decode_photo(data), photo) <= (4 if kind == "JPEG" else 0)


def test_broken_exif_leaves_the_photo_as_it_is(photo: Image.Image) -> None:
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        with warnings.catch_warnings(action="ignore"):  # Pillow mentions it
            assert distance(decode_photo(encode(photo, "JPEG", quality=95, exif=exif)), photo) < 4


def test_an_srgb_profile_changes_nothing(photo: Image.Image) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert distance(decode_photo(encode(photo, icc_profile=profile)), photo) == 0


def test_another_profile_is_converted_to_srgb(photo: Image.Image) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    profile = profile.replace(b"rXYZ", b"temp").replace(b"gXYZ", b"rXYZ").replace(b"temp", b"gXYZ")  # red <-> green
    red, green, blue = photo.split()
    swapped = Image.merge("RGB", (green, red, blue))
    assert distance(decode_photo(encode(photo, icc_profile=profile)), swapped) < 1
    assert distance(decode_photo(encode(photo, icc_profile=profile)), photo) > 2


def test_a_profile_that_is_broken_or_of_another_kind_is_left_out(photo: Image.Image) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"nonsense", lab, lab[:100]):
        assert distance(decode_photo(encode(photo, icc_profile=profile)), photo) == 0


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95])
def test_a_cut_off_file_is_an_error(photo: Image.Image, kind: str, share: float) -> None:
    data = encode(photo, kind)
    with pytest.raises(PhotoError):
        decode_photo(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_damaged_bytes_give_a_photo_or_a_photo_error(photo: Image.Image, kind: str) -> None:
    generator = np.random.default_rng(1)
    original = np.frombuffer(encode(photo, kind), np.uint8)
    for _ in range(60):
        data = original.copy()
        data[generator.integers(0, len(data), 5)] = generator.integers(0, 256, 5)
        with warnings.catch_warnings(action="ignore"), suppress(PhotoError):
            assert decode_photo(data.tobytes()).mode == "RGB"


@pytest.mark.parametrize("sides", [(100_000, 100_000), (10_000, 10_000)])
def test_a_decompression_bomb_is_an_error(sides: tuple[int, int]) -> None:
    with warnings.catch_warnings(action="ignore"), pytest.raises(PhotoError, match="more than 89478485 pixels"):
        decode_photo(png(*sides, depth=8, color=2))


def test_what_is_no_photo_is_an_error() -> None:
    for data, message in [
        (b"", "empty"),
        (b"<html>not found</html>", "not a JPEG, PNG or WebP file"),
        (encode(Image.new("RGB", (64, 64)), "GIF"), "not a JPEG, PNG or WebP file"),
        (encode(Image.new("RGB", (1, 1))), "less than 8 pixels"),
        (encode(Image.new("RGB", (2000, 10))), "more than 16 times"),
    ]:
        with pytest.raises(PhotoError, match=message):
            decode_photo(data)


def test_a_square_photo_at_its_own_size_is_its_only_crop(photo: Image.Image) -> None:
    square = photo.crop((0, 0, 64, 64))
    crops = read_crops(encode(square), DataConfig(size=64))
    np.testing.assert_array_equal(crops, np.asarray(square)[None])


def test_crops_lie_in_a_regular_grid_at_each_scale() -> None:
    column, row = np.meshgrid(np.arange(192), np.arange(128))
    image = Image.fromarray(np.stack([column, row, 0 * row], axis=-1).astype(np.uint8))
    crops = read_crops(encode(image), DataConfig(size=64, crop_scales=(1.0, 2.0), crop_stride=0.5))
    assert crops.shape == (2 + 3 * 5, 64, 64, 3)
    corners = [(int(crop[0, 0, 1]), int(crop[0, 0, 0])) for crop in crops[2:]]  # scale 2 is the photo unchanged
    assert corners == [(top, left) for top in (0, 32, 64) for left in (0, 32, 64, 96, 128)]


def test_the_grid_is_centred_where_it_does_not_fit_the_long_side() -> None:
    row = np.broadcast_to(np.arange(84, dtype=np.uint8)[None, :, None], (64, 84, 3))
    (crop,) = read_crops(encode(Image.fromarray(row.copy())), DataConfig(size=64, crop_scales=(1.0,)))
    assert crop[0, 0, 0] == 10


def test_scales_that_would_enlarge_are_left_out_and_every_photo_gives_a_crop(photo: Image.Image) -> None:
    data = encode(photo)  # 96 x 64
    assert len(read_crops(data, DataConfig(size=64, crop_scales=(1.0, 2.0)))) == 2
    assert len(read_crops(data, DataConfig(size=64, crop_scales=(2.0,)))) == 2
    assert read_crops(data, DataConfig(size=128)).shape == (2, 128, 128, 3)


def test_a_large_jpeg_gives_the_crops_of_the_same_photo_as_png() -> None:
    with Image.open(CHINA) as image:
        large = image.resize((1536, 1024), Image.Resampling.BICUBIC)
    config = DataConfig(size=32, crop_scales=(1.0,))
    reduced = read_crops(encode(large, "JPEG", quality=95), config).astype(float)
    assert np.abs(reduced - read_crops(encode(large), config)).mean() < 2


def test_a_256_px_jpeg_gives_one_crop_at_the_default_settings() -> None:
    with Image.open(CHINA) as image:
        square = image.crop((0, 0, 256, 256))
    data = encode(square, "JPEG")
    np.testing.assert_array_equal(read_crops(data, DataConfig()), np.asarray(decode_photo(data))[None])
