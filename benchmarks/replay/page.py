"""Writes what was found into pages, between their markers: tables and the sentences that state figures.

<!-- replay: NAME -->
...
<!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.replay import recording_tables as recordings
from benchmarks.replay import search_tables as searches
from benchmarks.replay.findings import Findings
from benchmarks.replay.plan import BUDGETS
from benchmarks.replay.recording import LONG, SHORT
from benchmarks.replay.surrogate import recorded_surrogate

LONG_SMOOTH_EPOCHS = (1, 2, 4, 8)
_BLOCK = re.compile(r"(<!-- replay: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def write_page(path: Path, blocks: Mapping[str, str]) -> None:
    """Replaces what stands between the markers of a page.

    Raises:
        KeyError: The page has a marker of another name.
    """
    text = path.read_text(encoding="utf-8")
    text = _BLOCK.sub(lambda found: f"{found[1]}\n{blocks[found[2]].strip()}\n\n{found[3]}", text)
    path.write_text(text, encoding="utf-8")


def blocks(found: Findings, *, command: str) -> dict[str, str]:
    """Returns what is found, by the name of its marker.

    Args:
        found: The searches.
        command: What has simulated them.
    """
    return {
        "recording": recordings.recording(SHORT),
        "models": recordings.models(found.surrogate),
        "summary": searches.summary(found),
        "amount": searches.amount(found, command),
        "pairs": searches.pairs(found),
        "workers": "\n\n".join(
            searches.workers(found, workers) for workers in BUDGETS if found.cells("cross", workers=[workers])
        ),
        "variants": searches.variants(found),
        "drawn": searches.beside_random(found, "drawn"),
        "quiet": searches.quiet(found),
        "importance": recordings.importance(SHORT.complete(), found.surrogate),
        "noise": searches.noise(found),
        "long_recording": recordings.recording(LONG),
        "long_noise": recordings.smoothing(recorded_surrogate(LONG), LONG_SMOOTH_EPOCHS),
        "metrics": recordings.metrics(),
        "long": searches.beside_random(found, "long"),
        "long_drawn": searches.beside_random(found, "long drawn"),
        "length": searches.length(found),
        "kl_drawn": searches.beside_random(found, "kl drawn"),
        "foresight": recordings.foresight(),
        "confirm": searches.confirm(found),
    }
