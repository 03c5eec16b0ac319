"""The run behind `python -m colorgan colorize`: plans, loads the model, colours, and says what became of each photo."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from colorgan.colour_jobs import COLOUR, COMPARE, Plan, plan_jobs, there_already
from colorgan.errors import BadInputError, CannotRunError
from colorgan.folder import Skipped, printable
from colorgan.native_stderr import native_stderr_in
from colorgan.plain_console import PlainConsole

_CONSOLE = PlainConsole()


@dataclass(frozen=True)
class ColourRun:
    """What to colour, with what, and where to.

    Attributes:
        model: What `load_model` takes.
        source: A photo or a folder.
        output: A file or a folder; None is beside the photos.
        strength: Factor of the chroma.
        compare: Write gray | coloured side by side.
    """

    model: Path
    source: Path
    output: Path | None = None
    strength: float = 1.0
    compare: bool = False


def colour_photos(run: ColourRun) -> None:
    """Colours all photos that can be, and says a line for each.

    Raises:
        BadInputError: The input, the output or the model cannot be used, or not one photo could be coloured.
        CannotRunError: Some could not be coloured; they are named, the others are done.
    """
    plan = plan_jobs(run.source, run.output, word=COMPARE if run.compare else COLOUR)
    if plan.present:
        _CONSOLE.say(f"{plan.present} left out, as their results are there already; nothing is replaced")
    coloured, present, failed = _colour(run, plan) if plan.jobs else (0, 0, [])
    if present and not run.source.is_dir():
        raise BadInputError(there_already(plan.jobs[0].target))
    failed += [Skipped(printable(item.name), item.reason) for item in plan.skipped]
    named = "".join(f"\n  {item.name}: {item.reason}" for item in failed)
    if failed and not coloured and not plan.present + present:
        raise BadInputError(f"not one photo could be coloured:{named}")
    if failed:
        raise CannotRunError(f"{len(failed)} could not be coloured:{named}")


def _colour(run: ColourRun, plan: Plan) -> tuple[int, int, list[Skipped]]:
    """Returns how many were coloured, how many other processes had coloured meanwhile, and what failed."""
    with native_stderr_in():
        from colorgan.colorize import colorize_photos
        from colorgan.model import load_model

    model, count = load_model(run.model), len(plan.jobs)
    failed: list[Skipped] = []
    present = 0
    trained = f", trained for {model.epoch} epochs" if model.epoch is not None else ""
    _CONSOLE.say(f"{count} to colour with {printable(str(model.source))}{trained}")
    started = time.monotonic()
    outcomes = colorize_photos(model, plan.jobs, strength=run.strength, compare=run.compare)
    with _CONSOLE.progress() as progress:
        for number, outcome in enumerate(progress.track(outcomes, total=count, description="photos"), start=1):
            if outcome.problem:
                failed.append(Skipped(outcome.job.name, outcome.problem))
            present += outcome.present
            left_out = "left out, as its result is there by now" if outcome.present else ""
            result = left_out or outcome.problem or f"-> {printable(str(outcome.job.target))}"
            notes = f" ({'; '.join(outcome.notes)})" if outcome.notes else ""
            _CONSOLE.say(f"[{number}/{count}] {outcome.job.name}: {result}{notes}")
    seconds = time.monotonic() - started
    coloured = count - present - len(failed)
    _CONSOLE.say(f"{coloured} of {count} coloured in {seconds:.1f} s")
    return coloured, present, failed
