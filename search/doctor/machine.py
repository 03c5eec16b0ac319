"""Cores, memory, open files and the clock, against what the study's workers need."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Sequence

from colorgan.processor import processor_features
from search.doctor.finding import Case, Finding, ok, problem, warning
from search.doctor.limits import core_quota, free_memory_bytes
from search.engines.local import usable_cores, visible_gpus

WORKER_BYTES = 750e6  # measured: `python -m benchmarks memory`; a GPU's worker has more
DRIVER_BYTES = 200e6
DRIVER_FILES, WORKER_FILES = 64, 8  # open in the driver: its own, and for each worker
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # as Linux names what a processor can do
BUILT = 1767225600.0  # 2026-01-01, seconds since the epoch: this program is no older
SLACK_SECONDS = 60.0  # by which clocks of machines that share a folder may differ


def cores(case: Case) -> Finding:
    """Are there as many cores as workers?"""
    if gpus := visible_gpus():
        return ok(f"{usable_cores()} cores for {case.workers()} workers on {len(gpus)} GPUs")
    found = judge_cores(usable_cores(), core_quota(), case.workers())
    policy = case.study.train.precision.policy if case.study else "float32"
    return (
        advise_bfloat16(found, policy=policy, features=processor_features()) if case.backend == "tensorflow" else found
    )


def advise_bfloat16(found: Finding, *, policy: str, features: frozenset[str]) -> Finding:
    """Adds to a good finding, where the processor computes in bfloat16 and the study does not, that this is quicker."""
    if found.level != "ok" or policy != "float32" or not features & BFLOAT16:
        return found
    return ok(f"{found.found}; precision: {{policy: mixed_bfloat16}} is quicker on these (docs/gpu.md)")


def judge_cores(usable: int, quota: float, workers: int) -> Finding:
    """Judges so many workers on cores of which a container may grant less processor time (`quota`, in cores)."""
    granted = min(float(usable), quota)
    named = f"{usable} usable cores" + (
        f", of which a container grants the time of {quota:g}" if quota < usable else ""
    )
    if workers > granted + 0.05:
        fewer = max(1, math.floor(granted))
        return warning(
            f"{workers} workers on {named}; too many only slow each other down",
            f"make search WORKERS={fewer}, or search.workers: {fewer} in the study",
        )
    return ok(f"{named} for {workers} workers")


def memory(case: Case) -> Finding:
    """Is there memory for all workers?"""
    return judge_memory(free_memory_bytes(), case.workers())


def judge_memory(free_bytes: float, workers: int) -> Finding:
    """Judges the memory that new processes can have, against some 750 MB for each worker."""
    needed = DRIVER_BYTES + workers * WORKER_BYTES
    found = f"{_gb(free_bytes)} free; {workers} workers and their driver take some {_gb(needed)}"
    fit = math.floor((free_bytes - DRIVER_BYTES) / WORKER_BYTES)
    if fit < 1:
        return problem(found, "end other programs, or use a machine with more memory")
    if fit < workers:
        return problem(found, f"make search WORKERS={fit}, or end other programs")
    return ok(found)


def open_files(case: Case) -> Finding:
    """May the driver open as many files as it has workers?"""
    return judge_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0], case.workers())


def judge_open_files(limit: int, workers: int) -> Finding:
    """Judges the limit of open files of a process."""
    needed = DRIVER_FILES + WORKER_FILES * workers
    if limit in (-1, resource.RLIM_INFINITY) or limit >= needed:
        return ok(f"a process may open {'any number of' if limit < 0 or limit > 1 << 40 else limit} files")
    return problem(f"a process may open {limit} files; {workers} workers need {needed}", "ulimit -n 4096")


def clock(case: Case) -> Finding:
    """Is the clock right, as far as that can be seen?"""
    files = [path for folder in case.folders() for path in (folder.summary, folder.study)]
    written = [path.stat().st_mtime for path in files if path.is_file()]
    return judge_clock(time.time(), written)


def judge_clock(now: float, written: Sequence[float]) -> Finding:
    """Judges the time, in seconds since the epoch, against when files were written."""
    mend = "set the clock (timedatectl set-ntp true); durations and the order of runs in TensorBoard hang on it"
    shown = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < BUILT:
        return problem(f"the clock says {shown}, which cannot be", mend)
    ahead = max(written, default=now) - now
    if ahead > SLACK_SECONDS:
        return warning(f"the clock says {shown}, but a file of the results is {ahead:.0f} s younger", mend)
    return ok(f"the clock says {shown}")


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
