"""What the system says of this machine's processor: on Linux /proc/cpuinfo, elsewhere little."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor_name() -> str:
    """Returns what its maker calls it, or what kind it is."""
    known = [line.partition(":")[2].strip() for line in _lines("model name")]
    return (known or [platform.processor() or platform.machine()])[0]


def processor_features() -> frozenset[str]:
    """Returns what it can do, in Linux's names, e.g. `avx512_bf16`; nothing on other systems."""
    return frozenset(name for line in _lines("flags")[:1] for name in line.partition(":")[2].split())


def processor_kind() -> str:
    """Returns a name that processors of one kind share: a program with another kind's instructions would crash."""
    about = platform.machine() + "".join(sorted(set(_lines("flags", "Features", "model name"))))
    return f"{platform.machine()}-{hashlib.sha256(about.encode()).hexdigest()[:12]}"


def _lines(*keys: str) -> list[str]:
    with suppress(OSError):
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
        return [line for line in text.splitlines() if line.startswith(keys)]
    return []
