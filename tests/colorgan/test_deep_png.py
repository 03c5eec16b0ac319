"""16-bit PNG files keep every bit; TensorFlow's reader is the oracle."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from colorgan.deep_png import is_deep_png, read_deep_png, write_deep_png

COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> PNG's number for them


def noise(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 2**16, (70, 37, channels), dtype=np.uint16)


def stored(pixels: np.ndarray) -> bytes:
    """A PNG file without filters, which Pillow itself cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, COLOR_TYPES[channels], 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def written(pixels: np.ndarray, **metadata: object) -> bytes:
    file = BytesIO()
    write_deep_png(file, pixels, **metadata)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_bit_of_every_kind_is_read(channels: int) -> None:
    data = stored(noise(channels))
    assert is_deep_png(data)
    np.testing.assert_array_equal(read_deep_png(data), noise(channels))


@pytest.mark.parametrize("channels", [3, 4])
def test_every_bit_is_written(channels: int) -> None:
    data = written(noise(channels))
    np.testing.assert_array_equal(tf.io.decode_png(data, dtype=tf.uint16).numpy(), noise(channels))
    np.testing.assert_array_equal(read_deep_png(data), noise(channels))


def test_filtered_and_interlaced_files_are_read_as_other_readers_do() -> None:
    smooth = (np.add.outer(np.arange(50), np.arange(60)) * 311 % 65536).astype(np.uint16)
    data = tf.io.encode_png(np.stack([smooth, smooth[::-1], smooth[:, ::-1]], axis=-1)).numpy()
    np.testing.assert_array_equal(read_deep_png(data), tf.io.decode_png(data, dtype=tf.uint16).numpy())


def test_metadata_is_read_back_by_pillow() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[315] = "Dorothea Lange"
    with Image.open(BytesIO(written(noise(3), icc=icc, exif=exif.tobytes(), dpi=(600.0, 300.0)))) as image:
        image.load()
        assert image.info["icc_profile"] == icc
        assert image.getexif()[315] == "Dorothea Lange"
        assert image.info["dpi"] == pytest.approx((600, 300), abs=0.02)


def test_a_smooth_picture_is_written_smaller_than_its_pixels() -> None:
    ramp = np.broadcast_to(np.arange(0, 65536, 128, dtype=np.uint16)[:, None], (200, 512, 3))
    assert len(written(ramp)) < 0.05 * ramp.nbytes


def test_other_files_are_not_of_this_kind() -> None:
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "PNG")
    assert not is_deep_png(file.getvalue())
    assert not is_deep_png(b"")
    with pytest.raises(ValueError, match="unknown kind"):
        read_deep_png(file.getvalue())
