"""Event files are judged by what TensorBoard itself reads from them: over HTTP, in Python, and in a browser."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
import types
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import parse_experiment_plugin_data

from search.events import MetricColumn, Session, write_experiment
from search.parameter import Domain

NO_TENSORFLOW = "tensorboard.compat.notf"  # TensorBoard's switch to read without TensorFlow, whose import takes seconds
SERVE = "import sys, pathlib; from search.events import serve; serve(pathlib.Path(sys.argv[1]), port=0, say=print)"
ALL_STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
HPARAMS = [
    Domain("rate", "interval", low=1e-4, high=1e-2, log=True),
    Domain("filters", "discrete", values=(8, 12, 16)),
    Domain("norm", "discrete", values=("batch", "none")),
    Domain("average", "discrete", values=(True, False)),
    Domain("momentum", "interval", low=0.5, high=0.99),
]
METRICS = [MetricColumn("objective", "objective: valid/delta_e"), MetricColumn("valid/delta_e")]
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 24, 72, 3), dtype=np.uint8)


def params(rate: float, **others: float | str | bool) -> dict[str, float | str | bool]:
    return {"rate": rate, "filters": 8, "norm": "none", "average": True, **others}


def write_trials(logdir: Path) -> None:
    """Five trials: 0 complete, with images; 1 pruned; 2 failed; 3 lives; 4 was interrupted and taken up again."""
    write_experiment(logdir, hparams=HPARAMS, metrics=METRICS)
    complete = Session(logdir / "trial-0000", hparams=params(1e-3), start_seconds=1000.0)
    for epoch in (1, 2, 3):
        complete.scalars(10 * epoch, {"valid/delta_e": 20.0 - epoch, "train/l1": 0.5})
    complete.images(30, "examples", PIXELS)
    complete.end("complete", step=30, objective=17.5)
    pruned = Session(logdir / "trial-0001", hparams=params(2e-3, norm="batch", momentum=0.9))
    pruned.scalars(10, {"valid/delta_e": 40.0})
    pruned.end("pruned", step=10, reason="worse than the median", objective=40.0)
    failed = Session(logdir / "trial-0002", hparams=params(3e-3, filters=16, norm="batch", momentum=0.6))
    failed.scalars(10, {"valid/delta_e": float("nan"), "train/l1": float("inf"), "train/l2": 1e300, "train/ok": 1.0})
    failed.end("failed", step=10, reason="train/l1 is *inf*\nat step 7", objective=float("nan"))
    lives = Session(logdir / "trial-0003", hparams=params(4e-3, average=False))
    lives.scalars(10, {"valid/delta_e": 25.0})
    interrupted = Session(logdir / "trial-0004", hparams=params(5e-3), start_seconds=2000.0)
    for epoch in (1, 2, 3):
        interrupted.scalars(10 * epoch, {"valid/delta_e": 30.0 - epoch})
    interrupted.images(30, "examples", PIXELS)
    resumed = Session(logdir / "trial-0004", hparams=params(5e-3), start_seconds=3000.0)
    for epoch in (2, 3, 4):
        resumed.scalars(10 * epoch, {"valid/delta_e": 30.0 - epoch})
    resumed.end("complete", step=40, objective=27.0)


@pytest.fixture(scope="module", autouse=True)
def without_tensorflow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NO_TENSORFLOW, types.ModuleType(NO_TENSORFLOW))
        yield


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tensorboard")
    write_trials(path)
    return path


@pytest.fixture(scope="module")
def url(logdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A TensorBoard of its own on a free port."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("w") as file:
        command = [sys.executable, "-u", "-c", SERVE, str(logdir)]
        server = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        found = wait_for(lambda: re.search(r"at (http://127\.0\.0\.1:\d+/)", log.read_text()) or server.poll())
        assert isinstance(found, re.Match), log.read_text()
        wait_for(lambda: len(fetch_json(found[1] + "data/runs")) == 6)
        yield found[1]
    finally:
        server.terminate()
        server.wait()


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Returns the condition's first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return answer


def fetch(url: str, body: Any = None) -> bytes:
    data, headers = None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())


def fetch_json(url: str, body: Any = None) -> Any:
    return json.loads(fetch(url, body))


def rows(url: str, columns: list[dict[str, Any]] | None = None, statuses: list[str] = ALL_STATUSES) -> list[Any]:
    """The table's rows as the page asks for them."""
    body = {"allowedStatuses": statuses, "colParams": columns or [], "startIndex": 0, "sliceSize": 100}
    return list(fetch_json(url + "data/plugin/hparams/session_groups", body)["sessionGroups"])


def names(groups: list[Any]) -> list[str]:
    return [group["name"] for group in groups if group["name"] <= "trial-0004"]


def cells(group: Any) -> dict[str, float]:
    return {value["name"]["tag"]: value["value"] for value in group.get("metricValues", [])}


def fetch_series(url: str, plugin: str, run: str, tag: str) -> Any:
    return fetch_json(f"{url}data/plugin/{plugin}?" + urllib.parse.urlencode({"run": run, "tag": tag}))


def test_parameters_have_their_domains_and_the_objective_is_the_first_metric(url: str) -> None:
    experiment = fetch_json(url + "data/plugin/hparams/experiment", {})
    infos = {info["name"]: info for info in experiment["hparamInfos"]}
    assert list(infos) == ["average", "filters", "momentum", "norm", "rate"]
    assert infos["rate"]["domainInterval"] == {"minValue": 1e-4, "maxValue": 1e-2}
    assert infos["filters"]["domainDiscrete"] == [8, 12, 16]
    assert infos["norm"]["domainDiscrete"] == ["batch", "none"]
    assert infos["average"]["domainDiscrete"] == [True, False]
    tags = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert tags == ["objective", "trial/ended", "valid/delta_e"]


def test_every_trial_is_a_row_with_its_parameters_and_last_values(url: str) -> None:
    table = {group["name"]: group for group in rows(url)}
    assert table["trial-0000"]["hparams"] == params(1e-3)
    assert cells(table["trial-0000"]) == {"objective": 17.5, "trial/ended": 0.0, "valid/delta_e": 17.0}
    assert cells(table["trial-0001"]) == {"objective": 40.0, "trial/ended": 1.0, "valid/delta_e": 40.0}
    assert cells(table["trial-0002"]) == {"trial/ended": 2.0}
    assert cells(table["trial-0003"]) == {"valid/delta_e": 25.0}


def test_the_status_tells_complete_and_pruned_from_failed_and_living(url: str) -> None:
    found = {status: names(rows(url, statuses=[status])) for status in ALL_STATUSES}
    assert found == {
        "STATUS_SUCCESS": ["trial-0000", "trial-0001", "trial-0004"],
        "STATUS_FAILURE": ["trial-0002"],
        "STATUS_UNKNOWN": ["trial-0003"],
        "STATUS_RUNNING": [],
    }


@pytest.mark.parametrize("name", [domain.name for domain in HPARAMS])
def test_each_column_can_be_sorted_though_trials_lack_it(url: str, name: str) -> None:
    table = {group["name"]: group["hparams"] for group in rows(url)}
    ordered = names(rows(url, [{"hparam": name, "order": "ORDER_ASC"}]))
    having = [table[trial][name] for trial in ordered if name in table[trial]]
    assert sorted(ordered) == names(rows(url))
    assert having == sorted(having)


def test_columns_can_be_filtered_as_the_page_does(url: str) -> None:
    fast = {"hparam": "rate", "filterInterval": {"minValue": 2.5e-3, "maxValue": "Infinity"}}
    assert names(rows(url, [fast])) == ["trial-0002", "trial-0003", "trial-0004"]
    assert names(rows(url, [{"hparam": "filters", "filterDiscrete": [12, 16]}])) == ["trial-0002"]
    assert names(rows(url, [{"hparam": "norm", "filterDiscrete": ["batch"]}])) == ["trial-0001", "trial-0002"]
    assert names(rows(url, [{"hparam": "average", "filterDiscrete": [False]}])) == ["trial-0003"]
    pruned = {"metric": {"tag": "trial/ended"}, "filterInterval": {"minValue": 1, "maxValue": 1}}
    assert names(rows(url, [{**pruned, "excludeMissingValues": True}])) == ["trial-0001"]
    momentum = {"hparam": "momentum", "filterInterval": {"minValue": 0.8, "maxValue": 1}, "excludeMissingValues": True}
    assert names(rows(url, [momentum])) == ["trial-0001"]


def test_a_resumed_trial_has_one_start_and_each_step_once(url: str, logdir: Path) -> None:
    (session,) = next(group for group in rows(url) if group["name"] == "trial-0004")["sessions"]
    assert session["startTimeSecs"] == 2000.0
    assert session["status"] == "STATUS_SUCCESS"
    points = fetch_series(url, "scalars/scalars", "trial-0004", "valid/delta_e")
    assert [tuple(point[1:]) for point in points] == [(10, 29.0), (20, 28.0), (30, 27.0), (40, 26.0)]
    events = EventAccumulator(str(logdir / "trial-0004")).Reload()
    scalars = events.Scalars("valid/delta_e")
    assert [(point.step, point.value) for point in scalars] == [(10, 29.0), (20, 28.0), (30, 27.0), (40, 26.0)]
    starts = [b"session_start_info" in file.read_bytes() for file in sorted((logdir / "trial-0004").iterdir())]
    assert starts == [True, False]


def test_the_text_says_how_a_trial_ended_and_why(url: str) -> None:
    (text,) = fetch_series(url, "text/text", "trial-0002", "trial/outcome")
    assert "<strong>failed</strong>" in text["text"]
    assert "<code>train/l1 is *inf*\nat step 7" in text["text"]


def test_images_come_back_pixel_by_pixel(url: str) -> None:
    for sample, expected in enumerate(PIXELS):
        query = urllib.parse.urlencode({"run": "trial-0000", "tag": "examples", "sample": sample})
        (image,) = fetch_json(f"{url}data/plugin/images/images?{query}")
        png = fetch(f"{url}data/plugin/images/individualImage?{image['query']}")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), expected)


def test_a_trial_is_seen_from_its_start_and_at_every_epoch(url: str, logdir: Path) -> None:
    session = Session(logdir / "trial-0005", hparams=params(6e-3))

    def row() -> Any:
        return next((group for group in rows(url) if group["name"] == "trial-0005"), None)

    assert cells(wait_for(row)) == {}
    for step in (1, 2):
        session.scalars(step, {"valid/delta_e": float(step)})
        wait_for(lambda step=step: cells(row()) == {"valid/delta_e": float(step)})
    session.end("pruned", step=2)
    wait_for(lambda: row()["sessions"][0]["status"] == "STATUS_SUCCESS")


def test_a_resumed_trial_that_had_only_its_end_to_write_keeps_its_last_epoch(tmp_path: Path) -> None:
    Session(tmp_path, hparams=params(1e-3)).scalars(2, {"valid/delta_e": 9.0})
    Session(tmp_path, hparams=params(1e-3)).end("complete", step=2, objective=9.0)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(point.step, point.value) for point in events.Scalars("valid/delta_e")] == [(2, 9.0)]
    assert [(point.step, point.value) for point in events.Scalars("objective")] == [(2, 9.0)]


def test_a_resumed_session_that_has_ended_is_not_ended_twice(tmp_path: Path) -> None:
    for outcome in ("complete", "failed"):
        Session(tmp_path, hparams=params(1e-3)).end(outcome, step=1, objective=1.0)  # type: ignore[arg-type]
    ends = [file.read_bytes().count(b"_hparams_/session_end_info") for file in sorted(tmp_path.iterdir())]
    assert ends == [1, 0]


def test_a_record_torn_by_a_kill_hides_nothing_that_follows(tmp_path: Path) -> None:
    session = Session(tmp_path, hparams=params(1e-3))
    session.scalars(1, {"objective": 1.0})
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size - 3)
    resumed = Session(tmp_path, hparams=params(1e-3))
    resumed.scalars(1, {"objective": 1.0})
    resumed.end("complete", step=2, objective=2.0)
    points = EventAccumulator(str(tmp_path)).Reload().Scalars("objective")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (2, 2.0)]


def test_the_experiment_is_written_once_and_again_when_its_columns_change(tmp_path: Path) -> None:
    write_experiment(tmp_path, hparams=HPARAMS, metrics=METRICS)
    (file,) = tmp_path.iterdir()
    first = file.read_bytes()
    write_experiment(tmp_path, hparams=HPARAMS, metrics=METRICS)
    assert file.read_bytes() == first
    write_experiment(tmp_path, hparams=HPARAMS[:2], metrics=METRICS)
    assert list(tmp_path.iterdir()) == [file]
    assert b"momentum" in first
    assert b"momentum" not in file.read_bytes()


def test_ten_numbers_are_declared_as_an_interval(tmp_path: Path) -> None:
    write_experiment(tmp_path, hparams=[Domain("filters", "discrete", values=tuple(range(10, 20)))], metrics=METRICS)
    metadata = EventAccumulator(str(tmp_path)).Reload().SummaryMetadata("_hparams_/experiment")
    (info,) = parse_experiment_plugin_data(metadata.plugin_data.content).hparam_infos
    assert (info.domain_interval.min_value, info.domain_interval.max_value) == (10, 19)
    assert not info.HasField("domain_discrete")


@pytest.mark.parametrize("images", [PIXELS[0], PIXELS / 255.0, PIXELS[..., :1]])
def test_what_is_no_image_is_refused(tmp_path: Path, images: Any) -> None:
    with pytest.raises(ValueError, match="images of examples: expected uint8"):
        Session(tmp_path, hparams={}).images(1, "examples", images)


def test_a_full_disk_names_the_file_and_leaves_it_whole(tmp_path: Path) -> None:
    session = Session(tmp_path, hparams=params(1e-3))
    session.scalars(1, {"objective": 1.0})
    (file,) = tmp_path.iterdir()
    size, limits = file.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(OSError, match=re.escape(str(file))):
            session.scalars(2, {"objective": 2.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.stat().st_size == size
    session.scalars(3, {"objective": 3.0})
    points = EventAccumulator(str(tmp_path)).Reload().Scalars("objective")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (3, 3.0)]


def test_writing_imports_no_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, numpy as np; from search.events import *\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "write_experiment(path, hparams=[], metrics=[MetricColumn('objective')])\n"
        "session = Session(path / '0', hparams={'a': 0.5, 'b': 'c', 'd': True})\n"
        "session.scalars(1, {'b': 1.0})\n"
        "session.images(1, 'c', np.zeros((1, 2, 2, 3), np.uint8))\n"
        "session.end('complete', step=1, objective=1.0)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'keras', 'optuna')])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_taken_port_is_said_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = SERVE.replace("port=0", f"port={port}")
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(rf"CannotRunError: .*port {port}", done.stderr)


VISIBLE_TEXT = """
(function walk(node) {
  if (node.nodeType === 3) return node.textContent.trim();
  if (["STYLE", "SCRIPT", "TEMPLATE"].includes(node.nodeName)) return "";
  return [...(node.shadowRoot ? [node.shadowRoot] : []), ...node.childNodes].map(walk).filter(Boolean).join("|");
})(document.body)
"""


class Browser:
    """Headless Chromium, asked over the pipe of its remote debugging protocol."""

    def __init__(self, program: str, profile: Path, address: str) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update"
        options += " --disable-background-networking --disable-sync --remote-debugging-pipe"
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        arguments = [program, *options.split(), f"--user-data-dir={profile}", address]
        self.process = subprocess.Popen(
            ["bash", "-c", command, "browser", *arguments],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._calls, self._buffer = 0, b""

    def call(self, method: str, session: str | None = None, **arguments: Any) -> Any:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": arguments}
        message |= {} if session is None else {"sessionId": session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                received = os.read(self._read, 1 << 16)
                assert received, "the browser is gone"
                self._buffer += received
            raw, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(raw)
            if answer.get("id") == self._calls:
                return answer["result"]

    def page(self) -> str:
        targets = wait_for(lambda: [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"])
        attached = self.call("Target.attachToTarget", targetId=targets[0]["targetId"], flatten=True)
        return str(attached["sessionId"])

    def visible_text(self, session: str) -> list[str]:
        answer = self.call("Runtime.evaluate", session, expression=VISIBLE_TEXT, returnByValue=True)
        return str(answer["result"].get("value", "")).split("|")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._write)
        os.close(self._read)


def test_the_page_in_a_real_browser_shows_every_trial(url: str, tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium is installed")
    browser = Browser(program, tmp_path, url + "#hparams")
    try:
        page = browser.page()
        text = wait_for(lambda: (seen := browser.visible_text(page)) and "trial-0004" in seen and seen)
    finally:
        browser.close()
    assert {f"trial-000{number}" for number in range(5)} <= set(text)
    assert {"rate", "objective: valid/delta_e", "ended: 0 complete, 1 pruned, 2 failed", "0.0010000"} <= set(text)
