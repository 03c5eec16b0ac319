"""What every sampler and pruner keeps to, under the real driver: seeds, resuming, conditions, constraints, fronts.

The workers are simulated: what a training says is a formula of its configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from pydantic import ValidationError

from benchmarks.replay.engine import SimulatedEngine, Training
from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from colorgan.record import TrialRecord
from colorgan.strict_yaml import write_yaml
from search.aims import MEASURED, Aims
from search.driver import Driver
from search.method import FINITE_SAMPLERS, HEEDLESS, SINGLE, Sampler
from search.methods import make_pruner, make_sampler
from search.oracle import ORACLES
from search.restore import disagreement, restore
from search.signature import PRUNERS, SAMPLERS
from search.snapshot import ranked
from search.source import TrialSource
from search.space import Space
from search.storage import StudyFolder
from search.study import StudyError, StudySpec, read_study
from search.tradeoff import study_front

TRIALS, EPOCHS = 14, 6
RATE, NORMALIZATION, DROPOUT = "optimizer.generator_learning_rate", "generator.normalization", "generator.dropout"
FILTERS = "generator.filters"
SPACE = {
    RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    FILTERS: {"type": "int", "low": 8, "high": 32, "step": 8},
    NORMALIZATION: {"type": "categorical", "choices": ["batch", "instance", "none"]},
    DROPOUT: {"type": "float", "low": 0.0, "high": 0.5, "when": {NORMALIZATION: ["batch", "instance"]}},
}
FINITE = SPACE | {RATE: {"type": "categorical", "choices": [1e-4, 1e-3]}, DROPOUT: SPACE[DROPOUT] | {"step": 0.25}}
GRID = {path: FINITE[path] for path in (RATE, FILTERS, NORMALIZATION)}  # few enough to see the end of
ARGUMENTS: dict[str, dict[str, Any]] = {
    "qmc": {"scramble": True},  # else it is one sequence, whatever the seed
    "tpe": {"n_startup_trials": 4},
    "gp": {"n_startup_trials": 4},
    "curve_gp": {"n_startup_trials": 4},
    "cmaes": {"n_startup_trials": 4},
    "nsgaii": {"population_size": 4},
    "nsgaiii": {"population_size": 4},
    "keras_tuner.bayesian": {"num_initial_points": 9},  # its proposals take seconds, so few are made
    "percentile": {"percentile": 25.0},
    "patient": {"patience": 1, "wrapped": {"name": "median"}},
    "threshold": {"upper": 22.3},
}


def available(name: str) -> bool:
    try:
        Sampler(name=name)
    except ValidationError:
        return False
    return True


def named(names: Any) -> list[Any]:
    skipped = pytest.mark.skipif
    return [pytest.param(n, marks=skipped(not available(n), reason="needs an extra")) for n in names]


ALL = named([*SAMPLERS, *ORACLES])
SEVERAL = named(name for name in [*SAMPLERS, *ORACLES] if name not in SINGLE)
HEEDING = named(name for name in [*SAMPLERS, *ORACLES] if name not in HEEDLESS)


def study_of(sampler: str, pruner: str = "none", *, seed: int = 0, **more: Any) -> StudySpec:
    finite = GRID if sampler == "keras_tuner.grid" else FINITE
    tree = {
        "name": "contract",
        "train": {"data": {"size": 32}, "schedule": {"epochs": EPOCHS, "steps_per_epoch": 10}},
        "space": finite if sampler in FINITE_SAMPLERS else SPACE,
        "search": {
            "trials": TRIALS,
            "seed": seed,
            "sampler": {"name": sampler, **ARGUMENTS.get(sampler, {})},
            "pruner": {"name": pruner, **ARGUMENTS.get(pruner, {})},
        },
    }
    return StudySpec.model_validate({**tree, **more})


def trained(number: int, config: TrainConfig) -> Training:
    """Returns what training says: best at a rate of 1e-3 and many filters, a little worse with each trial's seed."""
    level = 18 + abs(math.log10(config.optimizer.generator_learning_rate) + 3) + 4 / config.generator.filters
    level += 0.3 * config.generator.dropout + (config.seed % 7) / 100
    ratio = 0.4 + config.generator.filters / 40
    fades = config.optimizer.generator_learning_rate > 2e-3  # such a training gets worse again

    def said(epoch: int) -> EpochResult:
        value = level + (epoch / 2 if fades else 3 / epoch)
        metrics = {"valid/delta_e": value, "valid/colorfulness_ratio": ratio}
        return EpochResult(epoch, 10 * epoch, metrics, None, 5.0, 1.0)

    return Training([said(epoch) for epoch in range(1, EPOCHS + 1)], parameters=1000 * config.generator.filters)


class Study:
    """A study in a folder and in memory, run as often as a test likes by one simulated worker."""

    def __init__(self, folder: Path, spec: StudySpec) -> None:
        self.spec, self.folder, self.lines = spec, StudyFolder(folder), []
        self.storage, self.name = optuna.storages.InMemoryStorage(), "s"

    def run(self, *, stop: Callable[[Driver], bool] = lambda _: False) -> list[TrialRecord]:
        spec, space, aims = self.spec, Space(self.spec.space, self.spec.train), Aims(self.spec)
        sampler, pruner = make_sampler(spec, space), make_pruner(spec)
        study = optuna.create_study(
            study_name=self.name,
            storage=self.storage,
            load_if_exists=True,
            directions=aims.directions,
            sampler=sampler,
            pruner=pruner,
        )
        engine = SimulatedEngine(workers=1, train=trained)

        def show(_: Any) -> None:
            if stop(driver):
                driver.stop()

        driver = Driver(
            spec,
            study,
            engine,
            self.folder,
            source=TrialSource(spec, study, space),
            show=show,
            say=self.lines.append,
            clock=lambda: engine.now,
        )
        engine.start()
        driver.run()
        self.told = study
        return self.folder.records()


def configurations(records: list[TrialRecord]) -> list[tuple[dict[str, Any], str, int]]:
    return [(record.params, record.state, len(record.epochs)) for record in records]


@pytest.mark.parametrize("name", ALL)
def test_a_sampler_gives_each_trial_what_its_space_has_and_nothing_twice(name: str, tmp_path: Path) -> None:
    spec = study_of(name)
    records = Study(tmp_path, spec).run()
    space = Space(spec.space, spec.train)
    assert len(records) == TRIALS or name == "keras_tuner.hyperband"
    for record in records:
        assert record.params.keys() == {path for path in spec.space if space.active(path, record.params)}
        assert space.params_of(space.to_config(record.params, seed=record.seed)) == pytest.approx(record.params)
    if name != "keras_tuner.hyperband":  # whose later rounds train the best again, for longer
        distinct = {tuple(sorted(record.params.items(), key=str)) for record in records}
        assert len(distinct) == len(records)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_study_and_another_seed_another(name: str, tmp_path: Path) -> None:
    first, again, other = (
        configurations(Study(tmp_path / place, study_of(name, seed=seed)).run())
        for place, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert first == again
    assert (first != other) is (name != "keras_tuner.grid")  # which has nothing to draw


@pytest.mark.parametrize("name", ALL)
def test_with_any_sampler_a_stopped_study_goes_on_as_if_it_had_never_stopped(name: str, tmp_path: Path) -> None:
    whole = configurations(Study(tmp_path / "whole", study_of(name)).run())
    halves = Study(tmp_path / "halves", study_of(name))
    assert len(halves.run(stop=lambda driver: driver.snapshot().finished_here >= TRIALS // 2)) < TRIALS
    assert configurations(halves.run()) == whole


@pytest.mark.parametrize("name", PRUNERS)
def test_with_any_pruner_a_study_ends_trials_early_and_goes_on_as_if_it_had_never_stopped(
    name: str, tmp_path: Path
) -> None:
    spec = study_of("tpe", name)
    whole = Study(tmp_path / "whole", spec)
    records = whole.run()
    assert len(records) == TRIALS
    assert any(record.state == "complete" for record in records)
    shorter = [record for record in records if record.state == "pruned" and len(record.epochs) < EPOCHS]
    assert bool(shorter) is (name != "none")
    halves = Study(tmp_path / "halves", spec)
    halves.run(stop=lambda driver: driver.snapshot().finished_here >= TRIALS // 2)
    assert configurations(halves.run()) == configurations(records)


CONSTRAINTS = {"parameters": {"max": 20_000}, "valid/colorfulness_ratio": {"min": 0.7}}  # 16 filters, no others


@pytest.mark.parametrize("pruner", ["none", "asha"])
@pytest.mark.parametrize("name", HEEDING)
def test_what_violates_a_constraint_is_never_the_best(name: str, pruner: str, tmp_path: Path) -> None:
    if pruner == "asha" and name.startswith("keras_tuner"):
        pytest.skip("the oracles hear of finished trials alone, with any pruner")
    study = Study(tmp_path, study_of(name, pruner, constraints=CONSTRAINTS))
    records = study.run()
    best = ranked(records, "minimize")
    assert {record.params[FILTERS] for record in best} <= {16}
    for record, trial in zip(records, study.told.get_trials(), strict=True):
        assert record.violations.items() <= trial.constraints.items()
        assert record.feasible is (record.params[FILTERS] == 16 or not record.violations)
        if record.params[FILTERS] > 16:  # known before the first epoch
            assert (record.state, record.epochs) == ("pruned", ())
            assert record.reason.startswith("infeasible: parameters")
    if best:
        assert study.told.best_trial.number == best[0].number


@pytest.mark.parametrize(
    "pruner", ["none", "median", "percentile", "successive_halving", "patient", "threshold", "asha"]
)
@pytest.mark.parametrize("name", ["tpe", "random"])
def test_several_objectives_are_pruned_by_the_first(name: str, pruner: str, tmp_path: Path) -> None:
    further = [{"metric": "parameters"}, {"metric": "valid/colorfulness_ratio", "target": 1.0}]
    spec = study_of(name, pruner, further_objectives=further)
    records = Study(tmp_path / "whole", spec).run()
    assert any(record.state == "pruned" for record in records) is (pruner != "none")
    halves = Study(tmp_path / "halves", spec)
    halves.run(stop=lambda driver: driver.snapshot().finished_here >= TRIALS // 2)
    assert configurations(halves.run()) == configurations(records)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_study_of_several_objectives_finds_a_front(name: str, tmp_path: Path) -> None:
    further = [{"metric": "parameters"}, {"metric": "valid/colorfulness_ratio", "target": 1.0}]
    study = Study(tmp_path, study_of(name, further_objectives=further, constraints={"parameters": {"max": 30_000}}))
    records = study.run()
    front = study_front(records, Aims(study.spec))
    assert {seeds.first.number for seeds in front} == {trial.number for trial in study.told.best_trials}
    assert all(seeds.first.params[FILTERS] < 32 for seeds in front)
    complete = next(record for record in records if record.state == "complete")
    filters = complete.params[FILTERS]
    assert complete.further == pytest.approx(
        {"parameters": 1000 * filters, "valid/colorfulness_ratio": abs(filters / 40 - 0.6)}
    )
    told = study.told.get_trials()[complete.number]
    assert told.values == [complete.objective, *complete.further.values()]


@pytest.mark.parametrize("pruner", ["none", "median", "asha"])
def test_objectives_and_constraints_come_back_from_records_where_the_storage_is_lost(
    pruner: str, tmp_path: Path
) -> None:
    spec = study_of("tpe", pruner, further_objectives=[{"metric": "parameters"}], constraints=CONSTRAINTS)
    study = Study(tmp_path, spec)
    study.run(stop=lambda driver: driver.snapshot().finished_here >= TRIALS // 2)
    aims = Aims(spec)
    again = optuna.create_study(directions=aims.directions)
    assert restore(again, Space(spec.space, spec.train), study.folder, aims)
    assert disagreement(study.told, study.folder.records(), aims.directions, whole=True) == ""
    assert [said_of(trial) for trial in again.get_trials()] == [said_of(trial) for trial in study.told.get_trials()]
    study.storage = again._storage
    study.name = again.study_name
    assert configurations(study.run()) == configurations(Study(tmp_path / "whole", spec).run())


def said_of(trial: optuna.trial.FrozenTrial) -> tuple[Any, ...]:
    measured = trial.user_attrs.get(MEASURED)
    return trial.state, trial.values, trial.params, trial.intermediate_values, trial.constraints, measured


@pytest.mark.parametrize("name", named(SINGLE))
def test_a_sampler_of_one_objective_is_refused_for_several(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} takes one objective, this study has 2"):
        study_of(name, further_objectives=[{"metric": "parameters"}])


@pytest.mark.parametrize("name", named(HEEDLESS))
def test_a_sampler_that_heeds_no_constraints_is_refused_where_there_are_some(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} heeds no constraints"):
        study_of(name, constraints=CONSTRAINTS)


MISTAKES = [
    (
        {"further_objectives": [{"metric": "valid/delta_e"}]},
        "further_objectives.0.metric: valid/delta_e is an objective",
    ),
    ({"further_objectives": [{"metric": "valid/colorfulness_ratio"}]}, "further_objectives.0.direction: "),
    ({"further_objectives": [{"metric": "valid/ssim", "direction": "minimize"}]}, "other way: use maximize"),
    ({"further_objectives": [{"metric": "parameter"}]}, "unknown metric 'parameter'; did you mean parameters?"),
    ({"further_objectives": [{"metric": "train/l1", "target": 1, "direction": "maximize"}]}, "is minimized; leave"),
    ({"constraints": {"parameters": {}}}, "constraints.parameters: must have min or max, or both"),
    ({"constraints": {"parameters": {"min": 2, "max": 1}}}, "constraints.parameters.min: 2 is more than max 1"),
    ({"constraints": {"weights": {"max": 1}}}, "constraints.weights: unknown metric 'weights'"),
    ({"constraints": {"parameters": {"max": math.inf}}}, "constraints.parameters.max: must be a finite number"),
    (
        {"further_objectives": [{"metric": "parameters"}], "objective": {"failed_value": 3}},
        "objective.failed_value: is one objective's",
    ),
    (
        {
            "further_objectives": [{"metric": "parameters"}],
            "search": {"pruner": {"name": "patient", "patience": 1, "wrapped": {"name": "hyperband"}}},
        },
        "search.pruner: hyperband takes one objective",
    ),
]


@pytest.mark.parametrize(("keys", "message"), MISTAKES, ids=lambda value: value if isinstance(value, str) else "")
def test_aims_that_make_no_sense_are_refused_with_file_and_key(
    keys: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(write_yaml({"name": "mine", "space": {RATE: SPACE[RATE]}, **keys}))
    with pytest.raises(StudyError) as refused:
        read_study(path)
    assert message in str(refused.value)
    assert f"{path}:" in str(refused.value)


optuna.logging.set_verbosity(optuna.logging.ERROR)
