"""The generator: a U-Net from lightness to chroma.

Source: Ronneberger et al. 2015, arXiv 1505.04597; Isola et al. 2017 (pix2pix), arXiv 1611.07004, section 6.1.1.
Differs from pix2pix: input is lightness and output scaled chroma instead of RGB; one activation for encoder and
decoder; the depth is a setting.
"""

from __future__ import annotations

from typing import Any

import keras

from colorgan.blocks import WEIGHT_STDDEV, Dropout, activate, normalize
from colorgan.config import GeneratorConfig

MAX_WIDTH = 8  # channels grow up to 8 x filters; pix2pix, section 6.1.1


def build_generator(config: GeneratorConfig, *, size: int | None, policy: str = "float32") -> keras.Model:
    """Returns the U-Net: lightness (batch, size, size, 1) -> chroma (batch, size, size, 2), both in [-1, 1].

    Args:
        config: Filters, depth and so on.
        size: Side of the photos in pixels, a multiple of 2 ** depth; None builds it for any such multiple.
        policy: Keras dtype policy of the layers; the output is float32.
    """
    lightness = keras.Input((size, size, 1), name="lightness")
    x, skips = lightness, []
    for block in range(config.depth):
        skips.append(x)
        x = _down(x, block, config, policy)
    for block in reversed(range(1, config.depth)):
        x = _up(x, block, config, policy)
        x = keras.layers.Concatenate(name=f"up_{block}_skip", dtype=policy)([x, skips[block]])
    x = keras.layers.Conv2DTranspose(2, config.kernel, name="up_0", dtype=policy, **_STRIDED)(x)
    chroma = keras.layers.Activation("tanh", name="chroma", dtype="float32")(x)
    return keras.Model(lightness, chroma, name="generator")


_STRIDED: dict[str, Any] = {
    "strides": 2,
    "padding": "same",
    "kernel_initializer": keras.initializers.RandomNormal(stddev=WEIGHT_STDDEV, seed=0),
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


def _up(x: Any, block: int, config: GeneratorConfig, policy: str) -> Any:
    """Doubles height and width to those of the output of encoder block `block` - 1."""
    name = f"up_{block}"
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
