"""Writes what was found into `docs/methods.md`, between its markers: tables and the sentences that state figures.

<!-- replay: NAME -->
...
<!-- end -->
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.replay.curve_models import MODELS, cross_validate
from benchmarks.replay.findings import AFTER, FEW, Findings
from benchmarks.replay.foresight import WAYS, foresight
from benchmarks.replay.noise import OBJECTIVES, compared, epoch_to_epoch, smoothed
from benchmarks.replay.plan import AT_HOME, BUDGETS, PRUNERS, QUIET_METHODS, SMOOTH_EPOCHS, WHOLE, Cell
from benchmarks.replay.recording import LONG, LONG_KL, SHORT, Recorded, Recording, by_configuration
from benchmarks.replay.regret import Estimate
from benchmarks.replay.sensitivity import shares
from benchmarks.replay.surrogate import Surrogate, recorded_surrogate

LONG_SMOOTH_EPOCHS = (1, 2, 4, 8)
LENGTH_SHARES = (0.16, 0.25, 0.5, 1.0)  # of the budget; the first is about the quickstart's
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
        "recording": _recording(SHORT),
        "models": _models(found.surrogate),
        "amount": _amount(found, command),
        "pairs": _pairs(found),
        "workers": "\n\n".join(
            _workers(found, workers) for workers in BUDGETS if found.cells("cross", workers=[workers])
        ),
        "variants": _variants(found),
        "drawn": _beside_random(found, "drawn"),
        "quiet": _quiet(found),
        "importance": _importance(SHORT.complete(), found.surrogate),
        "noise": _noise(found),
        "long_recording": _recording(LONG),
        "long_noise": _smoothing(recorded_surrogate(LONG), LONG_SMOOTH_EPOCHS),
        "metrics": _metrics(),
        "long": _beside_random(found, "long"),
        "long_drawn": _beside_random(found, "long drawn"),
        "length": _length(found),
        "kl_drawn": _beside_random(found, "kl drawn"),
        "foresight": _foresight(),
        "confirm": _confirm(found),
    }


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(lines)


def _recording(recording: Recording) -> str:
    surrogate, trainings = recorded_surrogate(recording), recording.read()
    failed = sum(one.state != "complete" for one in trainings)
    pairs = int(surrogate.paired.sum())
    seconds = surrogate.training_seconds()
    best, default = surrogate.optimum(), surrogate.value(surrogate.default())
    at = ", ".join(f"{path} {value:.3g}" for path, value in best[1].items())
    return (
        f"{len(trainings)} trainings of {len(by_configuration(trainings))} configurations, {pairs} of them with two "
        f"seeds; {failed or 'none'} failed. A training of average architecture takes {seconds:.0f} simulated seconds. "
        f"The surrogate's optimum is {best[0]:.2f} ({at}), the default configuration has {default:.2f}."
    )


def _models(surrogate: Surrogate) -> str:
    rows = []
    for name, make in MODELS.items():
        found = cross_validate(make, surrogate.points, surrogate.curves, last=surrogate.last)
        rows.append([name, f"{found.rmse:.2f}", f"{found.r2:.2f}", f"{found.slope:.2f}" if name != "mean" else ""])
    return table(["", "RMSE of Delta E", "R2", "slope"], rows)


def _amount(found: Findings, command: str) -> str:
    searches = sum(len(found.results[cell.name]) for cell in found.plan)
    trials = sum(search.asked for cell in found.plan for search in found.results[cell.name])
    return f"`{command}` has simulated {searches:,} searches of {trials:,} trials in all."


def _pairs(found: Findings) -> str:
    short = AFTER[:-1]
    columns = ["sampler", "pruner", *(f"found after {cost:.0f}" for cost in short), "cost of random's 100"]
    columns += ["promoted after 16", "after 50", "confirmed after 50", "begun", "searches"]
    rows = []
    for pair in found.pairs():
        best = [_interval(one) for one in pair.found[:-1]]
        others = [_interval(one) for one in (pair.promoted[0], pair.promoted[2], pair.confirmed[2])]
        rows.append(
            [pair.sampler, pair.pruner, *best, _costs(pair.cost), *others, f"{pair.asked:.0f}", str(pair.searches)]
        )
    goals = found.goals
    head = (
        f"Random search's best of 100, with {', '.join(map(str, FEW))} workers together: it has found a regret of "
        f"{goals['found']}, would promote one of {goals['promoted']}, and after confirmation {goals['confirmed']}. The "
        f"default configuration has {found.default:.2f}."
    )
    return f"{head}\n\n{table(columns, rows)}"


def _workers(found: Findings, workers: int) -> str:
    cells = found.cells("cross", workers=[workers])
    rows = []
    for sampler in dict.fromkeys(cell.row for cell in cells):
        row = [sampler]
        for pruner in PRUNERS:
            mine = [cell for cell in cells if (cell.row, cell.column) == (sampler, pruner)]
            row.append("<br>".join(_cell(found, cell) for cell in mine))
        rows.append(row)
    seconds = found.seconds(cells[0], BUDGETS[workers])
    title = f"{workers:,} worker{'s' if workers > 1 else ''}: {BUDGETS[workers]:,.0f} trainings, {seconds:,.0f} s"
    return f"<details><summary>{title}</summary>\n\n{table(['sampler', *PRUNERS], rows)}\n\n</details>"


def _cell(found: Findings, cell: Cell) -> str:
    best = found.curves(cell, "found")
    cost = best.cost_of(found.goals["found"].value).value
    reached = f"{found.seconds(cell, cost):,.0f} s" if math.isfinite(cost) else "never"
    last, promoted = (curves.at(BUDGETS[cell.setting.workers]) for curves in (best, found.curves(cell, "promoted")))
    return f"{_interval(last)}, {reached}; {promoted.value:.2f}"


def _variants(found: Findings) -> str:
    cells = [*found.cells("variant"), *found.cells("cross", row="random", column="none", workers=[AT_HOME])]
    return _judged(found, cells, found.goals["found"].value)


def _quiet(found: Findings) -> str:
    goal = _random_goal(found, "drawn")
    if goal is None or not found.cells("quiet"):
        return ""
    columns = ["drawn spaces, 2 workers", "noise", *(f"found after {cost:.0f}" for cost in AFTER)]
    columns += ["cost of random's 100", "promoted after 16", "after 50"]
    rows = []
    for name in QUIET_METHODS:
        for cell in (*found.cells("drawn", row=name), *found.cells("quiet", row=name)):
            best, promoted = (found.curves(cell, measure) for measure in ("found", "promoted"))
            row = [cell.row, f"{cell.setting.noise:g}", *(_interval(best.at(cost)) for cost in AFTER)]
            rows.append(
                [
                    *row,
                    _costs(best.cost_of(goal.value)),
                    *(_interval(promoted.at(cost)) for cost in (AFTER[0], AFTER[2])),
                ]
            )
    return table(columns, rows)


def _beside_random(found: Findings, part: str) -> str:
    """Returns a part's table, with plain random search in the same spaces as the measure."""
    if (goal := _random_goal(found, part)) is None:
        return ""
    judged = _judged(found, found.cells(part), goal.value)
    return f"Random search's best of 100 has found a regret of {goal} here.\n\n{judged}"


def _length(found: Findings) -> str:
    rows = []
    for share in LENGTH_SHARES:
        for cell in found.cells("length"):
            cost = share * cell.setting.trainings
            measures = [found.curves(cell, measure) for measure in ("found", "promoted", "confirmed")]
            seconds = f"{found.seconds(cell, cost):,.0f}"
            row = [seconds, cell.row, f"{cost:.3g}", *(_interval(curves.at(cost)) for curves in measures)]
            rows.append([*row, f"{measures[1].worse_than_default(cost):.0%}"])
    columns = ["seconds, 2 workers", "tpe", "trainings", "found", "promoted", "confirmed"]
    return table([*columns, "promoted worse than default"], rows)


def _confirm(found: Findings) -> str:
    columns = ["drawn spaces, 2 workers", "searched", "fresh seeds", "promoted unconfirmed", "confirmed"]
    rows = []
    for cost in (AFTER[0], AFTER[2]):
        for cell in found.cells("confirm"):
            promoted, confirmed = (found.curves(cell, measure) for measure in ("promoted", "confirmed"))
            row = [cell.row, f"{cost:.0f}", cell.column, _interval(promoted.at(cost)), _interval(confirmed.at(cost))]
            shares = [f"{curves.worse_than_default(cost):.0%}" for curves in (promoted, confirmed)]
            rows.append([*row, *shares, f"{found.retrained(cell, cost):.0f}"])
    return table([*columns, "worse than default, unconfirmed", "confirmed", "trainings to confirm"], rows)


def _random_goal(found: Findings, part: str) -> Estimate | None:
    """Returns what plain random search finds in a part's spaces; None where that was not simulated."""
    plain = found.cells(part, row="random, none")
    return found.curves(plain[0], "found").at(WHOLE) if plain else None


def _judged(found: Findings, cells: Sequence[Cell], goal: float) -> str:
    looked_at = (AFTER[0], AFTER[2], AFTER[3])
    columns = ["at 2 workers", *(f"found after {cost:.0f}" for cost in looked_at), "cost of random's 100"]
    columns += [f"promoted after {cost:.0f}" for cost in (AFTER[0], AFTER[-1])]
    columns += [f"worse than default after {cost:.0f}" for cost in looked_at]
    columns += ["confirmed after 100", "worse than default"]
    rows = []
    for cell in cells:
        best, promoted, confirmed = (found.curves(cell, measure) for measure in ("found", "promoted", "confirmed"))
        row = [", ".join(filter(None, (cell.row, cell.column))), *(_interval(best.at(cost)) for cost in looked_at)]
        row += [_costs(best.cost_of(goal)), *(_interval(promoted.at(cost)) for cost in (AFTER[0], AFTER[-1]))]
        row += [f"{promoted.worse_than_default(cost):.0%}" for cost in looked_at]
        rows.append([*row, _interval(confirmed.at(WHOLE)), f"{confirmed.worse_than_default(WHOLE):.0%}"])
    return table(columns, rows)


def _importance(complete: Sequence[Recorded], surrogate: Surrogate) -> str:
    columns = ["parameter", "PED-ANOVA", "variance of Delta E: alone", "with others", "of colourfulness: with others"]
    rows = [
        [
            f"`{one.path}`",
            f"{one.ped_anova:.0%}{'' if one.stands_out else ' (as by chance)'}",
            f"{max(0.0, one.alone):.0%}",
            f"{one.in_all:.0%}",
            f"{one.colour:.0%}",
        ]
        for one in shares(complete, surrogate)
    ]
    return table(columns, rows)


def _noise(found: Findings) -> str:
    recorded = _smoothing(found.surrogate, SMOOTH_EPOCHS)
    columns = ["tpe, none, 2 workers", *(f"promoted after {cost:.0f}" for cost in AFTER[1:]), "found after 100"]
    columns += ["confirmed after 100", "begun"]
    rows = []
    for cell in found.cells("noise"):
        promoted = [_interval(found.curves(cell, "promoted").at(cost)) for cost in AFTER[1:]]
        others = [_interval(found.curves(cell, measure).at(WHOLE)) for measure in ("found", "confirmed")]
        rows.append([cell.row, *promoted, *others, f"{found.asked(cell):.0f}"])
    alike = epoch_to_epoch(found.surrogate)
    return f"{recorded}\n\nThe noise of the last two epochs correlates with {alike:.2f}.\n\n{table(columns, rows)}"


def _smoothing(surrogate: Surrogate, several: Sequence[int]) -> str:
    rows = []
    for epochs in several:
        one = smoothed(surrogate, epochs)
        numbers = (one.seeds, one.good_seeds, one.configurations)
        rows.append([str(epochs), *(f"{number:.2f}" for number in numbers), f"{one.reliability:.0%}"])
    columns = ["smooth_epochs", "seeds alone", "in the better half", "configurations", "reliable in the better half"]
    return table(columns, rows)


def _metrics() -> str:
    short, long = (compared(LONG, epoch=epoch, smooth_epochs=smooth) for epoch, smooth in ((6, 2), (24, 4)))
    rows = [
        [f"`{name}`", *(f"{share:.0%}" for one in (short[name], long[name]) for share in (one.in_all, one.reliability))]
        for name in OBJECTIVES
    ]
    return table(["objective", "6 epochs, all", "the better half", "24 epochs, all", "the better half"], rows)


def _foresight() -> str:
    names = {SHORT: "6 epochs", LONG: "24 epochs", LONG_KL: "24 epochs"}
    rows = [
        [name, f"`{recording.metric}`", *(f"{foresight(recording, way):.2f}" for way in WAYS)]
        for recording, name in names.items()
    ]
    return table(["trainings of", "objective", *WAYS], rows)


def _interval(one: Estimate) -> str:
    return f"{one.value:.2f} ({one.low:.2f}-{one.high:.2f})" if math.isfinite(one.value) else ""


def _costs(one: Estimate) -> str:
    value, low, high = (f"{cost:.0f}" if math.isfinite(cost) else "never" for cost in (one.value, one.low, one.high))
    return f"{value} ({low}-{high})"
