"""What a training run reports: the metric names, defined here once, and `EpochResult`.

Knows no TensorFlow, so that a driver can read reports without importing it. How the metrics are computed is in
`metrics.py`, the losses in `losses.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Metric(NamedTuple):
    """A reported number: its key, which way is better (None: neither), and what it is."""

    key: str
    better: Literal["minimize", "maximize"] | None
    description: str


VALID_METRICS: tuple[Metric, ...] = (
    Metric("valid/delta_e", "minimize", "mean CIE 1976 colour difference in Lab"),
    Metric("valid/delta_e_2000", "minimize", "mean CIEDE2000 colour difference"),
    Metric("valid/l1", "minimize", "mean absolute error of chroma scaled to [-1, 1]"),
    Metric("valid/mse", "minimize", "mean squared error of RGB in [0, 1]"),
    Metric("valid/psnr_db", "maximize", "peak signal-to-noise ratio of RGB in dB"),
    Metric("valid/ssim", "maximize", "structural similarity of RGB"),
    Metric("valid/chroma_kl", "minimize", "Kullback-Leibler divergence (log10) of generated from real chroma"),
    Metric("valid/colorfulness", None, "Hasler-Suesstrunk colourfulness of the generated photos"),
    Metric("valid/colorfulness_ratio", None, "colourfulness of the generated photos / of the real ones; 1 is real"),
)
TRAIN_METRICS: tuple[Metric, ...] = (
    Metric("train/generator_adversarial", None, "adversarial loss of the generator"),
    Metric("train/l1", "minimize", "mean absolute error of scaled chroma"),
    Metric("train/l2", "minimize", "mean squared error of scaled chroma"),
    Metric("train/generator_total", None, "weighted sum that the generator minimizes"),
    Metric("train/discriminator_real", None, "adversarial loss of the discriminator on real photos"),
    Metric("train/discriminator_fake", None, "adversarial loss of the discriminator on generated photos"),
    Metric("train/discriminator_total", None, "sum that the discriminator minimizes"),
)
METRICS: dict[str, Metric] = {metric.key: metric for metric in VALID_METRICS + TRAIN_METRICS}


@dataclass(frozen=True)
class EpochResult:
    """What one epoch of training reports.

    Attributes:
        epoch: Number of epochs done, from 1.
        step: Number of training steps done since the start of the run.
        metrics: Metric key -> value: training losses as means over the epoch's steps, and, where the epoch ended with
            a validation, validation metrics as means over the photos' crops.
        examples: uint8 RGB, (count, size, 3 * size, 3), each gray | real | generated; None where none were due.
        train_seconds: Time spent in training steps.
        valid_seconds: Time spent in validation and examples.
    """

    epoch: int
    step: int
    metrics: dict[str, float]
    examples: NDArray[np.uint8] | None
    train_seconds: float
    valid_seconds: float
