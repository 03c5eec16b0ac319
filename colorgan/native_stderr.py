"""Where native code's lines on stderr go: TensorFlow greets with some that mean nothing to users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def native_stderr_in(path: Path | None = None) -> Iterator[None]:
    """Sends to the end of a file what the process prints to file descriptor 2; without a file, nowhere."""
    kept = os.dup(2)
    with (path or Path(os.devnull)).open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
