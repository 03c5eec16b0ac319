"""The real driver, samplers and pruners, in simulated time."""

from __future__ import annotations

import dataclasses
import math

import pytest

from benchmarks.replay.judgement import Seeds
from benchmarks.replay.plan import PRUNERS, cells
from benchmarks.replay.recording import LONG, LONG_KL
from benchmarks.replay.simulation import Setting, simulate
from benchmarks.replay.surrogate import Surrogate, recorded_surrogate

TPE = Setting({"name": "tpe", "n_startup_trials": 5}, PRUNERS["none"], workers=2, trainings=12.0)


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    return recorded_surrogate()


@pytest.mark.parametrize("pruner", ["none", "asha", "hyperband"])
def test_a_search_is_reproducible_and_a_repeat_is_another(pruner: str, surrogate: Surrogate) -> None:
    setting = dataclasses.replace(TPE, pruner=PRUNERS[pruner])
    first = simulate(setting, surrogate)
    assert simulate(setting, surrogate) == first
    assert simulate(dataclasses.replace(setting, repeat=1), surrogate) != first


def test_it_begins_with_the_default_and_ends_with_its_budget(surrogate: Surrogate) -> None:
    search = simulate(TPE, surrogate)
    assert search.seconds == sorted(search.seconds)
    assert search.seconds[-1] <= TPE.seconds(surrogate) + 30.0  # an epoch that was under way
    assert 8 <= search.complete <= 14
    alone = simulate(dataclasses.replace(TPE, workers=1, trainings=2.0), surrogate)
    assert alone.promoted[0] == alone.confirmed[0] == alone.default == surrogate.value(surrogate.default())
    assert math.isinf(alone.found[0])  # it was given, not found
    assert search.found == sorted(search.found, reverse=True)
    assert search.found[-1] <= search.promoted[-1] or search.promoted[-1] == search.default


def test_without_noise_what_looks_best_is_the_best_that_was_found(surrogate: Surrogate) -> None:
    search = simulate(dataclasses.replace(TPE, noise=0.0, trainings=24.0), surrogate)
    assert search.promoted[-1] == min(search.found[-1], search.default)
    assert simulate(dataclasses.replace(TPE, trainings=24.0), surrogate) != search


def test_what_short_trainings_find_can_be_judged_by_long_ones(surrogate: Surrogate) -> None:
    setting, long = dataclasses.replace(TPE, trainings=6.0), recorded_surrogate(LONG)
    alone, judged = simulate(setting, surrogate), simulate(setting, surrogate, judged=long)
    assert (judged.asked, judged.complete) == (alone.asked, alone.complete)
    assert (judged.default, judged.optimum) == (long.value(long.default()), long.optimum()[0])
    assert judged.found[-1] >= judged.optimum
    assert judged.found[-1] != alone.found[-1]


def test_a_confirmation_takes_as_many_trainings_as_it_needs(surrogate: Surrogate) -> None:
    four, more = simulate(TPE, surrogate), simulate(dataclasses.replace(TPE, fresh=Seeds(4, 16)), surrogate)
    assert (more.seconds[-1], more.found[-1]) == (four.seconds[-1], four.found[-1])  # the search itself is the same
    assert four.retrained[-1] == 4 * 4
    assert 4 * 4 <= more.retrained[-1] < 4 * 16
    assert more.retrained[-1] % 4 == 0
    sure = simulate(dataclasses.replace(TPE, fresh=Seeds(4, 16), noise=0.0, trainings=24.0), surrogate)
    assert sure.confirmed[-1] == sure.promoted[-1] < sure.default  # without noise the first four seeds tell
    assert sure.retrained[-1] == 4 * 4


def test_a_search_goes_by_the_metric_that_it_is_given() -> None:
    short = dataclasses.replace(TPE, noise=0.0, trainings=5.0, recording=LONG_KL)
    found = simulate(short, recorded_surrogate(LONG_KL))
    assert found.complete > 2
    assert found.optimum == recorded_surrogate(LONG_KL).optimum()[0] < 1.5  # a divergence; Delta E is above 17
    assert found.promoted[-1] == min(found.found[-1], found.default)


def test_asha_begins_more_and_lets_few_go_on(surrogate: Surrogate) -> None:
    whole = simulate(dataclasses.replace(TPE, sampler={"name": "random"}), surrogate)
    halved = simulate(dataclasses.replace(TPE, sampler={"name": "random"}, pruner=PRUNERS["asha"]), surrogate)
    assert halved.asked > 2 * whole.asked
    assert 1 <= halved.complete < halved.asked / 3


def test_more_workers_take_less_time(surrogate: Surrogate) -> None:
    many = dataclasses.replace(TPE, workers=64, trainings=192.0)
    assert many.seconds(surrogate) < TPE.seconds(surrogate)
    assert simulate(dataclasses.replace(many, sampler={"name": "random"}), surrogate).complete > 64


def test_each_configuration_is_repeated_with_its_seeds(surrogate: Surrogate) -> None:
    search = simulate(dataclasses.replace(TPE, seeds_per_trial=3), surrogate)
    assert search.asked <= 3 * (search.complete // 3 + 3)


def test_every_search_of_the_plan_is_a_valid_study() -> None:
    names = [cell.name for cell in cells()]
    assert len(set(names)) == len(names)
    for cell in cells():
        cell.setting.study(recorded_surrogate(cell.setting.recording))
    assert 0 < len(cells(quick=True)) < len(names) / 3
