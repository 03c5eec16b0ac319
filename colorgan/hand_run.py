"""One training run by hand, of any length, in a folder of its own; the same training as a study's trial.

config.yaml  result.json  log.txt  examples.png  tensorboard/
checkpoint.npz  best.npz      the last state, from which the same command goes on, and the best one
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from colorgan.config import ConfigError, TrainConfig, load_config
from colorgan.epoch import METRICS, EpochResult
from colorgan.event_file import EventLog
from colorgan.native_stderr import native_stderr_in
from colorgan.photos import open_photos
from colorgan.record import EpochRecord, RecordError, TrialRecord, read_record, write_record, write_whole
from colorgan.sheets import write_sheet

if TYPE_CHECKING:
    from colorgan.trainer import Trainer

RUNS = Path("results/runs")
_CONSOLE = Console(highlight=False)


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
    """Returns the folder of a configuration's run: the same for every length, so that a longer one goes on there."""
    text = config.with_values({"schedule.epochs": 1}).to_yaml()
    return RUNS / hashlib.sha256(text.encode()).hexdigest()[:12]


def train_by_hand(run: HandRun) -> bool:
    """Trains, or goes on where the run was left; returns whether it came to its end.

    Raises:
        ConfigError: The folder holds a run of another configuration, or nothing is better by the metric.
        PhotosError: The photos cannot be used.
        NonFiniteLossError: A loss became NaN or infinite.
        OSError: A file cannot be written.
    """
    _check(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    write_whole(run.folder / "config.yaml", run.config.to_yaml())
    log = _Log(run.folder / "log.txt")
    photos = open_photos(run.config.data)
    log.say(f"{len(photos.train)} crops to train on, {len(photos.valid)} to validate on; importing TensorFlow ...")
    with native_stderr_in(run.folder / "tensorflow.log"):
        from colorgan.run import resume
        from colorgan.trainer import Trainer

        trainer = Trainer(run.config, photos)
    note = resume(trainer, run.config, run.folder / "checkpoint.npz")
    log.say(note or f"run in {run.folder}, {trainer.parameters} generator parameters")
    return _Keeper(run, trainer, log).train()


def _check(run: HandRun) -> None:
    known, kept = METRICS.get(run.best_metric), run.folder / "config.yaml"
    if known is None or known.better is None or not run.best_metric.startswith("valid/"):
        allowed = [key for key, metric in METRICS.items() if metric.better and key.startswith("valid/")]
        raise ConfigError(f"{run.best_metric}: no metric that one model is best by; allowed are {', '.join(allowed)}")
    if (run.folder / "checkpoint.npz").exists() and kept.exists():
        earlier = load_config(kept)
        if not earlier.continues_as(run.config):
            raise ConfigError(
                f"{run.folder}: holds a run of another configuration ({kept}); give another --out, or remove the folder"
            )
        with suppress(RecordError):
            done = len(read_record(run.folder / "result.json").epochs)
            if done > run.config.schedule.epochs:
                raise ConfigError(f"{run.folder}: is trained for {done} epochs already; ask for as many at least")


class _Keeper:
    """Trains and writes what is kept of each epoch."""

    def __init__(self, run: HandRun, trainer: Trainer, log: _Log) -> None:
        self._run, self._trainer, self._log = run, trainer, log
        self._checkpoint, self._best_file = run.folder / "checkpoint.npz", run.folder / "best.npz"
        self._events = EventLog(run.folder / "tensorboard")
        self._best: tuple[float, int] | None = None  # value and epoch
        for result in trainer.history:
            self._judge(result)
        if self._best and self._best[1] == trainer.epoch:  # perhaps it was killed between the two files
            self._keep_best()
        self._record = TrialRecord(
            number=0,
            state="running",
            seed=run.config.seed,
            parameters=trainer.parameters,
            started=time.time(),
            seconds=sum(result.train_seconds + result.valid_seconds for result in trainer.history),
            epochs=tuple(EpochRecord.of(result, None) for result in trainer.history),
            baselines=_baselines(run, trainer),
        )

    def train(self) -> bool:
        from colorgan.run import train

        stop, config, first = _Stop(), self._run.config, self._trainer.step
        with _progress() as progress:
            task = progress.add_task("", total=self._trainer.total_steps - first)
            for result in train(self._trainer, self._checkpoint):
                if result is not None:
                    self._take(result)
                progress.update(task, completed=self._trainer.step - first, description=self._place())
                if self._trainer.epoch >= config.schedule.epochs:
                    break
                if self._out_of_patience():
                    return self._finish(f"no better {self._run.best_metric} for {self._run.patience} epochs")
                if stop.wanted:
                    self._trainer.save(self._checkpoint)
                    self._log.say("interrupted and saved; the same command goes on")
                    return False
        return self._finish("")

    def _take(self, result: EpochResult) -> None:
        """Writes an epoch's record, scalars, examples and, where it is better than all before, the best checkpoint."""
        epochs = (*self._record.epochs, EpochRecord.of(result, None))
        seconds = self._record.seconds + result.train_seconds + result.valid_seconds
        self._record = self._record.model_copy(update={"epochs": epochs, "seconds": seconds})
        write_record(self._run.folder / "result.json", self._record)
        self._events.scalars(result.step, result.metrics)
        if result.examples is not None:
            self._events.images(result.step, "examples", result.examples)
            write_sheet(self._run.folder / "examples.png", result.examples)
        if better := self._judge(result):
            self._keep_best()
        left = (self._run.config.schedule.epochs - result.epoch) * seconds / max(1, len(self._record.epochs))
        self._log.say(f"{_line(result)}{' (best)' if better else ''}{f'; {_duration(left)} left' if left else ''}")

    def _judge(self, result: EpochResult) -> bool:
        """Notes an epoch's value of the metric; returns whether it is the best so far."""
        value = result.metrics.get(self._run.best_metric)
        if value is None or (self._best is not None and not self._run.better(value, self._best[0])):
            return False
        self._best = (value, result.epoch)
        return True

    def _keep_best(self) -> None:
        """Makes `best.npz` of the state reached; the checkpoint of this epoch gives it for nothing, if one was due."""
        if self._trainer.epoch % self._run.config.schedule.checkpoint_epochs:
            self._trainer.save(self._best_file)
            return
        draft = self._best_file.with_name(f".{self._best_file.name}.{os.getpid()}")
        try:
            draft.hardlink_to(self._checkpoint)
        except OSError:  # a file system without links
            shutil.copyfile(self._checkpoint, draft)
        draft.replace(self._best_file)

    def _out_of_patience(self) -> bool:
        patience = self._run.patience
        return bool(patience and self._best and self._trainer.epoch - self._best[1] >= patience)

    def _finish(self, reason: str) -> bool:
        done = {"state": "complete", "reason": reason}
        write_record(self._run.folder / "result.json", self._record.model_copy(update=done))
        metric = self._run.best_metric
        best = f"; best {metric} {self._best[0]:.4g} after epoch {self._best[1]}" if self._best else ""
        nothing = [
            f"{name} {values[metric]:.4g}" for name, values in self._record.baselines.items() if metric in values
        ]
        baselines = f" (baselines: {', '.join(nothing)})" if nothing else ""
        self._log.say(f"done{f' ({reason})' if reason else ''}: {self._run.folder}{best}{baselines}")
        self._log.say(f"watch: make tensorboard STUDY={self._run.folder}   use: make colorize MODEL={self._run.folder}")
        return True

    def _place(self) -> str:
        return f"epoch {self._trainer.epoch + 1}/{self._run.config.schedule.epochs}, step {self._trainer.step}"


def _baselines(run: HandRun, trainer: Trainer) -> dict[str, dict[str, float]]:
    """Returns the metrics of gray and tint on the run's photos; those measured before the run was interrupted."""
    with suppress(RecordError):
        if kept := read_record(run.folder / "result.json").baselines:
            return kept
    found = trainer.validator.baselines(trainer.photos.train, trainer.measured)
    return {name: {k: v for k, v in metrics.items() if math.isfinite(v)} for name, metrics in found.items()}


class _Log:
    """Says a line to the terminal and to the run's log."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def say(self, line: str) -> None:
        _CONSOLE.print(line, soft_wrap=True, markup=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")


class _Stop:
    """Whether Ctrl-C or SIGTERM came; a second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self.wanted = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.wanted = True
        signal.signal(number, signal.SIG_DFL)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=_CONSOLE, transient=True, disable=not _CONSOLE.is_terminal)


def _line(result: EpochResult) -> str:
    names = ("valid/delta_e", "valid/colorfulness_ratio", "train/l1", "train/generator_adversarial")
    metrics = ", ".join(f"{name} {result.metrics[name]:.4g}" for name in names if name in result.metrics)
    return f"epoch {result.epoch}, step {result.step}, {result.train_seconds + result.valid_seconds:.1f} s: {metrics}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else "less than a minute"
    )
