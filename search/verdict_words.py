"""A verdict in words: one headline and a few sentences, the same in the terminal and in the report."""

from __future__ import annotations

from shlex import quote

from colorgan.record import TrialRecord
from search.comparison import DEFAULT
from search.importance import MIN_CONFIGURATIONS, judged
from search.photo_mistakes import why_unconfirmable
from search.quantities import SIZE
from search.snapshot import count_states, ruled_out
from search.tradeoff import TradeOffError, study_front, trade_off
from search.verdict import CLEAR_LEAD, Candidate, Certainty, Verdict
from search.words import counted, duration, number

BADGES: dict[Certainty, str] = {
    "confirmed": "confirmed on fresh seeds",
    "refuted": "not confirmed: keep the default",
    "clear": "likely: lead beyond the noise",
    "unsettled": "not sure: lead within the noise",
    "default": "the default is best so far",
    "unknown": "not known how sure",
}
MOST_STEPS = 5
LEAST_FRONT = 3  # two trials have no knee between them
ROUGH_CONFIGURATIONS = 50  # below it an importance is rough: Optuna's documentation asks for 5 among the best tenth


def headline(verdict: Verdict) -> str:
    """Returns the verdict in one line."""
    best, metric = verdict.best, verdict.objective.metric
    if best is None:
        counts = count_states(verdict.result.records)
        done = counts["pruned"] + counts["failed"]
        if done and done == counts["failed"]:
            return f"No trial is complete: {'it' if done == 1 else f'all {done}'} failed"
        return "No trial is complete" + ("" if done else " yet")
    if winner := verdict.winner:
        name = "The default configuration" if winner.name == DEFAULT else f"Trial {winner.trial}"
        reached = f": {metric} {number(winner.mean)} on unseen photos" if winner.mean is not None else ""
        return f"{name} was promoted{reached}"
    name = "The default configuration" if best is verdict.default else f"Trial {best.number}"
    seeds = verdict.seeds[best.number].values
    of_seeds = f", the mean of {len(seeds)} seeds" if len(seeds) > 1 else ""
    return f"{name} is best: {metric} {number(verdict.value(best))}{of_seeds}"


def leads(verdict: Verdict) -> list[str]:
    """Returns by how much the best trial beats the default and doing nothing; a warning where it does not."""
    if verdict.best is None:
        return []
    reached = verdict.winner.mean if verdict.winner else verdict.value(verdict.best)
    if reached is None:
        return []
    sentences = []
    default = verdict.default
    if not verdict.winner and default is not verdict.best and default and default.state == "complete":
        but = "" if verdict.seeds[default.number].feasible else ", which violates a constraint"
        lead = _by(reached, verdict.value(default) or 0.0, verdict)
        sentences.append(f"{lead} than the default configuration (trial 0){but}.")
    for name, value in (verdict.confirmed_baselines if verdict.winner else verdict.baselines).items():
        sentences.append(f"{_by(reached, value, verdict)} than the {name} baseline.")
        if verdict.better(reached, than=value) <= 0:
            sentences[-1] += " By this metric it has not learned to colour."
    return sentences


def certainty(verdict: Verdict) -> list[str]:
    """Returns how sure the verdict is, and what would make it surer."""
    if verdict.best is None:
        return []
    if winner := verdict.winner:
        return _confirmed(verdict, winner)
    sentences = []
    default, second = verdict.lead_over(verdict.default), verdict.lead_over(verdict.second)
    if verdict.noise is None:
        sentences.append("The trials were validated too seldom to tell how much the objective swings by itself.")
    else:
        swing = f"From one validation to the next the objective swings by {verdict.noise:.2g} by itself"
        sentences.append(f"{swing} (standard deviation over the last validations of the best trials).")
    if verdict.best is not verdict.default and default and default.ratio is not None:
        sentences.append(f"The lead over the default is {_times(default.ratio)}.")
    if second and second.ratio is not None and verdict.second and verdict.second is not verdict.default:
        sentences.append(f"The lead over the next, trial {verdict.second.number}, is {_times(second.ratio)}.")
    if len(verdict.configurations) > 1:
        count = counted(len(verdict.configurations), "configuration")
        most = max(len(seeds.values) for seeds in verdict.seeds.values())
        once = "once, on one seed" if most == 1 else f"on at most {most} seeds"
        sentences.append(
            f"Each configuration was trained {once}, and seeds differ more than validations do; the best of {count} "
            f"also looks better than it is.{_promote(verdict, 'Confirm it')}"
        )
    return sentences


def importance(verdict: Verdict) -> list[str]:
    """Returns what mattered."""
    found, space = verdict.importances, verdict.space
    used = len(judged(verdict.result.spec, verdict.result.records))
    configurations = counted(used, "configuration")
    if not found:
        few = f"{configurations} complete or pruned, and it takes {MIN_CONFIGURATIONS}"
        why = few if used < MIN_CONFIGURATIONS else "the trials do not differ enough"
        return [f"Too early to say what mattered: {why}."]
    standing = [f"{space.label(one.path)} ({one.share:.0%})" for one in found if one.stands_out]
    if standing:
        sentences = [f"What decides whether a trial is among the best: {', '.join(standing)}."]
        if len(standing) < len(found):
            sentences.append("The other parameters explain no more than they would by chance.")
    else:
        sentences = [
            "No parameter explains more than it would by chance: the trials are too few, or the space too flat."
        ]
    if used < ROUGH_CONFIGURATIONS:
        sentences.append(f"From {configurations} this is rough; {ROUGH_CONFIGURATIONS} settle it.")
    return sentences


def cost(verdict: Verdict) -> list[str]:
    """Returns what the study has cost so far."""
    records, summary = verdict.result.records, verdict.result.summary
    training = sum(record.training_seconds for record in records)
    counts = {state: count for state, count in count_states(records).items() if count}
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    sentences = [
        f"{counted(len(records), 'trial')}{f' ({states})' if states else ''}: {duration(training)} of training."
    ]
    if summary.get("worker_seconds"):
        sentences.append(
            f"{duration(summary['wall_seconds'])} on {counted(summary['workers'], 'worker')}, "
            f"{summary['busy_share']:.0%} of their time spent training and validating."
        )
    if verdict.best:
        sentences.append(f"The {verdict.title} trial: {_price(verdict.best)}.")
    return sentences + _aims(verdict) + _trade(verdict)


def _aims(verdict: Verdict) -> list[str]:
    """Returns what constraints have ruled out, and what a study of several objectives has found."""
    sentences = []
    if verdict.aims.constraints:
        words = "; ".join(f"{key} {bounds.words()}" for key, bounds in verdict.aims.constraints.items())
        out = len(ruled_out(verdict.result.records))
        how = " on the mean of their seeds" if verdict.result.spec.search.seeds_per_trial > 1 else ""
        behind = f"{counted(out, 'trial')} violated a constraint ({words}){how} and cannot be the best."
        sentences.append(behind if out else f"No trial violated a constraint ({words}){how}.")
    if verdict.aims.several and (front := study_front(verdict.ranked, verdict.aims)):
        goals = [verdict.objective.metric, *(one.words() for one in verdict.aims.further)]
        listed = [
            f"trial {one.first.number} ({', '.join(map(number, (one.mean, *one.further.values())))})"
            for one in front[:MOST_STEPS]
        ]
        more = f" and {len(front) - MOST_STEPS} more" if len(front) > MOST_STEPS else ""
        sentences.append(
            f"No trial beats these in all objectives ({', '.join(goals)}): {', '.join(listed)}{more}."
            f"{_promote(verdict, 'To confirm their knee', ' PICK=knee')}"
        )
    return sentences


def _trade(verdict: Verdict) -> list[str]:
    """Returns what smaller networks reach, where a smaller one is not better anyway."""
    if verdict.aims.several:
        return []  # the front of its own objectives is what counts
    try:
        found = trade_off(verdict.ranked, verdict.objective, (SIZE,))
    except TradeOffError:
        return []
    if len(found.front) < LEAST_FRONT:
        return []
    knee = found.knee()
    steps = [
        f"trial {one.first.number} {number(one.mean)} with {one.first.parameters:,} weights"
        f"{' (the knee)' if one is knee else ''}"
        for one in found.front[:MOST_STEPS]
    ]
    more = f" and {len(found.front) - MOST_STEPS} more" if len(found.front) > MOST_STEPS else ""
    promote = _promote(verdict, "To confirm the knee", " PICK=knee")
    return [f"No trial is both better and smaller than these: {', '.join(steps)}{more}.{promote}"]


def _promote(verdict: Verdict, purpose: str, pick: str = "") -> str:
    """Returns, behind a space, the command that confirms; nothing where no photos are left for that."""
    again = " AGAIN=1" if verdict.confirmation else ""  # else what was promoted is in its way
    command = f"make promote STUDY={quote(str(verdict.result.folder))}{pick}{again}"
    return f" {purpose}: {command}" if not why_unconfirmable(verdict.result.spec.train) else ""


def _price(record: TrialRecord) -> str:
    size = f", {record.parameters:,} generator weights" if record.parameters else ""
    return f"{duration(record.training_seconds)} of training{size}"


def _by(value: float, reference: float, verdict: Verdict) -> str:
    margin = verdict.better(value, than=reference)
    of = abs(margin / reference) if reference else 0.0
    return f"{abs(margin):.3g} ({of:.1%}) {'better' if margin >= 0 else 'worse'}"


def _times(ratio: float) -> str:
    judged = "more than that explains" if ratio >= CLEAR_LEAD else "within what that explains"
    return f"{ratio:.1f} times the noise of such a difference, {judged}"


def _confirmed(verdict: Verdict, winner: Candidate) -> list[str]:
    candidates = verdict.confirmation.candidates if verdict.confirmation else ()
    seeds = max((len(candidate.values) for candidate in candidates), default=0)
    on = f"on {counted(seeds, 'fresh seed')} and photos that the search never saw"
    if winner.name == DEFAULT:
        return [f"Trained again {on}, no candidate surely beat the default configuration: keep it."]
    if winner.difference is None or not winner.interval:
        sentences = [f"Trained again {on}, {winner.name} is the best; the default failed or violates a constraint."]
    else:
        sentences = [f"Trained again {on}, {winner.name} kept its lead."]
        low, high = winner.interval
        gain = f"It beats the default by {number(winner.difference)} on average"
        level = f"{verdict.confirmation.level:.0%} " if verdict.confirmation else ""
        sentences.append(f"{gain} ({level}interval {number(low)} to {number(high)}).")
    known = {candidate.trial for candidate in candidates}
    best = next(iter(verdict.configurations), None)
    if best and not known & {record.number for record in best.records}:
        sentences.append(
            f"Trial {best.first.number} has reached {number(best.mean)} in the search and is not "
            f"confirmed.{_promote(verdict, 'To do so')}"
        )
    return sentences
