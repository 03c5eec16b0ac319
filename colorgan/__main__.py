"""The command line of the core: `python -m colorgan train | cache`."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from colorgan.errors import BadInputError

if TYPE_CHECKING:
    from colorgan.config import TrainConfig
    from colorgan.epoch import EpochResult

app = typer.Typer(help="A GAN that colours gray photos.", no_args_is_help=True, pretty_exceptions_enable=False)
_CONSOLE = Console(highlight=False)
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A TrainConfig, e.g. a trial's config.yaml.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; the same again goes on with it.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of photos to use instead of the configuration's.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs instead of the configuration's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; 1 gives the same numbers as a trial.")] = 1,
) -> None:
    """Trains one configuration, or goes on with it where it was left."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))  # TensorFlow reads them when it is imported
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        finished = _train(_configure(config, data, epochs), out)
    except BadInputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_INPUT) from None
    except (ArithmeticError, OSError) as error:
        typer.echo(f"training stopped: {error}", err=True)
        raise typer.Exit(FAILED) from None
    if not finished:
        raise typer.Exit(INTERRUPTED)


@app.command()
def cache(clean: Annotated[bool, typer.Option("--clean", help="Remove all packed photos.")] = False) -> None:
    """Shows the packed photos and how much room they take; COLORGAN_CACHE in the environment moves them."""
    from colorgan.packs import cache_folder, clean_cache, list_cache

    for path, source, size in list_cache():
        typer.echo(f"{path}  {size / 1e6:8.1f} MB  of {source}")
    typer.echo(f"removed {clean_cache() / 1e6:.1f} MB" if clean else f"cache folder: {cache_folder()}")


def _configure(path: Path, data: str | None, epochs: int | None) -> TrainConfig:
    from colorgan.config import load_config

    changes = {"data.photos": data, "schedule.epochs": epochs}
    return load_config(path).with_values({key: value for key, value in changes.items() if value is not None})


def _train(config: TrainConfig, out: Path | None) -> bool:
    """Trains in `out`, writing a trial's files; returns whether the run came to its end."""
    from colorgan.photos import open_photos
    from colorgan.record import EpochRecord, TrialRecord, write_record

    folder = out or Path("results/runs") / hashlib.sha256(config.to_yaml().encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    log = _Log(folder / "log.txt")
    photos = open_photos(config.data)
    log.say(f"{len(photos.train)} crops to train on, {len(photos.valid)} to validate on; importing TensorFlow ...")

    started, checkpoint = time.time(), folder / "checkpoint.npz"
    with _stderr_in(folder / "tensorflow.log"):
        from colorgan.run import resume
        from colorgan.run import train as run
        from colorgan.trainer import Trainer

        trainer = Trainer(config, photos)
    log.say(resume(trainer, config, checkpoint) or f"run in {folder}, {trainer.parameters} generator parameters")
    record = TrialRecord(
        number=0,
        state="running",
        seed=config.seed,
        parameters=trainer.parameters,
        started=started,
        epochs=tuple(EpochRecord.of(result, None) for result in trainer.history),
    )
    stop = _Stop()
    with _progress() as progress:
        task = progress.add_task("epochs", total=config.schedule.epochs, completed=trainer.epoch)
        for result in run(trainer, checkpoint):
            if result is not None:
                record = record.model_copy(update={"epochs": (*record.epochs, EpochRecord.of(result, None))})
                write_record(folder / "result.json", record)
                log.say(_line(result))
                progress.update(task, completed=result.epoch)
            if stop.wanted and trainer.epoch < config.schedule.epochs:
                trainer.save(checkpoint)
                log.say("interrupted and saved; the same command goes on")
                return False
    done = {"state": "complete", "seconds": time.time() - started}
    write_record(folder / "result.json", record.model_copy(update=done))
    log.say(f"done: {folder / 'result.json'}, {checkpoint}")
    return True


@contextmanager
def _stderr_in(path: Path) -> Iterator[None]:
    """Sends to a file what native code prints to stderr; TensorFlow greets with lines that mean nothing to users."""
    kept = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


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
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=_CONSOLE, transient=True, disable=not _CONSOLE.is_terminal)


def _line(result: EpochResult) -> str:
    names = ("valid/delta_e", "valid/colorfulness_ratio", "train/l1", "train/generator_adversarial")
    metrics = ", ".join(f"{name} {result.metrics[name]:.4g}" for name in names if name in result.metrics)
    return f"epoch {result.epoch}, step {result.step}, {result.train_seconds + result.valid_seconds:.1f} s: {metrics}"


if __name__ == "__main__":
    app(prog_name="python -m colorgan")
