"""The command line of the core: `python -m colorgan train | evaluate | export | colorize | cache`."""

from __future__ import annotations

if __name__ == "__main__":  # before the imports below, which take most of a short command's time
    from colorgan.interruption import end_at_interrupt

    end_at_interrupt()

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from colorgan.disk import explain
from colorgan.errors import BadInputError, CannotRunError
from colorgan.interruption import INTERRUPTED, interruptible
from colorgan.native_stderr import native_stderr_in
from colorgan.plain_console import PlainConsole
from colorgan.plain_errors import BAD_INPUT, FAILED, plain_errors
from colorgan.plain_text import plain

if TYPE_CHECKING:
    from colorgan.config import TrainConfig

app = typer.Typer(help="A GAN that colours gray photos.", no_args_is_help=True, pretty_exceptions_enable=False)


def _given(value: str) -> Path:
    """Returns the path; an empty one, of an unset variable say, would be the folder that one is in."""
    if not value:
        raise typer.BadParameter("an empty path; name a file or folder, . for this one")
    if "\0" in value:
        raise typer.BadParameter("a path with a null character in it; no file has such a name")
    return Path(value)


def _given_photos(value: str) -> str:
    """Returns the photos as they are called: `./sample` is a folder and `sample` is not."""
    _given(value)
    return value


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A TrainConfig, e.g. a trial's config.yaml.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", parser=_given, help="Folder of the run; the same again goes on with it."),
    ] = None,
    scale: Annotated[str | None, typer.Option(help="One of the file's own scales, e.g. small.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder of photos to use instead of the configuration's.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs instead of the configuration's.")] = None,
    best: Annotated[str, typer.Option(help="Metric that best.npz is the best by.")] = "valid/delta_e",
    patience: Annotated[int | None, typer.Option(min=1, help="Stop after so many epochs without a better one.")] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="CPU threads; 1 gives the same numbers as a trial.")
    ] = 1,
) -> None:
    """Trains one configuration to its end, or goes on with it where it was left."""
    _quiet_tensorflow()
    try:
        from colorgan.backend_choice import use_backend
        from colorgan.hand_run import HandRun, default_folder, train_by_hand

        wanted = _configure(config, scale, data, epochs)
        use_backend(wanted.backend, threads=threads)
        finished = train_by_hand(HandRun(wanted, out or default_folder(wanted), best_metric=best, patience=patience))
    except BadInputError as error:
        typer.echo(plain(str(error)), err=True)
        raise typer.Exit(BAD_INPUT) from None
    except (ArithmeticError, CannotRunError, OSError) as error:
        reason = explain(error) if isinstance(error, OSError) else str(error)
        typer.echo(plain(f"training stopped: {reason}"), err=True)
        raise typer.Exit(FAILED) from None
    if not finished:
        raise typer.Exit(INTERRUPTED)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A run's or trial's folder, a checkpoint (.npz), an export (.keras).")],
    photos: Annotated[str, typer.Argument(parser=_given_photos, help="A folder of photos, or `sample`.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", parser=_given, help="A new folder; else one below evaluations/ beside the model."),
    ] = None,
    part: Annotated[
        Literal["all", "train", "valid", "confirm"], typer.Option(help="Which of them, by the model's own split.")
    ] = "all",
) -> None:
    """Measures a model on photos: every metric of every photo, means beside the gray and tint baselines, sheets."""
    with plain_errors():
        _check_there(model)
        _use_any_backend()
        with native_stderr_in():
            from colorgan.evaluation_report import evaluate_model

        evaluate_model(model, photos, part=part, out=out, console=PlainConsole())


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run's or trial's folder, or a checkpoint (.npz).")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", parser=_given, help="A new folder; else export/ beside the checkpoint."),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="keras, h5, saved_model or onnx; again for more. Else all that can be written."),
    ] = None,
) -> None:
    """Writes a trained run's networks for other programs, with picture, summary and model card."""
    with plain_errors():
        _check_there(run)
        _use_any_backend()
        with native_stderr_in():
            from colorgan.export import export_run

        typer.echo(f"written: {export_run(run, out=out, formats=formats or (), say=typer.echo)}")


@app.command()
def colorize(
    model: Annotated[Path, typer.Argument(help="A run's or trial's folder, a checkpoint (.npz), an export (.keras).")],
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", parser=_given, help="A photo, or a folder, which is searched recursively."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            parser=_given,
            help="A file or a folder; else NAME-colour beside each photo. Nothing is replaced.",
        ),
    ] = None,
    strength: Annotated[float, typer.Option(min=0.0, max=2.0, help="Factor of the colour; 0 is gray.")] = 1.0,
    compare: Annotated[
        bool, typer.Option("--compare", help="Write gray and coloured side by side, NAME-compare.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="CPU threads; else as many as there are cores.")
    ] = None,
) -> None:
    """Colours photos of any size: JPEG, PNG, WebP, gray, sepia or in colour; their lightness stays as it is."""
    with plain_errors():
        _check_there(model)
        _check_there(source)
        _use_any_backend(threads)
        from colorgan.colour_run import ColourRun, colour_photos

        colour_photos(ColourRun(model, source, output, strength=strength, compare=compare))


@app.command()
def cache(
    clean: Annotated[bool, typer.Option("--clean", help="Remove all packed photos and compiled programs.")] = False,
) -> None:
    """Shows the cache and how much room it takes; COLORGAN_CACHE in the environment moves it."""
    with plain_errors():
        from colorgan.packs import cache_folder, clean_cache, list_cache
        from colorgan.programs import clean_programs, programs_bytes, programs_folder

        for path, source, size in list_cache():
            typer.echo(plain(f"{path}  {size / 1e6:8.1f} MB  of {source}"))
        if size := programs_bytes():
            typer.echo(plain(f"{programs_folder()}  {size / 1e6:8.1f} MB  of programs that JAX has compiled"))
        freed = clean_cache() + clean_programs() if clean else 0
        typer.echo(plain(f"removed {freed / 1e6:.1f} MB" if clean else f"cache folder: {cache_folder()}"))


def _check_there(path: Path) -> None:
    """Refuses a path with nothing there, before a backend is imported, which takes seconds."""
    if not path.exists():
        raise BadInputError(f"{path}: no such file or folder")


def _use_any_backend(threads: int | None = None) -> None:
    _quiet_tensorflow()
    from colorgan.backend_choice import use_any_backend

    use_any_backend(threads=threads)


def _quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when it is imported


def _configure(path: Path, scale: str | None, data: str | None, epochs: int | None) -> TrainConfig:
    from colorgan.config import load_config

    changes = {"data.photos": data, "schedule.epochs": epochs}
    config = load_config(path, scale=scale)
    return config.with_values({key: value for key, value in changes.items() if value is not None})


if __name__ == "__main__":
    interruptible(lambda: app(prog_name="python -m colorgan"))
