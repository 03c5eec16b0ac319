"""What a person sees of a study in the terminal: a live view, or plain lines where the output is no terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from colorgan.record import TrialRecord
from search.snapshot import Baselines, Snapshot, best_record, count_states
from search.space import Space
from search.study import StudySpec
from search.words import duration, number

PLAIN_SECONDS = 15.0  # between two lines of progress without a terminal
LIVE_SECONDS = 0.5
PLAIN_WIDTH = 120  # of tables without a terminal


class View:
    """Shows a study while it runs; this one shows nothing."""

    def packing(self, done: int, total: int) -> None:
        """The photos are being packed."""

    def start(self, spec: StudySpec, folder: Path, photos: str) -> None:
        """The study begins."""

    def say(self, line: str) -> None:
        """Something happened."""

    def show(self, snapshot: Snapshot) -> None:
        """The study as it stands; called a few times a second."""

    def end(self) -> None:
        """The study is over or was interrupted."""


class TerminalView(View):
    """A live table in a terminal; without one, a line for each event and now and then one of progress."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or make_console()
        self._live: Live | None = None
        self._packing: Progress | None = None
        self._shown = 0.0
        self._spec: StudySpec | None = None

    def packing(self, done: int, total: int) -> None:
        """Shows a bar while photos are packed."""
        if self._packing is None:
            columns = (TextColumn("packing photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._packing = Progress(*columns, console=self._console, transient=True)
            self._packing.add_task("packing", total=total)
            self._packing.start()
        self._packing.update(self._packing.task_ids[0], completed=done, total=total)

    def start(self, spec: StudySpec, folder: Path, photos: str) -> None:
        """Says what will be done and where to watch it."""
        self.end()
        self._spec = spec
        for line in (
            f"study {spec.name}: {spec.search.trials} trials, results in {folder}",
            f"photos: {photos}",
            f"watch: make tensorboard STUDY={folder}   stop: Ctrl-C (resumable)",
        ):
            self._console.print(line, soft_wrap=True, markup=False)
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=2, transient=True)
            self._live.start()

    def say(self, line: str) -> None:
        """Prints a line."""
        self._console.print(Text(f"{time.strftime('%H:%M:%S')} {line}"), soft_wrap=True)

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


def make_console() -> Console:
    """Returns the console that all is printed to."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def summary_table(spec: StudySpec, records: Sequence[TrialRecord], baselines: Baselines) -> Table:
    """Returns the best trial beside the default configuration and both baselines: objective, metrics, parameters."""
    best = best_record(records, spec.objective.direction)
    default = next((r for r in records if r.number == 0 and spec.search.start_with_default), None)
    table = Table(title=f"{spec.name}: {spec.objective.metric}, {spec.objective.direction}", title_justify="left")
    table.add_column("")
    columns: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    if best:
        columns.append((f"best: trial {best.number}", {"objective": best.objective, **best.metrics}, best.params))
    if default and default is not best:
        columns.append(("default: trial 0", {"objective": default.objective, **default.metrics}, default.params))
    for name, metrics in baselines.items():
        columns.append((name, {"objective": metrics.get(spec.objective.metric), **metrics}, {}))
    for name, _, _ in columns:
        table.add_column(name, justify="right")
    keys = ["objective", *(key for _, metrics, _ in columns[:1] for key in metrics if key.startswith("valid/"))]
    for key in keys:
        table.add_row(key, *(number(metrics.get(key)) for _, metrics, _ in columns), end_section=key == keys[-1])
    space = Space(spec.space, spec.train)
    for path in best.params if best else ():
        table.add_row(space.label(path), *(number(params.get(path)) for _, _, params in columns))
    return table


def promotion_table(facts: Mapping[str, Any]) -> Table:
    """Returns the candidates of a confirmation, and the baselines, by what `confirmation.json` holds."""
    title = f"{facts['study']}: {facts['metric']} on photos and seeds that no trial saw, {facts['direction']}"
    gained = f"better than default ({facts['level']:.0%})"
    table = Table("", "searched", "confirmed", "seeds", gained, title=title, title_justify="left")
    for found in facts["candidates"]:
        gain = ""
        if found["interval"]:
            low, high = found["interval"]
            gain = f"{found['difference']:+.3g} ({low:+.3g} to {high:+.3g})"
        name = f"{found['name']} (promoted)" if found["name"] == facts["promoted"] else found["name"]
        table.add_row(name, number(found["searched"]), number(found["mean"]), str(len(found["values"])), gain)
    for name, metrics in facts["baselines"].items():
        table.add_row(name, "", number(metrics.get(facts["metric"])), "", "")
    return table


def summary_lines(spec: StudySpec, folder: Path, summary: Mapping[str, Any]) -> list[str]:
    """Returns what a person wants to know beside the table: how the study went, where all is, what to type next."""
    counts = summary.get("trials", {})
    states = ", ".join(f"{counts[state]} {state}" for state in counts if state != "wanted" and counts[state])
    lines = [f"{states or 'no trials yet'} of {counts.get('wanted', spec.search.trials)} wanted"]
    if summary.get("worker_seconds"):
        lines.append(
            f"{duration(summary['wall_seconds'])} on {summary['workers']} worker"
            f"{'' if summary['workers'] == 1 else 's'}, "
            f"{summary['busy_share']:.1%} of their time spent training and validating"
        )
    lines.append(f"tables: {folder / 'trials.csv'}, {folder / 'epochs.csv'}; for machines: {folder / 'summary.json'}")
    if best := summary.get("best"):
        lines.append(f"train the best on: python -m colorgan train {best['config']}")
    lines.append(f"compare in TensorBoard: make tensorboard STUDY={folder}; as a report: make compare STUDY={folder}")
    if summary.get("best"):
        lines.append(f"confirm and promote the best: make promote STUDY={folder}")
    return lines


def _panel(spec: StudySpec, snapshot: Snapshot) -> Group:
    table = Table("trial", "worker", "epoch", spec.objective.metric, "seconds", "parameters", title_justify="left")
    for record in (r for r in snapshot.records if r.number in snapshot.running):
        epochs = f"{len(record.epochs)}/{spec.train.schedule.epochs}"
        params = ", ".join(f"{path.rpartition('.')[2]}={number(value)}" for path, value in record.params.items())
        seconds = time.time() - record.started if record.started else 0.0
        table.add_row(
            str(record.number), str(record.worker), epochs, number(record.objective), f"{seconds:.0f}", params
        )
    return Group(table, Text(_progress_line(spec, snapshot)))


def _progress_line(spec: StudySpec, snapshot: Snapshot) -> str:
    counts = count_states(snapshot.records)
    done = counts["complete"] + counts["pruned"] + counts["failed"]
    shown = [f"{done}/{snapshot.trials} trials"]
    shown += [f"{counts[state]} {state}" for state in ("pruned", "failed") if counts[state]]
    if best := best_record(snapshot.records, spec.objective.direction):
        shown.append(f"best {number(best.objective)} (trial {best.number})")
    for name, metrics in snapshot.baselines.items():
        shown.append(f"{name} {number(metrics.get(spec.objective.metric))}")
    shown.append(f"training {snapshot.busy_share:.0%} of worker time")
    if (left := snapshot.seconds_left()) is not None:
        shown.append(f"about {duration(left)} left")
    return ", ".join(shown)
