"""Sheets of examples as pictures: rows of gray | real | generated under a line that names the columns.

Source: the three columns are the thesis' that this program grew out of.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = ("gray", "real", "generated")
GAP, LINE = 4, 18  # pixels; a line of text
MIN_SIDE = 128  # pixels; smaller photos are enlarged by a whole number, so that they can be seen
_PAPER, _INK = "white", (60, 60, 60)


def make_sheet(
    examples: NDArray[np.uint8], *, columns: Sequence[str] = COLUMNS, captions: Sequence[str] | None = None
) -> Image.Image:
    """Returns a picture of examples.

    Args:
        examples: uint8 sRGB, (count, height, columns * width, 3): each row's photos side by side.
        columns: What stands above them.
        captions: What stands under each row; cut where it is wider than the sheet.

    Raises:
        ValueError: The width is no multiple of the number of columns, or there is not one caption a row.
    """
    count, height, whole, _ = examples.shape
    if whole % len(columns):
        raise ValueError(f"examples of width {whole} have no {len(columns)} columns")
    if captions is not None and len(captions) != count:
        raise ValueError(f"{len(captions)} captions for {count} rows")
    width = whole // len(columns)
    zoom = max(1, -(-MIN_SIDE // min(width, height)))
    across, down = zoom * width + GAP, zoom * height + GAP + (0 if captions is None else LINE)
    sheet = Image.new("RGB", (len(columns) * across - GAP, LINE + count * down - GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for column, name in enumerate(columns):
        draw.text((column * across + 2, 1), name, fill=_INK, font=font)
        for row, photos in enumerate(examples):
            photo = Image.fromarray(photos[:, column * width : (column + 1) * width])
            photo = photo.resize((zoom * width, zoom * height), Image.Resampling.NEAREST)
            sheet.paste(photo, (column * across, LINE + row * down))
    for row, caption in enumerate(captions or ()):
        draw.text((2, LINE + row * down + zoom * height + 1), caption, fill=_INK, font=font)
    return sheet


def write_sheet(
    path: Path,
    examples: NDArray[np.uint8],
    *,
    columns: Sequence[str] = COLUMNS,
    captions: Sequence[str] | None = None,
) -> None:
    """Writes a sheet as PNG in place of an older one; a reader never meets a torn one.

    Raises:
        OSError: The file cannot be written.
    """
    buffer = io.BytesIO()
    sheet = make_sheet(examples, columns=columns, captions=captions)
    sheet.save(buffer, format="png", compress_level=1)  # a quarter of the time, a tenth more bytes
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(path)
