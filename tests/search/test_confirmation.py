"""Whether a confirmation goes on as long as it must, on made-up studies whose truth and noise are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from colorgan.record import TrialRecord
from search.comparison import DEFAULT, LEVEL, winner
from search.confirmation import Design, Standing, infeasible, scores, standing

SEED_STDDEV, NOISE_STDDEV = 0.3, 0.3  # what a seed does to all configurations, and to each by itself
REPETITIONS = 200


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


def studies(truth: Mapping[str, float], design: Design = DESIGN) -> tuple[list[str], float]:
    """Returns what many confirmations promote, and how many trainings one takes."""
    random = np.random.default_rng(0)
    found = [standing(trained(truth, random), design) for _ in range(REPETITIONS)]
    names = [winner(one.fit, "minimize", level=design.level) for one in found]
    return names, float(np.mean([trainings(one) for one in found]))


def trainings(found: Standing) -> int:
    return sum(map(len, found.scores.values()))


def test_looking_several_times_does_not_make_equal_configurations_win_more_often() -> None:
    names, cost = studies({DEFAULT: 20.0, "a": 20.0, "b": 20.0, "c": 20.0})
    assert names.count(DEFAULT) / REPETITIONS > 0.85  # three challengers, one in forty each
    assert cost < 0.5 * 4 * 16  # most is given up early


def test_a_small_lead_is_found_with_more_seeds_than_a_few() -> None:
    truth = {DEFAULT: 20.0, "a": 19.6, "b": 20.0, "c": 20.0}
    few, _ = studies(truth, Design(DESIGN.groups, range(4), 4, "minimize"))
    names, cost = studies(truth)
    assert names.count("a") / REPETITIONS > few.count("a") / REPETITIONS + 0.2
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
