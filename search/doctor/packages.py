"""Python and the installed packages, against what the project asks for; nothing of them is imported."""

from __future__ import annotations

import os
import platform
import subprocess
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from colorgan.versions import installed_versions
from search.doctor.finding import Case, Finding, ok, problem, warning
from search.engines.local import visible_gpus
from search.words import counted

PROJECT = Path(__file__).parents[2] / "pyproject.toml"  # of a checkout, fresher than what was installed from it
BUILDS = ("tensorflow-cpu", "tensorflow")  # distributions that bring the module `tensorflow`
JAX_GPU_BUILDS = ("jax-cuda12-plugin", "jax-cuda13-plugin")
DRIVER_FILES = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"))
SET_UP = "make setup"


def python(_case: Case) -> Finding:
    """Is this Python of a version that the project supports?"""
    asked, _ = _asked()
    return judge_python(platform.python_version(), asked)


def judge_python(version: str, asked: str) -> Finding:
    """Judges a version against a specifier such as `>=3.11,<3.14`."""
    if SpecifierSet(asked).contains(version, prereleases=True):
        return ok(f"Python {version}")
    return problem(f"Python {version}, but {asked} is asked for", "make clean, then make setup PYTHON=python3.11")


def packages(_case: Case) -> Finding:
    """Is every package that the project needs installed, in a version that it asks for?"""
    _, requirements = _asked()
    return judge_packages(requirements)


def judge_packages(requirements: Iterable[str]) -> Finding:
    """Judges requirements such as `keras~=3.15`; those of extras count only where they are installed."""
    missing, unfit, fit = [], [], 0
    for requirement in map(Requirement, requirements):
        optional = requirement.marker is not None and "extra" in str(requirement.marker)
        if requirement.marker and not optional and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing += [] if optional else [str(requirement)]
            continue
        if requirement.specifier.contains(version, prereleases=True):
            fit += 1
        else:
            unfit.append(f"{requirement.name} {version} ({requirement.specifier} is asked for)")
    if missing or unfit:
        return problem(
            "; ".join([*(f"{name} is missing" for name in missing), *unfit]), f"{SET_UP}, or make clean and again"
        )
    return ok(f"{fit} packages in the versions that are asked for")


def backend_build(case: Case) -> Finding:
    """Is one build of the backend installed, and does it fit the machine's NVIDIA driver?"""
    if case.backend == "jax":
        return judge_jax(installed_versions(("jax", *JAX_GPU_BUILDS)), gpus=len(visible_gpus()))
    return judge_build(installed_versions(BUILDS), gpus=len(visible_gpus()), driver=driver_trouble(), hidden=_hidden())


def judge_build(installed: dict[str, str], *, gpus: int, driver: str | None, hidden: bool) -> Finding:
    """Judges the installed builds of TensorFlow.

    Args:
        installed: Distribution -> version.
        gpus: NVIDIA GPUs that this process may use.
        driver: What is wrong with the NVIDIA driver; empty where it answers, None where there is none.
        hidden: Whether the environment hides all GPUs.
    """
    named = ", ".join(f"{name} {version}" for name, version in installed.items())
    if not installed:
        return problem("TensorFlow is not installed", SET_UP)
    if len(installed) > 1:
        return problem(f"{named}: two builds overwrite each other's files", "make clean, then make setup")
    if driver:
        return warning(
            f"{named}; there is an NVIDIA driver, but it does not answer: {driver}",
            "mend the driver (after an update of it: restart the machine), or ACCELERATOR=cpu",
        )
    if hidden and driver is not None:
        return warning(f"{named}; CUDA_VISIBLE_DEVICES hides all GPUs", "unset CUDA_VISIBLE_DEVICES to train on them")
    if gpus and "tensorflow-cpu" in installed:
        return warning(f"{named}, the CPU build, beside {counted(gpus, 'NVIDIA GPU')}", "make setup ACCELERATOR=gpu")
    return ok(f"{named}, {counted(gpus, 'NVIDIA GPU') if gpus else 'no NVIDIA GPU'}")


def judge_jax(installed: dict[str, str], *, gpus: int) -> Finding:
    """Judges the installed JAX, its part for GPUs among it, on a machine with so many NVIDIA GPUs."""
    named = ", ".join(f"{name} {version}" for name, version in installed.items())
    if "jax" not in installed:
        return problem("JAX is not installed", "make setup EXTRAS=jax, or another backend")
    if gpus and len(installed) == 1:
        return warning(f"{named} for CPUs alone, beside {counted(gpus, 'NVIDIA GPU')}", "make setup EXTRAS=jax-gpu")
    return ok(f"{named}, {counted(gpus, 'NVIDIA GPU') if gpus else 'no NVIDIA GPU'}")


def driver_trouble() -> str | None:
    """Returns what is wrong with the NVIDIA driver: empty where it answers, None where there is none."""
    try:
        asked = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=15, check=False)
    except FileNotFoundError:
        return "nvidia-smi is not installed" if any(path.exists() for path in DRIVER_FILES) else None
    except subprocess.TimeoutExpired:
        return "nvidia-smi hangs"
    except OSError as error:
        return f"nvidia-smi cannot be started: {error.strerror}"
    lines = (asked.stdout + asked.stderr).strip().splitlines()
    return "" if asked.returncode == 0 else f"nvidia-smi says: {lines[-1] if lines else asked.returncode}"


def _hidden() -> bool:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible is not None and not visible_gpus()


def _asked() -> tuple[str, list[str]]:
    """Returns the Python and the packages that the project asks for, those of its extras marked as such.

    Raises:
        PackageNotFoundError: The project is neither a checkout nor installed.
    """
    if not PROJECT.is_file():
        about = metadata.metadata("colorgan")
        return about["Requires-Python"], metadata.requires("colorgan") or []
    table = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = [_marked(line, extra) for extra, lines in table["optional-dependencies"].items() for line in lines]
    return table["requires-python"], [*table["dependencies"], *extras]


def _marked(line: str, extra: str) -> str:
    """Returns a requirement of an extra as installed metadata has it."""
    package, found, marker = line.partition(";")
    return f"{package.strip()} ; {f'({marker.strip()}) and ' if found else ''}extra == '{extra}'"
