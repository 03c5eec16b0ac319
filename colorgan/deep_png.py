"""PNG files with 16 bits a channel, which Pillow reads at 8 bits, unless they are gray, and never writes in colour.

Source: W3C Portable Network Graphics, third edition: 5 (chunks), 9.2 (filters), 11.3 (iCCP, eXIf, pHYs).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from colorgan.orientation import orient

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH_AT = 24  # place of the bit depth: behind the signature, the header chunk's length and name, width and height
_BOTH_BYTES = {  # as Pillow unpacks a pixel -> how it unpacks the high bytes, and the low ones
    "RGB;16B": ("RGB;16B", "RGB;16L"),
    "RGBA;16B": ("RGBA;16B", "RGBA;16L"),
}
_SUB = 1  # the filter: each byte less that of the pixel to the left
_COMPRESSION = 6  # zlib's default
_ROWS = 64  # compressed at once
_INCH_METRES = 0.0254


def is_deep_png(data: bytes) -> bool:
    """Whether a file is a PNG with 16 bits a channel."""
    return data.startswith(SIGNATURE) and data[_DEPTH_AT : _DEPTH_AT + 1] == b"\x10"


def read_deep_png(data: bytes) -> NDArray[np.uint16]:
    """Returns the channels as stored, upright: (height, width, 1 gray | 2 gray, alpha | 3 RGB | 4 RGB, alpha).

    Raises:
        ValueError: The file is of another kind.
    """
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        stored = str(image.tile[0].args)
    if stored in _BOTH_BYTES:
        high, low = _BOTH_BYTES[stored]
        pixels = np.asarray(_unpack(data, high)).astype(np.uint16)
        pixels <<= 8
        pixels |= np.asarray(_unpack(data, low))
        return pixels
    if stored == "LA;16B":  # four bytes a pixel, which RGBA takes as they are
        return np.asarray(_unpack(data, "RGBA")).view(">u2").astype(np.uint16)
    if stored == "I;16B":
        return np.asarray(_unpack(data, stored))[..., None]
    raise ValueError(f"16-bit PNG of an unknown kind ({stored})")


def split_alpha(channels: NDArray[np.uint16], key: Any) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """Returns RGB and alpha of the channels of `read_deep_png`; `key` is the colour that is transparent, if any."""
    count = channels.shape[-1]
    colors = channels[..., : 3 if count > 2 else 1]
    alpha = channels[..., -1] if count in (2, 4) else None
    if alpha is None and key is not None:
        alpha = np.where((colors == key).all(axis=-1), 0, 65535).astype(np.uint16)
    return np.broadcast_to(colors, (*colors.shape[:2], 3)), alpha


def write_deep_png(
    file: IO[bytes],
    pixels: NDArray[np.uint16],
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> None:
    """Writes RGB or RGB and alpha, (height, width, 3 or 4), as a PNG file, a few rows at a time."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    file.write(SIGNATURE + _chunk(b"IHDR", header))
    if icc:
        file.write(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)))
    if dpi:
        file.write(_chunk(b"pHYs", struct.pack(">IIB", *(round(value / _INCH_METRES) for value in dpi), 1)))
    if exif:
        file.write(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    for data in _compressed(pixels):
        file.write(_chunk(b"IDAT", data))
    file.write(_chunk(b"IEND", b""))


def _unpack(data: bytes, how: str) -> Image.Image:
    """Returns the upright image with its channels unpacked another way, whose pixels must be of equal length."""
    with Image.open(BytesIO(data), formats=("PNG",)) as image:
        image.tile = [tile._replace(args=how) for tile in image.tile]
        image.load()
        return orient(image)


def _compressed(pixels: NDArray[np.uint16]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_COMPRESSION)
    for top in range(0, len(pixels), _ROWS):
        rows = pixels[top : top + _ROWS].astype(">u2").reshape(-1, pixels.shape[1] * pixels.shape[2]).view(np.uint8)
        filtered = np.full((len(rows), rows.shape[1] + 1), _SUB, np.uint8)
        pixel_bytes = 2 * pixels.shape[2]
        filtered[:, 1 : 1 + pixel_bytes] = rows[:, :pixel_bytes]
        np.subtract(rows[:, pixel_bytes:], rows[:, :-pixel_bytes], out=filtered[:, 1 + pixel_bytes :])
        if piece := compressor.compress(filtered.tobytes()):
            yield piece
    yield compressor.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
