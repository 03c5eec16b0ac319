"""TensorBoard's HParams page at 100 and 1,000 sessions: what writing costs, and how long page and requests take.

`python -m benchmarks hparams_page`; with `--quick` 20 sessions. Without Chromium the page's own time is left out.
"""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.browser import Browser, find_browser
from benchmarks.processes import ROOT, ChildError, environment
from benchmarks.report import Cell, Options, Report
from colorgan.epoch import METRICS
from search.events import OBJECTIVE_TAG, MetricColumn, Session, write_experiment
from search.parameter import Domain

SESSIONS, QUICK_SESSIONS, EPOCHS, REQUESTS = (100, 1000), (20,), 10, 5
PAGE_ROWS = 100  # the page asks for so many at first
SECONDS = 120.0  # to wait for anything
HPARAMS = [
    Domain("generator.filters", "discrete", values=(8, 16, 32)),
    Domain("generator.normalization", "discrete", values=("batch", "none")),
    Domain("losses.l1_weight", "interval", low=1.0, high=300.0, log=True),
    Domain("losses.label_smoothing", "interval", low=0.0, high=0.2),
    Domain("optimizer.discriminator_learning_rate", "interval", low=1e-5, high=1e-2, log=True),
    Domain("optimizer.generator_learning_rate", "interval", low=1e-5, high=1e-2, log=True),
]
ROWS_IN_VIEW = """
(function count(node) {
  const grids = [...node.querySelectorAll("vaadin-grid")].filter(grid => grid.getClientRects().length);
  if (grids.length) return grids[0].shadowRoot.querySelectorAll("#items tr:not([hidden])").length;
  return Math.max(0, ...[...node.querySelectorAll("*")].filter(e => e.shadowRoot).map(e => count(e.shadowRoot)));
})(document)
"""
COLUMNS = (
    "sessions", "write ms each", "kB each", "start s", "all read after s", "page s", "list s", "filter s", "sort s"
)  # fmt: skip


def run(options: Options) -> Report:
    notes = [
        f"A session: {len(HPARAMS)} parameters, {len(METRICS) + 1} scalars in each of {EPOCHS} epochs; no images.",
        "start s: from the command until it says its address. page s: from opening the address until the table shows.",
        f"list, filter, sort: what the page asks the server for {PAGE_ROWS} rows, median of {REQUESTS}.",
    ]
    if find_browser() is None:
        notes.append("page s: no Chromium is installed here.")
    return Report(
        "hparams_page", COLUMNS, [_measure(n) for n in (QUICK_SESSIONS if options.quick else SESSIONS)], notes
    )


def write_sessions(logdir: Path, count: int) -> None:
    """Writes a study's log directory: `count` trials that ended, every seventh of them pruned, with random numbers."""
    numbers = random.Random(0)  # noqa: S311 - no secret
    columns = [MetricColumn(OBJECTIVE_TAG), *(MetricColumn(key) for key in METRICS if key.startswith("valid/"))]
    write_experiment(logdir, hparams=HPARAMS, metrics=columns)
    for trial in range(count):
        chosen = {
            domain.name: numbers.choice(domain.values or (numbers.uniform(domain.low or 0.0, domain.high or 0.0),))
            for domain in HPARAMS
        }
        session = Session(logdir / f"trial-{trial:04d}", hparams=chosen)
        for epoch in range(1, EPOCHS + 1):
            session.scalars(100 * epoch, {key: numbers.random() for key in (*METRICS, OBJECTIVE_TAG)})
        session.end("complete" if trial % 7 else "pruned", step=100 * EPOCHS, objective=numbers.random())


def _measure(count: int) -> tuple[Cell, ...]:
    with tempfile.TemporaryDirectory() as temporary:
        logdir, profile = Path(temporary) / "tensorboard", Path(temporary) / "profile"
        started = time.perf_counter()
        write_sessions(logdir, count)
        written = (time.perf_counter() - started) / count
        size = sum(path.stat().st_size for path in logdir.glob("*/*")) / count
        with _served(logdir, Path(temporary) / "log.txt") as (url, seconds_to_start):
            read = _seconds_until(lambda: len(_ask(f"{url}data/runs")) > count, "all sessions read")
            page = _page_seconds(url, profile, min(count, 10))
            requests = [_request_seconds(url, **asked) for asked in _requests()]
    return (count, 1e3 * written, size / 1e3, seconds_to_start, read, page, *requests)


@contextmanager
def _served(logdir: Path, log: Path) -> Iterator[tuple[str, float]]:
    """Serves a log directory and gives its address and the seconds until it was said."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        f"import pathlib; from search.events import serve; serve(pathlib.Path({str(logdir)!r}), port={port}, say=print)"
    )
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-u", "-c", code], cwd=ROOT, env=environment(1), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        seconds = _seconds_until(
            lambda: re.search(r"at http://", log.read_text()) or server.poll() is not None, "the server"
        )
        if server.poll() is not None:
            raise ChildError(f"TensorBoard has ended: {log.read_text()[-1000:]}")
        yield f"http://127.0.0.1:{port}/", seconds
    finally:
        server.terminate()
        server.wait()


def _page_seconds(url: str, profile: Path, rows: int) -> float | None:
    if (program := find_browser()) is None:
        return None
    with Browser(program, profile) as browser:
        started = time.perf_counter()
        browser.open(f"{url}#hparams")
        _seconds_until(lambda: (browser.evaluate(ROWS_IN_VIEW) or 0) >= rows, "the page's table")
        return time.perf_counter() - started


def _requests() -> list[dict[str, Any]]:
    interval = {"filterInterval": {"minValue": 1e-3, "maxValue": "Infinity"}}
    return [{}, {"optimizer.generator_learning_rate": interval}, {OBJECTIVE_TAG: {"order": "ORDER_ASC"}}]


def _request_seconds(url: str, **asked: Any) -> float:
    tags = (OBJECTIVE_TAG, *(key for key in METRICS if key.startswith("valid/")))
    columns = [{"hparam": domain.name, "includeInResult": True, **asked.get(domain.name, {})} for domain in HPARAMS]
    columns += [{"metric": {"tag": tag}, "includeInResult": True, **asked.get(tag, {})} for tag in tags]
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    body = {"allowedStatuses": statuses, "colParams": columns, "startIndex": 0, "sliceSize": PAGE_ROWS}
    seconds = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        _ask(f"{url}data/plugin/hparams/session_groups", body)
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def _ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        return json.loads(answer.read())


def _seconds_until(condition: Callable[[], Any], what: str) -> float:
    started = time.perf_counter()
    while not condition():
        if time.perf_counter() - started > SECONDS:
            raise ChildError(f"waited {SECONDS:.0f} s in vain for {what}")
        time.sleep(0.02)
    return time.perf_counter() - started
