"""The command line of the search: `python -m search run | check | status | tensorboard | promote | ...`."""

from __future__ import annotations

if __name__ == "__main__":  # before the imports below, which take most of a short command's time
    from colorgan.interruption import end_at_interrupt

    end_at_interrupt()

    from search.hidden_storage import hide_storage

    hide_storage()

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import typer

from colorgan.errors import BadInputError
from colorgan.interruption import INTERRUPTED, interruptible
from colorgan.plain_errors import FAILED, plain_errors
from colorgan.plain_text import plain
from search import options

if TYPE_CHECKING:
    from search.study import StudySpec

app = typer.Typer(
    help="Hyperparameter search for image-to-image GANs.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.command()
def run(
    study: options.Study,
    scale: options.Scale = None,
    data: options.Data = None,
    trials: options.Trials = None,
    workers: options.Workers = None,
    hours: options.Hours = None,
    results: options.Results = Path("results"),
    storage: options.Storage = None,
    takeover: options.Takeover = False,
    engine: options.EngineName = "local",
    address: options.Address = None,
    checkpoints: options.Checkpoints = None,
) -> None:
    """Runs a study, or goes on with it where it was left."""
    with plain_errors():
        from search.run import run_study
        from search.view import TerminalView
        from search.workplace import Workplace

        place = Workplace(engine, address, checkpoints)
        spec = _read(study, scale=scale, data=data, trials=trials, workers=workers, hours=hours, look=True)
        view = TerminalView()
        result = run_study(spec, results=results, storage=storage, view=view, takeover=takeover, workplace=place)
        _show(result.folder)
    ending = result.summary.get("ending")
    if ending == "interrupted":
        typer.echo("interrupted and saved; the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED)
    if ending == "time limit":
        typer.echo("stopped in time and saved; the same command goes on", err=True)
        return
    if ending == "blocked":
        typer.echo("stopped by what is said above; once that is mended, the same command goes on", err=True)
        raise typer.Exit(FAILED)
    if ending == "too many failures" or result.best_config is None:
        from search.outcome import why_no_best

        table = result.folder / "trials.csv"
        failures = f"too many trials failed in a row; the reasons are in {table}"
        why = failures if ending == "too many failures" else why_no_best(result.spec, result.records, table)
        typer.echo(plain(why), err=True)
        raise typer.Exit(FAILED)


@app.command()
def check(
    study: options.Study,
    scale: options.Scale = None,
    data: options.Data = None,
    results: options.Results = Path("results"),
) -> None:
    """Reads a study and says what is wrong with it, or what it will do; starts nothing."""
    with plain_errors():
        from search.admission import check_sense
        from search.outlook import outlook
        from search.storage import StudyFolder

        spec = _read(study, scale=scale, data=data, look=True)
        check_sense(spec, StudyFolder(results / spec.name))
    typer.echo(plain("\n  ".join([f"{study}: good", *outlook(spec)])))


@app.command()
def settings(words: options.Words = None, markdown: options.Markdown = False) -> None:
    """Explains what a study file may hold: all keys with values, defaults and sources; metrics, samplers, pruners."""
    with plain_errors():
        from search.reference_page import explanation, index, page

        typer.echo(page() if markdown else explanation(words) if words else index())


@app.command()
def status(place: options.Place, results: options.Results = Path("results")) -> None:
    """Shows where a running or finished study stands."""
    with plain_errors():
        _show(_folder(place, results))


@app.command()
def tensorboard(place: options.Place, results: options.Results = Path("results"), port: options.Port = 6006) -> None:
    """Serves a study's dashboard on this machine only."""
    with plain_errors():
        logs = _folder(place, results) / "tensorboard"
        if not logs.is_dir():
            command = f"python -m search run {quote(str(place))}"
            raise BadInputError(f"{logs}: no such folder; run the study first, e.g. {command}")
        from search.events import serve

        serve(logs, port=port, say=typer.echo)


@app.command()
def promote(
    place: options.Place,
    results: options.Results = Path("results"),
    top: options.Top = 3,
    seeds: options.Seeds = 4,
    most_seeds: options.MostSeeds = None,
    pick: options.Pick = None,
    against: options.Against = None,
    weight: options.Weight = None,
    to: options.To = None,
    again: options.Again = False,
    workers: options.OtherWorkers = None,
    engine: options.EngineName = "local",
    address: options.Address = None,
    checkpoints: options.Checkpoints = None,
) -> None:
    """Confirms a study's best configurations beside the default on fresh seeds and photos, and promotes one."""
    with plain_errors():
        from search.candidates import choose
        from search.outcome import promotion_table
        from search.promote import InterruptedPromotion, confirm
        from search.promoted import refuse_if_promoted, write_promoted
        from search.view import TerminalView, make_console
        from search.workplace import Workplace

        folder, workplace = _folder(place, results), Workplace(engine, address, checkpoints)
        picked = choose(folder, pick or (), against or (), weight or ())
        refuse_if_promoted(folder, to, again=again)
        try:
            view = TerminalView()
            promotion = confirm(
                folder, top=top, seeds=seeds, most_seeds=most_seeds, pick=picked, again=again, workers=workers,
                view=view, workplace=workplace,
            )  # fmt: skip
        except InterruptedPromotion as error:
            typer.echo(plain(str(error)), err=True)
            raise typer.Exit(INTERRUPTED) from None
        written = write_promoted(promotion, to)
        make_console().print(promotion_table(written.facts))
        for line in written.lines():
            typer.echo(line)


@app.command()
def compare(places: options.Places, results: options.Results = Path("results")) -> None:
    """Compares the trials of a study, and studies with each other: table, trials.csv, plots, report.html."""
    with plain_errors():
        from search.compare import compare as compare_studies
        from search.compare import studies_view, trials_view, verdict_lines
        from search.view import make_console

        comparison, console = compare_studies([_folder(place, results) for place in places]), make_console()
        for verdict in comparison.verdicts:
            console.print(trials_view(verdict))
            for line in verdict_lines(verdict):
                console.say(line)
            console.print()
        if comparison.page:
            console.print(studies_view(comparison))
        for line in (*comparison.warnings, *(f"report: {page}" for page in comparison.pages)):
            console.say(line)


@app.command()
def dashboard(place: options.Place, results: options.Results = Path("results"), port: options.Port = 8080) -> None:
    """Serves a study in optuna-dashboard, for reading, on this machine only."""
    with plain_errors():
        from search.dashboard import serve
        from search.storage import StudyFolder

        serve(StudyFolder(_folder(place, results)), port=port, say=typer.echo)


@app.command()
def doctor(
    study: options.Examined = None,
    results: options.Results = Path("results"),
    storage: options.Storage = None,
    as_json: options.AsJson = False,
) -> None:
    """Checks Python, the backend, GPUs, cores, memory, disks, photos and storage; says how to mend what is wrong."""
    with plain_errors():
        from search.doctor.examination import consult
        from search.doctor.finding import Case
        from search.view import make_console

        spec = _read(study / "study.yaml" if study.is_dir() else study) if study else None
        healthy = consult(Case(results, spec, storage), console=None if as_json else make_console(), say=typer.echo)
    if not healthy:
        raise typer.Exit(FAILED)


def _read(study: Path, **overrides: Any) -> StudySpec:
    from search.study import read_study

    return read_study(study, **overrides)


def _folder(place: Path, results: Path) -> Path:
    """Returns the results folder of a study file, or the folder itself."""
    return place if place.is_dir() else results / _read(place).name


def _show(folder: Path) -> None:
    from search.outcome import summary_lines, summary_table
    from search.ownership import Owner
    from search.run import load_noted
    from search.storage import StudyFolder
    from search.view import make_console

    (result, notes), console = load_noted(folder), make_console()
    table = summary_table(result.spec, result.records, result.summary.get("baselines", {}))
    if table.columns:  # else nothing has been measured yet
        console.print(table)
    owner = Owner.named_in(StudyFolder(folder).lock)
    lines = summary_lines(result.spec, result.folder, result.records, result.summary, owner)
    for line in (*lines, *notes):
        console.say(line)


if __name__ == "__main__":
    interruptible(lambda: app(prog_name="python -m search"))
