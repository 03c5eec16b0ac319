"""One run on a trainer, resumable: what a study's trial and a run by hand share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from colorgan.checkpoint import Checkpoint, CheckpointError, remove_checkpoint_drafts, step_back
from colorgan.config import TrainConfig
from colorgan.disk import copy_whole, set_aside
from colorgan.epoch import EpochResult
from colorgan.trainer import Trainer


def resume(trainer: Trainer, config: TrainConfig, checkpoint: Path, *, spare: Path | None = None) -> str:
    """Continues the configuration's run from its checkpoint, if there is a usable one.

    A damaged checkpoint is set aside under another name, and the one before it is used.

    Args:
        trainer: Has started the configuration's run, and stays at its start where there is nothing to continue.
        config: With the run's seed inside.
        checkpoint: A file that `train` wrote, or none yet; nobody else may be writing it.
        spare: Another state of the run, which becomes its checkpoint where no other is usable.

    Returns:
        What happened, for the run's log; empty where there was no checkpoint.

    Raises:
        OSError: A checkpoint may not be read, or a damaged one cannot be renamed.
    """
    remove_checkpoint_drafts(checkpoint)
    said: list[str] = []
    while step_back(checkpoint):
        try:
            found = Checkpoint.load(checkpoint)
            if not found.config.continues_as(config) or found.step > trainer.progress.total_steps:
                said.append("the checkpoint found is of another configuration; started anew")
                return "; ".join(said)
            trainer.restore(replace(found, config=config))
        except CheckpointError as error:
            trainer.reset(config)
            said.append(f"{error}; set aside as {set_aside(checkpoint).name}")
            continue
        which = "one before it" if said else "checkpoint"
        said.append(f"continued from the {which} after epoch {trainer.epoch}, step {trainer.step}")
        return "; ".join(said)
    if spare is not None and spare.is_file():
        copy_whole(spare, checkpoint)
        return "; ".join([*said, f"{spare.name} taken for the checkpoint", resume(trainer, config, checkpoint)])
    return "; ".join([*said, "started anew"] if said else [])


def train(
    trainer: Trainer, checkpoint: Path, *, until: int | None = None, saved: Callable[[], None] = lambda: None
) -> Iterator[EpochResult | None]:
    """Yields as `Trainer.pauses` does, each result after its checkpoint is written where the schedule wants one.

    Args:
        trainer: Has started or continued its run.
        checkpoint: The run's file.
        until: The last epoch to train now, after which there is a checkpoint; None is that of the schedule.
        saved: Called when the checkpoint is written.
    """
    config = trainer.config
    last = min(until or config.schedule.epochs, config.schedule.epochs)
    pauses = trainer.pauses()
    while trainer.epoch < last:
        result = next(pauses)
        if result is not None and checkpoint_due(config, result.epoch, last=last):
            trainer.save(checkpoint)
            saved()
        yield result


def checkpoint_due(config: TrainConfig, epoch: int, *, last: int) -> bool:
    """Returns whether there is to be a checkpoint after an epoch of a run that is now trained to its `last`."""
    return epoch % config.schedule.checkpoint_epochs == 0 or epoch == last
