"""Where JAX keeps the programs that it has compiled, so that an architecture is compiled once and not by each worker.

They lie in the cache folder, beside the packed photos, in a folder for each kind of processor.
"""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from pathlib import Path

from colorgan.packs import cache_folder
from colorgan.processor import processor_kind

MOST_BYTES = 4 * 2**30  # of a disk that others need as well


def programs_folder() -> Path:
    """Returns the folder of compiled programs, whether it is there yet or not.

    Raises:
        CacheError: See `cache_folder`.
    """
    return cache_folder() / "programs"


def kept_programs() -> dict[str, str]:
    """Returns the environment that lets JAX keep its programs on disk; the smallest too, as there are dozens of them.

    Raises:
        CacheError: See `cache_folder`.
    """
    return {
        "JAX_COMPILATION_CACHE_DIR": str(programs_folder() / processor_kind()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def programs_bytes() -> int:
    """Returns how much room the programs take."""
    return sum(path.stat().st_size for path in programs_folder().rglob("*") if path.is_file())


def trim_programs(most_bytes: int = MOST_BYTES) -> int:
    """Removes the programs that were used longest ago, until the rest takes no more than this; returns the bytes freed.

    Others may use the folder meanwhile: a program that is gone is compiled again.
    """
    found = []
    for path in programs_folder().rglob("*"):
        with suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    freed, excess = 0, sum(size for _, size, _ in found) - most_bytes
    for _, size, path in sorted(found):
        if freed >= excess:
            break
        with suppress(OSError):
            path.unlink()
            freed += size
    return freed


def clean_programs() -> int:
    """Removes the programs, which are compiled again when they are needed; returns the bytes freed."""
    freed = programs_bytes()
    shutil.rmtree(programs_folder(), ignore_errors=True)
    return freed
