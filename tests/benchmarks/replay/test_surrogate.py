"""The surrogate says what was recorded, and a training is a function of configuration and seed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.replay.curve_models import Mean, Process, cross_validate
from benchmarks.replay.process import Scores, gaussian_process
from benchmarks.replay.recording import LONG, METRIC, SHORT, Recording, by_configuration
from benchmarks.replay.surrogate import NEIGHBOURS, Surrogate, recorded_surrogate
from colorgan.config import TrainConfig


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    return recorded_surrogate()


def elsewhere(surrogate: Surrogate, *, seed: int = 0, rate: float = 7e-4) -> TrainConfig:
    values = {"optimizer.generator_learning_rate": rate, "losses.l1_weight": 40.0, "generator.filters": 12}
    return surrogate.default().with_values({**values, "seed": seed})


@pytest.mark.parametrize(("recording", "epochs"), [(SHORT, 6), (LONG, 24)])
def test_a_recording_has_all_epochs_of_pairs_of_seeds(recording: Recording, epochs: int) -> None:
    groups = by_configuration(recording.read())
    assert sum(len(group) == 2 for group in groups) > 0.9 * len(groups)
    assert all(len(one.metrics[METRIC]) == epochs for group in groups for one in group if one.state == "complete")
    assert all(len({one.seed for one in group}) == len(group) for group in groups)


def test_it_reproduces_recorded_means(surrogate: Surrogate) -> None:
    said = surrogate.model.predict(surrogate.points)
    recorded = surrogate.curves
    assert np.corrcoef(said[:, -1], recorded[:, -1])[0, 1] > 0.8
    assert abs(float((said - recorded).mean())) < 0.2


def test_it_foretells_better_than_the_mean(surrogate: Surrogate) -> None:
    process = cross_validate(Process, surrogate.points, surrogate.curves, last=2)
    mean = cross_validate(Mean, surrogate.points, surrogate.curves, last=2)
    assert process.rmse < 0.8 * mean.rmse


def test_a_training_is_a_function_of_configuration_and_seed(surrogate: Surrogate) -> None:
    def values(config: TrainConfig) -> list[float]:
        return [epoch.metrics[METRIC] for epoch in surrogate.train(config).epochs]

    first = values(elsewhere(surrogate))
    again = Surrogate(SHORT)
    assert values(elsewhere(surrogate)) == first
    assert [e.metrics[METRIC] for e in again.train(elsewhere(surrogate)).epochs] == first
    assert values(elsewhere(surrogate, seed=1)) != first
    moved = np.array(values(elsewhere(surrogate, rate=7.1e-4))) - surrogate.curve(elsewhere(surrogate, rate=7.1e-4))
    assert not np.allclose(moved, np.array(first) - surrogate.curve(elsewhere(surrogate)))


def test_noise_is_as_large_and_as_alike_as_recorded(surrogate: Surrogate) -> None:
    drawn = np.stack([surrogate.noise(elsewhere(surrogate, seed=seed)) for seed in range(2000)])
    point = surrogate.point(elsewhere(surrogate))
    pairs = surrogate.points[surrogate.paired]
    nearest = surrogate.noise_curves[np.argsort(np.square(pairs - point).sum(axis=1), kind="stable")[:NEIGHBOURS]]
    wanted = nearest.T @ nearest / len(nearest)
    assert np.allclose(drawn.mean(axis=0), 0.0, atol=0.1)
    assert np.allclose(np.cov(drawn.T), wanted, atol=0.12 * wanted.max())


def test_a_quieter_space_is_the_same_with_less_of_a_seeds_noise(surrogate: Surrogate) -> None:
    config = elsewhere(surrogate)
    half = surrogate.with_noise(0.5)
    assert np.allclose(half.noise(config), 0.5 * surrogate.noise(config))
    assert (half.value(config), half.optimum()) == (surrogate.value(config), surrogate.optimum())
    silent = [epoch.metrics[METRIC] for epoch in surrogate.with_noise(0.0).train(config).epochs]
    assert silent == list(surrogate.curve(config))


def test_nothing_of_the_space_is_better_than_the_optimum(surrogate: Surrogate) -> None:
    best, params = surrogate.optimum()
    assert surrogate.value(surrogate.space.to_config(params, seed=0)) == pytest.approx(best)
    assert best < surrogate.value(surrogate.default())
    assert best < min(surrogate.value(elsewhere(surrogate, rate=rate)) for rate in (1e-4, 3e-4, 1e-3, 5e-3))


def test_drawn_functions_differ_and_agree_in_the_mean(surrogate: Surrogate) -> None:
    points = np.random.default_rng(0).random((40, 5))
    process = gaussian_process(surrogate.points, surrogate.curves[:, -1])
    drawn = np.stack([Scores(process, [seed])(points) for seed in range(300)])
    mean, deviation = process.predict(points, return_std=True)
    assert np.allclose(Scores(process, None)(points), mean)
    without_noise = np.sqrt(deviation**2 - process.kernel_.k2.noise_level * process._y_train_std**2)
    assert np.allclose(drawn.mean(axis=0), mean, atol=4 * without_noise.max() / np.sqrt(300))
    assert np.allclose(drawn.std(axis=0), without_noise, rtol=0.25)


def test_a_larger_network_takes_longer(surrogate: Surrogate) -> None:
    def seconds(filters: int) -> float:
        return surrogate.train(surrogate.default().with_values({"generator.filters": filters})).epochs[0].train_seconds

    assert seconds(8) < seconds(16)


def test_a_long_training_has_more_epochs_of_the_same_length(surrogate: Surrogate) -> None:
    long, short = (
        recorded_surrogate(LONG).train(surrogate.default()).epochs,
        surrogate.train(surrogate.default()).epochs,
    )
    assert (len(long), len(short)) == (24, 6)
    assert {one.train_seconds for one in (*long, *short)} == {short[0].train_seconds}
