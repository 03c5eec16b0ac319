"""Event files are judged by what TensorBoard itself reads from them: over HTTP, in Python, and in a browser."""

from __future__ import annotations

import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
import types
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import parse_experiment_plugin_data

from search.events import MetricColumn, Session, write_experiment
from search.parameter import Domain

ROOT = Path(__file__).parents[2]
NO_TENSORFLOW = "tensorboard.compat.notf"  # TensorBoard's switch to read without TensorFlow, whose import takes seconds
ALL_STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
HPARAMS = [
    Domain("rate", "interval", low=1e-4, high=1e-2, log=True),
    Domain("filters", "discrete", values=(8, 12, 16)),
    Domain("norm", "discrete", values=("batch", "none")),
    Domain("average", "discrete", values=(True, False)),
    Domain("momentum", "interval", low=0.5, high=0.99),
]
METRICS = [MetricColumn("objective", "objective: valid/delta_e"), MetricColumn("valid/delta_e")]
GROUP = "trial-0000, 3 seeds"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 24, 72, 3), dtype=np.uint8)


def params(rate: float, **others: float | str | bool) -> dict[str, float | str | bool]:
    return {"rate": rate, "filters": 8, "norm": "none", "average": True, **others}


def write_trials(logdir: Path) -> None:
    """Five trials: 0 complete, with images; 1 pruned; 2 failed; 3 lives; 4 was interrupted and taken up again.

    And three seeds of trial 0 in a group.
    """
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
    for seed, (objective, delta_e) in enumerate([(20.0, 21.0), (21.0, 22.0), (25.0, 26.0)]):
        confirmed = Session(logdir / f"trial-0000-seed-{seed}", hparams=params(1e-3), group=GROUP)
        confirmed.scalars(30, {"valid/delta_e": delta_e})
        confirmed.end("complete", step=30, objective=objective)


@pytest.fixture(scope="module", autouse=True)
def without_tensorflow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NO_TENSORFLOW, types.ModuleType(NO_TENSORFLOW))
        yield


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "tensorboard"
    write_trials(path)
    return path


class Server:
    """`python -m search tensorboard` in a process of its own."""

    def __init__(self, folder: Path, log: Path, port: int | None = None) -> None:
        self.port, self.log = port or free_port(), log
        command = [sys.executable, "-u", "-m", "search", "tensorboard", str(folder), "--port", str(self.port)]
        with log.open("w") as output:
            self.process = psutil.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)

    def url(self) -> str:
        """Returns the address, once it is said."""
        found = wait_for(lambda: re.search(r"at (http://\S+/)#hparams", self.log.read_text()) or self.process.poll())
        assert isinstance(found, re.Match), self.log.read_text()
        return str(found[1])

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends it a signal and returns its exit code."""
        self.process.send_signal(number)
        return int(self.process.wait(60))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def url(logdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TensorBoard that has read all runs."""
    server = Server(logdir.parent, tmp_path_factory.mktemp("server") / "log.txt")
    try:
        wait_for(lambda: len(fetch_json(server.url() + "data/runs")) == 9)
        yield server.url()
    finally:
        server.end()


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
    """The names of the five trials among them."""
    return [group["name"] for group in groups if group["name"] <= "trial-0004" and group["name"] != GROUP]


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


def test_sessions_of_one_group_are_one_row_of_averages(url: str) -> None:
    (row,) = [group for group in rows(url) if group["name"] == GROUP]
    assert cells(row) == {"objective": 22.0, "trial/ended": 0.0, "valid/delta_e": 23.0}
    assert row["hparams"] == params(1e-3)
    assert [session["name"] for session in row["sessions"]] == [f"trial-0000-seed-{seed}" for seed in range(3)]
    best = [{"metric": {"tag": "objective"}, "order": "ORDER_ASC"}]
    assert [group["name"] for group in rows(url, best)][:3] == ["trial-0000", GROUP, "trial-0004"]


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
        Session(tmp_path, hparams=params(1e-3)).end(outcome, step=1, objective=1.0)
    ends = [file.read_bytes().count(b"_hparams_/session_end_info") for file in sorted(tmp_path.iterdir())]
    assert ends == [1, 0]


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


def declared(logdir: Path, hparams: list[Domain]) -> list[Any]:
    """What TensorBoard reads of the parameters."""
    write_experiment(logdir, hparams=hparams, metrics=METRICS)
    metadata = EventAccumulator(str(logdir)).Reload().SummaryMetadata("_hparams_/experiment")
    return list(parse_experiment_plugin_data(metadata.plugin_data.content).hparam_infos)


def test_ten_numbers_are_declared_as_an_interval(tmp_path: Path) -> None:
    (info,) = declared(tmp_path, [Domain("filters", "discrete", values=tuple(range(10, 20)))])
    assert (info.domain_interval.min_value, info.domain_interval.max_value) == (10, 19)
    assert not info.HasField("domain_discrete")


def test_columns_have_the_shortest_names_that_tell_them_apart_and_a_studys_first_five_come_first(
    tmp_path: Path,
) -> None:
    paths = ["z.rate (factor)", "loss.weight", "generator.filters", "discriminator.filters", "filters", "a.norm"]
    infos = declared(tmp_path, [Domain(path, "interval", low=0.0, high=1.0) for path in paths])
    assert [info.name for info in infos] == paths
    shown = ["rate (factor)", "weight", "generator.filters", "discriminator.filters", "filters", "norm"]
    assert [info.display_name for info in infos] == shown
    assert [info.differs for info in infos] == [True, True, True, True, True, False]


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_listens_to_this_machine_alone_and_a_signal_ends_it_whole(tmp_path: Path, number: int) -> None:
    write_experiment(tmp_path / "tensorboard", hparams=HPARAMS, metrics=METRICS)
    server = Server(tmp_path, tmp_path / "log.txt")
    url = server.url()
    assert url == f"http://127.0.0.1:{server.port}/"
    family = [server.process, *server.process.children(recursive=True)]
    open_at = [c.laddr for process in family for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert server.port in {address.port for address in open_at}
    assert {address.ip for address in open_at} <= {"127.0.0.1", "::1"}
    with urllib.request.urlopen(f"{url}data/environment", timeout=60) as answer:  # noqa: S310
        assert answer.status == 200
    rebound = urllib.request.Request(f"{url}data/environment", headers={"Host": "evil.example"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(rebound, timeout=60)  # noqa: S310
    server.end(number)
    assert not psutil.wait_procs(family, timeout=30)[1]
    assert "Traceback" not in server.log.read_text()


def test_a_taken_port_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(tmp_path, tmp_path / "log.txt", taken.getsockname()[1])
        assert server.process.wait(60) == 1
    (line,) = server.log.read_text().splitlines()
    assert re.search(rf"port {server.port}\b.*in use; choose another with --port", line)
