"""Whole studies with real workers on the bundled photos: what they leave behind, and what no accident takes away.

`finished` is one study of two workers with complete, pruned and failed trials, run from a plain script; most tests only
read it. `battered` is one that loses a worker, its driver, and is interrupted twice, beside an undisturbed twin.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import psutil
import pytest
from optuna.trial import TrialState

from colorgan.config import load_config
from colorgan.record import TrialRecord, read_record
from search.engines.local import LocalEngine
from search.messages import Job, TrialEnded
from search.outcome_files import TableWriter
from search.run import load_result, run_study
from search.snapshot import Snapshot
from search.storage import StudyFolder
from search.study import read_study
from search.view import View

pytestmark = pytest.mark.timeout(900)  # the limit counts a fixture in its first test, and machines may be slow
ROOT = Path(__file__).parents[2]
RATE, DISCRIMINATOR_RATE = "optimizer.generator_learning_rate", "optimizer.discriminator_learning_rate"
LOSS, SMOOTHING = "losses.adversarial", "losses.label_smoothing"

# At a learning rate of 1 the least-squares loss of this discriminator overflows within a few steps, while binary
# cross-entropy stays finite and gives absurd colours, which the pruner's threshold ends.
MIXED = f"""
name: mixed
train:
  data: {{photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}}
  generator: {{filters: 4, depth: 3}}
  discriminator: {{filters: 8, depth: 3, kernel: 9, normalization: none}}
  schedule: {{epochs: 5, steps_per_epoch: 4, batch_size: 8}}
  validation: {{examples: 2}}
space:
  {RATE}: {{type: categorical, choices: [2.0e-4, 1.0]}}
  {DISCRIMINATOR_RATE}: {{type: categorical, choices: [1.0], factor_of: {RATE}}}
  {LOSS}: {{type: categorical, choices: [bce, least_squares]}}
  {SMOOTHING}: {{type: categorical, choices: [0.0, 0.1], when: {{{LOSS}: bce}}}}
search:
  {{trials: 50, sampler: {{name: brute_force}}, pruner: {{name: threshold, upper: 50.0, warmup_epochs: 2}}, workers: 2}}
"""
LONG = f"""
name: long
train:
  data: {{photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}}
  generator: {{filters: 4, depth: 3}}
  discriminator: {{filters: 4, depth: 2}}
  schedule: {{epochs: 40, steps_per_epoch: 8, batch_size: 8}}
  validation: {{examples: 0}}
space:
  {RATE}: {{type: float, low: 1.0e-4, high: 1.0e-2, log: true}}
search: {{trials: 3, sampler: {{name: tpe}}, workers: 1}}
"""
SCRIPT = """
import json, sys
import search

spec = search.read_study(sys.argv[1])
result = search.run_study(spec, results=sys.argv[2])
heavy = sorted({"keras", "tensorflow", "optuna"} & {name.split(".")[0] for name in sys.modules})
print(json.dumps({"loaded": heavy, "trials": len(result.trials), "best": result.best_config.to_yaml()}))
"""
SERVE = "import sys, pathlib; from search.events import serve; serve(pathlib.Path(sys.argv[1]), port=0, say=print)"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 200.0) -> Any:
    """Returns the condition's first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return answer


def open_trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder / 'study.db'}").trials


def epochs_of(record: TrialRecord) -> list[tuple[int, int, float | None, dict[str, float]]]:
    return [(epoch.epoch, epoch.step, epoch.objective, epoch.metrics) for epoch in record.epochs]


def metrics_of(record: TrialRecord) -> list[dict[str, float]]:
    return [epoch.metrics for epoch in record.epochs]


class Command:
    """`python -m search run` in a process of its own."""

    def __init__(self, study: Path, results: Path, *options: str) -> None:
        command = [sys.executable, "-m", "search", "run", str(study), "--results", str(results), *options]
        results.mkdir(exist_ok=True)
        self.log = results / "output.txt"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, cwd=results, env=environment(), stdout=output, stderr=output)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 200.0) -> int:
        return self.process.wait(seconds)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Command]]:
    """Starts commands, and sees that none outlives the tests."""
    started: list[Command] = []

    def start(*arguments: Any) -> Command:
        started.append(Command(*arguments))
        return started[-1]

    yield start
    for command in started:
        command.process.kill()
        command.process.wait()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a plain script printed; its study is in `folder`."""
    home = tmp_path_factory.mktemp("finished")
    (home / "study.yaml").write_text(MIXED)
    (home / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", "study.yaml", "results"]
    done = subprocess.run(command, cwd=home, env=environment(), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "home": home, "folder": home / "results" / "mixed"}


@pytest.fixture(scope="module")
def folder(finished: Any) -> Path:
    return Path(finished["folder"])


def test_five_lines_of_python_run_a_study_without_tensorflow_in_their_process(finished: Any, folder: Path) -> None:
    assert finished["loaded"] == ["optuna"]
    assert finished["trials"] == 6
    result = load_result(folder)
    assert result.best_config is not None
    assert result.best_config.to_yaml() == finished["best"]
    assert result.best_config == load_config(folder / result.summary["best"]["config"])


def test_every_combination_was_tried_once_with_its_conditions_and_ties(folder: Path) -> None:
    tried = [(t.params[RATE], t.params[LOSS], t.params.get(SMOOTHING)) for t in open_trials(folder)]
    wanted = [(r, loss, s) for r in (2e-4, 1.0) for loss, s in (("bce", 0.0), ("bce", 0.1), ("least_squares", None))]
    assert sorted(tried, key=str) == sorted(wanted, key=str)
    for trial in open_trials(folder):
        config = load_config(StudyFolder(folder).trial(trial.number).config)
        assert config.optimizer.generator_learning_rate == trial.params[RATE]
        assert config.optimizer.discriminator_learning_rate == trial.params[RATE]
        assert (config.losses.adversarial, config.losses.label_smoothing) == (
            trial.params[LOSS],
            trial.params.get(SMOOTHING, 0.0),
        )


def test_plain_optuna_reads_values_reports_states_and_reasons(folder: Path) -> None:
    for trial, record in zip(open_trials(folder), StudyFolder(folder).records(), strict=True):
        reports = {epoch.epoch: epoch.objective for epoch in record.epochs if epoch.objective is not None}
        assert trial.intermediate_values == reports
        assert trial.params == record.params
        assert trial.user_attrs["metrics"] == record.metrics
        if trial.params[RATE] < 1:
            assert trial.state == TrialState.COMPLETE
            assert list(reports) == [1, 2, 3, 4, 5]
            assert trial.value == reports[5] == record.metrics["valid/delta_e"]
        elif trial.params[LOSS] == "bce":
            assert trial.state == TrialState.PRUNED
            assert list(reports) == [1, 2, 3]
            assert trial.user_attrs["reason"] == record.reason == "by the pruner after epoch 3"
        else:
            assert trial.state == TrialState.FAIL
            assert re.match(r"train/\w+ is (nan|inf) at step \d+; ", record.reason)
            assert trial.user_attrs["reason"] == record.reason


def test_tables_and_summary_are_plain_files(folder: Path) -> None:
    trials = pd.read_csv(folder / "trials.csv")
    epochs = pd.read_csv(folder / "epochs.csv")
    summary = json.loads((folder / "summary.json").read_text())
    frozen = open_trials(folder)
    assert list(trials["number"]) == [trial.number for trial in frozen]
    assert trials["state"].value_counts().to_dict() == {"complete": 3, "pruned": 2, "failed": 1}
    values = {trial.number: trial.value for trial in frozen if trial.state == TrialState.COMPLETE}
    assert trials[trials["state"] == "complete"].set_index("number")["objective"].to_dict() == values
    assert list(trials[f"params/{RATE}"]) == [trial.params[RATE] for trial in frozen]
    assert trials[trials["state"] != "complete"]["reason"].notna().all()
    assert len(epochs) == sum(len(record.epochs) for record in StudyFolder(folder).records())
    counts = {"wanted": 6, "complete": 3, "pruned": 2, "failed": 1, "running": 0, "waiting": 0, "paused": 0}
    assert (summary["ending"], summary["trials"]) == ("finished", counts)
    best = min(values, key=lambda number: values[number] or 0.0)
    assert (summary["best"]["number"], summary["best"]["objective"]) == (best, values[best])
    assert set(summary["baselines"]) == {"gray", "tint"}
    assert 0 < summary["busy_share"] < 1
    assert summary["busy_seconds"] == pytest.approx(trials["training_seconds"].sum())
    assert summary["versions"]["optuna"] == optuna.__version__


@pytest.fixture(scope="module")
def dashboard(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("dashboard") / "log.txt"
    with log.open("w") as output:
        command = [sys.executable, "-u", "-c", SERVE, str(folder / "tensorboard")]
        server = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=output, stderr=subprocess.STDOUT)
    try:
        found = wait_for(lambda: re.search(r"at (http://127\.0\.0\.1:\d+/)", log.read_text()), "TensorBoard")
        wait_for(lambda: len(ask(found[1] + "data/runs")) == 7, "its runs")
        yield found[1]
    finally:
        server.terminate()
        server.wait()


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read())


def test_tensorboards_hparams_interface_shows_the_same_trials(folder: Path, dashboard: str) -> None:
    experiment = ask(dashboard + "data/plugin/hparams/experiment", {})
    label = {path: path for path in (RATE, LOSS, SMOOTHING)} | {DISCRIMINATOR_RATE: f"{DISCRIMINATOR_RATE} (factor)"}
    assert {info["name"] for info in experiment["hparamInfos"]} == set(label.values())
    assert experiment["metricInfos"][0]["name"]["tag"] == "objective"
    body = {"allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN"], "startIndex": 0, "sliceSize": 99}
    groups = ask(dashboard + "data/plugin/hparams/session_groups", body)["sessionGroups"]
    rows = {group["name"]: group for group in groups}
    records = StudyFolder(folder).records()
    assert sorted(rows) == [f"trial-{record.number:04d}" for record in records]
    for record in records:
        row = rows[f"trial-{record.number:04d}"]
        assert row["hparams"] == {label[path]: value for path, value in record.params.items()}
        (session,) = row["sessions"]
        assert session["status"] == ("STATUS_FAILURE" if record.state == "failed" else "STATUS_SUCCESS")
        cells = {value["name"]["tag"]: value["value"] for value in row["metricValues"]}
        assert cells["trial/ended"] == ["complete", "pruned", "failed"].index(record.state)
        assert cells.get("objective") == (None if record.objective is None else pytest.approx(record.objective))
        for key in ("valid/ssim", "valid/delta_e_2000"):
            assert cells.get(key) == (pytest.approx(record.metrics[key]) if key in record.metrics else None)


def test_tensorboard_shows_example_images_of_every_trial_that_did_an_epoch(folder: Path, dashboard: str) -> None:
    names = {f"trial-{record.number:04d}" for record in StudyFolder(folder).records() if record.epochs}

    def with_images() -> set[str]:
        found = ask(f"{dashboard}data/plugin/images/tags")
        return {name for name, tags in found.items() if "examples" in tags}

    assert wait_for(lambda: with_images() >= names, "the images of all trials")  # it reads them after it lists the runs


def test_the_best_trial_trained_by_hand_gives_the_very_same_numbers(
    finished: Any, folder: Path, tmp_path: Path
) -> None:
    best = json.loads((folder / "summary.json").read_text())["best"]
    command = [sys.executable, "-m", "colorgan", "train", str(folder / best["config"]), "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=finished["home"], env=environment(), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    again, trial = read_record(tmp_path / "result.json"), read_record(StudyFolder(folder).trial(best["number"]).record)
    assert metrics_of(again) == metrics_of(trial)
    assert again.parameters == trial.parameters


def test_each_trial_of_two_workers_equals_its_own_rerun(folder: Path, tmp_path: Path) -> None:
    from search.trial import TrialRunner

    runner = TrialRunner()
    for record in StudyFolder(folder).records():
        config = load_config(StudyFolder(folder).trial(record.number).config)
        events = list(runner.run(Job(record.number, config, tmp_path / f"{record.number}.npz"), lambda: None))
        assert isinstance(events[-1], TrialEnded)
        epochs = [event.result for event in events if hasattr(event, "result")][: len(record.epochs)]
        finite = [{k: v for k, v in epoch.metrics.items() if abs(v) < float("inf")} for epoch in epochs]
        assert finite == metrics_of(record)
        if record.state == "failed":
            assert events[-1].reason == record.reason


def test_the_same_command_again_does_nothing_more(start: Callable[..., Command], finished: Any, folder: Path) -> None:
    before, records = open_trials(folder), StudyFolder(folder).records()
    worked = StudyFolder(folder).read_summary()["worker_seconds"]
    command = start(finished["home"] / "study.yaml", finished["home"] / "results")
    assert command.end() == 0, command.log.read_text()
    assert open_trials(folder) == before
    assert StudyFolder(folder).read_summary()["worker_seconds"] == worked  # no worker was started
    assert StudyFolder(folder).records() == records
    assert "3 complete, 2 pruned, 1 failed of 6 wanted" in command.log.read_text()


def test_a_changed_study_of_the_same_name_is_refused_with_what_changed(
    start: Callable[..., Command], finished: Any, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.yaml"
    changed.write_text(MIXED.replace("steps_per_epoch: 4", "steps_per_epoch: 9"))
    command = start(changed, finished["home"] / "results")
    assert command.end() == 2
    text = command.log.read_text()
    assert "train.schedule.steps_per_epoch (4, now 9)" in text
    assert "Traceback" not in text


@dataclass
class Battered:
    """The folders of a study that suffered and of its undisturbed twin, and what was seen on the way."""

    folder: Path
    twin: Path
    refusal: str


@pytest.fixture(scope="module")
def battered(start: Callable[..., Command], tmp_path_factory: pytest.TempPathFactory) -> Battered:
    home = tmp_path_factory.mktemp("battered")
    study = home / "study.yaml"
    study.write_text(LONG)
    twin = start(study, home / "twin")
    folder = StudyFolder(home / "results" / "long")

    def record(number: int) -> TrialRecord | None:
        try:
            return read_record(folder.trial(number).record)
        except ValueError:
            return None

    def trains(number: int, after: int = 1) -> bool:
        found = record(number)
        assert found is None or found.state != "complete", "the trial was too fast for the test"
        return found is not None and found.state == "running" and after <= len(found.epochs)

    # a worker is killed in mid-trial
    command = start(study, home / "results", "--trials", "2")
    wait_for(lambda: trains(0), "trial 0")
    second = start(study, home / "results", "--trials", "2")
    (worker,) = command.workers()
    worker.kill()
    assert second.end() == 1
    refusal = second.log.read_text()
    assert f"process {command.process.pid} on" in refusal

    # the driver is killed in mid-trial
    wait_for(lambda: trains(1), "trial 1")
    finished_before = open_trials(folder.path)[0]
    orphans = command.workers()
    command.process.kill()
    command.process.wait()
    _, alive = psutil.wait_procs(orphans, timeout=60)
    assert not alive
    states = [trial.state for trial in open_trials(folder.path)]
    assert states == [TrialState.COMPLETE, TrialState.RUNNING]
    done_by_then = len(record(1).epochs)  # type: ignore[union-attr]

    # interrupted once: it is saved
    command = start(study, home / "results", "--trials", "2")
    wait_for(lambda: trains(1, done_by_then + 1), "trial 1 again")
    command.signal(signal.SIGINT)
    assert command.end() == 130
    assert "the same command goes on" in command.log.read_text()
    left = record(1)
    assert left is not None
    assert (left.state, left.reason) == ("waiting", "left for the next run of the study")
    assert json.loads(folder.summary.read_text())["ending"] == "interrupted"

    # interrupted twice while its worker hangs: at once
    command = start(study, home / "results", "--trials", "2")
    wait_for(lambda: trains(1, len(left.epochs) + 1), "trial 1 once more")
    (worker,) = command.workers()
    worker.suspend()
    command.signal(signal.SIGINT)
    wait_for(lambda: command.log.read_text().count("Ctrl-C again") == 2, "word of the stop")
    command.signal(signal.SIGINT)
    assert command.end(25) == 130  # it would wait longer for a worker to save
    assert not worker.is_running()

    # a larger total goes on to the end
    command = start(study, home / "results", "--trials", "3")
    assert command.end() == 0, command.log.read_text()
    assert open_trials(folder.path)[0] == finished_before
    assert twin.end() == 0, twin.log.read_text()
    return Battered(folder.path, home / "twin" / "long", refusal)


def test_one_more_interrupt_while_a_study_ends_leaves_no_worker_and_no_table_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(method: Callable[..., None]) -> Callable[..., None]:
        def interrupted_method(*arguments: Any) -> None:
            workers.update({*psutil.Process().children()} - others)
            signal.raise_signal(signal.SIGINT)
            method(*arguments)

        return interrupted_method

    workers, others = set[psutil.Process](), {*psutil.Process().children()}  # of tests before
    monkeypatch.setattr(TableWriter, "write", interrupted(TableWriter.write))
    monkeypatch.setattr(LocalEngine, "close", interrupted(LocalEngine.close))
    (tmp_path / "long.yaml").write_text(LONG)
    try:
        result = run_study(read_study(tmp_path / "long.yaml", trials=1), results=tmp_path)
    except KeyboardInterrupt:
        pytest.fail("the end of the study was interrupted")
    assert result.summary["ending"] == "interrupted"
    assert workers
    assert not any(worker.is_running() for worker in workers)


def test_a_second_driver_is_refused_and_told_who_has_the_study(battered: Battered) -> None:
    assert "this study is being run by process" in battered.refusal
    assert "Traceback" not in battered.refusal


def test_no_accident_loses_a_trial_or_changes_a_number(battered: Battered) -> None:
    records, undisturbed = StudyFolder(battered.folder).records(), StudyFolder(battered.twin).records()
    assert [record.state for record in records] == ["complete"] * 3
    assert [trial.state for trial in open_trials(battered.folder)] == [TrialState.COMPLETE] * 3
    assert [record.params for record in records] == [record.params for record in undisturbed]
    for record, calm in zip(records, undisturbed, strict=True):
        assert epochs_of(record) == epochs_of(calm)
    ours, theirs = open_trials(battered.folder), open_trials(battered.twin)
    assert [(t.params, t.value, t.intermediate_values) for t in ours] == [
        (t.params, t.value, t.intermediate_values) for t in theirs
    ]


def test_a_killed_worker_is_counted_and_its_trial_went_on_from_its_checkpoint(battered: Battered) -> None:
    folder = StudyFolder(battered.folder)
    assert [record.retries for record in folder.records()] == [1, 0, 0]
    log = folder.trial(0).log.read_text()
    assert "ended by SIGKILL" in log
    assert re.search(r"continued from the checkpoint after epoch [1-9]", log)
    assert log.count(" epoch 1, step 8, objective") == 1
    assert folder.trial(1).log.read_text().count("continued from the checkpoint") == 3
    assert read_study(folder.study).search.trials == 3


class BrokenView(View):
    """A caller's own, whose code fails whenever it is called."""

    def show(self, snapshot: Snapshot) -> None:
        raise ZeroDivisionError(f"{len(snapshot.records)} trials")


def test_a_study_whose_view_fails_has_ended_by_an_error_and_leaves_its_tables(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    with pytest.raises(ZeroDivisionError):
        run_study(read_study(tmp_path / "long.yaml"), results=tmp_path, view=BrokenView())
    assert load_result(tmp_path / "long").summary["ending"] == "error"
    assert StudyFolder(tmp_path / "long").trials_table.exists()
