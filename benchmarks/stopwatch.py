"""Which part of a program takes the processor: functions are wrapped; a call inside another counts for its own."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Processor time by part, each second counted once.

    Attributes:
        seconds: By name of the part, without what other parts that it called took.
    """

    def __init__(self) -> None:
        """Starts with all parts at zero."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._parts: list[str] = []
        self._since = 0.0

    def time(self, part: str, owner: Any, *names: str) -> None:
        """Counts all calls of functions for a part from now on.

        Args:
            part: What they belong to.
            owner: The class, module or object that has them.
            names: What they are called there.
        """
        for name in names:
            setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._switch(part, begins=True)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch(part, begins=False)

        return timed

    def _switch(self, part: str, *, begins: bool) -> None:
        now = time.process_time()
        if self._parts:
            self.seconds[self._parts[-1]] += now - self._since
        self._since = now
        if begins:
            self._parts.append(part)
        else:
            self._parts.pop()
