"""The doctor: judgements on numbers of sick machines, and real faults in real files and processes."""

from __future__ import annotations

import io
import json
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from colorgan.disk import set_aside
from search.__main__ import app
from search.database import open_study
from search.doctor import examination, inputs, places, traces
from search.doctor.computing import PREFIX, Probe, backend, judge_probe, run_probe
from search.doctor.examination import CHECKS, as_json, examine, healthy, show
from search.doctor.finding import Case, Finding, ok, problem, warning
from search.doctor.limits import Group, core_quota, free_memory_bytes, groups, oom_kills
from search.doctor.machine import advise_bfloat16, judge_clock, judge_cores, judge_memory, judge_open_files
from search.doctor.packages import backend_build, judge_build, judge_jax, judge_packages, judge_python, packages, python
from search.ownership import Owner
from search.storage import StudyFolder
from search.study import StudySpec

SPACE = {"losses.l1_weight": {"type": "float", "low": 1.0, "high": 9.0}}
TRUE = '{"CPU:0": [324.0, 36.0]}'


def case(results: Path, *, photos: str = "sample", workers: int | str = "auto") -> Case:
    train = {"data": {"photos": photos, "size": 32}, "generator": {"depth": 2}, "discriminator": {"depth": 1}}
    tree = {"name": "sky", "train": train, "space": SPACE, "search": {"workers": workers}}
    return Case(results, StudySpec.model_validate(tree))


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study's folder with a storage."""
    folder = StudyFolder(tmp_path / "results" / "sky")
    folder.path.mkdir(parents=True)
    folder.study.write_text("name: sky")
    open_study(folder, name="sky", directions=["minimize"])
    return folder


def test_this_python_and_these_packages_are_what_the_project_asks_for() -> None:
    assert [python(Case()).level, packages(Case()).level] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("version", "level"), [("3.11.0", "ok"), ("3.13.9", "ok"), ("3.14.0", "problem"), ("3.10.12", "problem")]
)
def test_a_python_outside_the_range_is_a_problem(version: str, level: str) -> None:
    assert judge_python(version, ">=3.11,<3.14").level == level


def test_packages_that_are_missing_or_of_another_version_are_named() -> None:
    found = judge_packages(["psutil>=1", "no-such-package>=2", "numpy>=99", "pytest>=1; python_version < '3'"])
    assert found.level == "problem"
    assert "no-such-package>=2 is missing" in found.found
    assert "numpy" in found.found
    assert "psutil" not in found.found


def test_packages_of_extras_count_only_where_they_are_installed() -> None:
    assert judge_packages(["no-such-package>=2 ; extra == 'gp'", "psutil>=1 ; extra == 'dev'"]).level == "ok"
    assert judge_packages(["psutil>=999 ; (sys_platform == 'win32') and extra == 'dev'"]).level == "problem"


@pytest.mark.parametrize(
    ("installed", "gpus", "driver", "hidden", "level", "words"),
    [
        ({"tensorflow-cpu": "2"}, 0, None, False, "ok", "no NVIDIA GPU"),
        ({"tensorflow-cpu": "2"}, 0, None, True, "ok", "no NVIDIA GPU"),
        ({"tensorflow": "2"}, 2, "", False, "ok", "2 NVIDIA GPUs"),
        ({}, 0, None, False, "problem", "not installed"),
        ({"tensorflow-cpu": "2", "tensorflow": "2"}, 0, None, False, "problem", "two builds"),
        ({"tensorflow-cpu": "2"}, 1, "", False, "warning", "beside 1 NVIDIA GPU"),
        ({"tensorflow": "2"}, 0, "version mismatch", False, "warning", "version mismatch"),
        ({"tensorflow": "2"}, 0, "", True, "warning", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_build_that_does_not_fit_the_driver_is_told(
    installed: dict[str, str], gpus: int, driver: str | None, hidden: bool, level: str, words: str
) -> None:
    found = judge_build(installed, gpus=gpus, driver=driver, hidden=hidden)
    assert (found.level, words in found.found) == (level, True), found


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "ended by SIGILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import faulthandler, time; faulthandler.dump_traceback_later(0.1, exit=True); time.sleep(60)", "hangs"),
        ("pass", "computes wrongly on everything"),
        (f"""print({PREFIX!r} + '{{"CPU:0": [324.0, 35.0]}}')""", "computes wrongly on CPU:0"),
    ],
)
def test_a_tensorflow_that_crashes_hangs_or_errs_is_a_finding(program: str, words: str) -> None:
    found = judge_probe(run_probe(program, 30.0), gpus=0)
    assert (found.level, words in found.found, bool(found.mend)) == ("problem", True, True), found


def test_a_process_that_cannot_even_end_itself_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.doctor.computing.GRACE_SECONDS", 0.1)
    probe = run_probe("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", 0.2)
    assert probe.code is None
    assert "hangs" in judge_probe(probe, gpus=0).found


def test_gpus_that_tensorflow_does_not_see_are_a_problem_with_its_own_words() -> None:
    said = "noise\nCannot dlopen some GPU libraries: libcudnn.so.9\nmore"
    found = judge_probe(Probe(0, f"{PREFIX}{TRUE}", said), gpus=2)
    assert (found.level, "0 of 2" in found.found, "libcudnn" in found.found) == ("problem", True, True)
    both = f'{TRUE[:-1]}, "GPU:0": [324.0, 36.0]}}'
    assert judge_probe(Probe(0, f"{PREFIX}{both}"), gpus=1) == ok("TensorFlow computes rightly on CPU:0, GPU:0")


@pytest.mark.parametrize(
    ("installed", "gpus", "level", "words"),
    [
        ({"jax": "1"}, 0, "ok", "no NVIDIA GPU"),
        ({"jax": "1", "jax-cuda12-plugin": "1"}, 2, "ok", "2 NVIDIA GPUs"),
        ({"jax": "1"}, 2, "warning", "for CPUs alone"),
        ({}, 0, "problem", "not installed"),
    ],
)
def test_a_jax_that_does_not_fit_the_machine_is_told(
    installed: dict[str, str], gpus: int, level: str, words: str
) -> None:
    found = judge_jax(installed, gpus=gpus)
    assert (found.level, words in found.found, bool(found.mend)) == (level, True, level != "ok")


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed (the extra `jax`)")
def test_a_study_on_jax_has_jax_examined() -> None:
    spec = StudySpec.model_validate({"name": "sky", "backend": "jax", "space": SPACE})
    assert backend_build(Case(study=spec)).found.startswith("jax ")
    assert backend(Case(study=spec)) == ok("JAX computes rightly on CPU:0")


@pytest.mark.parametrize(
    ("usable", "quota", "workers", "level", "mend"),
    [
        (2, math.inf, 2, "ok", ""),
        (2, 2.0, 2, "ok", ""),
        (8, 1.5, 8, "warning", "WORKERS=1"),
        (2, math.inf, 4, "warning", "WORKERS=2"),
        (4, 0.5, 1, "warning", "WORKERS=1"),
    ],
)
def test_more_workers_than_cores_or_a_containers_quota_are_told(
    usable: int, quota: float, workers: int, level: str, mend: str
) -> None:
    found = judge_cores(usable, quota, workers)
    assert (found.level, mend in found.mend) == (level, True), found


@pytest.mark.parametrize(
    ("policy", "features", "advised"),
    [
        ("float32", {"avx2", "avx512_bf16"}, True),
        ("float32", {"avx2", "avx512f"}, False),
        ("mixed_bfloat16", {"avx512_bf16"}, False),
    ],
)
def test_a_processor_that_computes_in_bfloat16_is_pointed_out(policy: str, features: set[str], advised: bool) -> None:
    found = advise_bfloat16(ok("2 usable cores"), policy=policy, features=frozenset(features))
    assert found.level == "ok"
    assert ("mixed_bfloat16" in found.found) is advised


@pytest.mark.parametrize(
    ("free", "level", "mend"), [(9e9, "ok", ""), (1.2e9, "problem", "WORKERS=1"), (0.5e9, "problem", "end other")]
)
def test_memory_for_fewer_workers_is_a_problem_that_says_how_many_fit(free: float, level: str, mend: str) -> None:
    found = judge_memory(free, 4)
    assert (found.level, mend in found.mend) == (level, True), found


def test_a_low_limit_of_open_files_is_a_problem() -> None:
    assert judge_open_files(100, 16).level == "problem"
    assert judge_open_files(256, 16).level == "ok"
    assert "any number" in judge_open_files(resource.RLIM_INFINITY, 16).found


def test_an_impossible_clock_and_files_from_the_future_are_told() -> None:
    now = 1.8e9
    assert judge_clock(now, [now - 5, now + 30]).level == "ok"
    assert judge_clock(now, [now + 7200]).level == "warning"
    assert judge_clock(0.0, []).level == "problem"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def test_the_limits_of_a_control_group_and_of_those_above_it_count(tmp_path: Path) -> None:
    inner = {"cpu.max": "max 100000", "memory.max": "1000", "memory.current": "900", "memory.stat": "inactive_file 400"}
    outer = {"cpu.max": "150000 100000", "memory.max": "max", "memory.current": "999"}
    write(tmp_path / "root/a/b", inner)
    write(tmp_path / "root/a", outer)
    write(tmp_path, {"membership": "0::/a/b"})
    found = groups(tmp_path / "root", tmp_path / "membership")
    assert found == [Group(memory_bytes=1000, used_bytes=500), Group(cores=1.5)]
    assert found[0].free_bytes == 500


def test_control_groups_of_version_1_are_read(tmp_path: Path) -> None:
    write(tmp_path / "root/cpu,cpuacct", {"box/cpu.cfs_quota_us": "50000", "box/cpu.cfs_period_us": "100000"})
    write(tmp_path / "root/cpu,cpuacct", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"})
    memory = {"memory.limit_in_bytes": "2000", "memory.usage_in_bytes": "700", "memory.stat": "total_inactive_file 200"}
    write(tmp_path / "root/memory", memory)  # in a container, the root is the group whose path the host names
    write(tmp_path, {"membership": "4:cpu,cpuacct:/box\n3:memory:/host/path/box\n1:name=systemd:/"})
    found = groups(tmp_path / "root", tmp_path / "membership")
    assert set(found) == {Group(cores=0.5), Group(memory_bytes=2000, used_bytes=500)}


def test_a_machine_without_control_groups_has_no_such_limits(tmp_path: Path) -> None:
    assert groups(tmp_path, tmp_path / "none") == []
    assert 0 < free_memory_bytes() <= psutil.virtual_memory().total
    assert core_quota() > 0


def test_processes_killed_for_memory_are_counted_in_both_versions_of_control_groups(tmp_path: Path) -> None:
    write(tmp_path / "two/a", {"memory.events": "low 0\nmax 4\noom 2\noom_kill 2"})
    write(tmp_path / "one/memory", {"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3"})
    write(tmp_path, {"two.txt": "0::/a", "one.txt": "4:cpu:/box\n3:memory:/box"})
    assert oom_kills(tmp_path / "two", tmp_path / "two.txt") == 2
    assert oom_kills(tmp_path / "one", tmp_path / "one.txt") == 3
    assert oom_kills(tmp_path, tmp_path / "none") == 0


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert places.judge_folder(tmp_path / "not" / "yet" / "there", "X").level == "ok"
    assert list(tmp_path.iterdir()) == []
    tmp_path.chmod(0o777)
    assert places.judge_folder(tmp_path, "X").level == "warning"


def test_a_folder_that_cannot_be_written_names_the_option_for_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "results", Path("/proc/self/results")):
        found = places.judge_folder(path, "--results")
        assert (found.level, "--results" in found.mend) == ("problem", True), found


def test_file_systems_are_told_apart() -> None:
    assert places.filesystem(Path("/proc/self")) == "proc"
    assert not places.is_remote(places.filesystem(Path("/proc")))
    assert places.is_remote("nfs4")


@pytest.mark.parametrize(
    ("free", "files", "level"),
    [(9e9, 1e6, "ok"), (1e9, math.inf, "warning"), (1e8, 1e6, "problem"), (9e9, 9, "problem")],
)
def test_a_full_disk_is_a_problem(free: float, files: float, level: str) -> None:
    assert places.judge_room(Path("/x"), free, files).level == level


@pytest.mark.parametrize(
    ("good", "bad", "level", "words"),
    [(3, 0, "ok", "3 photos, 3 of them tried, all"), (3, 2, "warning", "2 unreadable: "), (1, 1, "problem", "too few")],
)  # fmt: skip
def test_photos_are_tried(tmp_path: Path, good: int, bad: int, level: str, words: str) -> None:
    for number in range(good):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / f"good-{number}.png")
    for number in range(bad):
        (tmp_path / f"bad-{number}.jpg").write_bytes(b"no photo")
    found = inputs.photos(case(tmp_path / "results", photos=str(tmp_path)))
    assert (found.level, words in found.found) == (level, True), found


def test_a_folder_of_photos_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert "no such folder" in inputs.photos(case(tmp_path, photos=str(tmp_path / "none"))).found


def test_the_storage_is_written_to_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    found = inputs.storage(Case(tmp_path / "results"))
    assert (found.level, "ms a write" in found.found) == ("ok", True), found
    assert list(tmp_path.iterdir()) == []
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    assert inputs.storage(Case(tmp_path / "results", storage=url)).level == "ok"
    study = open_study(StudyFolder(tmp_path / "x"), name="mine", directions=["minimize"], url=url)
    assert study._study_id == 1
    assert len(study._storage.get_all_studies()) == 1


def test_a_storage_that_does_not_answer_is_a_problem_without_its_password(tmp_path: Path) -> None:
    found = inputs.storage(Case(tmp_path, storage="nosuch://me:s3cret@127.0.0.1:1/db"))
    assert found.level == "problem"
    assert "s3cret" not in str(found)


def test_a_torn_database_is_found(folder: StudyFolder) -> None:
    examined = Case(folder.path.parent)
    assert inputs.databases(examined).level == "ok"
    whole = folder.database.read_bytes()
    folder.database.write_bytes(whole[: len(whole) // 2])
    assert (inputs.databases(examined).level, "study.db" in inputs.databases(examined).found) == ("problem", True)
    folder.database.write_bytes(b"no database" * 1000)
    assert inputs.databases(examined).level == "problem"


def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_owners_are_told_by_whether_they_live(folder: StudyFolder) -> None:
    examined, me = Case(folder.path.parent), Owner.me()
    assert traces.owners(examined).level == "ok"
    for process, host, level, words in (
        (me.process, me.host, "ok", "1 driver at work"),
        (ended(), me.host, "warning", "a driver that died"),
        (1, "another-machine", "warning", "--takeover"),
    ):
        folder.lock.write_text(json.dumps({"process": process, "host": host, "since": me.since}))
        found = traces.owners(examined)
        assert (found.level, words in found.found + found.mend) == (level, True), found


def test_half_written_files_of_the_dead_are_found_and_those_of_the_living_are_not(folder: StudyFolder) -> None:
    examined = Case(folder.path.parent)
    (folder.path / f".summary.json.{os.getpid()}").write_text("{")
    (folder.path / ".hidden").write_text("")
    assert traces.leftovers(examined).level == "ok"
    (folder.path / f".result.json.{ended()}").write_text("{")
    found = traces.leftovers(examined)
    assert (found.level, "1 half-written" in found.found) == ("warning", True), found


def test_files_that_were_set_aside_as_damaged_are_told(folder: StudyFolder) -> None:
    examined = Case(folder.path.parent)
    assert traces.damage(examined).level == "ok"
    (folder.path / "study.db").write_text("torn")
    set_aside(folder.path / "study.db")
    (folder.path / "trials").mkdir()
    (folder.path / "trials" / "damaged-checkpoint.npz").write_text("torn")
    found = traces.damage(examined)
    assert (found.level, "2 files found damaged" in found.found) == ("warning", True), found


@pytest.fixture
def worker() -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A process that looks like a worker, and the one that started it and ends when its stdin does."""
    start = (
        "import subprocess, sys; sleep = 'import time; time.sleep(600)';"
        "print(subprocess.Popen([sys.executable, '-c', sleep, 'search.engines.worker', '3', '0', '1'],"
        "start_new_session=True, stdout=subprocess.DEVNULL).pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = psutil.Process(int(parent.stdout.readline()))
    yield parent, worker
    with suppress(psutil.NoSuchProcess):
        worker.send_signal(signal.SIGKILL)
    parent.communicate()


def test_a_worker_whose_driver_is_gone_is_found(worker: tuple[subprocess.Popen[str], psutil.Process]) -> None:
    parent, process = worker
    assert list(traces.orphaned([process])) == []
    parent.communicate()
    while process.ppid() == parent.pid:
        time.sleep(0.01)
    assert list(traces.orphaned([psutil.Process(), process])) == [process.pid]
    found = traces.workers(Case())
    assert (found.level, f"kill -9 {process.pid}" in found.mend) == ("problem", True), found


def test_a_link_out_of_a_study_is_found(folder: StudyFolder, tmp_path: Path) -> None:
    assert traces.links(Case(folder.path.parent)).level == "ok"
    (folder.path / "trials").symlink_to(tmp_path)
    assert traces.links(Case(folder.path.parent)).level == "problem"


def test_checks_that_raise_or_hang_are_findings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "PATIENCE_SECONDS", 0.2)
    never = threading.Event()

    def hang(_: Case) -> Finding:
        never.wait()
        return ok("at last")

    def fail(_: Case) -> Finding:
        raise ZeroDivisionError("by zero")

    examined = list(examine(Case(), [hang, fail, lambda _: warning("w", "m")]))
    never.set()
    assert [one.finding.level for one in examined] == ["problem", "problem", "warning"]
    assert "no answer" in examined[0].finding.found
    assert "ZeroDivisionError: by zero" in examined[1].finding.found
    assert not healthy(examined)
    assert healthy(examined[2:])
    assert [finding["level"] for finding in json.loads(as_json(examined))["findings"]] == [
        "problem",
        "problem",
        "warning",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_findings_are_shown_as_text_and_nothing_of_them_is_obeyed(terminal: bool) -> None:
    def sick(_: Case) -> Finding:
        return problem("photo \x1b[2J[bold]x[/]\nok  fine", "mend it")

    buffer = io.StringIO()
    for one in examine(Case(), [sick]):
        show(one, Console(file=buffer, force_terminal=terminal, width=100, color_system="standard"))
    text = buffer.getvalue()
    assert "photo \\x1b[2J[bold]x[/] ok fine" in text
    assert "\x1b[2J" not in text
    assert "to mend: mend it" in text
    assert ("\x1b[" in text) == terminal


def test_a_study_with_mistakes_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("name: sky\n")
    result = CliRunner().invoke(app, ["doctor", "--study", str(tmp_path / "s.yaml")])
    assert (result.exit_code, "space" in result.stderr) == (2, True)


def test_a_whole_examination(folder: StudyFolder) -> None:
    folder.study.write_text(StudySpec.model_validate({"name": "sky", "space": SPACE}).to_yaml())
    arguments = ["doctor", "--json", "--study", str(folder.path), "--results", str(folder.path.parent)]
    result = CliRunner().invoke(app, arguments)
    answer = json.loads(result.stdout)
    found = {finding["check"]: finding for finding in answer["findings"]}
    assert list(found) == [check.__name__.replace("_", " ") for check in CHECKS]
    assert result.exit_code == (0 if answer["healthy"] else 1)
    assert answer["healthy"] == all(finding["level"] != "problem" for finding in found.values())
    assert all(bool(finding["mend"]) == (finding["level"] != "ok") for finding in found.values())
    assert found["backend"]["found"].startswith("TensorFlow computes rightly on CPU:0")
    assert "could not be checked" not in result.stdout
