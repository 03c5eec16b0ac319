"""What the system grants to this process: by its own count, and by a container's, which psutil does not know."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
UNLIMITED_BYTES = 1 << 60  # version 1 writes some 9.2e18 where there is no limit


@dataclass(frozen=True)
class Group:
    """A control group's limits; infinite where it sets none.

    Attributes:
        cores: Processor time a second, in cores.
        memory_bytes: What its processes may have together.
        used_bytes: What they have, without file caches that can be dropped.
    """

    cores: float = math.inf
    memory_bytes: float = math.inf
    used_bytes: float = 0.0

    @property
    def free_bytes(self) -> float:
        """What is left of its memory."""
        return max(0.0, self.memory_bytes - self.used_bytes)


def free_memory_bytes() -> float:
    """Returns the memory that new processes of ours can have."""
    free = float(psutil.virtual_memory().available)
    return min([free, *(group.free_bytes for group in groups())])


def core_quota() -> float:
    """Returns the processor time that a container leaves us, in cores; infinite without such a limit."""
    return min([math.inf, *(group.cores for group in groups())])


def oom_kills(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Returns how many processes the kernel has killed in our control group because its memory ran out.

    Args:
        root: As in `groups`.
        membership: As in `groups`.
    """
    for folder in _folders(root, membership):
        for name in ("memory.events", "memory.oom_control"):  # of version 2, of version 1
            with suppress(OSError, ValueError, KeyError):
                return int(dict(line.split() for line in (folder / name).read_text().splitlines())["oom_kill"])
    return 0


def groups(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> list[Group]:
    """Returns the control groups that hold this process and limit it, the outer ones too.

    Args:
        root: Where the control groups are mounted.
        membership: Says which they are: `0::/path` in version 2, `4:cpu,cpuacct:/path` in version 1.
    """
    return [group for folder in _folders(root, membership) if (group := _group(folder)) != Group()]


def _folders(root: Path, membership: Path) -> list[Path]:
    """Returns the folders of our control groups, an inner one before the outer ones."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        found += _chain(root / controllers, path)
    return found


def _chain(root: Path, path: str) -> list[Path]:
    """Returns a group's folder and those above it; in a container the root may be the group itself."""
    inner = root / path.lstrip("/")
    return [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root) and folder.is_dir()]


def _group(folder: Path) -> Group:
    quota, period = _numbers(folder / "cpu.max", 2) or (
        *(_numbers(folder / "cpu.cfs_quota_us", 1) or (math.inf,)),
        *(_numbers(folder / "cpu.cfs_period_us", 1) or (1.0,)),
    )
    limit = _numbers(folder / "memory.max", 1) or _numbers(folder / "memory.limit_in_bytes", 1) or (math.inf,)
    used = _numbers(folder / "memory.current", 1) or _numbers(folder / "memory.usage_in_bytes", 1) or (0.0,)
    bounded = limit[0] < UNLIMITED_BYTES
    return Group(
        cores=quota / period if 0 < quota < math.inf else math.inf,
        memory_bytes=limit[0] if bounded else math.inf,
        used_bytes=max(0.0, used[0] - _droppable(folder)) if bounded else 0.0,
    )


def _numbers(path: Path, count: int) -> tuple[float, ...] | None:
    """Returns the numbers of a control file, `max` as infinite; None where there is no such file."""
    with suppress(OSError, ValueError):
        words = path.read_text().split()
        if len(words) == count:
            return tuple(math.inf if word == "max" else float(word) for word in words)
    return None


def _droppable(folder: Path) -> float:
    """Returns the bytes of file caches that the system drops when memory is short."""
    with suppress(OSError, ValueError):
        lines = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
        known = {words[0]: float(words[1]) for words in lines if len(words) == 2}
        return known.get("total_inactive_file", known.get("inactive_file", 0.0))
    return 0.0
