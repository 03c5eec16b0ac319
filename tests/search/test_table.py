"""Tables and summaries are read back as a stranger would, with plain pandas and json."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from colorgan.record import EpochRecord, TrialRecord
from search.table import epochs_table, trials_table, write_summary, write_table

RATE = "optimizer.generator_learning_rate"


def trial(number: int, *values: float, state: str = "complete", **others: object) -> TrialRecord:
    epochs = [
        EpochRecord(
            epoch=n,
            step=10 * n,
            objective=value,
            metrics={"train/l1": 0.1 * n, "valid/delta_e": value},
            train_seconds=2.0,
            valid_seconds=0.5,
        )
        for n, value in enumerate(values, 1)
    ]
    fields = {"number": number, "state": state, "seed": number, "objective": values[-1] if values else None}
    return TrialRecord.model_validate({**fields, "epochs": tuple(epochs), **others})


TRIALS = [
    trial(0, 9.0, 8.1234567890123456, params={RATE: 1e-3, "losses.adversarial": "bce"}, worker=1),
    trial(1, 12.0, state="pruned", reason='by "the" pruner,\nat once', params={RATE: 1 / 3}),
    trial(2, state="failed", reason="train/l1 is nan at step 3"),
]


def test_one_row_a_trial_with_its_last_metrics_and_the_columns_in_groups() -> None:
    table = trials_table(TRIALS)
    assert list(table.columns[:8]) == [
        *("number", "state", "reason", "objective", f"params/{RATE}", "params/losses.adversarial"),
        *("valid/delta_e", "train/l1"),
    ]
    assert list(table["number"]) == [0, 1, 2]
    assert list(table["epochs"]) == [2, 1, 0]
    assert list(table["training_seconds"]) == [5.0, 2.5, 0.0]
    assert table.loc[0, "train/l1"] == 0.2
    assert table.loc[1:, "params/losses.adversarial"].isna().all()


def test_one_row_a_trial_and_epoch() -> None:
    table = epochs_table(TRIALS)
    assert list(zip(table["number"], table["epoch"], table["valid/delta_e"], strict=True)) == [
        (0, 1, 9.0),
        (0, 2, 8.1234567890123456),
        (1, 1, 12.0),
    ]


def test_a_table_comes_back_with_every_digit_and_odd_reasons_whole(tmp_path: Path) -> None:
    write_table(trials_table(TRIALS), tmp_path / "trials.csv")
    again = pd.read_csv(tmp_path / "trials.csv")
    assert list(again["objective"][:2]) == [8.1234567890123456, 12.0]
    assert again.loc[1, f"params/{RATE}"] == 1 / 3
    assert again.loc[1, "reason"] == 'by "the" pruner,\nat once'
    assert [path.name for path in tmp_path.iterdir()] == ["trials.csv"]


@pytest.mark.parametrize("make", [trials_table, epochs_table])
def test_a_study_without_trials_has_tables_with_columns(tmp_path: Path, make: object) -> None:
    write_table(make([]), tmp_path / "table.csv")  # type: ignore[operator]
    again = pd.read_csv(tmp_path / "table.csv")
    assert again.empty
    assert {"number", "objective"} <= set(again.columns)


def test_a_summary_is_replaced_whole(tmp_path: Path) -> None:
    for number in (1, 2):
        write_summary({"best": {"number": number}}, tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text()) == {"best": {"number": 2}}
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
