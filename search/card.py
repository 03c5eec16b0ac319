"""The card of a promoted configuration: what was searched, what was confirmed, how sure it is, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import stdev
from typing import TYPE_CHECKING, Any

from colorgan.photos import open_photos
from colorgan.plain_text import code_span
from search.comparison import DEFAULT
from search.space import Space
from search.words import number

if TYPE_CHECKING:
    from search.promote import Promotion


def card(promotion: Promotion, facts: dict[str, Any], pictures: Sequence[str]) -> Iterator[str]:
    """Yields the lines of the card.

    Args:
        promotion: A finished confirmation.
        facts: What `confirmation.json` holds.
        pictures: Candidates whose examples lie beside the card as `<name>.png`.
    """
    yield from (f"# Promoted from {facts['study']}", "", verdict(facts), "")
    yield from _confirmation(promotion, facts)
    for name in pictures:
        yield from ("", f"![gray, real, generated]({name}.png)", "")
        yield f"*`confirm` photos, first seed of {name}: gray, real, generated.*"
    yield ""
    yield from _configuration(promotion)
    yield from _cost(promotion, facts)


def _confirmation(promotion: Promotion, facts: dict[str, Any]) -> Iterator[str]:
    config = promotion.study.spec.train
    yield from ("## Confirmation", "")
    yield (
        f"Each configuration was trained anew on the same {_seeds(promotion)} fresh seeds, for the study's "
        f"{config.schedule.epochs} epochs, and measured on the {len(open_photos(config.data).confirm)} `confirm` crops "
        f"that no trial of the search saw: {facts['metric']}, {facts['direction']}."
    )
    yield ""
    names = ("configuration", "searched", "confirmed mean", "by seed", "better than default by")
    yield f"| {' | '.join(names)} | {facts['level']:.0%} interval | optimism | weights |"
    yield "|---|---|---|---|---|---|---|---|"
    for found in facts["candidates"]:
        yield "| " + " | ".join(_cells(found)) + " |"
    for name, metrics in facts["baselines"].items():
        yield f"| {name} baseline | | {number(metrics.get(facts['metric']))} | | | | | |"
    yield ""
    yield (
        "Searched: the value in the study, on its validation photos. Optimism: by how much the gain over the default "
        "looked larger in the search than it was here; the best of many trials is always lucky too. "
        "Weights: of the generator."
    )
    if unfit := [found["name"] for found in facts["candidates"] if not found["fit"]]:
        yield ""
        yield f"Not compared, as they failed on a seed or violate a constraint on average: {', '.join(unfit)}."


def _seeds(promotion: Promotion) -> str:
    """Returns how many seeds the configurations have, in words."""
    counts = sorted({len(values) for values in promotion.scores.values()})
    return f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])


def _configuration(promotion: Promotion) -> Iterator[str]:
    spec, default = promotion.study.spec, promotion.plan.candidates[0].params
    space = Space(spec.space, spec.train)
    yield from ("## Configuration", "", "| searched parameter | promoted | default |", "|---|---|---|")
    for path in space.parameters:
        yield f"| {space.label(path)} | {number(promotion.promoted.params.get(path))} | {number(default.get(path))} |"
    yield from ("", "All other values are in config.yaml.", "")


def _cost(promotion: Promotion, facts: dict[str, Any]) -> Iterator[str]:
    machine, photos = facts["hardware"], promotion.study.spec.train.data.photos
    yield from ("## Cost and limits", "")
    yield (
        f"- {facts['trials_searched']} trials were searched in {number(promotion.study.summary.get('wall_seconds'))} s "
        f"and confirmed in {number(facts['seconds']['wall'])} s, on {machine.get('cores')} cores of "
        f"{machine.get('processor')} ({machine.get('system')})."
    )
    yield f"- Photos: {code_span(photos)}, fingerprint {facts['photos']}. Commit {facts['commit'] or 'unknown'}."
    yield (
        "- It was chosen and confirmed in short trainings; a long one may rank configurations differently, by their "
        "learning rates above all."
    )
    yield "- A few seeds show large differences only. The interval covers the chance of training, not other photos."
    plan = promotion.plan
    if len(looks := plan.design(promotion.direction).looks) > 1:
        judged = ", ".join(str(look) for look in looks if look <= len(facts["seeds"]))
        yield (
            f"- It was judged after {judged} seeds, and what could still prove surely better was trained on more, up "
            f"to {looks[-1]}; the intervals allow for all these looks."
        )


def verdict(facts: dict[str, Any]) -> str:
    """Returns in one sentence what was promoted and why."""
    others = [found for found in facts["candidates"] if found["name"] != DEFAULT]
    if facts["promoted"] == DEFAULT:
        return f"The default configuration: none of {len(others)} candidates was surely better than it."
    found = next(found for found in others if found["name"] == facts["promoted"])
    if found["interval"] is None:
        return f"Trial {found['trial']}: the default configuration failed or violates a constraint."
    low, high = found["interval"]
    return (
        f"Trial {found['trial']}: {facts['metric']} {found['mean']:.4g}, better than the default by "
        f"{found['difference']:.3g} ({facts['level']:.0%} interval {low:.3g} to {high:.3g})."
    )


def _cells(found: dict[str, Any]) -> list[str]:
    values = [number(value) for value in found["values"]]
    mean = number(found["mean"]) + (f" ± {stdev(found['values']):.2g}" if len(values) > 1 else "")
    interval = " to ".join(number(end) for end in found["interval"]) if found["interval"] else ""
    gain = "" if found["difference"] is None else f"{found['difference']:+.3g}"
    optimism = "" if found["optimism"] is None else f"{found['optimism']:+.2g}"
    size = f"{found['parameters']:,}" if found["parameters"] else ""
    return [found["name"], number(found["searched"]), mean, ", ".join(values), gain, interval, optimism, size]
