"""Saving and loading the whole state of a training run, atomically and without pickle.

A checkpoint is one NumPy `.npz` file: every variable of the run, and a JSON text with its configuration, position and
history. A reader sees the old file or the new one, never a torn one; a damaged one is recognised by the archive's
checksums.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorgan.config import ConfigError, TrainConfig, parse_config
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
        """Writes the file in place of an older one; after a crash at any moment one of the two is there, whole.

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
        }
        text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **{_META: text}, **self.arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a file that `save` wrote.

        Raises:
            CheckpointError: There is none, it is damaged, or another version wrote it.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            meta = json.loads(arrays.pop(_META).tobytes())
            if meta["format"] != FORMAT:
                raise CheckpointError(f"{path}: checkpoint of format {meta['format']}; this version reads {FORMAT}")
            return cls(
                config=parse_config(meta["config"], source=str(path)),
                step=int(meta["step"]),
                epoch=int(meta["epoch"]),
                loss_sums=tuple(meta["loss_sums"]),
                train_seconds=float(meta["train_seconds"]),
                history=tuple(EpochResult(**result) for result in meta["history"]),
                arrays=arrays,
            )
        except FileNotFoundError:
            raise CheckpointError(f"{path}: no such checkpoint") from None
        except ConfigError as error:
            raise CheckpointError(str(error)) from None
        except (OSError, EOFError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"{path}: damaged checkpoint ({error}); remove it to start the run anew") from None
