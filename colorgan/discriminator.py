"""The discriminator: a PatchGAN that judges each patch of a photo, given its lightness.

Source: Isola et al. 2017 (pix2pix), arXiv 1611.07004, sections 3.2.2 and 6.1.2.
Differs from pix2pix: sees lightness and chroma (3 channels) instead of two RGB photos (6).
"""

from __future__ import annotations

from typing import Any

import keras

from colorgan.blocks import InitialKernel, activate, normalize
from colorgan.config import DiscriminatorConfig

MAX_WIDTH = 8  # channels grow up to 8 x filters; pix2pix, section 6.1.2


def build_discriminator(config: DiscriminatorConfig, *, size: int | None, policy: str = "float32") -> keras.Model:
    """Returns the PatchGAN: lightness (batch, size, size, 1), chroma (batch, size, size, 2) -> logits.

    The logits are float32, (batch, rows, columns, 1), one per overlapping patch of `receptive_field` pixels.
    """
    lightness = keras.Input((size, size, 1), name="lightness")
    chroma = keras.Input((size, size, 2), name="chroma")
    x = keras.layers.Concatenate(name="photo", dtype=policy)([lightness, chroma])
    for block in range(config.depth):
        x = _convolve(x, block, config, policy=policy, strides=2, padding="same")
    for extra in range(config.unstrided_blocks):
        padded = _pad(x, config, f"last_{extra}" if extra else "last", policy)
        x = _convolve(padded, config.depth + extra, config, policy=policy, strides=1, padding="valid")
    x = keras.layers.Conv2D(1, config.kernel, kernel_initializer=InitialKernel(), name="logits", dtype=policy)(
        _pad(x, config, "logits", policy)
    )
    logits = keras.layers.Activation("linear", name="logits_float32", dtype="float32")(x)
    return keras.Model([lightness, chroma], logits, name="discriminator")


def receptive_field(config: DiscriminatorConfig) -> int:
    """Returns the side in pixels of the patch that one logit sees."""
    field = 1
    for stride in [1] * (config.unstrided_blocks + 1) + [2] * config.depth:
        field = (field - 1) * stride + config.kernel
    return field


def _pad(x: Any, config: DiscriminatorConfig, name: str, policy: str) -> Any:
    """Pads as the reference does for its 4 x 4 kernels: 1 pixel, so that an unstrided convolution loses one."""
    return keras.layers.ZeroPadding2D((config.kernel - 1) // 2, name=f"{name}_pad", dtype=policy)(x)


def _convolve(x: Any, block: int, config: DiscriminatorConfig, *, policy: str, strides: int, padding: str) -> Any:
    name, first = f"block_{block}", block == 0
    x = keras.layers.Conv2D(
        config.filters * int(min(2**block, MAX_WIDTH)),
        config.kernel,
        strides=strides,
        padding=padding,
        use_bias=first or config.normalization == "none",
        kernel_initializer=InitialKernel(),
        name=name,
        dtype=policy,
    )(x)
    x = x if first else normalize(x, config.normalization, name=name, policy=policy)
    return activate(x, config.activation, leak=config.leak, name=name, policy=policy)
