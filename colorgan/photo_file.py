"""One photo file at full quality: its pixels at the depth they have, transparency and metadata; and writing it back.

Training reads photos by `decode.py`, in 8 bits and without their metadata; the formats are the same. Of EXIF and
colour profiles what cannot be kept is said, never dropped in silence; other notes in a file (PNG text, XMP, comments, a
gamma) are not carried over. A file that is there is never replaced, and none is ever seen half written.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image, ImageCms

from colorgan.decode import SRGB_NAMES, PhotoError, open_photo, read_file, upright_srgb
from colorgan.deep_png import is_deep_png, read_deep_png, split_alpha, write_deep_png
from colorgan.disk import draft_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.unsignedinteger[Any]]  # of 8 or 16 bits

Format = Literal["JPEG", "PNG", "WEBP"]
MAX_EXIF_BYTES = 65_533  # of one JPEG marker
MAX_DPI = 65_535  # JPEG's field for it
MAX_SIDES: dict[str, int] = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; libjpeg's and libwebp's limits
JPEG_QUALITY = 95  # Pillow's advice for the highest useful one; chroma is stored at full resolution


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo in sRGB.

    Attributes:
        pixels: uint8 or uint16, (height, width, 3); may be read-only.
        alpha: The same type, (height, width); None where the file has no transparency.
        icc: An sRGB profile to embed; None where the file had no profile.
        exif: EXIF data without orientation and thumbnail.
        dpi: Pixels an inch, across and down.
        notes: What of the file is not in here, in words for its owner.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def flat(self) -> Image.Image:
        """Returns it with 8 bits a channel and white where it is transparent."""
        image = Image.fromarray(_to_8_bit(self.pixels))
        if self.alpha is None:
            return image
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=Image.fromarray(_to_8_bit(self.alpha)))
        return white


def read_photo(path: Path) -> Photo:
    """Reads a photo file.

    Raises:
        PhotoError: It cannot be read, is broken or no JPEG, PNG or WebP file, or of unusable dimensions.
    """
    data = read_file(path)
    # Pillow's warnings (broken EXIF, a bomb below its limit) end as errors or notes of ours.
    with warnings.catch_warnings(action="ignore"), open_photo(data) as image:
        image.load()
        notes = _lost(image)
        icc, replaced = _profile(image.info.get("icc_profile"))
        deep = is_deep_png(data)
        pixels: Pixels
        alpha: Pixels | None
        if deep and not replaced:
            pixels, alpha = split_alpha(read_deep_png(data), image.info.get("transparency"))
        else:
            flat, mask = upright_srgb(image, data)
            pixels, alpha = np.asarray(flat), None if mask is None else np.asarray(mask)
            notes += ["16 bits reduced to 8 when its profile was replaced"] if deep else []
        notes += [replaced] if replaced else []
        return Photo(pixels, alpha, icc, _exif(image, notes), _dpi(image), tuple(notes))


def write_photo(path: Path, photo: Photo) -> tuple[str, ...]:
    """Writes a new file in the format of the path's suffix, lossless but for JPEG, making its folder where needed.

    Returns:
        What the format has no room for, in words for the file's owner.

    Raises:
        PhotoError: The photo is too large for the format.
        FileExistsError: There is such a file; it is untouched.
        OSError: The file cannot be written.
    """
    kind = format_of(path)
    photo, lost = _fit(photo, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = draft_of(path)
    try:
        with temporary.open("wb") as file:
            _encode(file, photo, kind)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return lost


def format_of(path: Path) -> Format:
    """Returns the format that a photo's suffix stands for; any but PNG's and WebP's is one of JPEG's."""
    formats: dict[str, Format] = {".png": "PNG", ".webp": "WEBP"}
    return formats.get(path.suffix.lower(), "JPEG")


def _lost(image: Image.Image) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    return [
        *([f"the first of its {frames} pictures"] if frames > 1 else []),
        *(["CMYK converted to RGB"] if image.mode == "CMYK" else []),
    ]


def _profile(icc: bytes | None) -> tuple[bytes | None, str]:
    """Returns the profile that fits the pixels once they are sRGB, and what became of the file's own, if not kept."""
    if not icc:
        return None, ""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None, "broken ICC profile dropped"
    if name in SRGB_NAMES:
        return icc, ""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb, f"ICC profile {name} replaced by sRGB"


def _exif(image: Image.Image, notes: list[str]) -> bytes | None:
    """Returns the EXIF data to keep: the pixels are upright by now, and a thumbnail would still be gray."""
    try:
        exif = image.getexif()
        exif.pop(0x0112, None)  # orientation
        return exif.tobytes() if exif else None
    except Exception:  # noqa: BLE001 - the pixels are loaded: what fails here is EXIF, in almost any way
        notes.append("broken EXIF data dropped")
        return None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    across, down = image.info.get("dpi", (0, 0))
    return (float(across), float(down)) if 1 <= across <= MAX_DPI and 1 <= down <= MAX_DPI else None


def _fit(photo: Photo, kind: Format) -> tuple[Photo, tuple[str, ...]]:
    """Returns what the format has room for, and in words what it has none for."""
    lost, (height, width) = [], photo.pixels.shape[:2]
    if max(height, width) > MAX_SIDES.get(kind, max(height, width)):
        raise PhotoError(f"{width} x {height} pixels: {kind} holds {MAX_SIDES[kind]} a side; choose .png as output")
    if kind != "PNG" and photo.pixels.dtype == np.uint16:
        lost.append(f"16 bits reduced to 8, as {kind} has no more")
        alpha = None if photo.alpha is None else _to_8_bit(photo.alpha)
        photo = replace(photo, pixels=_to_8_bit(photo.pixels), alpha=alpha)
    if kind == "JPEG" and photo.alpha is not None:
        lost.append("transparent parts made white, as JPEG has no transparency")
        photo = replace(photo, pixels=np.asarray(photo.flat()), alpha=None)
    if kind == "JPEG" and len(photo.exif or b"") > MAX_EXIF_BYTES:
        lost.append("EXIF data dropped, as JPEG has no room for so much")
        photo = replace(photo, exif=None)
    return photo, tuple(lost)


def _encode(file: IO[bytes], photo: Photo, kind: Format) -> None:
    pixels = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
    if pixels.dtype == np.uint16:
        write_deep_png(file, pixels.astype(np.uint16, copy=False), icc=photo.icc, exif=photo.exif, dpi=photo.dpi)
        return
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": JPEG_QUALITY, "subsampling": "4:4:4"},
        "PNG": {},
        "WEBP": {"lossless": True, "exact": True},
    }
    metadata = {"icc_profile": photo.icc, "exif": photo.exif, "dpi": photo.dpi}
    given = {name: value for name, value in metadata.items() if value is not None}
    Image.fromarray(pixels).save(file, kind, **options[kind], **given)


def _publish(temporary: Path, path: Path) -> None:
    """Gives a finished file its name, if no file has it."""
    try:
        os.link(temporary, path)  # unlike a rename it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(17, "there is such a file", str(path)) from None
        temporary.replace(path)


def _to_8_bit(values: Pixels) -> NDArray[np.uint8]:
    """Returns values scaled to 8 bits and rounded."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    table, scaled = ((np.arange(65_536) + 128) // 257).astype(np.uint8), np.empty(values.shape, np.uint8)
    for row, scaled_row in zip(values, scaled, strict=True):  # all at once would take eight times the memory
        scaled_row[:] = table[row]
    return scaled
