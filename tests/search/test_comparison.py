"""Whether comparisons recover what is true, on made-up studies whose truth and noise are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from search.comparison import DEFAULT, chance, compare, hopeless, winner

SEED_STDDEV, NOISE_STDDEV = 0.3, 0.3  # what a seed does to all configurations, and to each by itself
REPETITIONS = 200


def confirmed(truth: Mapping[str, float], random: np.random.Generator, seeds: int = 4) -> dict[str, dict[int, float]]:
    """Trains seed by seed, and no more of what has become hopeless, as a confirmation does."""
    found: dict[str, dict[int, float]] = {group: {} for group in truth}
    shared = random.normal(0.0, SEED_STDDEV, seeds)
    for seed in range(seeds):
        for group, value in truth.items():
            if not hopeless(found, group, "minimize"):
                found[group][seed] = value + shared[seed] + random.normal(0.0, NOISE_STDDEV)
    return found


def winners(truth: Mapping[str, float]) -> list[str]:
    random = np.random.default_rng(0)
    return [winner(confirmed(truth, random), "minimize") for _ in range(REPETITIONS)]


def test_of_equal_configurations_the_default_is_promoted_in_nine_of_ten_studies() -> None:
    found = winners({DEFAULT: 20.0, "a": 20.0, "b": 20.0, "c": 20.0})
    assert found.count(DEFAULT) / REPETITIONS > 0.9


def test_the_truly_best_is_promoted_in_nine_of_ten_studies_when_it_is_five_deviations_ahead() -> None:
    found = winners({DEFAULT: 20.0, "a": 19.5, "b": 18.5, "c": 20.5})
    assert found.count("b") / REPETITIONS > 0.9


def test_something_better_than_the_default_is_promoted_when_several_are() -> None:
    found = winners({DEFAULT: 20.0, "a": 19.0, "b": 19.0, "c": 20.0})
    assert (found.count("a") + found.count("b")) / REPETITIONS > 0.8
    assert abs(found.count("a") - found.count("b")) / REPETITIONS < 0.15


def test_an_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    random, held = np.random.default_rng(1), 0
    for _ in range(REPETITIONS):
        found = {
            group: {seed: value + random.normal(0.0, NOISE_STDDEV) for seed in range(4)}
            for group, value in {DEFAULT: 20.0, "a": 19.0}.items()
        }
        comparison = compare(found, "a", DEFAULT, "minimize")
        assert comparison is not None
        held += comparison.low < 1.0 < comparison.high
    assert 0.9 < held / REPETITIONS < 0.99


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1.0), ("maximize", -1.0)])
def test_a_difference_is_positive_for_what_is_better(direction: str, sign: float) -> None:
    found = {DEFAULT: {1: 20.0, 2: 21.0, 3: 22.0}, "a": {1: 19.0, 2: 20.1, 3: 20.9}}
    comparison = compare(found, "a", DEFAULT, direction)  # type: ignore[arg-type]
    assert comparison is not None
    assert comparison.difference == pytest.approx(sign * 1.0)
    assert comparison.low < comparison.difference < comparison.high


def test_only_common_seeds_are_compared_and_one_is_too_few() -> None:
    found = {DEFAULT: {1: 20.0, 2: 21.0}, "a": {1: 19.0, 2: 19.9, 9: 0.0}, "b": {9: 1.0, 1: 18.0}}
    comparison = compare(found, "a", DEFAULT, "minimize")
    assert comparison is not None
    assert (comparison.seeds, comparison.difference) == (2, pytest.approx(1.05))
    assert compare(found, "b", DEFAULT, "minimize") is None
    assert compare({DEFAULT: {1: 1.0}}, "a", DEFAULT, "minimize") is None


def test_the_default_is_never_hopeless_and_a_clear_loser_is() -> None:
    found = {DEFAULT: {1: 30.0, 2: 30.1}, "a": {1: 20.0, 2: 20.1}, "b": {1: 29.0, 2: 29.2}}
    assert hopeless(found, DEFAULT, "minimize") == ""
    assert hopeless(found, "b", "minimize") == "a"
    assert hopeless(found, "a", "minimize") == ""


def test_where_the_default_cannot_be_trained_the_best_mean_wins() -> None:
    assert winner({"a": {1: 3.0, 2: 3.0}, "b": {1: 2.0, 2: 3.0}}, "minimize") == "b"
    assert winner({"a": {1: 3.0, 2: 3.0}, "b": {1: 2.0, 2: 3.0}}, "maximize") == "a"


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1.0), ("maximize", -1.0)])
def test_the_chance_of_becoming_surely_better_follows_the_lead_and_the_seeds_to_come(
    direction: str, sign: float
) -> None:
    noise = (0.5, -0.5, 0.3, -0.3)

    def of(lead: float, seeds: int) -> float:
        found = {DEFAULT: dict.fromkeys(range(4), 20.0), "a": {i: 20.0 + e - sign * lead for i, e in enumerate(noise)}}
        return chance(found, "a", direction, seeds=seeds)  # type: ignore[arg-type]

    assert of(-1.0, 16) < 0.01 < of(0.0, 16) < of(0.2, 16) < of(0.4, 16) < of(2.0, 16)
    assert of(2.0, 16) > 0.99
    assert of(0.3, 16) > of(0.3, 6)
    assert of(2.0, 4) == 1.0  # no seeds to come
    assert of(0.1, 4) == 0.0
