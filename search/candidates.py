"""Which configurations of a study are worth confirming: the best few, or those that a person picks, and the default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from colorgan.config import Part
from colorgan.errors import BadInputError
from colorgan.record import TrialRecord
from search.aims import Aims
from search.comparison import DEFAULT
from search.parameter import Scalar
from search.quantities import SIZE
from search.run import StudyResult, load_noted
from search.snapshot import by_seeds, group_name, ranked
from search.space import Space
from search.tradeoff import TradeOff, study_trade_off, trade_off

MOST_DIGITS = 9  # of a trial's number
KNEE, WEIGHTS = "knee", "weights"


class PromoteError(BadInputError):
    """Nothing can be promoted; the message says why and what to do."""


class Candidate(Part):
    """A configuration to confirm.

    Attributes:
        name: Its group: `default`, or `trial-0013`.
        trial: Its number in the study; None for a default that was no trial.
        params: As sampled.
        searched: Its objective in the study; None where it did not finish there.
    """

    name: str
    trial: int | None
    params: dict[str, Scalar]
    searched: float | None


def candidates(study: StudyResult, top: int, pick: Sequence[int]) -> tuple[Candidate, ...]:
    """Returns the default and the configurations to confirm, each once."""
    space = Space(study.spec.space, study.spec.train)
    params, _ = space.default_params()
    searched = {number: seeds.mean for number, seeds in by_seeds(study.records).items()}
    taken = {space.key(params)}
    default = next((record for record in study.records if space.key(record.params) in taken), None)
    found = [
        Candidate(
            name=DEFAULT,
            trial=default.number if default else None,
            params=params,
            searched=searched.get(default.number) if default else None,
        )
    ]
    for record in _picked(study, pick) if pick else ranked(study.records, study.spec.objective.direction):
        if len(found) <= (len(pick) or top) and (key := space.key(record.params)) not in taken:
            taken.add(key)
            name = group_name(record.number)
            found.append(
                Candidate(name=name, trial=record.number, params=record.params, searched=searched[record.number])
            )
    if len(found) < 2:
        which, advice = ("picked", "Pick another") if pick else ("complete", "Let the study run further, then promote")
        raise PromoteError(
            f"{study.folder}: no {which} trial differs from the default configuration, so there is nothing to "
            f"confirm. {advice}"
        )
    return tuple(found)


def choose(folder: Path, picks: Sequence[str], against: Sequence[str], weights: Sequence[float]) -> list[int]:
    """Returns the numbers of the trials that a person picked.

    Args:
        folder: The study's results.
        picks: Numbers of trials, `knee` or `weights`.
        against: For the latter two: what is traded against the objective; by default the study's further objectives,
            or `parameters` where it has none.
        weights: For `weights`: one for the objective, one each for `against`.

    Raises:
        PromoteError: A pick is none of these, or `against` or `weights` are given to none that heeds them.
        TradeOffError: No such trade-off.
    """
    if against and not {KNEE, WEIGHTS} & set(picks):
        raise PromoteError(f"--against {against[0]}: only --pick {KNEE} and --pick {WEIGHTS} heed it; add one of them")
    if weights and WEIGHTS not in picks:
        raise PromoteError(f"--weight {weights[0]:g}: only --pick {WEIGHTS} heeds it; add that")
    (study, _), numbers = load_noted(folder), list[int]()
    for pick in picks:
        if pick in (KNEE, WEIGHTS):
            found = _trade_off(study, against)
            numbers.append((found.knee() if pick == KNEE else found.weighted(weights)).first.number)
        elif pick.isdecimal() and len(pick) <= MOST_DIGITS:
            numbers.append(int(pick))
        else:
            raise PromoteError(f"pick {pick!r}: give the number of a trial, {KNEE} or {WEIGHTS}")
    return numbers


def _trade_off(study: StudyResult, against: Sequence[str]) -> TradeOff:
    aims = Aims(study.spec)
    if aims.several and not against:
        return study_trade_off(study.records, aims)
    return trade_off(study.records, study.spec.objective, against or (SIZE,))


def _picked(study: StudyResult, pick: Sequence[int]) -> list[TrialRecord]:
    by_number = {record.number: record for record in study.records if record.state == "complete"}
    if unknown := [number for number in pick if number not in by_number]:
        raise PromoteError(
            f"{study.folder}: trial {unknown[0]} is not a complete trial of this study; complete are "
            f"{', '.join(map(str, sorted(by_number))) or 'none'}"
        )
    return [by_number[number] for number in pick]
