"""A run by hand, of any length, as a user calls it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colorgan.checkpoint import Checkpoint
from colorgan.config import ConfigError, load_config, parse_config
from colorgan.errors import CannotRunError
from colorgan.folder import SAMPLE_FOLDER, PhotosError
from colorgan.hand_run import HandRun, default_folder, train_by_hand
from colorgan.model_card import find_baselines
from colorgan.record import read_record, write_record

ROOT = Path(__file__).parents[2]
CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 12, "valid_limit": 3, "confirm_limit": 1},
        "generator": {"filters": 4, "depth": 3},
        "discriminator": {"filters": 4, "depth": 2},
        "optimizer": {"generator_learning_rate": 1e-2},
        "schedule": {"epochs": 5, "steps_per_epoch": 3, "batch_size": 4},
        "validation": {"examples": 2, "batch_size": 4},
    }
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def epochs_of(folder: Path) -> list[dict[str, float]]:
    return [epoch["metrics"] for epoch in json.loads((folder / "result.json").read_text())["epochs"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("a whole run")
    assert train_by_hand(HandRun(CONFIG, folder))
    return folder


def test_the_best_and_the_last_state_are_kept(whole: Path) -> None:
    values = [metrics["valid/delta_e"] for metrics in epochs_of(whole)]
    assert Checkpoint.load(whole / "best.npz").epoch == 1 + values.index(min(values))
    assert Checkpoint.load(whole / "checkpoint.npz").epoch == len(values) == 5


def test_a_run_says_what_doing_nothing_scores(whole: Path) -> None:
    baselines = read_record(whole / "result.json").baselines
    assert set(baselines) == {"gray", "tint"}
    assert baselines["gray"]["valid/colorfulness"] == pytest.approx(0.0, abs=0.1)
    assert f"(baselines: gray {baselines['gray']['valid/delta_e']:.4g}, tint" in (whole / "log.txt").read_text()
    assert find_baselines(whole) == baselines  # for the card of its export


def test_what_to_type_next_can_be_pasted_whatever_the_folder_is_called(whole: Path) -> None:
    said = (whole / "log.txt").read_text()
    assert f"watch: make tensorboard STUDY='{whole}'   use: make colorize MODEL='{whole}' INPUT=photo.jpg\n" in said


def test_tensorboard_reads_curves_and_examples(whole: Path) -> None:
    found = EventAccumulator(str(whole / "tensorboard"))
    found.Reload()
    assert [scalar.step for scalar in found.Scalars("valid/delta_e")] == [3, 6, 9, 12, 15]
    assert [scalar.value for scalar in found.Scalars("valid/ssim")] == pytest.approx(
        [metrics["valid/ssim"] for metrics in epochs_of(whole)]
    )
    assert "examples" in found.Tags()["tensors"]
    assert (whole / "examples.png").stat().st_size > 500


def test_a_longer_run_goes_on_from_a_shorter_one_to_the_same_numbers(whole: Path, tmp_path: Path) -> None:
    short = CONFIG.with_values({"schedule.epochs": 2})
    assert default_folder(short) == default_folder(CONFIG)
    assert train_by_hand(HandRun(short, tmp_path))
    assert train_by_hand(HandRun(CONFIG, tmp_path))
    assert epochs_of(tmp_path) == epochs_of(whole)
    with pytest.raises(ConfigError, match="is trained for 5 epochs already"):
        train_by_hand(HandRun(short, tmp_path))


def test_a_killed_run_goes_on_to_the_same_numbers(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.to_yaml())
    out = tmp_path / "run"
    line = [sys.executable, "-m", "colorgan", "train", str(tmp_path / "config.yaml"), "--out", str(out)]
    first = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (out / "checkpoint.npz").exists() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
    finally:
        first.kill()
    assert train_by_hand(HandRun(CONFIG, out))
    assert epochs_of(out) == epochs_of(whole)
    assert Checkpoint.load(out / "best.npz").epoch == Checkpoint.load(whole / "best.npz").epoch
    assert "continued from the checkpoint" in (out / "log.txt").read_text()


@pytest.mark.parametrize("epochs", [0, 2])
def test_tensorboard_has_each_epoch_once_whose_run_was_killed_when_it_was_saved(tmp_path: Path, epochs: int) -> None:
    before = tmp_path / "before"
    if epochs:
        train_by_hand(HandRun(CONFIG.with_values({"schedule.epochs": epochs}), before))
    out = shutil.copytree(before, tmp_path / "run") if epochs else tmp_path / "run"
    train_by_hand(HandRun(CONFIG.with_values({"schedule.epochs": epochs + 1}), out))
    for name in ("result.json", "tensorboard"):  # what is written after the checkpoint is as it was before
        shutil.move(out / name, tmp_path / name)
        if epochs:
            shutil.move(before / name, out / name)
    assert train_by_hand(HandRun(CONFIG, out))
    found = EventAccumulator(str(out / "tensorboard")).Reload()
    for tag in ("train/l1", "valid/delta_e"):
        assert [scalar.step for scalar in found.Scalars(tag)] == [3, 6, 9, 12, 15]


def test_a_run_whose_files_the_disk_spoiled_comes_to_the_same_end(whole: Path, tmp_path: Path) -> None:
    out = shutil.copytree(whole, tmp_path / "run")
    for name, old, new in (("checkpoint.npz", b'"step"', b'"ste?"'), ("result.json", b'"epoch": 2', b'"epoch": 3')):
        damaged = (out / name).read_bytes().replace(old, new)
        (out / name).unlink()  # best.npz may be the same file
        (out / name).write_bytes(damaged)
    (out / "config.yaml").write_text("losses: {l1_weight: 10")
    (events,) = (out / "tensorboard").iterdir()
    os.truncate(events, events.stat().st_size // 2)
    assert train_by_hand(HandRun(CONFIG, out))
    found = EventAccumulator(str(out / "tensorboard")).Reload()
    assert [scalar.step for scalar in found.Scalars("valid/delta_e")] == [3, 6, 9, 12, 15]
    assert (out / f"damaged-{events.name}").exists()
    assert epochs_of(out) == epochs_of(whole)
    assert Checkpoint.load(out / "best.npz").epoch == Checkpoint.load(whole / "best.npz").epoch
    assert load_config(out / "config.yaml") == CONFIG
    log = (out / "log.txt").read_text()
    assert "result.json: no usable trial record (its checksum is another); set aside as damaged-result.json" in log
    assert "set aside as damaged-checkpoint.npz; continued from the one before it after epoch 4" in log
    assert read_record(out / "result.json").baselines == read_record(whole / "result.json").baselines


def test_the_best_state_is_that_of_an_epochs_end(whole: Path, tmp_path: Path) -> None:
    """A run interrupted within the epoch after its best one goes on; the best one stays what was validated."""
    found = Checkpoint.load(whole / "previous-checkpoint.npz")
    best = replace(found.history[-1], metrics={**found.history[-1].metrics, "valid/delta_e": 0.0})
    validated = replace(found, history=(*found.history[:-1], best))
    validated.save(tmp_path / "best.npz")
    later = {name: array + array.dtype.type(1) for name, array in validated.arrays.items()}
    replace(validated, step=validated.step + 1, arrays=later).save(tmp_path / "checkpoint.npz")
    assert train_by_hand(HandRun(CONFIG, tmp_path))
    kept = Checkpoint.load(tmp_path / "best.npz")
    assert kept.step == validated.step
    assert all(np.array_equal(kept.arrays[name], array) for name, array in validated.arrays.items())


def test_a_closed_terminal_saves_the_run_and_the_same_command_goes_on(whole: Path, tmp_path: Path) -> None:
    reached: list[bool] = []
    handlers = [signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)]

    def send() -> None:
        deadline = time.monotonic() + 120
        while not (tmp_path / "checkpoint.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        if (tmp_path / "checkpoint.npz").exists():  # so the run has its handlers
            reached.append(True)
            os.kill(os.getpid(), signal.SIGHUP)

    sender = threading.Thread(target=send)
    sender.start()
    endless = CONFIG.with_values({"schedule.epochs": 10_000})
    assert not train_by_hand(HandRun(endless, tmp_path))
    sender.join()
    assert reached == [True]
    assert [signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)] == handlers
    assert (tmp_path / "log.txt").read_text().endswith("interrupted and saved; the same command goes on\n")
    found = Checkpoint.load(tmp_path / "checkpoint.npz")
    assert [result.metrics for result in found.history][:5] == epochs_of(whole)[: found.epoch]
    assert train_by_hand(HandRun(endless.with_values({"schedule.epochs": found.epoch + 1}), tmp_path))
    assert len(epochs_of(tmp_path)) == found.epoch + 1


def test_two_processes_do_not_train_one_run(whole: Path, tmp_path: Path) -> None:
    before = contents(whole)
    holder = os.open(whole, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(CannotRunError, match=f"{whole}: another process trains this run; wait for it"):
            train_by_hand(HandRun(CONFIG, whole))
    finally:
        os.close(holder)
    assert contents(whole) == before


def test_patience_ends_a_run_that_no_longer_gets_better(tmp_path: Path) -> None:
    run = HandRun(CONFIG.with_values({"schedule.epochs": 60}), tmp_path, best_metric="valid/psnr_db", patience=2)
    assert train_by_hand(run)
    values = [metrics["valid/psnr_db"] for metrics in epochs_of(tmp_path)]
    assert len(values) == 1 + values.index(max(values)) + 2 < 60
    assert json.loads((tmp_path / "result.json").read_text())["reason"] == "no better valid/psnr_db for 2 epochs"
    assert Checkpoint.load(tmp_path / "best.npz").epoch == len(values) - 2


def test_a_part_to_measure_that_no_photo_is_in_is_refused_before_the_run_begins(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for photo in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:3]:
        shutil.copy(photo, photos)
    values = {"data.photos": str(photos), "data.confirm_fraction": 0.0, "validation.part": "confirm"}
    with pytest.raises(PhotosError, match=r"no photos to confirm, on which validation\.part confirm measures"):
        train_by_hand(HandRun(CONFIG.with_values(values), tmp_path / "run"))
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_metric_that_nothing_is_best_by_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"valid/colorfulness: no metric that one model is best by; allowed are valid/d"
    ):
        train_by_hand(HandRun(CONFIG, tmp_path, best_metric="valid/colorfulness"))


def test_a_folder_with_a_run_of_another_configuration_is_left_alone(whole: Path) -> None:
    other, before = CONFIG.with_values({"losses.l1_weight": 3.0}), (whole / "config.yaml").read_text()
    with pytest.raises(ConfigError, match="holds a run of another configuration"):
        train_by_hand(HandRun(other, whole))
    assert (whole / "config.yaml").read_text() == before


@pytest.mark.parametrize("lost", ["result.json", "checkpoint.npz", "previous-checkpoint.npz"])
@pytest.mark.parametrize("damaged", [True, False])
def test_a_longer_run_is_left_alone_whatever_of_it_is_lost(
    whole: Path, tmp_path: Path, lost: str, damaged: bool
) -> None:
    out = shutil.copytree(whole, tmp_path / "run")
    (out / lost).unlink()
    if damaged:
        (out / lost).write_bytes(b"torn")
    before = contents(out)
    with pytest.raises(ConfigError, match="is trained for 5 epochs already; ask for as many at least"):
        train_by_hand(HandRun(CONFIG.with_values({"schedule.epochs": 2}), out))
    assert contents(out) == before


@pytest.mark.parametrize("damaged", [True, False])
def test_a_run_whose_checkpoints_are_lost_goes_on_from_its_best_state(
    whole: Path, tmp_path: Path, damaged: bool
) -> None:
    out, best = shutil.copytree(whole, tmp_path / "run"), Checkpoint.load(whole / "best.npz").epoch
    for name in ("checkpoint.npz", "previous-checkpoint.npz", "result.json"):
        (out / name).unlink()
        if damaged:
            (out / name).write_bytes(b"torn")
    before = contents(out)
    with pytest.raises(ConfigError, match=r"another configuration \(best.npz's\)"):
        train_by_hand(HandRun(CONFIG.with_values({"losses.l1_weight": 3.0}), out))
    assert contents(out) == before
    assert train_by_hand(HandRun(CONFIG, out))
    assert epochs_of(out) == epochs_of(whole)
    assert Checkpoint.load(out / "best.npz").epoch == best
    log = (out / "log.txt").read_text()
    assert (
        f"best.npz taken for the checkpoint; continued from the checkpoint after epoch {best}, step {3 * best}" in log
    )


def test_a_damaged_best_state_is_set_aside_where_nothing_else_is_left(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "best.npz").write_bytes(b"torn")
    assert train_by_hand(HandRun(CONFIG, tmp_path))
    assert epochs_of(tmp_path) == epochs_of(whole)
    assert (tmp_path / "damaged-checkpoint.npz").read_bytes() == b"torn"
    assert Checkpoint.load(tmp_path / "best.npz").epoch == Checkpoint.load(whole / "best.npz").epoch


def test_a_studys_folder_is_no_place_for_a_run_by_hand(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").touch()
    with pytest.raises(ConfigError, match=r"holds a study \(study.yaml\); give another --out"):
        train_by_hand(HandRun(CONFIG, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_patience_counts_to_the_last_epoch_that_was_validated(tmp_path: Path) -> None:
    values = {"schedule.epochs": 12, "validation.epochs": 4, "optimizer.generator_learning_rate": 1e-6}
    assert train_by_hand(HandRun(CONFIG.with_values(values), tmp_path, patience=2))
    validated = [n for n, metrics in enumerate(epochs_of(tmp_path), 1) if "valid/delta_e" in metrics]
    assert len(validated) >= 2
    assert validated[-1] == len(epochs_of(tmp_path))


@pytest.mark.parametrize("checkpoint_epochs", [1, 100])
def test_a_run_that_its_patience_ended_finds_itself_finished(tmp_path: Path, checkpoint_epochs: int) -> None:
    config = CONFIG.with_values({"schedule.epochs": 60, "schedule.checkpoint_epochs": checkpoint_epochs})
    run = HandRun(config, tmp_path, best_metric="valid/psnr_db", patience=2)
    assert train_by_hand(run)
    epochs, before = epochs_of(tmp_path), contents(tmp_path)["checkpoint.npz"]
    assert Checkpoint.load(tmp_path / "checkpoint.npz").epoch == len(epochs) < 60
    assert train_by_hand(run)
    assert epochs_of(tmp_path) == epochs
    assert contents(tmp_path)["checkpoint.npz"] == before
    assert json.loads((tmp_path / "result.json").read_text())["reason"] == "no better valid/psnr_db for 2 epochs"


def test_a_run_keeps_to_the_metric_that_its_best_state_is_the_best_by(whole: Path) -> None:
    before = contents(whole)
    with pytest.raises(ConfigError, match=r"best by valid/delta_e, not by valid/ssim; give --best valid/delta_e, or"):
        train_by_hand(HandRun(CONFIG, whole, best_metric="valid/ssim"))
    assert contents(whole) == before


def test_a_run_does_not_go_on_with_other_photos(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    for photo in sorted(SAMPLE_FOLDER.glob("*.jpg"))[:12]:
        shutil.copy(photo, photos)
    config = CONFIG.with_values({"data.photos": str(photos), "data.train_limit": None, "schedule.epochs": 1})
    longer = config.with_values({"schedule.epochs": 2})
    assert train_by_hand(HandRun(config, out))
    shutil.copy(sorted(SAMPLE_FOLDER.glob("*.jpg"))[12], photos / "new.jpg")
    before = contents(out)
    with pytest.raises(ConfigError, match=r"was trained on other photos than are in data.photos .*OUT= of make"):
        train_by_hand(HandRun(longer, out))
    assert contents(out) == before
    older = read_record(out / "result.json").model_copy(update={"photos": ""})
    write_record(out / "result.json", older)
    assert train_by_hand(HandRun(longer, out))
