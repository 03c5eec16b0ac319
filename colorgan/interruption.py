"""Ctrl-C from a command's first moment to its last: it ends with exit code 130 and without a traceback.

Imports take seconds. Within them a `KeyboardInterrupt` is a traceback at best; at worst something swallows it, and the
command goes on. So there the process ends on the spot; elsewhere the exception is raised, for those who clean up.
Until this module is imported, for the first hundredth of a second, Python itself answers, with a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130  # 128 + SIGINT, as shells count it
_IMPORT_SYSTEM = "<frozen importlib"  # begins the file name of its code


def end_at_interrupt() -> None:
    """Makes Ctrl-C end this process on the spot from now on; for a command that has not begun yet."""
    _handle_with(_end)


def interruptible(command: Callable[[], object]) -> None:
    """Runs a command that cleans up at a `KeyboardInterrupt`; on Ctrl-C it ends with exit code 130.

    Raises:
        SystemExit: It was interrupted.
    """
    _handle_with(_interrupt)
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        _handle_with(_end)


@contextmanager
def stopped_by_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Lets Ctrl-C, SIGTERM and a closed terminal call `stop` with their number, at any moment.

    What is ignored stays so, as the last is under `nohup`. Outside the main thread Python allows no handler.
    """

    def heed(number: int, _frame: FrameType | None) -> None:
        stop(number)

    try:
        heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, heed) for number in heeded}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is heed:  # else somebody has set another since
                signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets what must not be cut in half come to its end; a signal that would have cut it counts then."""
    came: list[int] = []
    with stopped_by_signals(came.append):
        yield
    for number in came[:1]:
        signal.raise_signal(number)


def _handle_with(handler: Callable[[int, FrameType | None], None]) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a shell has it for what runs in the background
        signal.signal(signal.SIGINT, handler)


def _end(_signal: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _interrupt(_signal: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT_SYSTEM):
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt
