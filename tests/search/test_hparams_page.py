"""TensorBoard's HParams page as a person sees it: a real browser on a study that runs, read through shadow roots."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from colorgan.record import TrialRecord
from search.storage import StudyFolder

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
OBJECTIVE, ENDED = "objective: valid/delta_e", "1 pruned, 2 failed"
RATE, FACTOR = "optimizer.generator_learning_rate", "optimizer.discriminator_learning_rate"
STUDY = f"""
name: live
train:
  data: {{photos: sample, size: 16, crop_scales: [1.0], train_limit: 8, valid_limit: 2}}
  generator: {{filters: 4, depth: 2}}
  discriminator: {{filters: 4, depth: 1}}
  schedule: {{epochs: 3, steps_per_epoch: 2, batch_size: 4}}
  validation: {{examples: 1}}
space:
  {RATE}: {{type: float, low: 1.0e-4, high: 1.0e-2, log: true}}
  {FACTOR}: {{type: categorical, choices: [1.0, 0.1], factor_of: {RATE}}}
  optimizer.generator_beta_1: {{type: float, low: 0.0, high: 0.9}}
  losses.l1_weight: {{type: float, low: 1.0, high: 200.0, log: true}}
  losses.label_smoothing: {{type: categorical, choices: [0.0, 0.1]}}
  data.flip: {{type: categorical, choices: [true, false]}}
search: {{trials: 90, sampler: {{name: random}}, workers: 1}}
"""
SHOWN = {
    "losses.l1_weight": "l1_weight",
    "losses.label_smoothing": "label_smoothing",
    FACTOR: "discriminator_learning_rate (factor)",
    "optimizer.generator_beta_1": "generator_beta_1",
    RATE: "generator_learning_rate",
}
HIDDEN = "flip"  # only five are shown at first: the study's first five, sorted by path
JAVASCRIPT = r"""
const find = (selector, root = document) => [...root.querySelectorAll("*")].flatMap(
  e => [...(e.matches(selector) ? [e] : []), ...(e.shadowRoot ? find(selector, e.shadowRoot) : [])]);
const text = e => e.textContent.trim().replace(/\s+/g, " ");
const seen = selector => find(selector).filter(e => e.getClientRects().length > 0);
const cells = row => [...row.children].filter(cell => !cell.hidden).map(
  cell => text(cell.querySelector("slot").assignedNodes()[0] ?? cell));
const table = () => seen("vaadin-grid").slice(0, 1).flatMap(
  grid => [...grid.shadowRoot.querySelectorAll("#header tr, #items tr")].filter(row => !row.hidden).map(cells));
const click = (selector, label) => {
  const found = seen(selector).filter(e => !label || text(e) === label);
  if (found.length) found[0].click();
  return found.length;
};
"""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """Returns the condition's first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
    return answer


class Browser:
    """Headless Chromium with one page, asked over the pipe of its remote debugging protocol."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update"
        options += " --disable-background-networking --disable-sync --remote-debugging-pipe --window-size=1600,900"
        command = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "browser", str(CHROMIUM)]
        self.process = subprocess.Popen(
            [*command, *options.split(), f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._calls, self._buffer, self._session = 0, b"", None
        page = wait_for(lambda: [t for t in self._targets() if t["type"] == "page"], "the browser's page")[0]
        self._session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]

    def call(self, method: str, **arguments: Any) -> Any:
        """Returns the protocol's answer."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": arguments}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                received = os.read(self._read, 1 << 16)
                assert received, "the browser is gone"
                self._buffer += received
            raw, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(raw)
            if answer.get("id") == self._calls:
                assert "result" in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        """Loads a page anew."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)

    def run(self, expression: str) -> Any:
        """Returns the value of JavaScript in the page."""
        wrapped = f"(() => {{ {JAVASCRIPT} return {expression}; }})()"
        answer = self.call("Runtime.evaluate", expression=wrapped, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector: str, label: str = "") -> None:
        """Clicks the first visible element with this text."""
        what = f"click({json.dumps(selector)}, {json.dumps(label)})"
        wait_for(lambda: self.run(what), what, 30.0)

    def table(self) -> list[list[str]]:
        """Returns the table's header and the rows in view, all cells as text."""
        return list(self.run("table()"))

    def close(self) -> None:
        """Ends the browser."""
        self.process.kill()
        self.process.wait()
        os.close(self._write)
        os.close(self._read)

    def _targets(self) -> list[dict[str, Any]]:
        return list(self.call("Target.getTargets")["targetInfos"])


class Study:
    """A study that runs in a process of its own."""

    def __init__(self, home: Path) -> None:
        (home / "live.yaml").write_text(STUDY)
        self.folder = StudyFolder(home / "results" / "live")
        self.log = home / "output.txt"
        with self.log.open("w") as output:
            command = [sys.executable, "-m", "search", "run", "live.yaml"]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.driver = psutil.Popen(command, cwd=home, env=environment, stdout=output, stderr=output)

    def complete(self) -> list[TrialRecord]:
        """Returns the records of the complete trials."""
        return [record for record in self.folder.records() if record.state == "complete"]

    def halt(self) -> list[TrialRecord]:
        """Makes its worker hang, and returns the records once the driver has nothing left to write."""
        self.worker().suspend()
        records: list[TrialRecord] = []
        while records != (records := self.folder.records()) or not records:
            time.sleep(1.0)
        return records

    def go_on(self) -> None:
        """Lets its worker go on."""
        self.worker().resume()

    def worker(self) -> psutil.Process:
        """Returns its worker."""
        (worker,) = self.driver.children()
        return worker

    def end(self) -> None:
        """Ends it at once, with its worker."""
        processes = [*self.driver.children(), self.driver]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=30)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    study = Study(tmp_path_factory.mktemp("live"))
    try:
        yield study
    finally:
        study.end()


@pytest.fixture(scope="module")
def url(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that `python -m search tensorboard` says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wait_for(lambda: study.folder.tensorboard.is_dir() or study.driver.poll() is not None, "the study")
    assert study.folder.tensorboard.is_dir(), study.log.read_text()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as output:
        command = [sys.executable, "-u", "-m", "search", "tensorboard", str(study.folder.path), "--port", str(port)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        said = wait_for(lambda: re.search(r"(http://127\.0\.0\.1:\d+/)#hparams", log.read_text()), "TensorBoard")
        assert said[1] == f"http://127.0.0.1:{port}/"
        yield said[1]
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def browser(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The HParams page, opened before there is a trial."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    try:
        browser.open(url + "#hparams")
        wait_for(browser.table, "the table's header")
        yield browser
    finally:
        browser.close()


def reloaded(browser: Browser) -> dict[str, dict[str, str]]:
    """The table's rows after a click on TensorBoard's own reload button."""
    browser.click(".reload-button")
    return rows(browser)


def rows(browser: Browser) -> dict[str, dict[str, str]]:
    """The table's rows: trial -> column -> cell."""
    header, *found = browser.table()
    return {row[0]: dict(zip(header, row, strict=True)) for row in found}


@pytest.fixture(scope="module")
def halted(study: Study, browser: Browser) -> list[TrialRecord]:
    """The records of a study that hangs in mid-run, with at least four complete trials, all in the page's table."""
    wait_for(lambda: len(study.complete()) > 3, "four complete trials")
    records = study.halt()
    names = [f"trial-{record.number:04d}" for record in records if record.state == "complete"]

    def complete() -> bool:
        table = reloaded(browser)
        return len(table) == len(records) and all(table[name].get(ENDED) for name in names)

    wait_for(complete, "all rows")
    return records


def test_rows_appear_while_trials_run(study: Study, browser: Browser) -> None:
    wait_for(lambda: reloaded(browser) or study.driver.poll() is not None, "a first row")
    before = len(rows(browser))
    wait_for(lambda: len(reloaded(browser)) > before + 1 or study.driver.poll() is not None, "more rows")
    assert study.driver.is_running(), study.log.read_text()


def test_every_searched_parameter_and_the_objective_has_a_column(browser: Browser, halted: list[TrialRecord]) -> None:
    header = browser.table()[0]
    assert header[2:9] == [*SHOWN.values(), OBJECTIVE, ENDED]
    assert HIDDEN not in header
    browser.click("paper-checkbox", HIDDEN)
    wait_for(lambda: HIDDEN in browser.table()[0], "the sixth parameter's column")


def test_a_row_shows_its_trials_parameters_and_metrics(browser: Browser, halted: list[TrialRecord]) -> None:
    table = rows(browser)
    assert list(table) == [f"trial-{record.number:04d}" for record in halted]
    for record in halted:
        row = table[f"trial-{record.number:04d}"]
        shown = {path: float(row[column]) for path, column in SHOWN.items()}
        assert shown == pytest.approx({path: record.params[path] for path in SHOWN}, rel=1e-4)
        assert row[ENDED] == ("0.0000" if record.state == "complete" else "")
        if record.state == "complete":
            assert float(row[OBJECTIVE]) == pytest.approx(record.objective, rel=1e-4)
            assert float(row["valid/delta_e"]) == pytest.approx(record.metrics["valid/delta_e"], rel=1e-4)


def test_the_status_filter_parts_living_from_finished_trials(browser: Browser, halted: list[TrialRecord]) -> None:
    trials = {state: [f"trial-{r.number:04d}" for r in halted if r.state == state] for state in ("complete", "running")}
    browser.click("paper-checkbox", "Success")
    wait_for(lambda: list(rows(browser)) == trials["running"], "the living trial alone")
    browser.click("paper-checkbox", "Success")
    browser.click("paper-checkbox", "Unknown")
    wait_for(lambda: list(rows(browser)) == trials["complete"], "the finished trials alone")
    browser.click("paper-checkbox", "Unknown")
    assert wait_for(lambda: len(rows(browser)) == len(halted), "all trials again")


def test_a_trials_curves_are_one_click_away(browser: Browser, halted: list[TrialRecord]) -> None:
    browser.click("vaadin-grid paper-checkbox")
    shown = wait_for(lambda: browser.run('seen("tf-scalar-card").map(card => card.tag)'), "the trial's curves")
    assert {"objective", "valid/delta_e"} <= set(shown)
    browser.click("vaadin-grid paper-checkbox")


def test_parallel_coordinates_have_an_axis_a_column_and_a_line_a_finished_trial(
    browser: Browser, halted: list[TrialRecord]
) -> None:
    browser.click("paper-tab", "PARALLEL COORDINATES VIEW")
    axes = wait_for(lambda: browser.run('seen(".axis-title").map(text)'), "axes")
    assert {*SHOWN.values(), OBJECTIVE, ENDED} <= set(axes)
    assert browser.run('seen(".foreground path").length') == sum(record.state == "complete" for record in halted)


def test_the_scatter_plot_matrix_has_a_column_a_parameter_and_a_row_a_metric(
    browser: Browser, halted: list[TrialRecord]
) -> None:
    browser.click("paper-tab", "SCATTER PLOT MATRIX VIEW")
    across = wait_for(lambda: browser.run('seen(".x-axis-label text").map(e => e.firstChild.data)'), "axes")
    down = browser.run('seen(".y-axis-label text").map(e => e.firstChild.data)')
    assert {*SHOWN.values(), OBJECTIVE, ENDED} <= set(across)
    assert down[:3] == [OBJECTIVE, ENDED, "valid/delta_e"]
    complete = sum(record.state == "complete" for record in halted)
    assert browser.run('seen(".data-marker").length') >= complete * len(across) * len(down)


def test_a_trials_images_and_curves_are_on_one_page(browser: Browser, halted: list[TrialRecord], url: str) -> None:
    browser.open(url + "?runFilter=trial-0000#timeseries")
    wait_for(lambda: browser.run('seen("image-card img").some(image => image.naturalWidth === 48)'), "an example")
    assert {"examples", "objective", "train", "valid"} <= set(browser.run('seen(".group-title").map(text)'))
    assert set(browser.run('seen("image-card .run-text").map(text)')) == {"trial-0000"}
