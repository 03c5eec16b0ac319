"""All checks at once, each in a thread of its own: one that raises or hangs is a finding too."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from colorgan.plain_text import one_line
from search.doctor import computing, inputs, machine, packages, places, traces
from search.doctor.finding import Case, Check, Finding, problem
from search.words import counted

CHECKS: tuple[Check, ...] = (
    packages.python,
    packages.packages,
    packages.backend_build,
    computing.backend,
    machine.cores,
    machine.memory,
    machine.open_files,
    machine.clock,
    places.disk,
    places.results_folder,
    places.cache_of_photos,
    inputs.photos,
    inputs.storage,
    inputs.databases,
    traces.owners,
    traces.workers,
    traces.leftovers,
    traces.damage,
    traces.links,
)
PATIENCE_SECONDS = 30.0  # all but one answer within a second or two
PATIENCE: dict[Check, float] = {computing.backend: computing.LIMIT_SECONDS + 2 * computing.GRACE_SECONDS}
STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@dataclass(frozen=True)
class Examined:
    """A finding, the name of its check, and how long it took."""

    check: str
    finding: Finding
    seconds: float


def examine(case: Case, checks: Sequence[Check] = CHECKS) -> Iterator[Examined]:
    """Yields what each check finds, in their order, each as soon as it is known."""
    begun = [_Patient(case, check) for check in checks]
    for one in begun:
        yield one.result()


def consult(case: Case, *, console: Console | None, say: Callable[[str], None]) -> bool:
    """Examines, shows each finding as soon as it is known, and returns whether there is no problem.

    Args:
        case: What to examine.
        console: Where to show them for people; None says all of them as JSON instead.
        say: Is told the summary, or the JSON.
    """
    examined = []
    for one in examine(case):
        examined.append(one)
        if console:
            show(one, console)
    counts = ", ".join(counted(number, name) for name, number in count(examined).items())
    say(f"{len(examined)} checks: {counts}" if console else as_json(examined))
    return healthy(examined)


def healthy(examined: Sequence[Examined]) -> bool:
    """Returns whether there is no problem."""
    return all(one.finding.level != "problem" for one in examined)


def as_json(examined: Sequence[Examined]) -> str:
    """Returns the findings for machines."""
    findings = [{"check": one.check, **asdict(one.finding), "seconds": round(one.seconds, 3)} for one in examined]
    return json.dumps({"healthy": healthy(examined), "findings": findings}, indent=2)


def count(examined: Sequence[Examined]) -> dict[str, int]:
    """Returns how many problems and warnings there are."""
    levels = [one.finding.level for one in examined]
    return {level: levels.count(level) for level in ("problem", "warning")}


def show(one: Examined, console: Console) -> None:
    """Prints a finding: a line of what was found, and a line of what to do."""
    level, finding = one.finding.level, one.finding
    rows: list[tuple[str, str, str]] = [(level, one.check, one_line(finding.found))]
    rows += [("", "", f"to mend: {one_line(finding.mend)}")] if finding.mend else []
    if not console.is_terminal:
        for row in rows:
            console.print("{:7}  {:17}  {}".format(*row), soft_wrap=True, markup=False, highlight=False)
        return
    grid = Table.grid(padding=(0, 2))
    for width in (7, 17, None):
        grid.add_column(width=width, overflow="fold")
    for name, check, words in rows:
        grid.add_row(Text(name, STYLES[level]), Text(check), Text(words))
    console.print(grid)


class _Patient:
    """A check under way."""

    def __init__(self, case: Case, check: Check) -> None:
        self._check, self._case = check, case
        self._started, self._seconds = time.monotonic(), 0.0
        self._finding: Finding | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)  # one that hangs does not keep us from ending
        self._thread.start()

    def result(self) -> Examined:
        """Returns what it found, or that it is not to be waited for."""
        patience = PATIENCE.get(self._check, PATIENCE_SECONDS)
        self._thread.join(max(0.0, self._started + patience - time.monotonic()))
        found = self._finding or problem(
            f"no answer within {patience:.0f} s", "see whether the disk, the database or the device that it asks hangs"
        )
        return Examined(_name(self._check), found, self._seconds or patience)

    def _run(self) -> None:
        try:
            self._finding = self._check(self._case)
        except Exception as error:  # noqa: BLE001 - what fails is itself a finding, whatever it is
            self._finding = problem(
                f"could not be checked: {type(error).__name__}: {error}",
                "if that makes no sense, it is a fault of ours: report it",
            )
        self._seconds = time.monotonic() - self._started


def _name(check: Callable[[Case], Finding]) -> str:
    return check.__name__.replace("_", " ")
