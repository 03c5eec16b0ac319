"""One run on a trainer, resumable: what a study's trial and a run by hand share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import TrainConfig
from colorgan.epoch import EpochResult
from colorgan.trainer import Trainer


def resume(trainer: Trainer, config: TrainConfig, checkpoint: Path) -> str:
    """Continues the configuration's run from its checkpoint, if there is a usable one.

    Args:
        trainer: Has started the configuration's run, and stays at its start where there is nothing to continue.
        config: With the run's seed inside.
        checkpoint: A file that `train` wrote, or none yet. A damaged one is set aside under another name.

    Returns:
        What happened, for the run's log; empty where there was no checkpoint.
    """
    if not checkpoint.exists():
        return ""
    try:
        found = Checkpoint.load(checkpoint)
        if not found.config.continues_as(config) or found.epoch > config.schedule.epochs:
            return "the checkpoint found is of another configuration; started anew"
        trainer.restore(replace(found, config=config))
    except CheckpointError as error:
        aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
        checkpoint.replace(aside)
        trainer.reset(config)
        return f"{error}; set aside as {aside.name}, started anew"
    return f"continued from the checkpoint after epoch {trainer.epoch}, step {trainer.step}"


def train(trainer: Trainer, checkpoint: Path) -> Iterator[EpochResult | None]:
    """Yields as `Trainer.pauses` does, each result after its checkpoint is written where the schedule wants one."""
    schedule = trainer.config.schedule
    for result in trainer.pauses():
        if result is not None and (result.epoch % schedule.checkpoint_epochs == 0 or result.epoch == schedule.epochs):
            trainer.save(checkpoint)
        yield result
