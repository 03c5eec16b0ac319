"""Simulated workers say what real ones would, when they would."""

from __future__ import annotations

from pathlib import Path

from benchmarks.replay.engine import Costs, SimulatedEngine, Training
from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from search.messages import EpochDone, Event, Job, TrialEnded, TrialStarted, WorkerReady

CONFIG = TrainConfig()
OTHER = CONFIG.with_values({"generator.filters": 24})
COSTS = Costs(start=8.0, build=2.0, reset=0.5)


def train(number: int, config: TrainConfig) -> Training:
    return Training([EpochResult(n, n, {"valid/delta_e": 20.0 - n}, None, 4.0, 1.0) for n in (1, 2, 3)], parameters=7)


def job(number: int, *, config: TrainConfig = CONFIG, until: int | None = None) -> Job:
    return Job(number, config, Path("nowhere"), until=until)


def ready(workers: int = 1) -> SimulatedEngine:
    engine = SimulatedEngine(workers=workers, train=train, costs=COSTS)
    engine.start()
    assert all(isinstance(event, WorkerReady) for event in engine.wait(0.2))
    assert (engine.now, len(engine.idle())) == (8.0, workers)
    return engine


def until_idle(engine: SimulatedEngine) -> list[tuple[float, Event]]:
    said: list[tuple[float, Event]] = []
    while not any(isinstance(event, TrialEnded) for _, event in said):
        said += [(engine.now, event) for event in engine.wait(0.2)]
    return said


def test_each_epoch_is_said_when_it_is_trained() -> None:
    engine = ready()
    engine.dispatch(0, job(0))
    said = until_idle(engine)
    assert [type(event) for _, event in said] == [TrialStarted, EpochDone, EpochDone, EpochDone, TrialEnded]
    assert [at for at, _ in said] == [10.0, 15.0, 20.0, 25.0, 25.0]
    assert said[-1][1] == TrialEnded(0, "complete", architectures=frozenset({CONFIG.architecture()}))
    assert engine.worker_seconds() == 25.0


def test_an_architecture_is_built_once_a_worker() -> None:
    engine, built = ready(), []
    for number, config in enumerate((CONFIG, CONFIG, OTHER, CONFIG)):
        engine.dispatch(0, job(number, config=config))
        built += [e.setup_seconds for _, e in until_idle(engine) if isinstance(e, TrialStarted)]
    assert built == [2.0, 0.5, 2.0, 0.5]
    assert engine.holds(0, OTHER.architecture())


def test_a_paused_trial_goes_on_where_it_paused_on_any_worker() -> None:
    engine = ready(2)
    engine.dispatch(0, job(5, until=2))
    assert until_idle(engine)[-1][1] == TrialEnded(5, "paused", architectures=frozenset({CONFIG.architecture()}))
    engine.dispatch(1, job(5))
    said = [event for _, event in until_idle(engine)]
    assert isinstance(said[0], TrialStarted)
    assert [result.epoch for result in said[0].history] == [1, 2]
    assert [event.result.epoch for event in said if isinstance(event, EpochDone)] == [3]


def test_a_stopped_trial_ends_at_once_and_loses_only_the_epoch_under_way() -> None:
    engine = ready()
    engine.dispatch(0, job(3))
    while not any(isinstance(event, EpochDone) for event in engine.wait(0.2)):
        pass
    at = engine.now
    engine.stop(3, save=True)
    (ended,) = engine.wait(0.2)
    assert isinstance(ended, TrialEnded)
    assert (ended.how, engine.now, list(engine.idle())) == ("stopped", at, [0])
    engine.dispatch(0, job(3))
    (started,) = engine.wait(0.2)
    assert isinstance(started, TrialStarted)
    assert [result.epoch for result in started.history] == [1]


def test_workers_that_are_released_cost_no_more() -> None:
    engine = ready(3)
    engine.dispatch(0, job(0))
    engine.release_idle()
    until_idle(engine)
    assert engine.worker_seconds() == 2 * 8.0 + 25.0
