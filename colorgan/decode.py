"""One photo file -> upright 8-bit sRGB -> square crops.

Whatever Pillow can be made to do on a hostile or broken file ends as one `PhotoError`. Folders, split and disk are
left to `split.py`, `packs.py` and `photos.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from colorgan.deep_png import is_deep_png, read_deep_png, split_alpha
from colorgan.orientation import orient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from colorgan.config import DataConfig

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_FILE_BYTES = 1 << 30  # more than an uncompressed 16-bit image of MAX_PIXELS
MAX_PIXELS = 89_478_485  # where Pillow begins to warn of decompression bombs; here it is an error
MAX_SCANS = 100  # of a JPEG; cameras and tools write 12 at most, and a hostile file of thousands takes hours
MIN_SIDE = 8  # pixels; the smallest crop there is: less is an icon, not a photo
MAX_ASPECT = 16  # long / short side; a thinner strip would be blown up without bound at scale 1
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # ICC colour space -> the Pillow mode that it describes
_JPEG, _SCAN, _END = b"\xff\xd8", b"\xda", b"\xd9"  # ITU-T T.81, table B.1
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")  # those with parameters, and the end of the image
SRGB_NAMES = {"sRGB", "sRGB built-in", "sRGB IEC61966-2.1"}  # already what we want: no rounding by a conversion


class PhotoError(ValueError):
    """A file that gives no photo; the message says why, without the file's name."""


def read_file(path: Path | str) -> bytes:
    """Returns what a photo file holds.

    Raises:
        PhotoError: It cannot be read, is empty, or too large for any photo.
    """
    try:
        if not Path(path).is_file():  # reading a pipe would wait for ever
            raise PhotoError("not a regular file" if Path(path).exists() else "no such file")
        with Path(path).open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > MAX_FILE_BYTES:  # asking for as many at most would reserve them all
                raise PhotoError(f"larger than {MAX_FILE_BYTES} bytes")
            data = stream.read()
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise PhotoError("empty")
    return data


def read_crops(data: bytes, config: DataConfig) -> NDArray[np.uint8]:
    """Returns a photo file's crops at all scales: sRGB, (crops, size, size, 3), at least one.

    Raises:
        PhotoError: Not a JPEG, PNG or WebP file, broken, or of unusable dimensions.
    """
    with open_photo(data) as image:
        sides = short_sides(min(image.size), config)
        # A JPEG can be decoded at 1/2, 1/4 or 1/8; twice the wanted size leaves the quality to the resizing below.
        image.draft(image.mode, (2 * max(sides), 2 * max(sides)))
        photo = _on_white(*upright_srgb(image, data))
    stride = max(1, round(config.crop_stride * config.size))
    return np.concatenate([_cut(photo, side, config.size, stride) for side in sides])


def decode_photo(data: bytes) -> Image.Image:
    """Returns a whole photo file as an upright image of mode RGB in sRGB; transparent parts become white.

    16-bit channels are scaled to 8. An embedded ICC profile is applied where it is valid and fits the image, else
    the values are taken as they stand, as browsers do. Animations give their first frame.

    Raises:
        PhotoError: As `read_crops`.
    """
    with open_photo(data) as image:
        return _on_white(*upright_srgb(image, data))


@contextmanager
def open_photo(data: bytes) -> Iterator[Image.Image]:
    """Opens a photo file, pixels not yet read; whatever goes wrong while it is open is a `PhotoError`."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_dimensions(*image.size)
            _check_scans(data)
            yield image
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError("empty" if not data else "not a JPEG, PNG or WebP file, or cut off in its header") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(f"more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # a broken file makes Pillow's readers raise almost anything
        raise PhotoError(f"broken ({type(error).__name__}: {' '.join(str(error).split())})") from error


def _check_dimensions(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short * long > MAX_PIXELS:
        raise PhotoError(f"{width} x {height}: more than {MAX_PIXELS} pixels")
    if short < MIN_SIDE:
        raise PhotoError(f"{width} x {height}: a side of less than {MIN_SIDE} pixels")
    if long > MAX_ASPECT * short:
        raise PhotoError(f"{width} x {height}: one side is more than {MAX_ASPECT} times the other")


def _check_scans(data: bytes) -> None:
    """Refuses a JPEG of very many scans, each of which costs a pass over all pixels; others have none."""
    scans, place = 0, len(_JPEG)
    while data.startswith(_JPEG) and (marker := _MARKER.search(data, place)) and marker[1] != _END:
        scans += marker[1] == _SCAN
        if scans > MAX_SCANS:
            raise PhotoError(f"a JPEG of more than {MAX_SCANS} scans")
        place = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2]))  # over its parameters


def upright_srgb(image: Image.Image, data: bytes) -> tuple[Image.Image, Image.Image | None]:
    """Returns an upright image of mode RGB in sRGB with 8 bits a channel, and its transparency if it has one.

    Args:
        image: From `open_photo`.
        data: The file that it was opened from.
    """
    image.load()
    profile = image.info.get("icc_profile")
    image = orient(image)
    alpha = None
    if is_deep_png(data) and (key := image.info.pop("transparency", None)) is not None:
        _, mask = split_alpha(read_deep_png(data), key)  # Pillow compares the key with half of each channel's bits
        alpha = None if mask is None else Image.fromarray((mask >> 8).astype(np.uint8))
    if image.mode.startswith("I;16"):
        image = _scale_to_8_bit(image)
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("LA" if gray else "RGBA")
        alpha = image.getchannel("A")
    if image.mode != "CMYK":
        image = image.convert("L" if gray else "RGB")
    return _apply_profile(image, profile), alpha


def _on_white(photo: Image.Image, alpha: Image.Image | None) -> Image.Image:
    if alpha is None:
        return photo
    white = Image.new("RGB", photo.size, "white")
    white.paste(photo, mask=alpha)
    return white


def _scale_to_8_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion from 16-bit gray clips at 255.
    values = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _apply_profile(image: Image.Image, icc: bytes | None) -> Image.Image:
    plain = image.convert("RGB")
    if not icc:
        return plain
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        if ImageCms.getProfileDescription(profile).strip() in SRGB_NAMES:
            return plain
        mode = _PROFILE_MODES.get(profile.profile.xcolor_space.strip())
        source = plain if mode == "RGB" and image.mode != "CMYK" else image
        if source.mode != mode:
            return plain
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return ImageCms.profileToProfile(source, profile, srgb, outputMode="RGB") or plain
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a broken profile
        return plain


def short_sides(short: int, config: DataConfig) -> list[int]:
    """Returns the short side in pixels at each scale in use; scale 1 stands in where all others would enlarge."""
    wanted = {round(scale * config.size) for scale in config.crop_scales}
    return sorted(side for side in wanted if side == config.size or side <= short) or [config.size]


def _cut(photo: Image.Image, side: int, size: int, stride: int) -> NDArray[np.uint8]:
    """Returns crops in a regular, centred grid over the photo resized to this short side."""
    ratio = side / min(photo.size)
    width, height = (max(side, round(length * ratio)) for length in photo.size)
    pixels = np.asarray(photo.resize((width, height), Image.Resampling.LANCZOS))
    return np.stack(
        [
            pixels[top : top + size, left : left + size]
            for top in _offsets(height, size, stride)
            for left in _offsets(width, size, stride)
        ]
    )


def _offsets(length: int, size: int, stride: int) -> range:
    count = (length - size) // stride + 1
    first = (length - size - (count - 1) * stride) // 2
    return range(first, first + count * stride, stride)
