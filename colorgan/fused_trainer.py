"""Training several runs of one architecture at once, as one program, where a device has room for more than one.

The runs share a trainer's networks, which hold one of them at a time: where it starts, is measured, and is saved. Each
is the run that it would be alone, but for the order of sums: see docs/gpu.md.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from colorgan.jax_fused_step import JaxFusedStep, Way
from colorgan.jax_step import JaxStep
from colorgan.progress import NonFiniteLossError, Progress
from colorgan.trainer import PAUSE_SECONDS, Trainer


class FusedTrainer:
    """A trainer's runs, each at a place of its own; all take a step at the same time."""

    def __init__(self, trainer: Trainer, places: int, *, way: Way = "vmap") -> None:
        """Compiles nothing yet.

        Args:
            trainer: Of the runs' architecture, on JAX.
            places: For so many runs; one that nobody is at computes all the same, for nothing.
            way: How they share the program.

        Raises:
            TypeError: The trainer's backend is another.
        """
        if not isinstance(trainer.train_step, JaxStep):
            raise TypeError("only the backend jax trains several runs as one program")
        self._trainer = trainer
        self._runs: list[Progress | None] = [None] * places
        self._step = JaxFusedStep(trainer.train_step, places, way=way)

    @property
    def places(self) -> list[int]:
        """Those with a run."""
        return [place for place, run in enumerate(self._runs) if run is not None]

    def enter(self) -> int:
        """Takes the run that the trainer has started or continued, and returns the place it is at from now on.

        Raises:
            ValueError: All places are taken.
        """
        place = self._runs.index(None)
        self._runs[place] = self._trainer.progress
        self._step.put(place)
        return place

    def leave(self, place: int) -> None:
        """Lets a run go, wherever it stands."""
        self._runs[place] = None

    def look(self, place: int) -> Trainer:
        """Returns the trainer, holding this run: it may be measured at its epoch's end, and saved, but not trained."""
        self._trainer.progress = self._run(place)
        self._step.show(place)
        return self._trainer

    def at_epoch_end(self) -> list[int]:
        """Returns the places whose runs are due to be measured before they go on."""
        return [place for place in self.places if self._run(place).step >= self._run(place).epoch_end]

    def train(self) -> dict[int, NonFiniteLossError]:
        """Trains for about `PAUSE_SECONDS`, at least one step, and at most to the first epoch's end of any run.

        Returns:
            The runs that a loss has ended which became NaN or infinite, by place; they are to leave.
        """
        runs = {place: self._run(place) for place in self.places}
        batches = np.zeros((len(self._runs), *next(iter(runs.values())).batch().shape), np.uint8)
        losses: list[Any] = []
        started = time.perf_counter()
        while not self.at_epoch_end() and (not losses or time.perf_counter() - started < PAUSE_SECONDS):
            losses.append(self._take_step(runs, batches.copy()))
        values = [np.asarray(loss) for loss in losses]
        seconds = (time.perf_counter() - started) / len(runs)
        return {
            place: error
            for place, run in runs.items()
            if (error := _taken(run, [loss[place] for loss in values], seconds)) is not None
        }

    def _take_step(self, runs: dict[int, Progress], batches: Any) -> Any:
        knobs = np.zeros((len(self._runs), len(next(iter(runs.values())).knobs().array())), np.float32)
        for place, run in runs.items():
            batches[place], knobs[place] = run.batch(), run.knobs().array()
            run.step += 1
        return self._step(batches, knobs)

    def _run(self, place: int) -> Progress:
        run = self._runs[place]
        if run is None:
            raise LookupError(f"no run at place {place}")
        return run


def _taken(run: Progress, losses: list[Any], seconds: float) -> NonFiniteLossError | None:
    try:
        run.take(losses, seconds)
    except NonFiniteLossError as error:
        return error
    return None
