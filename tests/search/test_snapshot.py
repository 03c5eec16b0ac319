"""What is read off a study at one moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from colorgan.record import EpochRecord, State, TrialRecord
from search.snapshot import Snapshot, best_record, by_seeds, count_states, ranked, ruled_out


def trial(number: int, state: State, objective: float | None = None, group: str = "") -> TrialRecord:
    return TrialRecord(number=number, state=state, seed=0, objective=objective, group=group)


TRIALS = (
    trial(0, "complete", 5.0),
    trial(1, "pruned", 1.0),
    trial(2, "complete", 3.0),
    trial(3, "complete", 3.0),
    trial(4, "failed"),
    trial(5, "running", 0.5),
)
SNAPSHOT = Snapshot(
    records=TRIALS,
    running=(5,),
    trials=9,
    workers=1,
    baselines={},
    seconds=50.0,
    worker_seconds=50.0,
    busy_share=0.9,
    finished_here=5,
)


@pytest.mark.parametrize(("direction", "number"), [("minimize", 2), ("maximize", 0)])
def test_the_best_is_the_first_of_the_best_complete_trials(direction: str, number: int) -> None:
    best = best_record(TRIALS, direction)
    assert best is not None
    assert best.number == number


def test_without_a_complete_trial_there_is_no_best() -> None:
    assert best_record(TRIALS[4:], "minimize") is None
    assert best_record((), "minimize") is None


def test_the_seeds_of_a_configuration_stand_together_in_the_place_of_their_mean() -> None:
    lucky = trial(6, "complete", 0.0, "trial-0000")
    assert [record.number for record in ranked([lucky, *TRIALS], "minimize")] == [0, 6, 2, 3]
    found = by_seeds([lucky, *TRIALS])
    assert found.keys() == {0, 2, 3, 6}
    assert found[0] is found[6]
    assert (found[0].values, found[0].mean) == ((5.0, 0.0), 2.5)


def test_a_trial_is_ruled_out_by_a_constraint_where_its_seeds_violate_it_on_average() -> None:
    def measured(number: int, violation: float, group: str = "", state: State = "complete") -> TrialRecord:
        return trial(number, state, 1.0, group).model_copy(update={"violations": {"parameters": violation}})

    holds = [measured(0, -0.3), measured(1, 0.1, "trial-0000")]
    broken = [measured(2, -0.1), measured(3, 0.3, "trial-0002"), measured(4, 0.1, state="pruned")]
    assert [record.number for record in ruled_out([*holds, *broken, measured(5, -0.1, state="running")])] == [2, 3, 4]


def test_every_state_is_counted_the_absent_ones_too() -> None:
    assert count_states(TRIALS) == {"complete": 3, "pruned": 1, "failed": 1, "running": 1, "waiting": 0, "paused": 0}


def trained(number: int, state: State, epochs: int) -> TrialRecord:
    epoch = EpochRecord(epoch=1, step=1, objective=1.0, metrics={}, train_seconds=4.0, valid_seconds=1.0)
    return trial(number, state, 1.0).model_copy(update={"epochs": (epoch,) * epochs})


def left(*records: TrialRecord, finished_here: int = 1, busy_share: float = 1.0, **others: int) -> float | None:
    changed = replace(SNAPSHOT, records=records, busy_share=busy_share, finished_here=finished_here, **others)
    return changed.seconds_left()


def test_the_time_left_follows_from_the_pace_of_this_run() -> None:
    halfway = (trained(0, "complete", 4), trained(1, "complete", 4), trained(2, "running", 2))
    assert left(*halfway) == pytest.approx(26 * 5.0)
    assert left(*halfway, busy_share=0.5) == pytest.approx(26 * 10.0)
    assert left(*halfway, finished_here=0) is None
    assert left(*halfway, busy_share=0.0) is None
    assert left(*(trained(number, "complete", 4) for number in range(9))) == 0.0


def test_trials_that_pause_are_taken_to_need_no_more_than_what_they_have_had() -> None:
    others = tuple(trained(number, "paused", 1) for number in range(1, 7))
    assert left(trained(0, "complete", 8), *others) == pytest.approx(2 * 2 * 5.0)


def test_the_time_left_holds_the_further_seeds_that_configurations_to_come_will_bring() -> None:
    one, two = trained(0, "complete", 4), trained(1, "pruned", 4)  # 20 seconds each; 9 configurations are wanted
    assert left(one, seeds=3, trials=9 + 2) == pytest.approx((9 * 3 - 1) * 20.0)
    assert left(one, two, seeds=3, trials=9 + 2) == pytest.approx((9 + 2 + 7 - 2) * 20.0)  # half of them bring two
    paused = trained(1, "paused", 4)
    assert left(one, paused, seeds=3, trials=9 + 2) == left(one, two, seeds=3, trials=9 + 2)
    seeds = [trained(9 + n, "complete", 4).model_copy(update={"group": "trial-0000"}) for n in range(2)]
    assert left(one, *seeds, seeds=3, trials=9 + 2) == pytest.approx((9 * 3 - 3) * 20.0)
    assert left(*(trained(n, "complete", 4) for n in range(9)), seeds=3, trials=9 * 3) == pytest.approx(18 * 20.0)
