"""What a person sees of a study in the terminal: a live view, or plain lines where the output is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from colorgan.plain_console import PlainConsole
from search.aims import Aims
from search.outlook import trials_at_most
from search.snapshot import Snapshot, best_first, configurations, count_states
from search.space import Space
from search.study import StudySpec
from search.tradeoff import study_front
from search.words import counted, duration, number, short_names

PLAIN_SECONDS = 15.0  # between two lines of progress without a terminal
LIVE_SECONDS = 0.5
PLAIN_WIDTH = 160  # of tables without a terminal


class View:
    """Shows a study while it runs; this one shows nothing."""

    def packing(self, done: int, total: int) -> None:
        """The photos are being packed."""

    def start(self, spec: StudySpec, folder: Path, photos: str, *, at_most: bool = False) -> None:
        """The study begins; `at_most` where it may turn out to want fewer trials than it says."""

    def say(self, line: str) -> None:
        """Something happened."""

    def show(self, snapshot: Snapshot) -> None:
        """The study as it stands; called a few times a second."""

    def end(self) -> None:
        """The study is over or was interrupted."""


class SteadyView(View):
    """Passes all on to another view until its terminal is gone; a study does not end with who watches it."""

    def __init__(self, view: View) -> None:
        self._view = view

    def packing(self, done: int, total: int) -> None:
        """Passes it on."""
        self._try(lambda view: view.packing(done, total))

    def start(self, spec: StudySpec, folder: Path, photos: str, *, at_most: bool = False) -> None:
        """Passes it on."""
        self._try(lambda view: view.start(spec, folder, photos, at_most=at_most))

    def say(self, line: str) -> None:
        """Passes it on."""
        self._try(lambda view: view.say(line))

    def show(self, snapshot: Snapshot) -> None:
        """Passes it on."""
        self._try(lambda view: view.show(snapshot))

    def end(self) -> None:
        """Passes it on."""
        self._try(lambda view: view.end())

    def _try(self, call: Callable[[View], None]) -> None:
        try:
            call(self._view)
        except OSError:
            self._view = View()


class TerminalView(View):
    """A live table in a terminal; without one, a line for each event and now and then one of progress."""

    def __init__(self, console: PlainConsole | None = None) -> None:
        self._console = console or make_console(_StudyConsole)
        self._live: Live | None = None
        self._packing: Progress | None = None
        self._shown = 0.0
        self._spec: StudySpec | None = None

    def packing(self, done: int, total: int) -> None:
        """Shows a bar while photos are packed, in a terminal."""
        if not self._console.is_terminal:
            return
        if self._packing is None:
            columns = (TextColumn("packing photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._packing = Progress(*columns, console=self._console, transient=True)
            self._packing.add_task("packing", total=total)
            self._packing.start()
        self._packing.update(self._packing.task_ids[0], completed=done, total=total)

    def start(self, spec: StudySpec, folder: Path, photos: str, *, at_most: bool = False) -> None:
        """Says what will be done and where to watch it."""
        self.end()
        self._spec = spec
        limit = None if at_most else Space(spec.space, spec.train).limit(spec)  # a plan chooses from no space
        for line in (
            f"study {spec.name}: {'at most ' if at_most else ''}{trials_at_most(spec, limit)}, results in {folder}",
            f"photos: {photos}",
            f"watch: make tensorboard STUDY={quote(str(folder))}   stop: Ctrl-C (resumable)",
        ):
            self._console.say(line)
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=2, transient=True)
            self._live.start()

    def say(self, line: str) -> None:
        """Prints a line."""
        self._console.say(f"{time.strftime('%H:%M:%S')} {line}")

    def show(self, snapshot: Snapshot) -> None:
        """Refreshes the live view, or prints a line of progress every quarter minute."""
        now, every = time.monotonic(), LIVE_SECONDS if self._live else PLAIN_SECONDS
        if self._spec is None or now - self._shown < every:
            return
        self._shown = now
        if self._live:
            self._live.update(_panel(self._spec, snapshot))
        else:
            self.say(_progress_line(self._spec, snapshot))

    def end(self) -> None:
        """Takes the live view and the bar away."""
        if self._packing:
            self._packing.stop()
            self._packing = None
        if self._live:
            self._live.stop()
            self._live = None


class _StudyConsole(PlainConsole):
    """A console whose closed pipe is an error like others; Rich would end the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(kind: type[PlainConsole] = PlainConsole) -> PlainConsole:
    """Returns the console that all is printed to."""
    console = kind()
    return console if console.is_terminal else kind(width=PLAIN_WIDTH)


def _panel(spec: StudySpec, snapshot: Snapshot) -> Group:
    """Returns how the study stands, then its running trials: what a low terminal has no room for is at the end."""
    table = Table()
    for name in ("trial", "worker", "epoch", spec.objective.metric, "seconds"):
        table.add_column(name, no_wrap=True)
    table.add_column("parameters", overflow="fold")
    names = short_names(Space(spec.space, spec.train))
    running = set(snapshot.running)
    for record in (r for r in snapshot.records if r.number in running):
        epochs = f"{len(record.epochs)}/{spec.train.schedule.epochs}"
        params = ", ".join(f"{names[path]} {number(value)}" for path, value in record.params.items())
        seconds = time.time() - record.started if record.started else 0.0
        table.add_row(
            str(record.number), str(record.worker), epochs, number(record.objective), f"{seconds:.0f}", params
        )
    line = Text(_progress_line(spec, snapshot))
    return Group(line, table) if table.rows else Group(line)


def _progress_line(spec: StudySpec, snapshot: Snapshot) -> str:
    counts = count_states(snapshot.records)
    done = counts["complete"] + counts["pruned"] + counts["failed"]
    total = f" of at most {snapshot.trials}" if snapshot.at_most else f"/{snapshot.trials}"
    shown = [f"{done}{total} trials"]
    shown += [f"{counts[state]} {state}" for state in ("pruned", "failed", "paused") if counts[state]]
    found = configurations(snapshot.records)
    if order := best_first(found, spec.objective.direction):
        shown.append(f"best {number(order[0].mean)} (trial {order[0].first.number})")
    if spec.further_objectives and (front := study_front(snapshot.records, Aims(spec))):
        shown.append(f"{len(front)} on the front")
    if infeasible := sum(len(seeds.records) for seeds in found if not seeds.feasible):
        shown.append(f"{infeasible} infeasible")
    for name, metrics in snapshot.baselines.items():
        shown.append(f"{name} {number(metrics.get(spec.objective.metric))}")
    if snapshot.starting and done < snapshot.trials:
        shown.append(f"starting {counted(snapshot.workers, 'worker')}")
    else:
        shown.append(f"training {snapshot.busy_share:.0%} of worker time")
    left, limit = snapshot.seconds_left(), spec.search.study_timeout_seconds
    if left is not None:
        shown.append(f"{'at most' if snapshot.at_most else 'about'} {duration(left)} left")
    if limit is not None and done < snapshot.trials and (left is None or snapshot.seconds + left > limit):
        shown.append(f"stops in {duration(max(0.0, limit - snapshot.seconds))}")
    return ", ".join(shown)
