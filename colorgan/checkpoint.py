"""Saving and loading the whole state of a training run, atomically and without pickle.

A checkpoint is one NumPy `.npz` file: every variable of the run, and a JSON text with its configuration, position and
history. A reader sees the old file or the new one, never a torn one; a damaged one is recognised by the archive's
checksums. The one before is kept as `previous-NAME`, so that a file which the disk spoils costs the steps since then.
"""

from __future__ import annotations

import glob
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from colorgan.config import ConfigError, TrainConfig, parse_config
from colorgan.disk import remove_drafts, written_whole
from colorgan.epoch import EpochResult
from colorgan.errors import BadInputError

FORMAT = 1
_META = "meta"


class CheckpointError(BadInputError):
    """A checkpoint that cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Checkpoint:
    """A training run at one moment.

    Attributes:
        config: The run's configuration, its seed inside.
        step: Training steps done.
        epoch: Epochs done.
        loss_sums: Sum of each training loss over the steps of the epoch under way, in the order of TRAIN_METRICS.
        train_seconds: Time spent in the steps of the epoch under way.
        history: The results of the epochs done, without examples.
        arrays: Every variable of the run by name.
    """

    config: TrainConfig
    step: int
    epoch: int
    loss_sums: tuple[float, ...]
    train_seconds: float
    history: tuple[EpochResult, ...]
    arrays: Mapping[str, NDArray[Any]]

    def save(self, path: Path) -> None:
        """Writes the file in place of an older one, which becomes the previous checkpoint.

        After a crash at any moment one of the two is there, whole; on return it is the new one.

        Raises:
            OSError: The disk is full or the folder cannot be written; the older file is untouched.
        """
        meta = {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "step": self.step,
            "epoch": self.epoch,
            "loss_sums": self.loss_sums,
            "train_seconds": self.train_seconds,
            "history": [asdict(replace(result, examples=None)) for result in self.history],
            "arrays": sorted(self.arrays),
        }
        text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
        with written_whole(path, keep=previous_checkpoint(path)) as file:
            np.savez(file, allow_pickle=False, **{_META: text}, **self.arrays)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a file that `save` wrote.

        Raises:
            CheckpointError: There is none, it is damaged, or another program or version wrote it.
            OSError: It may not be read, or not now.
        """
        with _opened(path) as file:
            arrays = _read_arrays(file)
            meta = _pop_meta(arrays, path)
            if sorted(arrays) != meta.get("arrays", sorted(arrays)):  # older ones have no list
                raise CheckpointError(f"{path}: damaged checkpoint (variables are missing)")
            return cls(
                config=parse_config(meta["config"], source=str(path)),
                step=int(meta["step"]),
                epoch=int(meta["epoch"]),
                loss_sums=tuple(meta["loss_sums"]),
                train_seconds=float(meta["train_seconds"]),
                history=tuple(EpochResult(**result) for result in meta["history"]),
                arrays=arrays,
            )


def read_run(path: Path) -> tuple[TrainConfig, int]:
    """Returns the configuration of a checkpoint's run and the epochs done, without reading its variables.

    Raises:
        CheckpointError: As `Checkpoint.load`, where what is read is damaged.
        OSError: It may not be read, or not now.
    """
    with _opened(path) as file:
        meta = _pop_meta(_read_arrays(file, only=_META), path)
        return parse_config(meta["config"], source=str(path)), int(meta["epoch"])


def previous_checkpoint(path: Path) -> Path:
    """Returns where the state before a checkpoint's lies; there is none before the second checkpoint of a run."""
    return path.with_name(f"previous-{path.name}")


def step_back(path: Path) -> bool:
    """Where there is no checkpoint, makes the previous one the checkpoint; returns whether there is one now."""
    previous = previous_checkpoint(path)
    if not os.path.lexists(path) and os.path.lexists(previous):
        previous.replace(path)
    return os.path.lexists(path)


def remove_checkpoint_drafts(path: Path) -> None:
    """Removes what processes that were killed while they wrote a checkpoint have left; nobody may be writing it."""
    for file in (path, previous_checkpoint(path)):  # the draft of the latter takes the room of a whole checkpoint too
        remove_drafts(file)


def remove_previous(path: Path) -> None:
    """Removes all that lies beside a checkpoint: the one before it, damaged ones, and what killed processes left."""
    remove_checkpoint_drafts(path)
    for beside in (previous_checkpoint(path), *path.parent.glob(f"damaged-*{glob.escape(path.name)}")):
        if not beside.is_dir():
            beside.unlink(missing_ok=True)


def remove_checkpoints(path: Path) -> None:
    """Removes a checkpoint and all that lies beside it."""
    path.unlink(missing_ok=True)
    remove_previous(path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Yields the file, and says of whatever goes wrong while it is read that it is damaged."""
    if not path.is_file():
        raise CheckpointError(f"{path}: {'not a file' if os.path.lexists(path) else 'no such checkpoint'}")
    with path.open("rb") as file:
        try:
            yield file
        except (CheckpointError, MemoryError):
            raise
        except ConfigError as error:
            raise CheckpointError(str(error)) from None
        except Exception as error:  # noqa: BLE001 - a damaged or hostile file makes the readers raise almost anything
            raise CheckpointError(f"{path}: damaged checkpoint ({error or type(error).__name__})") from None


def _read_arrays(file: BinaryIO, only: str | None = None) -> dict[str, NDArray[Any]]:
    """Returns arrays by name, each checked against its checksum to the last byte; memory is bounded by the file's size.

    `numpy.load` stops reading where an array's header says, which may be before the checksum is known to be wrong, and
    inflates without a bound.
    """
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        unpacked = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        if not unpacked or sum(entry.file_size for entry in entries) > os.fstat(file.fileno()).st_size:
            raise ValueError("its entries are larger than the file")
        names = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        return {name: _array(archive.read(entry)) for name, entry in names.items() if only in (None, name)}


def _array(entry: bytes) -> NDArray[Any]:
    """Returns the array of an .npy file; one of Python objects, which would run code, is a ValueError."""
    file = io.BytesIO(entry)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array of another version")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(file)
    return np.frombuffer(entry, dtype, offset=file.tell()).reshape(shape, order="F" if in_columns else "C")


def _pop_meta(arrays: dict[str, NDArray[Any]], path: Path) -> dict[str, Any]:
    if _META not in arrays:
        raise CheckpointError(f"{path}: not a checkpoint, but another program's file")
    meta: dict[str, Any] = json.loads(arrays.pop(_META).tobytes())
    if meta["format"] != FORMAT:
        raise CheckpointError(f"{path}: checkpoint of format {meta['format']}; this version reads {FORMAT}")
    meta["config"].setdefault("backend", "tensorflow")  # of a version that had no other
    return meta
