"""Tables and figures as the pages show them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from benchmarks.replay.regret import Estimate


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(lines)


def interval(one: Estimate) -> str:
    """Returns a regret and its interval; empty where there is none yet."""
    return f"{one.value:.2f} ({one.low:.2f}-{one.high:.2f})" if math.isfinite(one.value) else ""


def costs(one: Estimate) -> str:
    """Returns a cost and its interval, in whole trainings."""
    value, low, high = (f"{cost:.0f}" if math.isfinite(cost) else "never" for cost in (one.value, one.low, one.high))
    return f"{value} ({low}-{high})"
