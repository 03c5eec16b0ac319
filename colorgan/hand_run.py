"""One training run by hand, of any length, in a folder of its own; the same training as a study's trial.

config.yaml  result.json  log.txt  examples.png  tensorboard/
checkpoint.npz  best.npz      the last state, from which the same command goes on, and the best one
previous-checkpoint.npz       the state before, in case the disk spoils the last; where both are lost, best.npz is taken
"""

from __future__ import annotations

import hashlib
import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from colorgan.config import ConfigError, TrainConfig
from colorgan.disk import copy_whole
from colorgan.epoch import METRICS, EpochResult
from colorgan.interruption import stopped_by_signals
from colorgan.links import refuse_links_out
from colorgan.native_stderr import native_stderr_in
from colorgan.photos import Photos, measured_crops, open_photos
from colorgan.place import check_place
from colorgan.plain_console import PlainConsole
from colorgan.record import EpochRecord, TrialRecord, write_record, write_whole
from colorgan.run_folder import (
    BEST,
    CHECKPOINT,
    CONFIG,
    EXAMPLES,
    RECORD,
    check_same_photos,
    check_same_run,
    open_events,
    owned,
    read_earlier,
)
from colorgan.run_log import RunLog, duration, epoch_line
from colorgan.sheets import write_sheet

if TYPE_CHECKING:
    from colorgan.trainer import Trainer

RUNS = Path("results/runs")
_CONSOLE = PlainConsole()


@dataclass(frozen=True)
class HandRun:
    """What to train, and when it is good enough.

    Attributes:
        config: The configuration.
        folder: Where its files lie.
        best_metric: Key of the metric that `best.npz` is the best by.
        patience: Stop after so many epochs without a better one; None trains to the schedule's end.
    """

    config: TrainConfig
    folder: Path
    best_metric: str = "valid/delta_e"
    patience: int | None = None

    def better(self, value: float, than: float) -> bool:
        """Returns whether one value of the metric is better than another."""
        return value > than if METRICS[self.best_metric].better == "maximize" else value < than


def default_folder(config: TrainConfig) -> Path:
    """Returns the folder of a configuration's run, the same for every length: a longer one goes on there if it may."""
    text = config.with_values({"schedule.epochs": 1}).to_yaml()
    return RUNS / hashlib.sha256(text.encode()).hexdigest()[:12]


def train_by_hand(run: HandRun) -> bool:
    """Trains, or goes on where the run was left; returns whether it came to its end.

    Raises:
        ConfigError: The folder holds a run of another configuration, of other photos or by another metric, or nothing
            is better by the metric.
        PhotosError: The photos cannot be used.
        CannotRunError: They cannot be packed here, or another process trains in the folder.
        NonFiniteLossError: A loss became NaN or infinite.
        OSError: A file cannot be written.
    """
    _check_metric(run)
    check_place(run.folder, "--out")
    refuse_links_out(run.folder)
    check_same_run(run.folder, run.config, run.best_metric)
    photos = open_photos(run.config.data, whole=True)  # before anything is written, as they may be unusable
    measured_crops(photos, run.config)
    with owned(run.folder):
        # again, as another process may have trained there meanwhile
        check_same_run(run.folder, run.config, run.best_metric)
        check_same_photos(run.folder, run.config, photos.fingerprint)
        write_whole(run.folder / CONFIG, run.config.to_yaml())
        return _train(run, photos, RunLog(run.folder / "log.txt", _CONSOLE))


def _check_metric(run: HandRun) -> None:
    known = METRICS.get(run.best_metric)
    if known is None or known.better is None or not run.best_metric.startswith("valid/"):
        allowed = [key for key, metric in METRICS.items() if metric.better and key.startswith("valid/")]
        raise ConfigError(f"{run.best_metric}: no metric that one model is best by; allowed are {', '.join(allowed)}")


def _train(run: HandRun, photos: Photos, log: RunLog) -> bool:
    if photos.note:
        log.say(photos.note)
    earlier = read_earlier(run.folder, log.say)
    log.say(
        f"{len(photos.train)} crops to train on, {len(photos.valid)} to validate on; importing {run.config.backend} ..."
    )
    with native_stderr_in(run.folder / f"{run.config.backend}.log"):
        from colorgan.run import resume
        from colorgan.trainer import Trainer

        trainer = Trainer(run.config, photos)
    note = resume(trainer, run.config, run.folder / CHECKPOINT, spare=run.folder / BEST)
    log.say(note or f"run in {run.folder}, {trainer.parameters} generator parameters")
    keeper = _Keeper(run, trainer, log, photos=photos.fingerprint, earlier=earlier)
    with stopped_by_signals(keeper.stop):
        return keeper.train()


class _Keeper:
    """Trains and writes what is kept of each epoch."""

    def __init__(
        self, run: HandRun, trainer: Trainer, log: RunLog, *, photos: str, earlier: TrialRecord | None
    ) -> None:
        self._run, self._trainer, self._log = run, trainer, log
        self._checkpoint, self._best_file = run.folder / CHECKPOINT, run.folder / BEST
        self._events = open_events(run.folder, trainer.history, earlier, log.say)
        self._best: tuple[float, int] | None = None  # value and epoch
        self._judged = 0  # the last epoch that has a value
        self._stop_wanted = False
        for result in trainer.history:
            self._judge(result)
        if self._best and self._best[1] == trainer.epoch and trainer.step == trainer.history[-1].step:
            copy_whole(self._checkpoint, self._best_file)  # perhaps it was killed between the two files
        self._record = TrialRecord(
            number=0,
            state="running",
            seed=run.config.seed,
            parameters=trainer.parameters,
            started=time.time(),
            seconds=sum(result.train_seconds + result.valid_seconds for result in trainer.history),
            epochs=tuple(EpochRecord.of(result, None) for result in trainer.history),
            baselines=(earlier and earlier.baselines) or _baselines(trainer),
            best_metric=run.best_metric,
            photos=photos,
        )

    def stop(self, number: int) -> None:
        """Notes that the run shall save and end at its next pause; the same signal again ends the process at once."""
        self._stop_wanted = True
        signal.signal(number, signal.SIG_DFL)

    def train(self) -> bool:
        """Trains to the end, or until it is stopped; returns whether it came to its end."""
        from colorgan.run import train

        first, reason = self._trainer.step, self._end()
        pauses = train(self._trainer, self._checkpoint)
        with _CONSOLE.progress(counted=False) as progress:
            task = progress.add_task("", total=self._trainer.progress.total_steps - first)
            while reason is None:
                if (result := next(pauses)) is not None:
                    self._take(result)
                progress.update(task, completed=self._trainer.step - first, description=self._place())
                reason = self._end()
                if reason:
                    self._save_undue()  # so that the same command finds itself finished
                elif reason is None and self._stop_wanted:
                    write_record(self._run.folder / RECORD, self._record)  # none is there yet in the first epoch
                    self._trainer.save(self._checkpoint)
                    self._log.say("interrupted and saved; the same command goes on")
                    return False
        return self._finish(reason)

    def _take(self, result: EpochResult) -> None:
        """Writes an epoch's scalars, examples, record and, where it is better than all before, the best checkpoint."""
        epochs = (*self._record.epochs, EpochRecord.of(result, None))
        seconds = self._record.seconds + result.train_seconds + result.valid_seconds
        self._record = self._record.model_copy(update={"epochs": epochs, "seconds": seconds})
        self._events.scalars(result.step, result.metrics)
        if result.examples is not None:
            self._events.images(result.step, "examples", result.examples)
            write_sheet(self._run.folder / EXAMPLES, result.examples)
        write_record(self._run.folder / RECORD, self._record)  # after its events, see `open_events`
        if better := self._judge(result):
            self._keep_best()
        left = (self._run.config.schedule.epochs - result.epoch) * seconds / max(1, len(self._record.epochs))
        self._log.say(f"{epoch_line(result)}{' (best)' if better else ''}{f'; {duration(left)} left' if left else ''}")

    def _judge(self, result: EpochResult) -> bool:
        """Notes an epoch's value of the metric; returns whether it is the best so far."""
        value = result.metrics.get(self._run.best_metric)
        if value is not None:
            self._judged = result.epoch
        if value is None or (self._best is not None and not self._run.better(value, self._best[0])):
            return False
        self._best = (value, result.epoch)
        return True

    def _keep_best(self) -> None:
        """Makes `best.npz` of the state reached, which takes no room of its own while it is the checkpoint's."""
        self._save_undue()
        copy_whole(self._checkpoint, self._best_file)

    def _save_undue(self) -> None:
        """Saves the state at an epoch's end where the schedule wanted no checkpoint of it."""
        schedule, epoch = self._run.config.schedule, self._trainer.epoch
        if epoch % schedule.checkpoint_epochs and epoch != schedule.epochs:
            self._trainer.save(self._checkpoint)

    def _end(self) -> str | None:
        """Returns why the run is at its end, nothing where its schedule is; None where it goes on."""
        run = self._run
        if self._trainer.epoch >= run.config.schedule.epochs:
            return ""
        if run.patience and self._best and self._judged - self._best[1] >= run.patience:
            return f"no better {run.best_metric} for {run.patience} epochs"
        return None

    def _finish(self, reason: str) -> bool:
        write_record(self._run.folder / RECORD, self._record.model_copy(update={"state": "complete", "reason": reason}))
        metric = self._run.best_metric
        best = f"; best {metric} {self._best[0]:.4g} after epoch {self._best[1]}" if self._best else ""
        nothing = [
            f"{name} {values[metric]:.4g}" for name, values in self._record.baselines.items() if metric in values
        ]
        baselines = f" (baselines: {', '.join(nothing)})" if nothing else ""
        self._log.say(f"done{f' ({reason})' if reason else ''}: {self._run.folder}{best}{baselines}")
        folder = quote(str(self._run.folder))
        self._log.say(f"watch: make tensorboard STUDY={folder}   use: make colorize MODEL={folder} INPUT=photo.jpg")
        return True

    def _place(self) -> str:
        return f"epoch {self._trainer.epoch + 1}/{self._run.config.schedule.epochs}, step {self._trainer.step}"


def _baselines(trainer: Trainer) -> dict[str, dict[str, float]]:
    """Returns the metrics of gray and tint on the run's photos."""
    found = trainer.baselines()
    return {name: {k: v for k, v in metrics.items() if math.isfinite(v)} for name, metrics in found.items()}
