"""How much of the objective is a seed's, measured on recorded pairs: by epoch, from epoch to epoch, and smoothed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.replay.surrogate import Surrogate


@dataclass(frozen=True)
class Noise:
    """What seeds alone change.

    Attributes:
        smooth_epochs: The objective is the mean over so many last epochs.
        seeds: Standard deviation over the seeds of a configuration.
        good_seeds: The same, of the better half of the configurations.
        configurations: Standard deviation over configurations, seeds taken off.
        reliability: Part of the variance among the better half that is the configurations'.
    """

    smooth_epochs: int
    seeds: float
    good_seeds: float
    configurations: float
    reliability: float


def smoothed(surrogate: Surrogate, smooth_epochs: int) -> Noise:
    """Returns how noisy an objective is."""
    noise = surrogate.noise_curves[:, -smooth_epochs:].mean(axis=1)
    paired = surrogate.curves[surrogate.paired, -smooth_epochs:].mean(axis=1)
    good = paired <= np.median(paired)
    seeds, good_seeds = float(np.mean(noise**2)), float(np.mean(noise[good] ** 2))
    spread = max(0.0, float(paired.var(ddof=1)) - seeds / 2)  # the mean of two seeds has half of their variance
    good_spread = max(0.0, float(paired[good].var(ddof=1)) - good_seeds / 2)
    return Noise(
        smooth_epochs,
        float(np.sqrt(seeds)),
        float(np.sqrt(good_seeds)),
        float(np.sqrt(spread)),
        good_spread / (good_spread + good_seeds),
    )


def epoch_to_epoch(surrogate: Surrogate) -> float:
    """Returns how alike the noise of the last two epochs is: their correlation."""
    last, before = surrogate.noise_curves[:, -1], surrogate.noise_curves[:, -2]
    return float(np.mean(last * before) / np.sqrt(np.mean(last**2) * np.mean(before**2)))
