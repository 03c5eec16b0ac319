"""What is a seed's and what is a configuration's is told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay.noise import OBJECTIVES, compared
from benchmarks.replay.recording import LONG, Recording

METRICS = tuple(OBJECTIVES)


def written(path: Path, *, configurations: float, seeds: float) -> Recording:
    """Two epochs of many configurations with two seeds each, which differ by these standard deviations."""
    chance = np.random.default_rng(0)
    lines = ["a.b,seed,state,parameters," + ",".join(f"{name}@{epoch}" for name in METRICS for epoch in (1, 2))]
    for number in range(3000):
        worth = configurations * chance.standard_normal()
        for seed in (0, 1):
            bad = worth + seeds * chance.standard_normal()
            values = [bad if direction == "minimize" else -bad for direction in OBJECTIVES.values()]
            shown = ",".join(f"{value + change}" for value in values for change in (0.5, -0.5))  # by epoch
            lines.append(f"{number},{2 * number + seed},complete,1,{shown}")
    path.write_text("\n".join(lines) + "\n")
    return Recording(path, metrics=METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_deviations_of_seeds_and_of_configurations_are_told_apart(metric: str, tmp_path: Path) -> None:
    noise = compared(written(tmp_path / "a.csv", configurations=2.0, seeds=1.0), epoch=2, smooth_epochs=2)[metric]
    assert noise.seeds == pytest.approx(1.0, rel=0.05)
    assert noise.configurations == pytest.approx(2.0, rel=0.05)
    assert noise.in_all == pytest.approx(0.8, abs=0.02)
    assert 0.4 < noise.reliability < 0.7  # the better half differs less


def test_where_only_seeds_differ_nothing_is_reliable(tmp_path: Path) -> None:
    noise = compared(written(tmp_path / "a.csv", configurations=0.0, seeds=1.0), epoch=2, smooth_epochs=1)
    assert all(one.in_all < 0.05 and one.reliability < 0.05 for one in noise.values())


def test_long_trainings_tell_more_of_a_configuration_than_short_ones() -> None:
    short, long = (compared(LONG, epoch=epoch, smooth_epochs=smooth) for epoch, smooth in ((6, 2), (24, 4)))
    assert long["valid/delta_e"].reliability > short["valid/delta_e"].reliability + 0.2
