"""What a study is said to do before it does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search.outlook import outlook
from search.space import MAX_COMBINATIONS
from search.study import StudySpec

SPACE: dict[str, Any] = {
    "generator.normalization": {"type": "categorical", "choices": ["batch", "none"]},
    "generator.dropout": {
        "type": "float", "low": 0.0, "high": 0.5, "step": 0.1, "when": {"generator.normalization": "batch"},
    },
}  # fmt: skip
RATE = {"optimizer.generator_learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2}}
NAMES = "generator.normalization, generator.dropout"


def lines(*, space: dict[str, Any] = SPACE, search: dict[str, Any] | None = None, **sections: Any) -> list[str]:
    tree = {"name": "sky", "space": space, "search": {"trials": 5, **(search or {})}, **sections}
    return outlook(StudySpec.model_validate(tree))


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({}, f"5 trials over {NAMES}, which have 7 configurations"),
        ({"trials": 9}, f"7 trials (there are no more configurations; 9 are wanted) over {NAMES}"),
        ({"trials": 9, "repeat_configurations": True}, f"9 trials over {NAMES}"),
        ({"trials": 1}, f"1 trial over {NAMES}, which have 7 configurations"),
        (
            {"seeds_per_trial": 3},
            f"5 trials over {NAMES}, which have 7 configurations; with 3 seeds each at most 15 trials",
        ),
    ],
)
def test_trials_are_no_more_than_there_are_configurations(search: dict[str, Any], words: str) -> None:
    assert lines(search=search)[0] == words


def test_configurations_are_counted_only_where_there_are_not_too_many() -> None:
    assert lines(space=RATE)[0] == f"5 trials over {next(iter(RATE))}"
    filters = {"type": "int", "low": 1, "high": MAX_COMBINATIONS // 200}
    many = {"generator.filters": filters, "discriminator.filters": filters}
    assert lines(space=many)[0] == "5 trials over generator.filters, discriminator.filters"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({"epochs": 9, "steps_per_epoch": 600}, "each at most 9 epochs of 600 steps, 5,400 steps in all"),
        ({"epochs": 1}, "each at most 1 epoch, each one pass over the photos to train on"),
    ],
)
def test_a_trial_is_as_long_as_its_schedule(schedule: dict[str, int], words: str) -> None:
    assert lines(train={"schedule": schedule})[1] == words


def test_a_number_of_steps_that_is_searched_is_not_told() -> None:
    space = {"schedule.steps_per_epoch": {"type": "int", "low": 1, "high": 9}}
    assert lines(space=space, train={"schedule": {"epochs": 9}})[1] == "each at most 9 epochs"


def test_what_is_searched_for_is_told_in_words() -> None:
    assert lines()[2] == "minimize valid/delta_e"
    further = [{"metric": "parameters"}, {"metric": "valid/colorfulness_ratio", "target": 1.0}]
    objective = {"metric": "valid/psnr_db", "smooth_epochs": 3}
    bounds = {"parameters": {"max": 5e6}, "valid/ssim": {"min": 0.5}}
    assert lines(objective=objective, further_objectives=further, constraints=bounds)[2] == (
        "maximize valid/psnr_db (mean of the last 3 validations), minimize parameters, minimize distance of "
        "valid/colorfulness_ratio from 1; the best must have parameters at most 5e+06, valid/ssim at least 0.5"
    )


def test_the_folder_of_photos_is_told_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lines()[3] == "photos: sample"
    assert lines(train={"data": {"photos": "holidays"}})[3] == f"photos: {tmp_path}/holidays"


def test_photos_that_nothing_can_be_confirmed_on_are_told_before_a_search_is_run_on_them(tmp_path: Path) -> None:
    data = {"photos": str(tmp_path), "confirm_fraction": 0.0}
    reason = "no photos to confirm, as data.confirm_fraction is 0; raise it"
    assert lines(train={"data": data})[3] == f"photos: {tmp_path}; `make promote` will find none ({reason})"


def test_trials_that_are_measured_on_what_is_kept_for_confirming_are_told_to_leave_none() -> None:
    assert lines(train={"validation": {"part": "confirm"}})[3] == (
        "photos: sample; `make promote` will find none (trials are measured on the `confirm` photos)"
    )
