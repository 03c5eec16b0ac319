"""How many trials a worker takes beside those that it has, and when it takes no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorgan.config import TrainConfig
from search.engines.workload import Workload
from search.messages import How, Job, PlacesMeasured, TrialEnded

CONFIG = TrainConfig()
WIDER = CONFIG.with_values({"generator.filters": 2 * CONFIG.generator.filters})
KEY, OTHER = CONFIG.architecture(), WIDER.architecture()


def begin(load: Workload, *numbers: int) -> None:
    for number in numbers:
        load.begin(Job(number, CONFIG, Path(f"{number}.npz")))


def end(load: Workload, number: int, how: How = "complete", *, memory_bytes: int = 0, traceback: str = "") -> bool:
    event = TrialEnded(number, how, traceback=traceback, architectures=frozenset({KEY}))
    load.take(event)
    return load.outlives(event, memory_bytes=memory_bytes, most_trials=3, most_bytes=1000)


def test_one_trial_at_a_time_may_be_of_any_architecture() -> None:
    load = Workload()
    assert (load.free, load.takes(KEY), load.takes(OTHER)) == (1, True, True)
    begin(load, 0)
    assert load.free == 0
    assert not end(load, 0)
    assert (load.free, load.takes(OTHER), load.architectures) == (1, True, {KEY})


def test_trials_side_by_side_are_of_one_architecture() -> None:
    load = Workload(3)
    begin(load, 0, 1)
    assert (load.free, load.takes(KEY), load.takes(OTHER)) == (1, True, False)
    end(load, 0)
    assert (load.free, load.takes(OTHER)) == (2, False)
    end(load, 1)
    assert (load.free, load.takes(OTHER)) == (3, True)


def test_a_trial_that_is_to_be_alone_neither_joins_others_nor_is_joined() -> None:
    load = Workload(3)
    begin(load, 0)
    assert not load.takes(KEY, alone=True)
    end(load, 0)
    assert load.takes(KEY, alone=True)
    load.begin(Job(1, CONFIG, Path("1.npz"), alone=True))
    assert (load.free, load.takes(KEY)) == (0, False)
    end(load, 1)
    assert (load.free, load.takes(KEY)) == (3, True)


def test_a_worker_that_measures_takes_one_trial_until_it_has() -> None:
    load = Workload(None)
    begin(load, 0)
    assert load.free == 0
    load.take(PlacesMeasured(KEY, 4))
    assert load.free == 3
    end(load, 0)
    assert load.free == 1  # the next may be of another architecture, which was not measured


@pytest.mark.parametrize(("how", "memory_bytes"), [("complete", 1001), ("out of memory", 0), ("failed", 1001)])
def test_a_worker_that_grew_too_large_finishes_its_other_trials_and_takes_no_more(how: How, memory_bytes: int) -> None:
    load = Workload(2)
    begin(load, 0, 1)
    assert not end(load, 0, how, memory_bytes=memory_bytes)
    assert load.free == 0
    assert end(load, 1)


def test_a_worker_takes_no_more_after_an_error_that_nobody_foresaw() -> None:
    load = Workload(2)
    begin(load, 0, 1)
    assert not end(load, 0, "failed")  # a loss that is not finite, say
    assert load.free == 1
    begin(load, 2)
    assert not end(load, 2, "failed", traceback="Traceback: ...")
    assert load.free == 0
    assert end(load, 1)


def test_a_worker_takes_no_more_trials_than_it_may() -> None:
    load = Workload()
    for number in range(3):
        begin(load, number)
        assert end(load, number, memory_bytes=1000) == (number == 2)
