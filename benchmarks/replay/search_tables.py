"""What simulated searches were worth, as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.replay.findings import AFTER, FEW, Findings
from benchmarks.replay.markdown import costs, interval, table
from benchmarks.replay.noise import epoch_to_epoch
from benchmarks.replay.plan import AT_HOME, BUDGETS, PRUNERS, QUIET_METHODS, SMOOTH_EPOCHS, WHOLE, Cell
from benchmarks.replay.recording_tables import smoothing
from benchmarks.replay.regret import Estimate

LENGTH_SHARES = (0.16, 0.25, 0.5, 1.0)  # of the budget; the first is about the quickstart's
SUMMARY = {
    "6 epochs, drawn spaces": ("drawn", "2/2"),
    "6 epochs, the likeliest": ("variant", "2/2"),
    "24 epochs, drawn spaces": ("long drawn", "8/2"),
    "24 epochs, the likeliest": ("long", "8/2"),
    "24 epochs, drawn spaces, `valid/chroma_kl`": ("kl drawn", "8/2"),
}
"""What methods are compared on: the part of the plan, and where asha's rungs are there."""
SUMMED_UP: tuple[str, ...] = ("random, none", "cmaes, none", "tpe, none", "tpe, asha {}", "gp, none", "gp, asha {}")
SUMMED_UP += ("curve_gp, none", "curve_gp, asha {}")


def summary(found: Findings) -> str:
    """Returns what each method costs to find what random search finds, by length of training and kind of space."""
    rows = []
    for name in SUMMED_UP:
        row = [name.format("at a third")]
        for part, rungs in SUMMARY.values():
            goal = _random_goal(found, part)
            curves = [found.curves(cell, "found") for cell in _cells(found, part) if _label(cell) == name.format(rungs)]
            row.append(costs(curves[0].cost_of(goal.value)) if curves and goal else "")
        rows.append(row)
    return table(["trainings, at 2 workers", *SUMMARY], rows)


def amount(found: Findings, command: str) -> str:
    """Returns how much was simulated."""
    searches = sum(len(found.results[cell.name]) for cell in found.plan)
    trials = sum(search.asked for cell in found.plan for search in found.results[cell.name])
    return f"`{command}` has simulated {searches:,} searches of {trials:,} trials in all."


def pairs(found: Findings) -> str:
    """Returns all samplers and pruners, with few workers."""
    short = AFTER[:-1]
    columns = ["sampler", "pruner", *(f"found after {cost:.0f}" for cost in short), "cost of random's 100"]
    columns += ["promoted after 16", "after 50", "confirmed after 50", "begun", "searches"]
    rows = []
    for pair in found.pairs():
        best = [interval(one) for one in pair.found[:-1]]
        others = [interval(one) for one in (pair.promoted[0], pair.promoted[2], pair.confirmed[2])]
        rows.append(
            [pair.sampler, pair.pruner, *best, costs(pair.cost), *others, f"{pair.asked:.0f}", str(pair.searches)]
        )
    goals = found.goals
    head = (
        f"Random search's best of 100, with {', '.join(map(str, FEW))} workers together: it has found a regret of "
        f"{goals['found']}, would promote one of {goals['promoted']}, and after confirmation {goals['confirmed']}. The "
        f"default configuration has {found.default:.2f}."
    )
    return f"{head}\n\n{table(columns, rows)}"


def workers(found: Findings, workers: int) -> str:
    """Returns all samplers and pruners with so many workers."""
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
    return f"{interval(last)}, {reached}; {promoted.value:.2f}"


def variants(found: Findings) -> str:
    """Returns variants of what studies search with by default."""
    return _judged(found, _cells(found, "variant"), found.goals["found"].value)


def _cells(found: Findings, part: str) -> list[Cell]:
    """Returns a part's cells; beside the variants stands random search as it is at home."""
    plain = found.cells("cross", row="random", column="none", workers=[AT_HOME]) if part == "variant" else []
    return [*found.cells(part), *plain]


def _label(cell: Cell) -> str:
    return ", ".join(filter(None, (cell.row, cell.column)))


def quiet(found: Findings) -> str:
    """Returns what methods would be worth if seeds differed less."""
    goal = _random_goal(found, "drawn")
    if goal is None or not found.cells("quiet"):
        return ""
    columns = ["drawn spaces, 2 workers", "noise", *(f"found after {cost:.0f}" for cost in AFTER)]
    columns += ["cost of random's 100", "promoted after 16", "after 50"]
    rows = []
    for name in QUIET_METHODS:
        for cell in (*found.cells("drawn", row=name), *found.cells("quiet", row=name)):
            best, promoted = (found.curves(cell, measure) for measure in ("found", "promoted"))
            row = [cell.row, f"{cell.setting.noise:g}", *(interval(best.at(cost)) for cost in AFTER)]
            rows.append(
                [
                    *row,
                    costs(best.cost_of(goal.value)),
                    *(interval(promoted.at(cost)) for cost in (AFTER[0], AFTER[2])),
                ]
            )
    return table(columns, rows)


def beside_random(found: Findings, part: str) -> str:
    """Returns a part's table, with plain random search in the same spaces as the measure."""
    if (goal := _random_goal(found, part)) is None:
        return ""
    judged = _judged(found, found.cells(part), goal.value)
    return f"Random search's best of 100 has found a regret of {goal} here.\n\n{judged}"


def length(found: Findings) -> str:
    """Returns what trainings of either length are worth in the same time."""
    rows = []
    for share in LENGTH_SHARES:
        for cell in found.cells("length"):
            cost = share * cell.setting.trainings
            measures = [found.curves(cell, measure) for measure in ("found", "promoted", "confirmed")]
            seconds = f"{found.seconds(cell, cost):,.0f}"
            row = [seconds, cell.row, f"{cost:.3g}", *(interval(curves.at(cost)) for curves in measures)]
            rows.append([*row, f"{measures[1].worse_than_default(cost):.0%}"])
    columns = ["seconds, 2 workers", "tpe", "trainings", "found", "promoted", "confirmed"]
    return table([*columns, "promoted worse than default"], rows)


def confirm(found: Findings) -> str:
    """Returns what comes of numbers of fresh seeds."""
    columns = ["drawn spaces, 2 workers", "searched", "fresh seeds", "promoted unconfirmed", "confirmed"]
    rows = []
    for cost in (AFTER[0], AFTER[2]):
        for cell in found.cells("confirm"):
            promoted, confirmed = (found.curves(cell, measure) for measure in ("promoted", "confirmed"))
            row = [cell.row, f"{cost:.0f}", cell.column, interval(promoted.at(cost)), interval(confirmed.at(cost))]
            shares = [f"{curves.worse_than_default(cost):.0%}" for curves in (promoted, confirmed)]
            rows.append([*row, *shares, f"{found.retrained(cell, cost):.0f}"])
    return table([*columns, "worse than default, unconfirmed", "confirmed", "trainings to confirm"], rows)


def _random_goal(found: Findings, part: str) -> Estimate | None:
    """Returns what plain random search finds in a part's spaces; None where that was not simulated."""
    if part == "variant":
        return found.goals["found"]
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
        row = [_label(cell), *(interval(best.at(cost)) for cost in looked_at)]
        row += [costs(best.cost_of(goal)), *(interval(promoted.at(cost)) for cost in (AFTER[0], AFTER[-1]))]
        row += [f"{promoted.worse_than_default(cost):.0%}" for cost in looked_at]
        rows.append([*row, interval(confirmed.at(WHOLE)), f"{confirmed.worse_than_default(WHOLE):.0%}"])
    return table(columns, rows)


def noise(found: Findings) -> str:
    """Returns what several epochs or seeds in one objective are worth."""
    recorded = smoothing(found.surrogate, SMOOTH_EPOCHS)
    columns = ["tpe, none, 2 workers", *(f"promoted after {cost:.0f}" for cost in AFTER[1:]), "found after 100"]
    columns += ["confirmed after 100", "begun"]
    rows = []
    for cell in found.cells("noise"):
        promoted = [interval(found.curves(cell, "promoted").at(cost)) for cost in AFTER[1:]]
        others = [interval(found.curves(cell, measure).at(WHOLE)) for measure in ("found", "confirmed")]
        rows.append([cell.row, *promoted, *others, f"{found.asked(cell):.0f}"])
    alike = epoch_to_epoch(found.surrogate)
    return f"{recorded}\n\nThe noise of the last two epochs correlates with {alike:.2f}.\n\n{table(columns, rows)}"
