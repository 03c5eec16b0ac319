"""Whether a confirmation recovers what is true, on made-up studies whose truth and noise are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from colorgan.record import TrialRecord
from search.confirmation import (
    DEFAULT,
    LEVEL,
    Design,
    Standing,
    chance,
    compare,
    hopeless,
    infeasible,
    scores,
    standing,
    winner,
)

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


def test_scores_are_the_objectives_of_complete_trials() -> None:
    records = [
        TrialRecord(number=0, state="complete", objective=3.0, seed=5, group="a"),
        TrialRecord(number=1, state="failed", objective=2.0, seed=6, group="a"),
        TrialRecord(number=2, state="running", objective=1.0, seed=5, group="b"),
    ]
    assert scores(records) == {"a": {5: 3.0}}


def test_a_configuration_that_violates_a_constraint_on_average_is_not_promotable() -> None:
    violations = [("pale", 0.3), ("pale", -0.1), ("colourful", 0.1), ("colourful", -0.2), ("stopped", 0.5)]
    records = [
        TrialRecord(number=number, state="complete", objective=18.0, seed=number, group=group, violations={"ratio": by})
        for number, (group, by) in enumerate(violations)
    ]
    assert infeasible(records) == {"pale", "stopped"}
    assert infeasible([record.model_copy(update={"violations": {}}) for record in records]) == set()


DESIGN = Design((DEFAULT, "a", "b", "c"), range(16), 4, "minimize")


def trained(truth: Mapping[str, float], random: np.random.Generator, seeds: int = 16) -> list[TrialRecord]:
    """Every group on every seed."""
    shared = random.normal(0.0, SEED_STDDEV, seeds)
    return [
        TrialRecord(
            number=0, state="complete", group=group, seed=seed,
            objective=value + shared[seed] + random.normal(0.0, NOISE_STDDEV),
        )
        for seed in range(seeds) for group, value in truth.items()
    ]  # fmt: skip


def studies(truth: Mapping[str, float]) -> tuple[list[str], float]:
    """Returns what many confirmations promote, and how many trainings one takes."""
    random = np.random.default_rng(0)
    found = [standing(trained(truth, random), DESIGN) for _ in range(REPETITIONS)]
    names = [winner(one.fit, "minimize", level=DESIGN.level) for one in found]
    return names, float(np.mean([trainings(one) for one in found]))


def trainings(found: Standing) -> int:
    return sum(map(len, found.scores.values()))


def test_looking_several_times_does_not_make_equal_configurations_win_more_often() -> None:
    names, cost = studies({DEFAULT: 20.0, "a": 20.0, "b": 20.0, "c": 20.0})
    assert names.count(DEFAULT) / REPETITIONS > 0.85  # three challengers, one in forty each
    assert cost < 0.5 * 4 * 16  # most is given up early


def test_a_small_lead_is_found_with_more_seeds_than_a_few() -> None:
    truth = {DEFAULT: 20.0, "a": 19.6, "b": 20.0, "c": 20.0}
    few = winners(truth).count("a") / REPETITIONS
    names, cost = studies(truth)
    assert names.count("a") / REPETITIONS > few + 0.2
    assert cost < 0.6 * 4 * 16


def test_a_large_lead_needs_no_more_than_the_first_seeds() -> None:
    names, cost = studies({DEFAULT: 20.0, "a": 17.0, "b": 20.0, "c": 20.0})
    assert names.count("a") == REPETITIONS
    assert cost == 16


def test_what_is_settled_says_why() -> None:
    better = {
        DEFAULT: (0.0,) * 4,
        "a": (0.6, -0.1, 0.3, 0.4),
        "b": (-3.0, -3.2, -2.9, -3.0),
        "c": (-0.3, 0.3, 0.1, -0.4),
    }
    records = [
        TrialRecord(number=0, state="complete", group=group, seed=seed, objective=20.0 - by)
        for group, several in better.items()
        for seed, by in enumerate(several)
    ]
    settled = standing(records, DESIGN).settled
    assert "is surely better" in settled["b"]
    assert settled["c"] == "more seeds would hardly show that it is better than the default"
    assert DEFAULT not in settled
    assert "a" not in settled


def test_the_order_in_which_trials_end_changes_nothing() -> None:
    random = np.random.default_rng(2)
    records = trained({DEFAULT: 20.0, "a": 19.6, "b": 19.9, "c": 22.0}, random)
    expected = standing(records, DESIGN)
    assert expected.settled.keys() == set(DESIGN.groups)
    needed = [one for one in records if one.seed in expected.scores[one.group]]
    assert standing(needed, DESIGN) == expected  # what was trained beyond a look counts for nothing
    assert standing([records[place] for place in random.permutation(len(records))], DESIGN) == expected


def test_nothing_is_judged_before_all_that_is_due_has_ended() -> None:
    records = trained({DEFAULT: 20.0, "a": 10.0, "b": 20.0, "c": 20.0}, np.random.default_rng(3), seeds=4)
    assert standing(records[:-1], DESIGN) == Standing({}, frozenset(), {})
    assert standing(records, DESIGN).settled.keys() == set(DESIGN.groups)


@pytest.mark.parametrize("changed", [{"state": "failed"}, {"violations": {"ratio": 9.0}}])
def test_what_fails_or_violates_a_constraint_gets_no_more_seeds_and_does_not_end_the_rest(
    changed: Mapping[str, object],
) -> None:
    records = trained({DEFAULT: 20.0, "a": 10.0, "b": 19.5, "c": 20.0}, np.random.default_rng(4), seeds=4)
    place = next(place for place, record in enumerate(records) if record.group == "a")
    records[place] = records[place].model_copy(update=changed)
    found = standing(records, DESIGN)
    assert found.unfit == {"a"}
    assert found.settled["a"] == "it failed or violates a constraint"
    assert "b" not in found.settled


def test_where_the_default_fails_nothing_more_is_trained() -> None:
    records = trained({DEFAULT: 20.0, "a": 19.0, "b": 18.0, "c": 20.0}, np.random.default_rng(5), seeds=4)
    records[0] = records[0].model_copy(update={"state": "failed", "objective": None})
    found = standing(records, DESIGN)
    assert found.settled.keys() == set(DESIGN.groups)
    assert winner(found.fit, "minimize", level=DESIGN.level) == "b"
    assert standing([*records, records[1].model_copy(update={"group": "of nobody"})], DESIGN) == found


@pytest.mark.parametrize(
    ("seeds", "every", "looks"), [(16, 4, (4, 8, 12, 16)), (10, 4, (4, 8, 10)), (4, 4, (4,)), (5, 9, (5,))]
)
def test_it_is_looked_at_after_every_few_seeds_and_after_all(seeds: int, every: int, looks: Sequence[int]) -> None:
    assert Design((DEFAULT, "a"), range(seeds), every, "minimize").looks == looks


def test_the_level_of_a_look_is_pococks() -> None:
    assert Design((DEFAULT, "a"), range(4), 4, "minimize").level == LEVEL
    assert 1 - DESIGN.level == pytest.approx(0.0182, abs=0.0005)  # Pocock 1977, table 1, four looks
    assert 1 - Design((DEFAULT, "a"), range(8), 4, "minimize").level == pytest.approx(0.0294, abs=0.0005)  # two


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
