"""Training several runs of one architecture at once, as one program, where a device has room for more than one.

The runs share a trainer's networks, which hold one of them at a time: where it starts, is measured, and is saved. Each
is the run that it would be alone, but for the order of sums: see docs/gpu.md.
"""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import numpy as np

from colorgan.backend import memory_ran_out
from colorgan.jax_fused_step import JaxFusedStep, Way
from colorgan.jax_photos import load_batches
from colorgan.jax_step import JaxStep
from colorgan.progress import NonFiniteLossError, Progress
from colorgan.step import Knobs
from colorgan.trainer import PAUSE_SECONDS, Trainer

MOST_PLACES = 64
WORTHWHILE = 0.9  # of the time before, that twice as many places must take a run's step in
MEASURED_SECONDS = 0.5


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

    def uses(self, trainer: Trainer) -> bool:
        """Returns whether this is the trainer whose networks the runs share."""
        return trainer is self._trainer

    def enter(self) -> int:
        """Takes the run that the trainer has started or continued, and returns the place it is at from now on.

        Raises:
            ValueError: All places are taken.
        """
        place = self._runs.index(None)
        self._step.put(place)
        self._runs[place] = self._trainer.progress
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
        losses: list[Any] = []
        started = time.perf_counter()
        while not self.at_epoch_end() and (not losses or time.perf_counter() - started < PAUSE_SECONDS):
            losses.append(self._take_step(runs))
        values = [np.asarray(loss) for loss in losses]
        seconds = (time.perf_counter() - started) / len(runs)
        return {
            place: error
            for place, run in runs.items()
            if (error := _taken(run, [loss[place] for loss in values], seconds)) is not None
        }

    def _take_step(self, runs: dict[int, Progress]) -> Any:
        """Takes a step of all runs, and returns the losses of all places; what those without a run see is no matter."""
        photos = load_batches({place: run.batch() for place, run in runs.items()}, len(self._runs))
        knobs = np.zeros((len(self._runs), len(fields(Knobs))), np.float32)
        for place, run in runs.items():
            knobs[place] = run.knobs().array()
            run.step += 1
        return self._step(photos, knobs)

    def _run(self, place: int) -> Progress:
        run = self._runs[place]
        if run is None:
            raise LookupError(f"no run at place {place}")
        return run


def best_places(trainer: Trainer, *, most: int = MOST_PLACES) -> int:
    """Returns for how many runs at a time a run's step takes the least time, by taking some; 1: one after another.

    Args:
        trainer: Its run and its state stay as they are.
        most: To try, a power of two.
    """
    best, fastest, places = 1, step_seconds(trainer, 1), 2
    while places <= most:
        try:
            seconds = step_seconds(trainer, places) / places
        except Exception as error:
            if not memory_ran_out(error):
                raise
            break
        if seconds > WORTHWHILE * fastest:
            break
        best, fastest, places = places, seconds, 2 * places
    return best


def step_seconds(trainer: Trainer, places: int, *, way: Way = "vmap") -> float:
    """Returns how long a step of so many runs takes, once it is compiled; the trainer's own stays as it is."""
    fused = FusedTrainer(trainer, places, way=way)
    runs = {fused.enter(): Progress(trainer.config, trainer.photos) for _ in range(places)}
    losses = fused._take_step(runs)
    np.asarray(losses)  # compiled, and done
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < MEASURED_SECONDS:
        losses, steps = fused._take_step(runs), steps + 1
    np.asarray(losses)
    return (time.perf_counter() - started) / steps


def _taken(run: Progress, losses: list[Any], seconds: float) -> NonFiniteLossError | None:
    try:
        run.take(losses, seconds)
    except NonFiniteLossError as error:
        return error
    return None
