"""A disk that is full, or may not be written: one message, nothing torn, and the same command goes on once it may.

`RLIMIT_FSIZE` makes real writes fail with "File too large" as a full disk does; where the tests may mount, a small
tmpfs is filled as well.
"""

from __future__ import annotations

import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from colorgan.__main__ import app
from colorgan.checkpoint import Checkpoint
from colorgan.config import DataConfig, TrainConfig, parse_config
from colorgan.disk import append, cannot_write
from colorgan.errors import CannotRunError
from colorgan.photos import open_photos
from colorgan.record import TrialRecord, read_record, write_record

CONFIG = parse_config(
    {
        "data": {"size": 16, "crop_scales": [1.0], "train_limit": 12, "valid_limit": 3, "confirm_limit": 1},
        "generator": {"filters": 4, "depth": 3},
        "discriminator": {"filters": 4, "depth": 2},
        "schedule": {"epochs": 4, "steps_per_epoch": 2, "batch_size": 4},
        "validation": {"examples": 0, "batch_size": 4},
    }
)


@contextmanager
def largest_file(num_bytes: int) -> Iterator[None]:
    """Lets no file grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A disk of its own, and what changes its mount options."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")

    def remount(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)

    try:
        yield path, remount
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def train(config: Path, out: Path) -> tuple[int, str]:
    """Exit code and what was printed, as a user gets them."""
    result = CliRunner().invoke(app, ["train", str(config), "--out", str(out)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(CONFIG.to_yaml())
    return path


@pytest.fixture(scope="module")
def undisturbed(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert train(config_file, folder)[0] == 0
    return folder


def assert_same_run(first: Path, second: Path) -> None:
    epochs = [[epoch.metrics for epoch in read_record(run / "result.json").epochs] for run in (first, second)]
    assert epochs[0] == epochs[1]
    for name in ("checkpoint.npz", "best.npz"):
        one, other = (Checkpoint.load(run / name) for run in (first, second))
        assert one.epoch == other.epoch
        assert all(np.array_equal(one.arrays[key], array) for key, array in other.arrays.items())


def test_a_checkpoint_that_finds_no_room_leaves_the_older_one_and_nothing_else(tmp_path: Path) -> None:
    checkpoint = Checkpoint(TrainConfig(), 1, 1, (0.0,), 0.0, (), {"a": np.zeros(3)})
    for step in (1, 2):
        replace(checkpoint, step=step).save(tmp_path / "c.npz")
    before = files(tmp_path)
    for limit in (0, 1, 100, 5000, 60_000):
        with largest_file(limit), pytest.raises(OSError, match=r"c\.npz") as caught:
            replace(checkpoint, arrays={"a": np.zeros(10_000)}).save(tmp_path / "c.npz")
        assert cannot_write(caught.value)
        assert files(tmp_path) == before


def test_a_record_that_finds_no_room_leaves_the_older_one_and_nothing_else(tmp_path: Path) -> None:
    record = TrialRecord(number=1, state="running", seed=0)
    write_record(tmp_path / "result.json", record)
    with largest_file(50), pytest.raises(OSError, match=r"result\.json"):
        write_record(tmp_path / "result.json", record.model_copy(update={"state": "complete"}))
    assert read_record(tmp_path / "result.json") == record
    assert len(files(tmp_path)) == 1


def test_a_line_of_a_log_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    append(tmp_path / "log.txt", b"one\n")
    with largest_file(6), pytest.raises(OSError, match=r"log\.txt"):
        append(tmp_path / "log.txt", b"two\n")
    append(tmp_path / "log.txt", b"three\n")
    assert (tmp_path / "log.txt").read_text() == "one\nthree\n"


@pytest.mark.parametrize("limit", [0, 40, 3000])
def test_photos_that_find_no_room_are_packed_once_there_is(tmp_path: Path, limit: int) -> None:
    for i in range(6):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (40 * i, 99, 7)).save(tmp_path / "photos" / f"{i}.png")
    config, cache = DataConfig(photos=str(tmp_path / "photos"), size=16, valid_fraction=0.4), tmp_path / "cache"
    with largest_file(limit), pytest.raises(CannotRunError, match=r"cannot be written: File too large\. Make room or"):
        open_photos(config, cache=cache)
    assert [path for path in files(cache) if not path.endswith("-skipped.csv")] == []
    assert len(open_photos(config, cache=cache).train)


def test_a_run_by_hand_without_room_ends_with_a_message_and_goes_on_once_there_is(
    config_file: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with largest_file((undisturbed / "checkpoint.npz").stat().st_size // 2):
        code, printed = train(config_file, tmp_path)
    assert code == 1
    reason = "cannot be written: File too large; make room there and give the same command again, which goes on"
    assert printed.splitlines()[-1] == f"training stopped: {tmp_path / 'checkpoint.npz'}: {reason}"
    assert not list(tmp_path.glob("*checkpoint*")) + list(tmp_path.glob(".*"))
    assert train(config_file, tmp_path)[0] == 0
    assert_same_run(tmp_path, undisturbed)


def test_a_disk_that_fills_during_a_run_costs_the_steps_since_the_last_checkpoint(
    config_file: Path, undisturbed: Path, disk: tuple[Path, Callable[[str], None]]
) -> None:
    path, remount = disk
    room = 5 * (undisturbed / "checkpoint.npz").stat().st_size // 2  # for two checkpoints, but not for a third
    remount(f"size={room}")
    code, printed = train(config_file, path / "run")
    assert code == 1
    assert "checkpoint.npz: cannot be written: No space left on device; make room there" in printed.splitlines()[-1]
    assert Checkpoint.load(path / "run" / "checkpoint.npz").epoch == 2
    assert not [name for name in files(path) if "/." in name]
    remount("ro")
    code, printed = train(config_file, path / "run")
    assert code == 1
    assert "no access: Read-only file system; allow it, or choose" in printed.splitlines()[-1]
    remount("rw,size=64m")
    code, printed = train(config_file, path / "run")
    assert code == 0
    assert "continued from the checkpoint after epoch 2" in printed
    assert_same_run(path / "run", undisturbed)


@pytest.mark.parametrize("kind", ["keras", "h5", "saved_model"])
def test_an_export_without_room_ends_with_a_message_and_leaves_nothing(
    undisturbed: Path, tmp_path: Path, kind: str
) -> None:
    with largest_file(8000):
        result = CliRunner().invoke(app, ["export", str(undisturbed), "--out", str(tmp_path / "out"), "--format", kind])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    message = result.output.splitlines()[-1]
    assert re.fullmatch(rf"{tmp_path / 'out'}: cannot be written: .*File too large.*; make room there, or .*", message)
    assert list(tmp_path.iterdir()) == []


def test_an_evaluation_without_room_ends_with_a_message_and_leaves_nothing(undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.effect_noise((48, 32), 40.0).convert("RGB").save(tmp_path / "photos" / "a.png")
    with largest_file(100):
        line = ["evaluate", str(undisturbed), str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(app, line)
    assert result.exit_code == 1
    assert f"{tmp_path / 'out'}: cannot be written: File too large; make room there" in result.output.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_colouring_without_room_stops_with_a_message_and_goes_on_once_there_is(
    undisturbed: Path, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        Image.effect_noise((48, 32), 40.0).save(tmp_path / name)
    with largest_file(100):
        result = CliRunner().invoke(app, ["colorize", str(undisturbed), str(tmp_path)])
    assert result.exit_code == 1
    reason = "cannot be written: File too large; make room there and give the same command again, which goes on"
    assert result.output.splitlines()[-1] == f"{tmp_path / 'a-colour.png'}: {reason}"
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}
    assert CliRunner().invoke(app, ["colorize", str(undisturbed), str(tmp_path)]).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png", "a-colour.png", "b-colour.png"}
