"""The generator: a U-Net from lightness to chroma, with one decoder for both chroma channels or one for each.

Source: Ronneberger et al. 2015, arXiv 1505.04597; Isola et al. 2017 (pix2pix), arXiv 1611.07004, section 6.1.1.
Differs from pix2pix: input is lightness and output scaled chroma instead of RGB; one activation for encoder and
decoder; the depth is a setting. Split decoders and the noise channel are the thesis' (see `config_parts.py`).
"""

from __future__ import annotations

from typing import Any

import keras

from colorgan.blocks import Dropout, InitialKernel, NoiseChannel, activate, normalize
from colorgan.color import lab_chroma, split_photo
from colorgan.config import ColorSpace, GeneratorConfig

MAX_WIDTH = 8  # channels grow up to 8 x filters; pix2pix, section 6.1.1
DECODERS = ("first", "second")  # one for each chroma channel where they are split; their layers' names begin so


def build_generator(config: GeneratorConfig, *, size: int | None, policy: str = "float32") -> keras.Model:
    """Returns the U-Net: lightness (batch, size, size, 1) -> chroma (batch, size, size, 2), both in [-1, 1].

    Args:
        config: Filters, depth and so on.
        size: Side of the photos in pixels, a multiple of 2 ** depth; None builds it for any such multiple.
        policy: Keras dtype policy of the layers; the output is float32.
    """
    lightness = keras.Input((size, size, 1), name="lightness")
    x = NoiseChannel(config.noise, name="lightness_noise", dtype=policy)(lightness) if config.noise > 0 else lightness
    outputs = []
    for block in range(config.depth):
        x = _down(x, block, config, policy)
        outputs.append(x)
    if config.split_decoders:
        channels = [_decode(outputs, f"{name}_up", 1, config, policy) for name in DECODERS]
        x = keras.layers.Concatenate(name="channels", dtype=policy)(channels)
    else:
        x = _decode(outputs, "up", 2, config, policy)
    chroma = keras.layers.Activation("tanh", name="chroma", dtype="float32")(x)
    return keras.Model(lightness, chroma, name="generator")


def find_chroma(generator: Any, photos: Any, space: ColorSpace) -> Any:
    """Returns the scaled Lab chroma, (..., 2), that a generator finds for photos.

    Args:
        generator: Scaled lightness -> scaled chroma, in its space.
        photos: sRGB, (batch, height, width, 3), uint8 or float in [0, 1].
        space: That the generator was trained in.
    """
    lightness, _ = split_photo(photos, space)
    return lab_chroma(lightness, generator(lightness, training=False), photos, space)


_STRIDED: dict[str, Any] = {
    "strides": 2,
    "padding": "same",
    "kernel_initializer": InitialKernel(),
}


def _width(block: int, config: GeneratorConfig) -> int:
    """Returns the channels of encoder block `block`, counted from 0."""
    return config.filters * int(min(2**block, MAX_WIDTH))


def _down(x: Any, block: int, config: GeneratorConfig, policy: str) -> Any:
    """Halves height and width. The first block and the innermost have no normalization, as in pix2pix."""
    name, plain = f"down_{block}", block in (0, config.depth - 1)
    x = keras.layers.Conv2D(
        _width(block, config),
        config.kernel,
        use_bias=plain or config.normalization == "none",
        name=name,
        dtype=policy,
        **_STRIDED,
    )(x)
    x = x if plain else normalize(x, config.normalization, name=name, policy=policy)
    return activate(x, config.activation, leak=config.leak, name=name, policy=policy)


def _decode(outputs: list[Any], name: str, channels: int, config: GeneratorConfig, policy: str) -> Any:
    """Returns chroma channels before their tanh, from the outputs of all encoder blocks; layers are named `name_*`."""
    x = outputs[-1]
    for block in reversed(range(1, config.depth)):
        x = _up(x, block, f"{name}_{block}", config, policy)
        x = keras.layers.Concatenate(name=f"{name}_{block}_skip", dtype=policy)([x, outputs[block - 1]])
    return keras.layers.Conv2DTranspose(channels, config.kernel, name=f"{name}_0", dtype=policy, **_STRIDED)(x)


def _up(x: Any, block: int, name: str, config: GeneratorConfig, policy: str) -> Any:
    """Doubles height and width to those of the output of encoder block `block` - 1."""
    x = keras.layers.Conv2DTranspose(
        _width(block - 1, config),
        config.kernel,
        use_bias=config.normalization == "none",
        name=name,
        dtype=policy,
        **_STRIDED,
    )(x)
    x = normalize(x, config.normalization, name=name, policy=policy)
    if config.dropout > 0 and block >= config.depth - config.dropout_blocks:
        x = Dropout(config.dropout, name=f"{name}_dropout", dtype=policy)(x)
    return activate(x, config.activation, leak=config.leak, name=name, policy=policy)
