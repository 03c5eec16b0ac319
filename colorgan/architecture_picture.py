"""A picture of both networks, drawn from the built Keras models: the U-Net as a U, the PatchGAN as a chain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import keras
from PIL import Image, ImageDraw, ImageFont

from colorgan.blocks import Dropout, NoiseChannel, Normalize, count_weights
from colorgan.generator import DECODERS

BOX_WIDTH, BOX_HEIGHT = 290, 66  # pixels, as all below
COLUMN, ROW = 365, 94  # from one box to the next
MARGIN, HEADER = 24, 50
LINES = (6, 25, 44)  # of text, below the upper edge of a box
ARROW_HEAD = 7
_PAPER, _INK, _FAINT = "white", "#222222", "#777777"
_ENCODER, _DECODER, _DISCRIMINATOR, _PLAIN = "#dbe8f8", "#def2df", "#fbe8d3", "#eeeeee"


@dataclass(frozen=True)
class Block:
    """A convolution with what follows it, or an input.

    Attributes:
        name: Of its first layer.
        kind: "input", "down", "up", or "flat" for a convolution without a stride.
        words: What the layer does.
        shape: Height, width and channels of its output.
        details: What follows the convolution.
    """

    name: str
    kind: str
    words: str
    shape: str
    details: tuple[str, ...] = ()


def find_blocks(network: keras.Model) -> list[Block]:
    """Returns the blocks of a network, in order; paddings and skips are left out.

    What follows a convolution belongs to the block that its name begins with, else to the last one.
    """
    blocks: list[Block] = []
    for layer in network.layers:
        shape = " x ".join(map(str, layer.output.shape[1:]))
        if isinstance(layer, keras.layers.InputLayer):
            blocks.append(Block(layer.name, "input", "input", shape))
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
            up, stride = isinstance(layer, keras.layers.Conv2DTranspose), layer.strides[0]
            kind = "up" if up else "down" if stride > 1 else "flat"
            words = f"{layer.kernel_size[0]} x {layer.kernel_size[1]} {'transposed ' if up else ''}convolution"
            blocks.append(Block(layer.name, kind, f"{words}, stride {stride}" if stride > 1 else words, shape))
        elif detail := _detail(layer):
            owners = [place for place, block in enumerate(blocks) if layer.name.startswith(f"{block.name}_")]
            place = owners[-1] if owners else len(blocks) - 1
            blocks[place] = replace(blocks[place], details=(*blocks[place].details, detail))
    return blocks


def draw_architecture(generator: keras.Model, discriminator: keras.Model) -> Image.Image:
    """Returns the picture; both networks are built for photos of a known size."""
    down = [block for block in find_blocks(generator) if block.kind in ("input", "down")]
    decoders = [block for block in find_blocks(generator) if block.kind == "up"]
    up = _twins(decoders)
    chain = _joined(find_blocks(discriminator))
    canvas = _Canvas(columns=3, rows=max(len(down), len(chain)))
    canvas.title(0, "Generator: U-Net", f"{count_weights(generator):,} weights")
    if len(up) < len(decoders):
        canvas.title(1, "Two decoders", "one for each chroma channel, alike")
    canvas.title(2, "Discriminator: PatchGAN", f"{count_weights(discriminator):,} weights")
    for row, block in enumerate(down):
        canvas.box(0, row, block, _PLAIN if block.kind == "input" else _ENCODER)
        if row:
            canvas.arrow([canvas.bottom(0, row - 1), canvas.top(0, row)])
    for place, block in enumerate(up):
        row = len(up) - 1 - place  # beside the encoder's output of the same size
        canvas.box(1, row, block, _DECODER)
        if place:
            canvas.arrow([canvas.top(1, row + 1), canvas.bottom(1, row)])
        if row:
            canvas.arrow([canvas.right(0, row), canvas.left(1, row)], label="skip")
    (corner, _), last = canvas.bottom(1, len(up) - 1), canvas.right(0, len(down) - 1)
    canvas.arrow([last, (corner, last[1]), canvas.bottom(1, len(up) - 1)])
    for row, block in enumerate(chain):
        canvas.box(2, row, block, _PLAIN if block.kind == "input" else _DISCRIMINATOR)
        if row:
            canvas.arrow([canvas.bottom(2, row - 1), canvas.top(2, row)])
    return canvas.image


Point = tuple[float, float]


class _Canvas:
    """Boxes in columns and rows, and arrows between them."""

    def __init__(self, *, columns: int, rows: int) -> None:
        width = 2 * MARGIN + (columns - 1) * COLUMN + BOX_WIDTH
        height = MARGIN + HEADER + (rows - 1) * ROW + BOX_HEIGHT + MARGIN
        self.image = Image.new("RGB", (width, height), _PAPER)
        self._draw = ImageDraw.Draw(self.image)
        self._large, self._normal = ImageFont.load_default(16), ImageFont.load_default(13)

    def title(self, column: int, name: str, weights: str) -> None:
        x, y = MARGIN + column * COLUMN, MARGIN - 6
        self._draw.text((x, y), name, fill=_INK, font=self._large)
        self._draw.text((x, y + 22), weights, fill=_FAINT, font=self._normal)

    def box(self, column: int, row: int, block: Block, colour: str) -> None:
        x, y = self._corner(column, row)
        self._draw.rounded_rectangle((x, y, x + BOX_WIDTH, y + BOX_HEIGHT), 6, fill=colour, outline=_FAINT)
        texts = (f"{block.name}   {block.shape}", block.words, ", ".join(block.details))
        for offset, text, ink in zip(LINES, texts, (_INK, _INK, _FAINT), strict=True):
            self._draw.text((x + 10, y + offset), text, fill=ink, font=self._normal)

    def arrow(self, points: list[Point], *, label: str = "") -> None:
        self._draw.line(points, fill=_FAINT, width=2)
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0)
        dx, dy = (x1 - x0) / length * ARROW_HEAD, (y1 - y0) / length * ARROW_HEAD
        self._draw.polygon(
            [(x1, y1), (x1 - dx - dy / 2, y1 - dy + dx / 2), (x1 - dx + dy / 2, y1 - dy - dx / 2)], _FAINT
        )
        if label:
            middle = ((x0 + x1) / 2, (y0 + y1) / 2 - 3)
            self._draw.text(middle, label, fill=_FAINT, font=self._normal, anchor="mb")

    def top(self, column: int, row: int) -> Point:
        x, y = self._corner(column, row)
        return x + BOX_WIDTH / 2, y

    def bottom(self, column: int, row: int) -> Point:
        x, y = self.top(column, row)
        return x, y + BOX_HEIGHT

    def left(self, column: int, row: int) -> Point:
        x, y = self._corner(column, row)
        return x, y + BOX_HEIGHT / 2

    def right(self, column: int, row: int) -> Point:
        x, y = self.left(column, row)
        return x + BOX_WIDTH, y

    @staticmethod
    def _corner(column: int, row: int) -> Point:
        return MARGIN + column * COLUMN, MARGIN + HEADER + row * ROW


def _joined(blocks: list[Block]) -> list[Block]:
    """Returns the blocks with two inputs as one."""
    first, second, *others = blocks
    return [replace(first, words=f"{second.name}   {second.shape}"), *others]


def _twins(blocks: list[Block]) -> list[Block]:
    """Returns the blocks of two decoders, which are alike, as those of one under both names; of one as they are."""
    first, second = ([block for block in blocks if block.name.startswith(f"{name}_")] or blocks for name in DECODERS)
    return [a if a is b else replace(b, name=f"{a.name}, {b.name}") for a, b in zip(first, second, strict=True)]


def _detail(layer: keras.layers.Layer) -> str:
    """Returns in words what a layer does to a convolution's output; nothing for paddings and joints."""
    if isinstance(layer, Normalize):
        return "instance norm" if layer.per_photo else "batch norm"
    if isinstance(layer, NoiseChannel):
        return f"and noise {layer.initial_deviation:g}"
    if isinstance(layer, Dropout):
        return f"dropout {layer.initial_rate:g}"
    if isinstance(layer, keras.layers.LeakyReLU):
        return f"leaky ReLU {layer.negative_slope:g}" if layer.negative_slope else "ReLU"
    if isinstance(layer, keras.layers.Activation) and layer.activation is not keras.activations.linear:
        return str(layer.activation.__name__)
    return ""
