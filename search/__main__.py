"""The command line of the search: `python -m search run | check | status | tensorboard`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colorgan.errors import BadInputError, CannotRunError

if TYPE_CHECKING:
    from search.study import StudySpec

app = typer.Typer(
    help="Hyperparameter search for image-to-image GANs.", no_args_is_help=True, pretty_exceptions_enable=False
)
Study = Annotated[Path, typer.Argument(help="Study file, e.g. studies/quickstart.yaml.")]
Place = Annotated[Path, typer.Argument(help="Study file, or its results folder.")]
Results = Annotated[Path, typer.Option(help="Folder of all studies' results.")]
Data = Annotated[str | None, typer.Option(help="Folder of photos to use instead of the study's.")]
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


@app.command()
def run(
    study: Study,
    data: Data = None,
    trials: Annotated[int | None, typer.Option(help="Total number of trials; the same total again goes on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of workers; default: one per GPU, else per core.")] = None,
    results: Results = Path("results"),
    storage: Annotated[str | None, typer.Option(help="Optuna storage URL; default: SQLite in the results.")] = None,
) -> None:
    """Runs a study, or goes on with it where it was left."""
    with _plain_errors():
        from search.run import run_study
        from search.view import TerminalView

        spec = _read(study, data=data, trials=trials, workers=workers)
        result = run_study(spec, results=results, storage=storage, view=TerminalView())
        _show(result.folder)
    ending = result.summary.get("ending")
    if ending == "interrupted":
        typer.echo("interrupted and saved; the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED)
    if ending == "too many failures" or result.best_config is None:
        what = "too many trials failed in a row" if ending == "too many failures" else "no trial was completed"
        typer.echo(f"{what}; the reasons are in {result.folder / 'trials.csv'}", err=True)
        raise typer.Exit(FAILED)


@app.command()
def check(study: Study, data: Data = None) -> None:
    """Reads a study and says what is wrong with it, or what it will do; starts nothing."""
    with _plain_errors():
        spec = _read(study, data=data)
    typer.echo(f"{study}: good. {spec.search.trials} trials over {', '.join(spec.space)}")


@app.command()
def status(place: Place, results: Results = Path("results")) -> None:
    """Shows where a running or finished study stands."""
    with _plain_errors():
        _show(_folder(place, results))


@app.command()
def tensorboard(
    place: Place, results: Results = Path("results"), port: Annotated[int, typer.Option(min=1, max=65535)] = 6006
) -> None:
    """Serves a study's dashboard on this machine only."""
    with _plain_errors():
        logs = _folder(place, results) / "tensorboard"
        if not logs.is_dir():
            raise BadInputError(f"{logs}: no such folder; run the study first, e.g. python -m search run {place}")
        from search.events import serve

        serve(logs, port=port, say=typer.echo)


def _read(study: Path, **overrides: Any) -> StudySpec:
    from search.study import read_study

    return read_study(study, **overrides)


def _folder(place: Path, results: Path) -> Path:
    """Returns the results folder of a study file, or the folder itself."""
    return place if place.is_dir() else results / _read(place).name


def _show(folder: Path) -> None:
    from search.run import load_result
    from search.view import make_console, summary_lines, summary_table

    result, console = load_result(folder), make_console()
    console.print(summary_table(result.spec, result.records, result.summary.get("baselines", {})))
    for line in summary_lines(result.spec, result.folder, result.summary):
        console.print(line, soft_wrap=True, markup=False)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Shows errors that a user can mend as a message; exit code 2 for bad input, 1 for what cannot be done."""
    try:
        yield
    except BadInputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_INPUT) from None
    except CannotRunError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    except OSError as error:
        typer.echo(f"{error.filename or 'a file'}: {error.strerror or error}", err=True)
        raise typer.Exit(FAILED) from None


if __name__ == "__main__":
    app(prog_name="python -m search")
