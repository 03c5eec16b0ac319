"""The command line: exit codes, messages instead of tracebacks, and nothing begun where nothing can be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from colorgan.record import TrialRecord, write_record
from search.__main__ import app
from search.ownership import owned
from search.storage import StudyFolder
from search.study import read_study

GOOD = """
name: sky
train:
  data: {size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}
  generator: {filters: 4, depth: 3}
  discriminator: {filters: 4, depth: 2}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
search: {trials: 7, workers: 1}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sky.yaml").write_text(GOOD)
    return Path("sky.yaml")


def search(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def test_a_good_study_is_checked_without_starting_anything(study: Path) -> None:
    result = search("check", study)
    assert result.exit_code == 0
    assert "7 trials over optimizer.generator_learning_rate" in result.output
    assert list(Path().iterdir()) == [study]


@pytest.mark.parametrize("command", ["run", "check"])
def test_photos_that_are_not_there_are_a_mistake_of_the_study_by_file_line_and_key(study: Path, command: str) -> None:
    study.write_text(GOOD.replace("data: {", "data: {photos: smaple, "))
    result = search(command, study)
    assert result.exit_code == 2
    assert result.stderr.startswith("sky.yaml:4: train.data.photos: smaple: no such folder; did you mean sample?")
    assert list(Path().iterdir()) == [study]


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("learn_from: [results/nosuch]", "learn_from: results/nosuch: no study here"),
        ("enqueue: [nosuch.yaml]", "enqueue: nosuch.yaml: no such file"),
    ],
)
def test_what_a_study_begins_with_is_looked_for(study: Path, command: str, section: str, words: str) -> None:
    study.write_text(GOOD + section)
    result = search(command, study)
    assert result.exit_code == 2
    assert words in result.stderr
    assert list(Path().iterdir()) == [study]


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_study_that_ran_otherwise_is_refused(study: Path, command: str) -> None:
    folder = StudyFolder(Path("elsewhere/sky"))
    folder.path.mkdir(parents=True)
    folder.study.write_text(read_study(study).to_yaml().replace("filters: 4", "filters: 8"))
    result = search(command, study, "--results", "elsewhere")
    assert result.exit_code == 2
    assert "elsewhere/sky: this study ran with another train.generator.filters (8, now 4)" in result.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_broken_study_is_told_line_by_line_and_begins_nothing(study: Path, command: str) -> None:
    study.write_text(GOOD.replace("low: 1.0e-4", "low: 1.0").replace("trials: 7", "trials: seven"))
    result = search(command, study)
    assert result.exit_code == 2
    assert "sky.yaml:8: space.optimizer.generator_learning_rate" in result.stderr
    assert "sky.yaml:9: search.trials" in result.stderr
    assert list(Path().iterdir()) == [study]


@pytest.mark.parametrize(
    "option", [("--trials", 0), ("--workers", 0), ("--workers", "many"), ("--hours", 0), ("--data", "")]
)
def test_a_bad_option_is_bad_input(study: Path, option: tuple[str, object]) -> None:
    assert search("run", study, *option).exit_code == 2
    assert list(Path().iterdir()) == [study]


def test_a_study_whose_hours_are_over_ends_well_and_is_left_to_go_on(study: Path) -> None:
    result = search("run", study, "--hours", 0.0002)
    assert (result.exit_code, "stopping after 1 s" in result.output) == (0, True), result.output
    assert "stopped in time and saved; the same command goes on" in result.stderr
    status = search("status", Path("results/sky"))
    assert "it ended by: time limit); the same command goes on" in status.output


def test_a_study_that_goes_on_with_other_packages_says_so(study: Path) -> None:
    search("run", study, "--hours", 0.0002)
    summary = StudyFolder(Path("results/sky")).summary
    assert "it ran before" not in search("run", study, "--hours", 0.0002).output
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"versions": {"numpy": "1.0", "jaxlib": "0.0"}}))
    said = search("run", study, "--hours", 0.0002).output
    assert f"it ran before with other versions (numpy {np.__version__} instead of 1.0" in said


def test_a_study_that_is_not_there_is_bad_input(study: Path) -> None:
    result = search("run", "nosuch.yaml")
    assert (result.exit_code, result.stderr) == (2, "nosuch.yaml: no such file\n")


def test_photos_that_are_not_there_are_bad_input_and_do_not_bind_the_studys_name(study: Path) -> None:
    result = search("run", study, "--data", "nosuch")
    assert result.exit_code == 2
    assert "nosuch" in result.stderr
    assert not Path("results").exists()


def test_a_storage_that_cannot_be_opened_is_named_without_its_password(study: Path) -> None:
    result = search("run", study, "--storage", "nosuch://me:s3cret@host.invalid/db")
    assert result.exit_code == 2
    assert "the storage URL given begins with nosuch://, which is no database" in result.stderr
    assert "s3cret" not in result.output
    assert not Path("results").exists()


def test_a_study_that_another_process_runs_is_left_alone(study: Path) -> None:
    with owned(StudyFolder(Path("results/sky")).lock):
        result = search("run", study)
    assert result.exit_code == 1
    assert "is being run by process" in result.stderr


def test_status_shows_a_study_by_its_file_or_its_folder(study: Path) -> None:
    assert search("status", study).exit_code == 2
    folder = StudyFolder(Path("results/sky"))
    folder.trial(0).path.mkdir(parents=True)
    spec = read_study(study)
    folder.study.write_text(spec.to_yaml())
    folder.trial(0).config.write_text(spec.train.to_yaml())
    record = TrialRecord(number=0, state="complete", objective=12.5, seed=0, params={"losses.l1_weight": 3.0})
    write_record(folder.trial(0).record, record)
    for place in (study, folder.path):
        result = search("status", place)
        assert result.exit_code == 0
        assert "best: trial 0" in result.output
        assert "12.5" in result.output


def test_a_study_that_has_measured_nothing_has_no_table(study: Path) -> None:
    folder = StudyFolder(Path("results/sky"))
    folder.path.mkdir(parents=True)
    folder.study.write_text(read_study(study).to_yaml())
    result = search("status", study)
    assert result.stdout.splitlines()[0] == "no trials yet of 7 wanted"


def test_a_study_whose_trials_hold_no_constraint_is_not_said_to_have_completed_none(study: Path) -> None:
    study.write_text(
        f"{GOOD.replace('trials: 7', 'trials: 1')}constraints: {{parameters: {{max: 9}}, valid/ssim: {{min: 0.1}}}}"
    )
    folder, spec = StudyFolder(Path("results/sky")), read_study(study)
    folder.prepare()
    folder.trial(0).prepare(spec.train)
    folder.study.write_text(spec.to_yaml())
    params = {"optimizer.generator_learning_rate": 2e-4}
    violations = {"parameters": 0.5, "valid/ssim": -0.1}
    record = TrialRecord(number=0, state="complete", objective=12.5, seed=0, params=params, violations=violations)
    write_record(folder.trial(0).record, record)
    result = search("run", study)
    assert result.exit_code == 1
    assert (
        "no trial holds the study's constraints (parameters at most 9); the trials that were completed (1) are in"
        in result.stderr
    )


def test_a_dashboard_needs_a_study_that_has_run(study: Path) -> None:
    result = search("tensorboard", study)
    assert result.exit_code == 2
    assert "python -m search run sky.yaml" in result.stderr


def test_help_names_every_command() -> None:
    result = search("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in ("run", "check", "status", "tensorboard"))
