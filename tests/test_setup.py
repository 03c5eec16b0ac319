"""The commands and the set-up: what they promise without a network. Packages are installed by a stand-in for uv."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements/lock.txt").read_text().splitlines()
PINNED = re.compile(r"([a-z0-9-]+)==[0-9][\w.]*(?: ; [^;]+)?")
FOREIGN = re.compile(r"py[p]i\.org|python[h]osted|index[-]url|find[-]links|/(?:root|work|farm)/|\.\./share[d]")
INSTALLER = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$@" >> installed.log
[ ! -e unreachable ] && cd .venv/lib/python3.*/site-packages && touch optuna.py
"""


def without_make() -> dict[str, str]:
    """The environment without what a surrounding `make test` has put there."""
    ours = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "STUDY", "DATA", "TRIALS", "WORKERS", "RESULTS"}
    ours |= {"PYTHON", "ACCELERATOR", "EXTRAS", "UV"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def dry_run(*arguments: str) -> list[str]:
    """The words of the last command that make would run."""
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    text = subprocess.run(command, cwd=ROOT, env=without_make(), capture_output=True, text=True, check=True).stdout
    return shlex.split(text.replace("\\\n", " ").splitlines()[-1])


class Project:
    """A copy of the set-up's files in a folder of its own, with an installer that needs no network."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "requirements").mkdir(parents=True)
        for name in ("pyproject.toml", "requirements/lock.txt", "requirements/setup.sh"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "installer").write_text(INSTALLER)
        (folder / "installer").chmod(0o755)

    def set_up(self, role: str = "run", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = without_make() | {
            "PYTHON": sys.executable, "ACCELERATOR": "cpu", "UV": str(self.folder / "installer")
        } | variables  # fmt: skip
        command = [str(self.folder / "requirements/setup.sh"), role]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def installs(self) -> list[str]:
        log = self.folder / "installed.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "a project")


def test_the_lock_pins_exact_versions_and_names_no_host():
    lines = [line for line in LOCK if not line.startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert "://" not in "\n".join(LOCK)


def test_the_lock_pins_every_package_that_the_project_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in named}
    assert names <= {match[1] for line in LOCK if (match := PINNED.fullmatch(line))}


def test_what_is_installed_takes_no_name_but_its_own_in_an_environment():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["colorgan", "search"]  # not benchmarks, which others have too


def test_no_file_names_a_package_index_or_a_place_on_one_machine():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes())[:8192]:
            found += [f"{name}: {match[0]}" for match in FOREIGN.finditer(data.decode(errors="replace"))]
    assert found == []


def test_help_lists_every_command():
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = subprocess.run(["make"], cwd=ROOT, env=without_make(), capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make ([\w-]+)", text, re.MULTILINE))
    assert listed == set(" ".join(phony).split()) - {"setup-dev"}


@pytest.mark.parametrize("value", ["a b", "it's", "$HOME `id` $(id)", 'say "hi"; exit', "a,b (c) & d * #"])
def test_values_reach_the_program_as_they_were_typed(value: str):
    words = dry_run("search", f"DATA={value}", "TRIALS=3")
    assert words == [
        ".venv/bin/python", "-m", "search", "run", "studies/quickstart.yaml", "--data", value, "--trials", "3"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("check-study STUDY=mine.yaml SCALE=small DATA=photos", "check mine.yaml --scale small --data photos"),
        ("search STUDY=mine.yaml TAKEOVER=1", "run mine.yaml --takeover"),
        ("search STUDY=mine.yaml TAKEOVER=0", "run mine.yaml"),
        ("promote STUDY=mine.yaml AGAIN=1 PICK=3", "promote mine.yaml --pick 3 --again"),
        (
            "promote STUDY=mine.yaml PICK=weights AGAINST='parameters step_seconds' WEIGHTS='1 0.5 0.2'",
            "promote mine.yaml --pick weights --against parameters --against step_seconds "
            "--weight 1 --weight 0.5 --weight 0.2",
        ),
    ],
)
def test_what_the_search_takes_make_takes_as_well(arguments: str, words: str):
    assert dry_run(*shlex.split(arguments)) == [".venv/bin/python", "-m", "search", *words.split()]


def test_a_value_of_several_words_reaches_the_program_as_it_was_typed():
    words = dry_run("promote", "AGAINST=it's $HOME")
    assert words[-4:] == ["--against", "it's", "--against", "$HOME"]


def test_set_up_installs_once_and_then_does_nothing(project: Project):
    assert project.set_up().returncode == 0
    again = project.set_up()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(project.installs()) == 1


def test_tests_add_their_packages_and_a_search_keeps_them(project: Project):
    for role in ("run", "dev", "run", "dev"):
        assert project.set_up(role).returncode == 0
    assert [line.split()[-1] for line in project.installs()] == [".[cpu]", ".[cpu,dev]"]


def test_a_changed_lock_is_installed(project: Project):
    project.set_up()
    with (project.folder / "requirements/lock.txt").open("a") as lock:
        lock.write("new==1.0\n")
    assert project.set_up().returncode == 0
    assert len(project.installs()) == 2


def test_a_set_up_that_failed_is_made_anew(project: Project):
    (project.folder / "unreachable").touch()
    failed = project.set_up()
    assert failed.returncode == 1
    assert "check the network" in failed.stderr
    (project.folder / "unreachable").unlink()
    mended = project.set_up()
    assert "did not finish" in mended.stderr
    assert mended.returncode == 0


def test_a_moved_project_gets_a_new_environment(project: Project, tmp_path: Path):
    project.set_up()
    project.folder = project.folder.rename(tmp_path / "moved")
    assert "it was made in" in project.set_up().stderr
    assert len(project.installs()) == 2


def test_a_broken_python_or_another_accelerator_means_a_new_environment(project: Project):
    project.set_up()
    (project.folder / ".venv/bin/python").unlink()
    assert "no longer works" in project.set_up().stderr
    assert "made for the cpu" in project.set_up(ACCELERATOR="gpu").stderr
    assert project.installs()[-1].endswith(".[gpu]")
    assert "made for the gpu" in project.set_up(ACCELERATOR="jax-gpu").stderr
    assert project.installs()[-1].endswith(".[jax-gpu]")


def test_an_environment_made_by_someone_else_is_left_alone(project: Project):
    (project.folder / ".venv").mkdir()
    (project.folder / ".venv/precious").touch()
    refused = project.set_up()
    assert refused.returncode == 1
    assert "Move or remove it" in refused.stderr
    assert (project.folder / ".venv/precious").exists()


@pytest.mark.parametrize(("answer", "reason"), [("echo 3.9", "is Python 3.9"), ("exit 127", "does not run")])
def test_a_python_that_does_not_fit_is_named(project: Project, answer: str, reason: str):
    python = project.folder / "python"
    python.write_text(f"#!/bin/sh\n{answer}\n")
    python.chmod(0o755)
    refused = project.set_up(PYTHON=str(python))
    assert refused.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in refused.stderr
    assert reason in refused.stderr
    assert not (project.folder / ".venv").exists()
