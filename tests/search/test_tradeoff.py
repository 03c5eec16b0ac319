"""The Pareto front of a study's trials, and picking from it."""

from __future__ import annotations

from typing import Any

import pytest

from colorgan.record import EpochRecord, TrialRecord
from search.quantities import SIZE, TIME
from search.settings import Objective
from search.tradeoff import COLOURFULNESS, TradeOffError, trade_off

OBJECTIVE = Objective(metric="valid/delta_e", direction="minimize")


def trial(number: int, objective: float | None, size: int | None = 1, **others: Any) -> TrialRecord:
    return TrialRecord.model_validate(
        {"number": number, "state": "complete", "objective": objective, "seed": 0, "parameters": size, **others}
    )


def measured(number: int, objective: float, seconds: float, **metrics: float) -> TrialRecord:
    epoch = EpochRecord(epoch=1, step=1, objective=objective, metrics=metrics, train_seconds=seconds, valid_seconds=0.0)
    return trial(number, objective, epochs=(epoch,))


def numbers(records: list[TrialRecord], *against: str, objective: Objective = OBJECTIVE) -> list[int]:
    return [seeds.first.number for seeds in trade_off(records, objective, against).front]


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    records = [trial(0, 18.0, 400), trial(1, 18.1, 100), trial(2, 18.2, 200), trial(3, 19.0, 50), trial(4, 19.5, 50)]
    assert numbers(records, SIZE) == [0, 1, 3]
    assert numbers(records) == [0]


def test_equals_stay_and_only_complete_trials_that_know_their_price_count() -> None:
    records = [
        trial(0, 18.0, 100),
        trial(1, 18.0, 100),
        trial(2, 1.0, 1, state="pruned"),
        trial(3, 1.0, None),
        trial(4, None, 1),
    ]
    assert numbers(records, SIZE) == [0, 1]


def test_more_can_be_better_in_the_objective_and_in_a_metric() -> None:
    most = Objective(metric="valid/ssim", direction="maximize")
    assert numbers([trial(0, 0.9, 9), trial(1, 0.8, 9), trial(2, 0.7, 1)], SIZE, objective=most) == [0, 2]
    records = [measured(0, 18.0, 1.0, **{"valid/psnr_db": 20.0}), measured(1, 19.0, 1.0, **{"valid/psnr_db": 25.0})]
    assert numbers([*records, measured(2, 20.0, 1.0, **{"valid/psnr_db": 24.0})], "valid/psnr_db") == [0, 1]


def test_a_colourfulness_ratio_counts_by_its_distance_from_1() -> None:
    ratios = {0: 0.3, 1: 1.1, 2: 1.8}
    records = [measured(n, 18.0 + n, 1.0, **{COLOURFULNESS: ratio}) for n, ratio in ratios.items()]
    assert numbers(records, COLOURFULNESS) == [0, 1]


def test_three_measures_trade_at_once() -> None:
    records = [measured(0, 18.0, 30.0), measured(1, 19.0, 10.0), measured(2, 19.5, 20.0)]
    sized = [record.model_copy(update={"parameters": size}) for record, size in zip(records, (9, 9, 1), strict=True)]
    assert numbers(sized, TIME, SIZE) == [0, 1, 2]
    assert numbers(sized, TIME) == [0, 1]


def test_the_knee_is_farthest_from_the_line_through_the_ends() -> None:
    records = [trial(0, 10.0, 100), trial(1, 11.0, 20), trial(2, 15.0, 10), trial(3, 20.0, 0)]
    found = trade_off(records, OBJECTIVE, (SIZE,))
    distance = {r.number: 1 - (r.objective - 10) / 10 - r.parameters / 100 for r in records}
    assert found.knee().first.number == max(distance, key=distance.__getitem__) == 1


def test_weights_move_the_pick_and_are_checked() -> None:
    found = trade_off([trial(0, 10.0, 100), trial(1, 11.0, 20), trial(2, 20.0, 0)], OBJECTIVE, (SIZE,))
    assert [found.weighted(weights).first.number for weights in ((9, 1), (1, 1), (1, 9))] == [0, 1, 2]
    for wrong in ((1.0,), (1.0, 2.0, 3.0), (-1.0, 2.0), (0.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(TradeOffError, match="give"):
            found.weighted(wrong)
    assert trade_off([trial(7, 1.0)], OBJECTIVE, (SIZE,)).knee().first.number == 7


def test_what_cannot_be_traded_is_refused_with_what_can() -> None:
    with pytest.raises(
        TradeOffError, match=r"nosuch: nothing to trade .* allowed are valid/colorfulness_ratio, parameters"
    ):
        trade_off([trial(0, 1.0)], OBJECTIVE, ("nosuch",))
    with pytest.raises(TradeOffError, match="no complete trial knows its valid/delta_e, valid/ssim"):
        trade_off([trial(0, 1.0)], OBJECTIVE, ("valid/ssim",))


def test_of_a_configuration_with_several_seeds_the_means_count() -> None:
    lucky, other, size = trial(0, 10.0, 100), trial(1, 12.0, 50), trial(2, 13.0, 20)
    records = [lucky, other, size, trial(3, 20.0, 100, group="trial-0000"), trial(4, 12.5, 50, group="trial-0001")]
    found = trade_off(records, OBJECTIVE, (SIZE,))
    assert [(seeds.first.number, seeds.mean) for seeds in found.front] == [(1, 12.25), (2, 13.0)]
    assert found.weighted((9, 1)).first.number == 1


def test_a_price_that_swings_is_the_mean_over_the_seeds_that_all_know_it() -> None:
    values = {0: (18.0, 1.0), 1: (18.5, 0.8), 2: (20.0, 0.9), 3: (21.0, 0.7)}
    records = [measured(n, value, 1.0, **{COLOURFULNESS: ratio}) for n, (value, ratio) in values.items()]
    records[2] = records[2].model_copy(update={"group": "trial-0000"})
    found = trade_off(records, OBJECTIVE, (COLOURFULNESS,))
    assert [[record.number for record in one.records] for one in found.front] == [[1], [0, 2]]
    assert found.measures[1].of(found.front[1]) == pytest.approx(0.05)
    assert numbers([*records, trial(4, 18.5, group="trial-0001")], COLOURFULNESS) == [0]
