"""Objectives and constraints of a trial are told from its record; numbers that nobody can know are not made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from colorgan.record import EpochRecord, TrialRecord
from search.aims import Aims, feasible
from search.outcome_files import TableWriter
from search.quantities import STEP_TIME, TIME, quantity
from search.settings import Bounds
from search.snapshot import Snapshot, best_record, ranked
from search.storage import StudyFolder
from search.study import StudySpec
from search.table import trials_table

RATE = "optimizer.generator_learning_rate"


def spec_of(**more: Any) -> StudySpec:
    space = {RATE: {"type": "float", "low": 1e-4, "high": 1e-2}}
    objective = {"metric": "valid/delta_e", "smooth_epochs": 2}
    return StudySpec.model_validate({"name": "sky", "space": space, "objective": objective, **more})


def trial(number: int, *ratios: float | None, parameters: int = 100, **more: Any) -> TrialRecord:
    """Returns a complete trial with a Delta E of 20 and these ratios of colourfulness, epoch by epoch."""
    epochs = tuple(
        EpochRecord(
            epoch=epoch,
            step=10 * epoch,
            objective=20.0,
            metrics={"valid/delta_e": 20.0} | ({} if ratio is None else {"valid/colorfulness_ratio": ratio}),
            train_seconds=2.0 if epoch == 1 else 0.5,
            valid_seconds=0.1,
        )
        for epoch, ratio in enumerate(ratios, start=1)
    )
    kept = {"state": "complete", "objective": 20.0, "seed": number, "parameters": parameters, "params": {RATE: 1e-3}}
    return TrialRecord.model_validate({"number": number, "epochs": epochs, **kept, **more})


def test_a_metric_is_the_mean_of_its_last_values_and_unknown_where_the_last_was_not_finite() -> None:
    assert quantity(trial(0, 0.2, 0.6, 0.8), "valid/colorfulness_ratio") == 0.8
    assert quantity(trial(0, 0.2, 0.6, 0.8), "valid/colorfulness_ratio", epochs=2) == pytest.approx(0.7)
    assert quantity(trial(0, 0.2, None), "valid/colorfulness_ratio", epochs=2) is None
    assert quantity(trial(0), "valid/colorfulness_ratio") is None


def test_the_first_slow_step_does_not_count_for_a_steps_time() -> None:
    assert quantity(trial(0, 0.5, 0.5, 0.5), STEP_TIME) == 0.05
    assert quantity(trial(0, 0.5, 0.5, 0.5), TIME) == pytest.approx(3.3)
    assert quantity(trial(0), STEP_TIME) is quantity(trial(0), TIME) is None


def test_a_violation_is_the_part_of_its_bound_that_a_quantity_is_beyond() -> None:
    bounds = {"parameters": {"min": 50, "max": 200}, "valid/colorfulness_ratio": {"min": 0.5}}
    aims = Aims(spec_of(constraints=bounds))
    assert aims.violations(trial(0, 0.5, 0.5)) == {"parameters": -0.5, "valid/colorfulness_ratio": 0.0}
    assert aims.violations(trial(0, 0.2, 0.4, parameters=300)) == pytest.approx(
        {"parameters": 0.5, "valid/colorfulness_ratio": 0.4}
    )
    assert aims.violations(trial(0)) == {"parameters": -0.5}
    assert aims.hopeless(trial(0, parameters=300)) == "infeasible: parameters 300, allowed at least 50 and at most 200"
    assert aims.hopeless(trial(0, 0.1)) == ""
    assert Aims(spec_of(constraints={"valid/l1": {"max": 0}})).constraints == {"valid/l1": Bounds(max=0)}


def test_a_bound_of_zero_is_violated_by_the_difference() -> None:
    aims = Aims(spec_of(constraints={"valid/colorfulness_ratio": {"max": 0}}))
    assert aims.violations(trial(0, 0.25, 0.25)) == {"valid/colorfulness_ratio": 0.25}


def test_the_distance_from_a_target_is_that_of_the_mean() -> None:
    further = [{"metric": "valid/colorfulness_ratio", "target": 1.0}, {"metric": "parameters"}]
    aims = Aims(spec_of(further_objectives=further))
    assert aims.directions == ["minimize", "minimize", "minimize"]
    assert aims.values(trial(0, 0.8, 1.2)) == pytest.approx([20.0, 0.0, 100.0])
    assert aims.values(trial(0, 0.8, None)) is None
    assert aims.unknown(trial(0, 0.8, None)) == "valid/colorfulness_ratio"


def test_a_configuration_is_feasible_if_its_seeds_are_on_average() -> None:
    assert feasible([{"a": 0.1}, {"a": -0.2}, {}])
    assert not feasible([{"a": 0.1, "b": -1.0}, {"a": 0.0, "b": -1.0}])
    assert feasible([])


def test_the_best_trial_is_the_best_of_those_whose_constraints_hold() -> None:
    records = [
        trial(0, 0.5, objective=19.0, violations={"a": -0.1}),
        trial(1, 0.5, objective=17.0, violations={"a": 0.2}),
        trial(2, 0.5, objective=18.0, violations={"a": 0.1}, group="g"),
        trial(3, 0.5, objective=18.2, violations={"a": -0.2}, group="g"),
    ]
    assert [record.number for record in ranked(records, "minimize")] == [2, 3, 0]
    assert best_record(records[:2], "minimize") is records[0]


def test_tables_and_summary_name_the_front_and_what_is_feasible(tmp_path: Path) -> None:
    spec = spec_of(further_objectives=[{"metric": "parameters"}], constraints={"parameters": {"max": 250}})
    aims = Aims(spec)
    records = tuple(
        aims.judged(trial(number, 0.5, objective=objective, parameters=parameters))
        for number, (objective, parameters) in enumerate([(20.0, 100), (19.0, 200), (19.5, 240), (18.0, 300)])
    )
    table = trials_table(records)
    assert table.columns[3:6].tolist() == ["objective", "objective/parameters", "feasible"]
    assert table["feasible"].tolist() == [True, True, True, False]
    folder = StudyFolder(tmp_path)
    snapshot = Snapshot(records, (), 4, 1, {}, seconds=1.0, worker_seconds=1.0, busy_share=1.0, finished_here=4)
    TableWriter(spec, folder).write(snapshot, "finished")
    summary = folder.read_summary()
    assert summary["best"]["number"] == 1
    assert [found["number"] for found in summary["front"]] == [1, 0]
    assert summary["front"][0] == {"number": 1, "objective": 19.0, "parameters": 200.0}
