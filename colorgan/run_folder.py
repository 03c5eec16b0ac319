"""What lies in the folder of a run by hand from before: whose it is, what run it holds, its record and event files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from colorgan.checkpoint import CheckpointError, previous_checkpoint, read_run
from colorgan.config import ConfigError, TrainConfig
from colorgan.disk import remove_drafts, set_aside
from colorgan.epoch import EpochResult
from colorgan.errors import CannotRunError
from colorgan.event_file import EventLog, set_aside_damaged
from colorgan.record import RecordError, TrialRecord, read_record

STUDY = "study.yaml"  # of a folder that is a study's
CHECKPOINT, BEST, RECORD, CONFIG, EXAMPLES = (
    "checkpoint.npz",
    "best.npz",
    "result.json",
    "config.yaml",
    "examples.png",
)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Makes the folder where there is none, and this process the only one that trains in it, until it ends.

    What a process that was killed there had half written is removed.

    Raises:
        CannotRunError: Another process trains in it.
        OSError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)  # the folder is its own lock, so that no lock file is left behind
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRunError(
                f"{folder}: another process trains this run; wait for it, stop it, or give another --out"
            ) from None
        for name in (CHECKPOINT, BEST, RECORD, CONFIG, EXAMPLES):
            remove_drafts(folder / name)
        yield
    finally:
        os.close(descriptor)


def check_same_run(folder: Path, config: TrainConfig, best_metric: str) -> None:
    """Checks that the folder is no study's, and a run in it the configuration's and the metric's, and not longer.

    Each file that can be read is asked, as the disk may have spoiled any of them; config.yaml has no checksum.

    Raises:
        ConfigError: It is not.
    """
    if (folder / STUDY).exists():
        raise ConfigError(f"{folder}: holds a study ({STUDY}); give another --out")
    done = 0
    for path in (folder / CHECKPOINT, previous_checkpoint(folder / CHECKPOINT), folder / BEST):
        with suppress(CheckpointError):
            found, epochs = read_run(path)
            if not found.continues_as(config):
                raise ConfigError(
                    f"{folder}: holds a run of another configuration ({path.name}'s); give another --out, or remove "
                    "the folder"
                )
            done = max(done, epochs)
    with suppress(RecordError):
        record = read_record(folder / RECORD)
        if record.best_metric not in ("", best_metric):
            raise ConfigError(
                f"{folder}: its best.npz is the best by {record.best_metric}, not by {best_metric}; give --best "
                f"{record.best_metric}, or another --out"
            )
        done = max(done, len(record.epochs))
    if done > config.schedule.epochs:
        raise ConfigError(
            f"{folder}: is trained for {done} epochs already; ask for as many at least, or give another --out"
        )


def check_same_photos(folder: Path, config: TrainConfig, fingerprint: str) -> None:
    """Checks that the run in the folder, if there is one, is trained on these photos, as far as its record knows.

    Raises:
        ConfigError: It is trained on others.
    """
    with suppress(RecordError):
        if read_record(folder / RECORD).photos not in ("", fingerprint):
            raise ConfigError(
                f"{folder}: was trained on other photos than are in data.photos {config.data.photos} now, so its best "
                "state and baselines do not compare; give a new folder (--out, OUT= of make), or the old photos again"
            )


def read_earlier(folder: Path, say: Callable[[str], None]) -> TrialRecord | None:
    """Returns the record of the run so far; a damaged one is set aside, as the checkpoint knows the epochs too."""
    path = folder / RECORD
    if not os.path.lexists(path):
        return None
    try:
        return read_record(path)
    except RecordError as error:
        say(f"{error}; set aside as {set_aside(path).name} and made anew")
        return None


def open_events(
    folder: Path, history: Sequence[EpochResult], earlier: TrialRecord | None, say: Callable[[str], None]
) -> EventLog:
    """Returns the run's TensorBoard log, in which the scalars of all epochs of the history are.

    An epoch is saved, then logged, then recorded, so who was killed in between left a record that does not know it.
    Damaged files are set aside, and all is written anew.
    """
    logs = folder / "tensorboard"
    damaged = set_aside_damaged(logs, folder)
    log = EventLog(logs)
    logged = 0 if not log.earlier else len(history if earlier is None else earlier.epochs)
    for result in history[logged:]:
        log.scalars(result.step, result.metrics)
    if damaged:
        say(f"{damaged}: damaged; the run's event files are set aside in {folder} and made anew, without their images")
    return log
