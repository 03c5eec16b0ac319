"""What is done about a trial whose worker ran out of memory: whether it is begun again, and what is advised if not."""

from __future__ import annotations

from search.live_trial import LiveTrial
from search.messages import TrialEnded
from search.settings import Search

ADVICE = "use a smaller schedule.batch_size, fewer filters, fewer search.workers or a smaller search.fuse"


def second_chance(live: LiveTrial, event: TrialEnded, limits: Search) -> str:
    """Prepares a trial that ran out of memory to be handed out again where that can help; returns how, or nothing.

    The worker is a new one by now, without the networks of earlier trials, which may have taken what this one needs.
    """
    if event.crowded and live.record.retries < limits.retries:
        live.lost(f"{event.reason} beside what other trials took")
        return "going on in a new worker"
    return ""
