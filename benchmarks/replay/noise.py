"""How much of the objective is a seed's, measured on recorded pairs: by epoch, from epoch to epoch, and smoothed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.replay.process import Array
from benchmarks.replay.recording import Recording, by_configuration
from benchmarks.replay.surrogate import Surrogate

OBJECTIVES = {
    "valid/delta_e": "minimize",
    "valid/delta_e_2000": "minimize",
    "valid/psnr_db": "maximize",
    "valid/chroma_kl": "minimize",
}
"""What a study may aim at, and which way."""


@dataclass(frozen=True)
class Noise:
    """What seeds alone change.

    Attributes:
        seeds: Standard deviation over the seeds of a configuration.
        good_seeds: The same, of the better half of the configurations.
        configurations: Standard deviation over configurations, seeds taken off.
        in_all: Part of the variance that is the configurations'.
        reliability: The same, among the better half.
    """

    seeds: float
    good_seeds: float
    configurations: float
    in_all: float
    reliability: float


def smoothed(surrogate: Surrogate, smooth_epochs: int) -> Noise:
    """Returns how noisy the objective is, as a mean over so many last epochs."""
    paired, noise = surrogate.curves[surrogate.paired], surrogate.noise_curves
    return _noise(*(curves[:, -smooth_epochs:].mean(axis=1) for curves in (paired, noise)))


def compared(recording: Recording, *, epoch: int, smooth_epochs: int) -> dict[str, Noise]:
    """Returns how noisy each of `OBJECTIVES` is after so many epochs, as a mean over the last of them."""
    pairs = [group[:2] for group in by_configuration(recording.complete()) if len(group) > 1]
    window = slice(epoch - smooth_epochs, epoch)
    found = {}
    for metric, direction in OBJECTIVES.items():
        values = np.array([[np.mean(one.metrics[metric][window]) for one in pair] for pair in pairs])
        worse = values if direction == "minimize" else -values
        found[metric] = _noise(worse.mean(axis=1), (worse[:, 0] - worse[:, 1]) / np.sqrt(2.0))
    return found


def _noise(paired: Array, noise: Array) -> Noise:
    """Takes a value a configuration, less is better: the mean over its two seeds, and what a seed adds to it."""
    good = paired <= np.median(paired)
    seeds, good_seeds = float(np.mean(noise**2)), float(np.mean(noise[good] ** 2))
    spread = max(0.0, float(paired.var(ddof=1)) - seeds / 2)  # the mean of two seeds has half of their variance
    good_spread = max(0.0, float(paired[good].var(ddof=1)) - good_seeds / 2)
    return Noise(
        seeds=float(np.sqrt(seeds)),
        good_seeds=float(np.sqrt(good_seeds)),
        configurations=float(np.sqrt(spread)),
        in_all=spread / (spread + seeds),
        reliability=good_spread / (good_spread + good_seeds),
    )


def epoch_to_epoch(surrogate: Surrogate) -> float:
    """Returns how alike the noise of the last two epochs is: their correlation."""
    last, before = surrogate.noise_curves[:, -1], surrogate.noise_curves[:, -2]
    return float(np.mean(last * before) / np.sqrt(np.mean(last**2) * np.mean(before**2)))
