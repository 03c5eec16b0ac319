"""What a stranger's study, photo, model file or results folder, and a stranger on the network, cannot do."""

from __future__ import annotations

import ast
import os
import re
import socket
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from click.testing import Result
from tensorboard.compat.proto import event_pb2
from typer.testing import CliRunner

from colorgan import strict_yaml
from colorgan.checkpoint import Checkpoint
from colorgan.config import DataConfig, TrainConfig
from colorgan.photos import open_photos
from colorgan.record import EpochRecord, TrialRecord, write_record
from colorgan.sheets import write_sheet
from search.__main__ import app
from search.database import open_study
from search.events import OUTCOME_TAG, MetricColumn, Session, write_experiment
from search.live_trial import LiveTrial
from search.parameter import Domain
from search.report import write_report
from search.run import load_result
from search.storage import StudyFolder
from search.study import StudyError, StudySpec, read_study
from search.table import write_table
from search.verdict import judge

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for name in ("colorgan", "search") for path in (ROOT / name).rglob("*.py"))
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e"
ATTACK = (
    f'<script>alert(1)</script> [link](javascript:x) [bold]x[/] {ESCAPES} ![](http://127.0.0.1:9/x.png) "><img src=x>'
)
SPACE = {"type": "float", "low": 1e-5, "high": 1e-2, "log": True}
RATE = "optimizer.generator_learning_rate"

# What runs code that a file or a stranger brings, or opens a door. Dotted names stand for their ends too.
MODULES = {
    "cloudpickle",
    "cPickle",
    "dill",
    "joblib",
    "marshal",
    "multiprocessing",
    "pickle",
    "shelve",
    "torch",
    "xmlrpc",
}
CALLS = {
    "eval", "exec", "compile", "__import__", "import_module", "os.system", "os.popen", "mktemp", "read_pickle",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.unsafe_load_all", "torch.load",
    "keras.models.load_model", "keras.saving.load_model", "saving.load_model", "models.load_model",
    "deserialize_keras_object", "model_from_json", "enable_unsafe_deserialization", "saved_model.load", "Lambda",
    "load_weights", "Markup", "chmod", "Listener", "Client", "set_start_method",
}  # fmt: skip
ARGUMENTS = {("shell", True), ("allow_pickle", True), ("safe_mode", False), ("autoescape", False), ("verify", False)}
EVERYWHERE = {"0.0.0.0", "::", "[::]"}  # noqa: S104 - addresses that other machines reach
ALLOWED = {  # file and what it does -> why it may
    ("colorgan/__init__.py", "import_module"): "of our own modules, by a table",
    ("colorgan/onnx_file.py", "import_module"): "of packages that stand there",
    ("search/__init__.py", "import_module"): "of our own modules, by a table",
    ("colorgan/model.py", "load_weights"): "arrays alone, into a network that is built from our own JSON",
    ("search/report.py", "Markup"): "our own <wbr>, and SVG whose texts matplotlib escapes",
    ("search/engines/handle.py", "multiprocessing"): "a pipe without a name between a driver and its own child",
    ("search/engines/worker.py", "multiprocessing"): "the other end of that pipe",
}


def findings(source: str) -> Iterator[str]:
    """What a source does that is in the lists above."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name.split(".")[0] for name in names if name.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                yield module.split(".")[0]
            case ast.Call(func=function, args=positional, keywords=keywords):
                yield from _called(ast.unparse(function), positional)
                named = [(word.arg, word.value.value) for word in keywords if isinstance(word.value, ast.Constant)]
                yield from (f"{name}={value}" for name, value in named if (name, value) in ARGUMENTS)
            case ast.Constant(value=str(text)) if text in EVERYWHERE:
                yield text
            case _:
                pass


def _called(name: str, positional: list[ast.expr]) -> Iterator[str]:
    builtin = {"eval", "exec", "compile"}
    for call in CALLS:
        if name == call or (call not in builtin and name.endswith(f".{call}")):
            yield call
    if name.startswith("subprocess.") and positional and not isinstance(positional[0], ast.List | ast.Name):
        yield f"{name} of what is no list"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_what_a_file_brings_or_opens_a_door(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    assert {found for found in findings(path.read_text()) if (name, found) not in ALLOWED} == set()


def test_every_exception_is_still_needed() -> None:
    needed = {(name, found) for name, _ in ALLOWED for found in findings((ROOT / name).read_text())}
    assert set(ALLOWED) <= needed


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from multiprocessing.managers import A", "x = eval(y)", "exec(y)", "import torch.nn",
        "yaml.load(f, Loader=yaml.Loader)", "np.load(f, allow_pickle=True)", "subprocess.run(x, shell=True)",
        "subprocess.run('ls ' + x)", "os.system(x)", "keras.saving.load_model(f)", "torch.load(f)", "pd.read_pickle(f)",
        "keras.layers.Lambda(f)", "host = '0.0.0.0'", "tempfile.mktemp()", "Markup(x)", "Environment(autoescape=False)",
    ],
)  # fmt: skip
def test_the_search_for_such_sources_finds_them(source: str) -> None:
    assert list(findings(source))


def test_templates_mark_no_text_as_safe() -> None:
    templates = sorted((ROOT / "search/templates").iterdir())
    assert len(templates) > 2
    assert [path.name for path in templates if re.search(r"\|\s*safe|autoescape|<script", path.read_text())] == []


def test_yaml_is_read_by_a_safe_loader() -> None:
    assert issubclass(strict_yaml._Loader, yaml.SafeLoader)
    with pytest.raises(strict_yaml.YamlError, match="tag"):
        strict_yaml.parse_yaml("a: !!python/object/apply:os.system ['true']", Path("x.yaml"))


def test_the_pipe_to_a_worker_has_no_name_and_is_inherited_by_nobody() -> None:
    for connection in Pipe():
        with connection, socket.socket(fileno=os.dup(connection.fileno())) as end:
            assert (end.family, end.getsockname(), end.getpeername()) == (socket.AF_UNIX, "", "")
            assert not os.get_inheritable(connection.fileno())


def obeyed(text: str) -> list[str]:
    """What of a text a terminal obeys rather than shows; lines and tabs are fine."""
    return re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)


def invoke(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def trial(number: int, value: float | None, *, more: str = "valid/psnr_db", **others: Any) -> TrialRecord:
    times = {"train_seconds": 1.0, "valid_seconds": 0.1}
    epoch = {"epoch": 1, "step": 1, "objective": value, "metrics": {"valid/delta_e": value, more: 1.0}, **times}
    fields = {
        "number": number,
        "state": "complete" if value else "failed",
        "objective": value,
        "seed": number,
        "params": {RATE: 10.0 ** -(2 + number % 3)},
        "epochs": (EpochRecord(**epoch),) if value else (),
    }
    return TrialRecord.model_validate({**fields, **others})


@pytest.fixture
def hostile(tmp_path: Path) -> StudyFolder:
    """The results of a stranger's study, with an attack wherever a text may stand."""
    folder = StudyFolder(tmp_path / "results" / "sky")
    folder.path.mkdir(parents=True)
    train = {"data": {"photos": ATTACK, "size": 32}, "generator": {"depth": 3}, "discriminator": {"depth": 2}}
    spec = StudySpec.model_validate({"name": "sky", "train": train, "space": {RATE: SPACE}})
    folder.study.write_text(spec.to_yaml())
    records = [
        trial(0, 20.0),
        trial(1, 18.0, group=ATTACK, more=f"valid/{ATTACK}"),
        trial(2, None, reason=ATTACK),
        trial(3, 19.0),
    ]
    for record in records:
        folder.trial(record.number).path.mkdir(parents=True)
        folder.trial(record.number).config.write_text(spec.train.to_yaml())
        write_record(folder.trial(record.number).record, record)
    return folder


def test_a_strangers_results_run_nothing_in_a_browser(hostile: StudyFolder) -> None:
    result = invoke("compare", hostile.path)
    assert result.exit_code == 0
    assert not obeyed(result.output)
    page = (hostile.path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert not re.search(r"<(?:img|a)\b[^>]*(?:javascript:|127\.0\.0\.1)", page)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy
    assert {"default-src 'none'", "base-uri 'none'", "form-action 'none'"} <= set(policy[1].split("; "))
    assert page.index("Content-Security-Policy") < page.index("<style") < page.index("<body")


def test_a_failed_trials_reason_is_no_markdown_in_tensorboard(tmp_path: Path) -> None:
    write_experiment(
        tmp_path, hparams=[Domain(RATE, "interval", low=0.0, high=1.0)], metrics=[MetricColumn("objective")]
    )
    reason = f"{ATTACK}\n\n# heading\n```\n</code></pre><img src=x>\x0b- item\u2028* item"
    Session(tmp_path / "trial-0000", hparams={RATE: 0.5}).end("failed", step=1, reason=reason)
    [text] = [value for value in summaries(tmp_path / "trial-0000") if value.tag == OUTCOME_TAG]
    with warnings.catch_warnings(action="ignore"):  # TensorBoard's own copy of html5lib warns
        from tensorboard.plugin_util import markdown_to_safe_html
    shown = markdown_to_safe_html(text.tensor.string_val[0])
    assert set(re.findall(r"<(\w+)", shown)) == {"p", "strong", "pre", "code"}
    assert "# heading" in shown


def summaries(run: Path) -> Iterator[Any]:
    """The values in a run's event files, read without TensorFlow: length, 4 bytes, record, 4 bytes."""
    for data in (path.read_bytes() for path in sorted(run.iterdir())):
        start = 0
        while start < len(data):
            length = int.from_bytes(data[start : start + 8], "little")
            yield from event_pb2.Event.FromString(data[start + 12 : start + 12 + length]).summary.value
            start += length + 16


@pytest.mark.parametrize(
    "name",
    ["../x", "..", ".", "a/b", "/etc", "a\\b", "a\n", "a\0b", "-rf", "~", "$HOME", "a b", "[b]x", "<b>", ESCAPES, "é"],
)  # fmt: skip
def test_a_studys_name_cannot_leave_the_results(tmp_path: Path, name: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(strict_yaml.write_yaml({"name": name, "space": {RATE: {"type": "categorical", "choices": [0.1]}}}))
    with pytest.raises(StudyError, match="name: must be a file name") as refused:
        read_study(path)
    assert not obeyed(str(refused.value))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photos that cannot be read, whose names are attacks."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (ATTACK.replace("/", "-"), "\x1b[2J\n2026-01-01 00:00:00 complete", "[bold]a", "\udcff"):
        (folder / f"{name}.jpg").write_text("no photo")
    return folder


def test_photos_names_say_nothing_to_a_terminal(photos: Path, tmp_path: Path) -> None:
    study = tmp_path / "sky.yaml"
    study.write_text(
        strict_yaml.write_yaml({"name": "sky", "space": {RATE: {"type": "categorical", "choices": [0.1]}}})
    )
    result = invoke("run", study, "--data", photos, "--results", tmp_path / "results")
    assert result.exit_code == 2
    assert "not a JPEG, PNG or WebP file" in result.output
    assert not obeyed(result.output)
    assert "\n2026-01-01" not in result.output


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_what_is_written_is_as_open_as_its_user_wishes(tmp_path: Path) -> None:
    config = TrainConfig().with_values({"data.size": 32, "discriminator.depth": 2})
    folder = StudyFolder(tmp_path / "results" / "sky")
    with umask(0o077):
        study = open_study(folder, name="sky", directions=["minimize"])
        study.tell(study.ask({RATE: optuna.distributions.FloatDistribution(0, 1)}), 1.0)
        files = folder.trial(0)
        files.path.mkdir(parents=True)
        Checkpoint(config, 1, 1, (), 0.0, (), {"generator/0/kernel": np.zeros(3)}).save(files.checkpoint)
        files.config.write_text(config.to_yaml())
        write_record(files.record, trial(0, 20.0))
        write_sheet(files.examples, np.zeros((1, 32, 96, 3), np.uint8))
        write_experiment(folder.tensorboard, hparams=[], metrics=[MetricColumn("objective")])
        Session(folder.tensorboard / "trial-0000", hparams={}).end("complete", step=1)
        folder.study.write_text(StudySpec.model_validate({"name": "sky", "space": {RATE: SPACE}}).to_yaml())
        assert invoke("compare", folder.path).exit_code == 0
        data = DataConfig(size=8, train_limit=2, valid_limit=1, confirm_limit=1, crop_scales=(1.0,))
        open_photos(data, cache=tmp_path / "cache")
    written = [path for path in tmp_path.rglob("*") if path.name != "results"]
    assert len(written) > 30
    for path in written:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & 0o077, path
        assert path.is_dir() or not mode & 0o111, path


def test_files_that_are_written_whole_replace_a_link_and_not_its_target(hostile: StudyFolder, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    targets = [hostile.path / "report.html", hostile.trials_table, hostile.trial(0).record, hostile.trial(0).examples]
    for path in targets:
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
    write_record(hostile.trial(0).record, trial(0, 20.0))
    write_sheet(hostile.trial(0).examples, np.zeros((1, 32, 96, 3), np.uint8))
    write_report(judge(hostile.path), [])
    write_table(load_result(hostile.path).trials, hostile.trials_table)
    assert victim.read_text() == "precious"
    assert not any(path.is_symlink() for path in targets)


def test_a_strangers_results_say_nothing_to_a_terminal(hostile: StudyFolder) -> None:
    result = invoke("status", hostile.path)
    assert result.exit_code == 0
    assert "valid/<script>" in result.output
    assert not obeyed(result.output)


def test_a_trials_log_shows_what_an_error_says_and_no_terminal_obeys_it(hostile: StudyFolder) -> None:
    LiveTrial.log(SimpleNamespace(files=hostile.trial(0)), f"failed: {ATTACK}\ntraceback")  # type: ignore[arg-type]
    text = hostile.trial(0).log.read_text()
    assert text.endswith("\ntraceback\n")
    assert not obeyed(text)


@pytest.mark.parametrize("command", ["run", "compare", "promote"])
@pytest.mark.parametrize("link", [".driver", "trials/0000/log.txt", "plots", "confirm"])
def test_nothing_is_written_where_a_link_leads_out_of_a_study(hostile: StudyFolder, command: str, link: str) -> None:
    outside = hostile.path.parents[1] / "outside"
    outside.mkdir()
    (outside / "victim").write_text("precious")
    (hostile.path / link).symlink_to(outside if link in ("plots", "confirm") else outside / "victim")
    place = hostile.study if command == "run" else hostile.path
    more = ("--results", hostile.path.parent, "--data", "sample") if command == "run" else ()  # its own are not there
    result = invoke(command, place, *more)
    assert (result.exit_code, "a link that leads out of" in result.stderr) == (2, True), result.output
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "precious"
