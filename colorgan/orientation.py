"""How a photo file wants to be turned: its EXIF orientation, undone."""

from __future__ import annotations

from PIL import Image, ImageOps


def orient(image: Image.Image) -> Image.Image:
    """Returns the image as its EXIF orientation wants it; its pixels must be loaded."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001  the pixels are loaded: what fails here is EXIF, which then names no orientation
        return image
