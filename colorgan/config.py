"""The configuration of one training run: every number that training uses, checked once, here.

A `TrainConfig` together with its seed determines a run to the last bit (on one CPU thread). The models are frozen,
refuse unknown keys and wrong types, and know neither TensorFlow nor Optuna, so a study is checked without either.
Defaults are the papers'; each names its source.

Sources: pix2pix = Isola et al. 2017, arXiv 1611.07004; DCGAN = Radford et al. 2016, arXiv 1511.06434;
U-Net = Ronneberger et al. 2015, arXiv 1505.04597; Improved GAN = Salimans et al. 2016, arXiv 1606.03498.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from colorgan.errors import BadInputError
from colorgan.mistakes import explain, listed
from colorgan.scales import at_scale
from colorgan.strict_yaml import KeyPath, YamlError, read_yaml, write_yaml

Normalization = Literal["batch", "instance", "none"]
Activation = Literal["relu", "leaky_relu"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Weight = Annotated[float, Field(ge=0.0, le=1e6)]
LearningRate = Annotated[float, Field(gt=0.0, le=1.0)]
Limit = Annotated[int, Field(ge=1)] | None


class ConfigError(BadInputError):
    """A configuration that cannot be used; the message says what, where and what is allowed."""


class Part(BaseModel):
    """Base of all configuration parts: frozen, strict, no unknown keys, no NaN."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class DataConfig(Part):
    """Which photos, how they are cut into crops, and how they are split."""

    photos: Annotated[str, Field(min_length=1, max_length=4096)] = "sample"
    """`sample` for the bundled photos, else a folder that is searched recursively."""
    size: Annotated[int, Field(ge=8, le=2048)] = 256
    """Side of a square crop in pixels. Source: pix2pix, section 6.1 (256)."""
    crop_scales: Annotated[
        tuple[Annotated[float, Field(ge=1.0, le=16.0)], ...], Field(min_length=1, max_length=16, strict=False)
    ] = (1.0, 2.0)
    """A photo is cut at each of these scales: its short side becomes scale x size. Scales above 1 that would enlarge
    the photo are left out. Several scales multiply a small collection; a 256 px photo at size 256 gives one crop."""
    crop_stride: Annotated[float, Field(ge=0.125, le=1.0)] = 0.5
    """Distance between neighbouring crops, as a fraction of `size`."""
    valid_fraction: Fraction = 0.1
    """Share of the photos that the objective is measured on, where the folder brings no split of its own."""
    confirm_fraction: Fraction = 0.1
    """Share of the photos that no trial sees, kept for confirming a promoted configuration."""
    train_limit: Limit = None
    """At most this many training photos."""
    valid_limit: Limit = None
    """At most this many validation photos."""
    confirm_limit: Limit = None
    """At most this many confirmation photos."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the split and the limits. Apart from the run's seed, so that all trials see the same photos."""
    flip: bool = True
    """Mirror each training crop left to right with probability one half. Source: pix2pix, section 6.2."""

    @model_validator(mode="after")
    def _leave_photos_to_train_on(self) -> Self:
        if self.valid_fraction + self.confirm_fraction >= 1.0:
            raise ValueError(
                f"valid_fraction {self.valid_fraction} + confirm_fraction {self.confirm_fraction} leave no photos to "
                "train on: make their sum less than 1"
            )
        return self


class GeneratorConfig(Part):
    """The U-Net. Source: U-Net, and pix2pix section 6.1.1."""

    filters: Annotated[int, Field(ge=1, le=512)] = 64
    """Channels of the first block; doubled with each block up to 8 x. Source: pix2pix, section 6.1.1."""
    depth: Annotated[int, Field(ge=2, le=11)] = 5
    """Number of stride-2 blocks down (and up). pix2pix has 8 at 256 px; 5 trains faster and was found sufficient
    for colour, where the global layout is given by the lightness."""
    kernel: Annotated[int, Field(ge=2, le=9)] = 4
    """Side of the square kernels in pixels. Source: pix2pix, section 6.1."""
    normalization: Normalization = "batch"
    """After each convolution but the first, the innermost and the last. Source: pix2pix, section 6.1."""
    activation: Activation = "leaky_relu"
    """In all blocks. pix2pix: leaky in the encoder, plain in the decoder; here one setting serves both."""
    leak: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    """Slope of `leaky_relu` below zero. Source: pix2pix, section 6.1."""
    dropout: Fraction = 0.5
    """Rate in the first `dropout_blocks` decoder blocks; 0 leaves the layers out. Source: pix2pix, section 6.1.1."""
    dropout_blocks: Annotated[int, Field(ge=0, le=11)] = 3
    """Source: pix2pix, section 6.1.1."""


class DiscriminatorConfig(Part):
    """The PatchGAN. Source: pix2pix, section 6.1.2."""

    filters: Annotated[int, Field(ge=1, le=512)] = 64
    """Channels of the first block; doubled with each block up to 8 x. Source: pix2pix, section 6.1.2."""
    depth: Annotated[int, Field(ge=1, le=7)] = 3
    """Number of stride-2 blocks, followed by one stride-1 block and the 1-channel output. With 4 x 4 kernels 3 makes
    each logit see 70 x 70 pixels. Source: pix2pix, section 6.1.2."""
    kernel: Annotated[int, Field(ge=2, le=9)] = 4
    """Side of the square kernels in pixels. Source: pix2pix, section 6.1."""
    normalization: Normalization = "batch"
    """After each convolution but the first and the last. Source: pix2pix, section 6.1."""
    activation: Activation = "leaky_relu"
    """Source: pix2pix, section 6.1.2."""
    leak: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    """Slope of `leaky_relu` below zero. Source: pix2pix, section 6.1.2."""


class LossConfig(Part):
    """generator loss = adversarial_weight x adversarial + l1_weight x L1 + l2_weight x L2, all on scaled chroma."""

    adversarial: Literal["bce", "least_squares"] = "bce"
    """Binary cross-entropy (pix2pix, equation 1) or least squares (Mao et al. 2017, arXiv 1611.04076)."""
    adversarial_weight: Weight = 1.0
    """Source: pix2pix, equation 4."""
    l1_weight: Weight = 100.0
    """Lambda. Source: pix2pix, section 4.1 and 6.2."""
    l2_weight: Weight = 0.0
    """pix2pix prefers L1, as L2 blurs (section 3.1)."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    """One-sided: the discriminator's target for real photos is 1 - this. Source: Improved GAN, section 3.4 (0.1)."""


class OptimizerConfig(Part):
    """Adam for each network. Source: pix2pix, section 3.3."""

    generator_learning_rate: LearningRate = 2e-4
    """Source: pix2pix, section 3.3."""
    discriminator_learning_rate: LearningRate = 2e-4
    """Source: pix2pix, section 3.3."""
    generator_beta_1: Fraction = 0.5
    """Source: pix2pix, section 3.3; DCGAN, section 4."""
    discriminator_beta_1: Fraction = 0.5
    """Source: pix2pix, section 3.3; DCGAN, section 4."""
    beta_2: Fraction = 0.999
    """Source: pix2pix, section 3.3."""
    epsilon: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-7
    """Keras' default."""


class ScheduleConfig(Part):
    """How long training goes on, and how the learning rates change."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """An epoch ends with a validation, a report and a checkpoint. Source: pix2pix, section 6.2."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Batches in an epoch; None is one pass over the training crops."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 16
    """pix2pix uses 1 to 10 (section 6.2); 16 fills a processor better and is common in colorization."""
    decay: Literal["constant", "linear"] = "constant"
    """`linear` lowers both learning rates to zero at the end of training, from `decay_start` on."""
    decay_start: Fraction = 0.5
    """Share of training after which `linear` begins. Source: the pix2pix reference implementation (100 of 200)."""
    checkpoint_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """A checkpoint is written each time this many epochs are done, and at the end."""


class ValidationConfig(Part):
    """How a training run is measured."""

    moving_average: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 0.999
    """Largest decay of the moving average of the generator's weights that is validated and exported; None uses the
    raw weights. Its warm-up, decay = (1 + step) / (10 + step), fits the horizon to the step reached.
    Source: Karras et al. 2018, arXiv 1710.10196, section 4; the warm-up is TensorFlow's ExponentialMovingAverage."""
    part: Literal["valid", "confirm"] = "valid"
    """Which photos are measured. `confirm` is for confirming a configuration on photos that no search has seen."""
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Validate each time this many epochs are done, and at the end."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    """Crops measured at once; changes memory and speed, not results beyond rounding."""
    examples: Annotated[int, Field(ge=0, le=64)] = 4
    """Number of validation crops, always the same ones, shown as gray | real | generated."""
    example_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 2
    """Show examples each time this many epochs are done, after the first and at the end."""


class PrecisionConfig(Part):
    """Number format and compiler."""

    policy: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Mixed policies compute in 16 bit and keep weights, losses and optimizer in 32; `mixed_float16` scales the loss.
    Source: Micikevicius et al. 2018, arXiv 1710.03740."""
    jit_compile: Literal["auto", "on", "off"] = "auto"
    """XLA. `auto` is on with a GPU and off without: on a CPU compiling costs more than a short trial gains."""


class TrainConfig(Part):
    """Everything that determines one training run."""

    data: DataConfig = DataConfig()
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    losses: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    validation: ValidationConfig = ValidationConfig()
    precision: PrecisionConfig = PrecisionConfig()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of initial weights, order of crops, flips and dropout."""

    @model_validator(mode="after")
    def _fit_the_networks_to_the_crops(self) -> Self:
        size, down = self.data.size, 2**self.generator.depth
        if size % down:
            sizes = sorted({max(down, size // down * down), (size // down + 1) * down})
            raise ValueError(
                f"generator.depth {self.generator.depth} halves a crop {self.generator.depth} times, so data.size must "
                f"be a multiple of {down}; got {size}. Use data.size {' or '.join(map(str, sizes))}, or a smaller depth"
            )
        patch = size // 2**self.discriminator.depth
        if patch < 3:
            raise ValueError(
                f"discriminator.depth {self.discriminator.depth} halves a {size} px crop to {patch} px, and its last "
                "two convolutions need 3. Use a smaller discriminator.depth or a larger data.size"
            )
        return self

    def with_values(self, values: dict[str, Any]) -> TrainConfig:
        """Returns a checked copy with fields replaced by dotted path, e.g. `{"generator.filters": 16}`.

        Raises:
            ConfigError: A path that does not exist, or a value that its field refuses.
        """
        tree = self.model_dump()
        for path, value in values.items():
            *parents, leaf = path.split(".")
            node: Any = tree
            for name in parents:
                node = node.get(name) if isinstance(node, dict) else None
            if not isinstance(node, dict) or leaf not in node or isinstance(node[leaf], dict):
                raise ConfigError(f"{path}: no such field of a training configuration")
            node[leaf] = value
        return parse_config(tree)

    def architecture(self) -> str:
        """Returns a key that is equal for two configurations which one built `Trainer` can serve.

        Everything that shapes the graph is in it; what is fed to the graph (learning rates, betas, loss weights,
        smoothing, dropout rate above zero, seed, photos, length) is not.
        """
        generator = self.generator.model_dump()
        generator["dropout"] = self.generator.dropout > 0 and self.generator.dropout_blocks > 0
        shape = {
            "generator": generator,
            "discriminator": self.discriminator.model_dump(),
            "size": self.data.size,
            "adversarial": self.losses.adversarial,
            "batch_size": [self.schedule.batch_size, self.validation.batch_size],
            "moving_average": self.validation.moving_average is not None,
            "precision": self.precision.model_dump(),
        }
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]

    def continues_as(self, other: TrainConfig) -> bool:
        """Returns whether a run of this configuration may go on as a run of the other: equal but for its length.

        The length matters to a schedule that ends with it.
        """
        same = self.with_values({"schedule.epochs": other.schedule.epochs})
        return self == other or (self.schedule.decay == "constant" and same == other)

    def to_yaml(self) -> str:
        """Returns the configuration as YAML with every default written out; `load_config` reads it back equal."""
        return write_yaml(self.model_dump(mode="json"))


def parse_config(tree: Any, *, source: str = "configuration") -> TrainConfig:
    """Checks a tree of plain values and returns the configuration.

    Raises:
        ConfigError: One line per mistake: `source: dotted.path: what is wrong`.
    """
    return _parse(tree, lambda _: source)


def load_config(path: Path, *, scale: str | None = None) -> TrainConfig:
    """Reads a configuration from a YAML file, at one of its scales (`scales.py`) if it is named.

    Raises:
        ConfigError: The file cannot be read, is no YAML, or holds mistakes; all of them are named.
    """
    try:
        file = at_scale(read_yaml(path), scale)
    except YamlError as error:
        raise ConfigError(str(error)) from None
    return _parse({} if file.value is None else file.value, file.where)


def _parse(tree: Any, where: Callable[[KeyPath], str]) -> TrainConfig:
    try:
        return TrainConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(listed(explain(error, TrainConfig), where))) from None
