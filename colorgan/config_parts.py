"""The parts of a training run's configuration: photos, networks, losses, optimizer, schedule, validation, precision.

Each field has its range, its default and where that comes from; `config.py` puts the parts together and checks what
they are only together. Knows neither TensorFlow nor Optuna.

Sources: pix2pix = Isola et al. 2017, arXiv 1611.07004; DCGAN = Radford et al. 2016, arXiv 1511.06434;
U-Net = Ronneberger et al. 2015, arXiv 1505.04597; Improved GAN = Salimans et al. 2016, arXiv 1606.03498;
thesis = that which this program grew out of, 2020, github.com/tobiasvossen/B.Sc.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Normalization = Literal["batch", "instance", "none"]
Activation = Literal["relu", "leaky_relu"]
ColorSpace = Literal["lab", "hsv"]
Backend = Literal["tensorflow", "jax"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
BACKEND_VARIABLE = "KERAS_BACKEND"  # Keras' own
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[
    float, Field(ge=0.0, le=0.999999)
]  # networks and steps divide by 1 - it in float32, where 1 - 2e-8 is 1
Weight = Annotated[float, Field(ge=0.0, le=1e6)]
LearningRate = Annotated[float, Field(gt=0.0, le=1.0)]
Limit = Annotated[int, Field(ge=1)] | None


class Part(BaseModel):
    """Base of all configuration parts: frozen, strict, no unknown keys, no NaN."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class DataConfig(Part):
    """Which photos, how they are cut into crops, and how they are split."""

    photos: Annotated[str, Field(min_length=1, max_length=4096)] = "sample"
    """`sample` for the bundled photos, else a folder that is searched recursively. A relative path starts where the
    command does, as paths on a command line do, wherever the file that it stands in lies."""
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
    color_space: ColorSpace = "lab"
    """In which space the networks see photos: given Lab's lightness the generator finds a and b, given HSV's value hue
    and saturation. Hue is a circle, cut open at red: to L1 and L2 two reds beside the cut are as far apart as can be,
    and the safest guess between them is cyan; the hue of gray means nothing, but counts like any other. Lab has no cut.
    Source: thesis, which found Lab better, early and at the end. What is measured and painted is Lab chroma under the
    photo's own lightness from either, so that they compare; photos are packed in RGB, so that they share packs."""
    renew_epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Each time this many epochs are done, the photos of `train_limit` and of `valid_limit` give way to the folder's
    next ones, and after the last ones to the first again; null keeps them. The confirm photos stay. Validation values
    from before and after do not compare exactly, as they are of other photos. All photos of both parts are packed: of
    Places365's validation archive 7 GB at 256 px. Source: thesis, which renewed both after 64 of 128 epochs."""

    @model_validator(mode="after")
    def _have_photos_to_renew(self) -> Self:
        if self.renew_epochs is not None and self.train_limit is None and self.valid_limit is None:
            raise ValueError(
                f"renew_epochs {self.renew_epochs} has no new photos to take, as all of them are used: set train_limit "
                "or valid_limit, or renew_epochs to null"
            )
        return self

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
    dropout: Rate = 0.5
    """Rate in the first `dropout_blocks` decoder blocks; 0 leaves the layers out. Source: pix2pix, section 6.1.1."""
    dropout_blocks: Annotated[int, Field(ge=0, le=11)] = 3
    """Decoder blocks with dropout, from the innermost on. Source: pix2pix, section 6.1.1."""
    noise: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Standard deviation of Gaussian noise in a second input channel, drawn anew in each training step and zero outside
    training, so that validation and use are the same every time; 0 leaves the channel out. The lightness reaches from
    -1 to 1. Source: thesis, as another regularization than dropout; it states no deviation."""
    split_decoders: bool = False
    """One decoder for each of the two chroma channels, with all skips of the one encoder, trained together: with the
    other defaults 26.4 million weights instead of 16.7. Source: thesis, whose final generator this is."""


class DiscriminatorConfig(Part):
    """The PatchGAN. Source: pix2pix, section 6.1.2."""

    filters: Annotated[int, Field(ge=1, le=512)] = 64
    """Channels of the first block; doubled with each block up to 8 x. Source: pix2pix, section 6.1.2."""
    depth: Annotated[int, Field(ge=1, le=7)] = 3
    """Number of stride-2 blocks, followed by `unstrided_blocks` and the 1-channel output. With 4 x 4 kernels 3 makes
    each logit see 70 x 70 pixels. Source: pix2pix, section 6.1.2. The thesis counts the output too: its 4, 5 and 6 are
    3, 4 and 5 here."""
    unstrided_blocks: Annotated[int, Field(ge=0, le=4)] = 1
    """Number of stride-1 blocks between the stride-2 ones and the output. 1 is pix2pix' discriminator. With 0 and the
    other defaults it is the thesis': 64, 128 and 256 channels, then the output, 0.66 million weights. Its logits see
    46 x 46 pixels each; the thesis states 70 x 70, which takes 1."""
    kernel: Annotated[int, Field(ge=2, le=9)] = 4
    """Side of the square kernels in pixels. Source: pix2pix, section 6.1."""
    normalization: Normalization = "batch"
    """After each convolution but the first and the last. Source: pix2pix, section 6.1."""
    activation: Activation = "leaky_relu"
    """In all blocks. Source: pix2pix, section 6.1.2."""
    leak: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2
    """Slope of `leaky_relu` below zero. Source: pix2pix, section 6.1.2."""

    def logits(self, size: int) -> int:
        """Returns how many logits there are across crops of this side in pixels; below 1 the network cannot be built.

        A stride-2 block rounds up. What is unstrided is padded by as much on both sides, which even kernels do not
        make up for.
        """
        return -(-size >> self.depth) - (self.unstrided_blocks + 1) * (1 - self.kernel % 2)


class LossConfig(Part):
    """generator loss = adversarial_weight x adversarial + l1_weight x L1 + l2_weight x L2, all on scaled chroma."""

    adversarial: Literal["bce", "least_squares"] = "bce"
    """Binary cross-entropy (pix2pix, equation 1) or least squares (Mao et al. 2017, arXiv 1611.04076)."""
    adversarial_weight: Weight = 1.0
    """Of the adversarial loss. Source: pix2pix, equation 4."""
    l1_weight: Weight = 100.0
    """Of the mean absolute error: the paper's lambda. Source: pix2pix, section 4.1 and 6.2."""
    l2_weight: Weight = 0.0
    """Of the mean squared error. pix2pix prefers L1, as L2 blurs (section 3.1)."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    """One-sided: the discriminator's target for real photos is 1 - this. Source: Improved GAN, section 3.4 (0.1)."""


class OptimizerConfig(Part):
    """Adam for each network. Source: pix2pix, section 3.3."""

    generator_learning_rate: LearningRate = 2e-4
    """Of the generator's Adam. Source: pix2pix, section 3.3."""
    discriminator_learning_rate: LearningRate = 2e-4
    """Of the discriminator's Adam. Source: pix2pix, section 3.3."""
    generator_beta_1: Rate = 0.5
    """Decay of the mean of the generator's gradients. Source: pix2pix, section 3.3; DCGAN, section 4."""
    discriminator_beta_1: Rate = 0.5
    """Decay of the mean of the discriminator's gradients. Source: pix2pix, section 3.3; DCGAN, section 4."""
    beta_2: Rate = 0.999
    """Decay of the mean of squared gradients, of both. Source: pix2pix, section 3.3."""
    epsilon: Annotated[float, Field(ge=1e-30, le=1.0)] = 1e-7
    """Keeps an update from being divided by 0. Keras' default. The least is far above what float32, in which a weight
    without a gradient is divided by it, takes for 0."""


class ScheduleConfig(Part):
    """How long training goes on, and how the learning rates change."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """An epoch ends with a validation, a report and a checkpoint. Source: pix2pix, section 6.2."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Batches in an epoch; null is one pass over the training crops."""
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
    """Largest decay of the moving average of the generator's weights that is validated and exported; null uses the
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
    """XLA. `auto` is on with a GPU and off without: on a CPU compiling costs more than a short trial gains. JAX has
    nothing else, so with it this cannot be `off`."""
