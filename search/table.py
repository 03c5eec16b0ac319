"""Trials as pandas tables, and a study's outcome as `summary.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from colorgan.record import TrialRecord, write_whole


def trials_table(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Returns one row a trial, by number: state, reason, objective, last metrics, `params/...`, seconds and so on.

    Seeds of a configuration have a `group`; a study's further objectives are `objective/...`; where it has constraints,
    `feasible` says whether all hold.
    """
    rows = [
        {
            "number": record.number,
            "state": record.state,
            "reason": record.reason,
            **({"group": record.group} if record.group else {}),
            "objective": record.objective,
            **{f"objective/{name}": value for name, value in record.further.items()},
            **({"feasible": record.feasible} if record.violations else {}),
            **{f"params/{path}": value for path, value in record.params.items()},
            **record.metrics,
            "epochs": len(record.epochs),
            "seconds": record.seconds,
            "training_seconds": record.training_seconds,
            "setup_seconds": record.setup_seconds,
            "built": record.built,
            "retries": record.retries,
            "parameters": record.parameters,
            "seed": record.seed,
            "worker": record.worker,
        }
        for record in records
    ]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    aims = [key for key in keys if key.startswith("objective/") or key == "feasible"]
    grouped = [key for key in keys if key == "group"]
    return _grouped(pd.DataFrame(rows), ["number", "state", "reason", *grouped, "objective", *aims])


def epochs_table(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Returns one row a trial and epoch: objective, metrics and seconds."""
    rows = [
        {
            "number": record.number,
            "epoch": epoch.epoch,
            "step": epoch.step,
            "objective": epoch.objective,
            **epoch.metrics,
            "train_seconds": epoch.train_seconds,
            "valid_seconds": epoch.valid_seconds,
        }
        for record in records
        for epoch in record.epochs
    ]
    return _grouped(pd.DataFrame(rows), ["number", "epoch", "step", "objective"])


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Writes a table as CSV, atomically; numbers keep all their digits."""
    write_whole(path, table.to_csv(index=False))


def write_summary(summary: dict[str, Any], path: Path) -> None:
    """Writes `summary.json`, atomically."""
    write_whole(path, json.dumps(summary, indent=2) + "\n")


def _grouped(table: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """Orders the columns: the named ones, searched parameters, validation, training, the rest."""
    kinds = ("params/", "valid/", "train/")
    grouped = [column for kind in kinds for column in table.columns if column.startswith(kind)]
    rest = [column for column in table.columns if column not in (*first, *grouped)]
    return table.reindex(columns=[*first, *grouped, *rest])  # an empty table has the first ones too
