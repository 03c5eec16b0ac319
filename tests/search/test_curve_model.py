from __future__ import annotations

import math

import numpy as np
import pytest

from search.curve_model import Array, CurveModel, Reports

EPOCHS = 8


def end(points: Array) -> Array:
    """Returns what a whole training would report: a valley across the square."""
    found: Array = 18.0 + 4.0 * np.square(points[:, 0] - 0.3) + points[:, 1]
    return found


def reports(points: Array, epochs: Array, *, seeds: Array | None = None) -> Reports:
    """Returns one report a row, of a trial of its own, on the way from 22 down to its end."""
    left = np.log(EPOCHS / epochs)
    values = end(points) + (22.0 - end(points)) * left / math.log(EPOCHS)
    return Reports(points, left, np.arange(len(points)), values + (0.0 if seeds is None else seeds))


NAMES = ("points", "left", "trials", "values")


def model_of(*told: Reports, unordered: tuple[bool, bool] = (False, False)) -> CurveModel:
    joined = (np.concatenate([getattr(one, name) for one in told]) for name in NAMES)
    return CurveModel(Reports(*joined), unordered=unordered)


def test_the_slope_of_the_evidence_is_that_of_its_values() -> None:
    chance = np.random.default_rng(0)
    told = reports(chance.random((12, 2)), chance.integers(1, EPOCHS + 1, 12), seeds=chance.normal(size=12))
    twice = Reports(told.points, told.left, told.trials // 2, told.values)  # two reports a trial
    model = CurveModel(twice, unordered=(False, False))
    numbers = model.numbers + 0.3 * chance.normal(size=8)
    slope = model._evidence(numbers)[1]
    steps = 1e-5 * np.eye(8)
    measured = [(model._evidence(numbers + step)[0] - model._evidence(numbers - step)[0]) / 2e-5 for step in steps]
    assert slope == pytest.approx(measured, rel=1e-4, abs=1e-4)


def test_it_foretells_the_end_from_trainings_of_which_most_stopped_early() -> None:
    chance = np.random.default_rng(1)
    points, unseen = chance.random((40, 2)), chance.random((50, 2))
    model = model_of(reports(points, np.where(np.arange(40) % 4 == 0, EPOCHS, 2)), reports(points, np.full(40, 1)))
    mean, deviation = model.predict(unseen)
    error = mean - end(unseen)
    assert np.sqrt(np.mean(error**2)) < 0.25 * end(unseen).std()
    assert np.mean(np.abs(error) < 2 * deviation + 0.05) > 0.9


def test_what_nothing_is_known_of_is_less_certain_and_a_whole_training_says_more_than_its_beginning() -> None:
    chance = np.random.default_rng(2)
    points, epochs = chance.random((20, 2)) * [0.5, 1.0], np.where(np.arange(20) % 2, EPOCHS, 4)
    elsewhere = reports(points, epochs, seeds=0.2 * chance.normal(size=20))
    known = model_of(elsewhere)
    here = np.array([[0.95, 0.5]])

    def uncertainty(epochs: int) -> float:
        here_too = Reports(here, np.array([np.log(EPOCHS / epochs)]), np.array([20]), end(here))
        joined = (np.concatenate([getattr(one, name) for one in (elsewhere, here_too)]) for name in NAMES)
        model = CurveModel(Reports(*joined), unordered=(False, False), numbers=known.numbers)
        return float(model.predict(here)[1][0])

    assert uncertainty(EPOCHS) < uncertainty(4) < known.predict(here)[1][0]


def test_a_lucky_seed_is_not_taken_at_its_word() -> None:
    chance = np.random.default_rng(3)
    points = np.repeat(chance.random((10, 2)), 4, axis=0)
    luck = chance.normal(size=40)
    model = model_of(reports(points, np.full(40, EPOCHS), seeds=luck))
    luckiest = int(luck.argmin())
    mean, _ = model.predict(points[luckiest : luckiest + 1])
    truth = end(points)[luckiest]
    assert abs(mean[0] - truth) < 0.5 * abs(luck[luckiest])


def test_choices_without_order_are_all_equally_far_apart() -> None:
    points = np.array([[0.0, 0.5], [0.25, 0.5], [1.0, 0.5]] * 4)
    told = Reports(points, np.zeros(12), np.arange(12), np.array([1.0, 1.0, 5.0] * 4))
    unseen = np.array([[0.5, 0.5], [0.75, 0.5]])
    near, far = (model_of(told, unordered=(unordered, False)).predict(unseen)[0] for unordered in (False, True))
    assert near[0] < near[1] - 0.1
    assert far[0] == pytest.approx(far[1])


def test_what_is_not_active_is_alike_wherever_it_is_not_active() -> None:
    chance = np.random.default_rng(4)
    active = chance.random((20, 2))
    idle = active * [1.0, math.nan]
    told = Reports(
        np.concatenate([active, idle]), np.zeros(40), np.arange(40), np.concatenate([end(active), np.full(20, 15.0)])
    )
    mean, _ = model_of(told).predict(np.array([[0.5, math.nan], [0.3, 0.0], [0.3, 1.0]]))
    assert mean == pytest.approx([15.0, 18.0, 19.0], abs=0.3)


def test_reports_that_are_all_equal_are_no_trouble() -> None:
    told = Reports(np.full((3, 2), 0.5), np.zeros(3), np.arange(3), np.full(3, 7.0))
    mean, deviation = model_of(told).predict(np.array([[0.5, 0.5], [0.0, 1.0]]))
    assert mean == pytest.approx([7.0, 7.0])
    assert np.isfinite(deviation).all()
