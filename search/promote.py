"""From a study to a configuration worth training: the best few and the default, again, on fresh seeds and photos.

The best of many trials was also lucky. So the best few distinct configurations and the default are trained anew, all on
the same seeds that no trial had, and scored on the `confirm` photos that no trial saw, as a study of their own in
`results/<study>/confirm/`; on a few seeds each, and on more as long as they do not tell. One is promoted only where it
is surely better than the default (`confirmation.py`). Which these are is `candidates.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorgan.backend_choice import check_installed
from colorgan.errors import CannotRunError
from colorgan.links import refuse_links_out
from colorgan.record import FINISHED, TrialRecord
from search.admission import check_photos, usable_photos
from search.candidates import Candidate, PromoteError, candidates
from search.comparison import Direction, Scores, winner
from search.confirmation import Design, Standing, scores, standing
from search.confirmation_study import Confirmation, begin, confirmation_study, mend_study, move_aside
from search.photo_mistakes import why_unconfirmable
from search.run import HERE, StudyResult, load_noted, run_in
from search.source import SEEDS, Plan, PlannedTrial
from search.storage import StudyFolder
from search.study import StudySpec
from search.view import View
from search.workplace import Workplace

SEEDS_EACH, MOST_SEEDS = 4, 16  # docs/methods_measured.md, "What confirmation makes of it"
FRESH_SEEDS_FROM = 1_000_000  # after train.seed; the search's own are train.seed + number of the trial


class InterruptedPromotion(CannotRunError):  # noqa: N818 - not a mistake of anybody's
    """The confirmation was stopped and left resumable."""


@dataclass(frozen=True)
class Promotion:
    """A finished confirmation.

    Attributes:
        study: The study that it confirms.
        confirmed: The confirmation as a study.
        plan: What was trained.
        scores: Objective on the `confirm` photos, by candidate and seed, as far as it was judged by.
        fit: Those of the candidates that may be promoted, which alone decided: none that failed on a seed, or violates
            a constraint on average.
        promoted: The candidate that is promoted.
    """

    study: StudyResult
    confirmed: StudyResult
    plan: Confirmation
    scores: Scores
    fit: Scores
    promoted: Candidate

    @property
    def direction(self) -> Direction:
        """Which way the objective is better."""
        return self.study.spec.objective.direction

    @property
    def level(self) -> float:
        """Of an interval by itself; those of all looks together have `comparison.LEVEL`."""
        return self.plan.design(self.direction).level


def confirm(
    folder: Path,
    *,
    top: int = 3,
    seeds: int = SEEDS_EACH,
    most_seeds: int | None = None,
    pick: Sequence[int] = (),
    again: bool = False,
    workers: int | None = None,
    view: View | None = None,
    workplace: Workplace = HERE,
) -> Promotion:
    """Trains the confirmation of a study, or goes on with it, and decides what to promote.

    Args:
        folder: The study's results.
        top: How many of its best distinct configurations.
        seeds: How many seeds each, after which it is judged, and again after as many, as long as that could tell more.
        most_seeds: How many seeds each at most; by default 16, or `seeds` where that is more.
        pick: Numbers of the trials to confirm instead of the best.
        again: Move an earlier confirmation and what it promoted aside, and begin anew, once nothing can be refused.
        workers: Instead of the study's.
        view: Shows progress.
        workplace: Where it is trained.

    Raises:
        PromoteError: The study has nothing to confirm it on, or another confirmation was begun.
        StudyError: The photos are not those of the search.
        InterruptedPromotion: It was stopped; the same call goes on.
        CannotRunError: As `search.run_study`.
    """
    most = max(MOST_SEEDS, seeds) if most_seeds is None else most_seeds
    if most < seeds:
        raise PromoteError(f"at most {most} seeds, but {seeds} at the least: give --most-seeds no less than --seeds")
    view = view or View()
    refuse_links_out(folder)
    (study, notes), place = load_noted(folder), StudyFolder(folder).confirmation
    for note in notes:
        view.say(note)
    if reason := why_unconfirmable(study.spec.train):
        raise PromoteError(f"{folder}: no photos are left that no trial saw: {reason}. Promote a study that has some")
    wanted = Confirmation(candidates=candidates(study, top, pick), seeds=_fresh_seeds(study.spec, most), every=seeds)
    spec = confirmation_study(study.spec, wanted, workers)
    check_installed(spec.train.backend)  # it and all else before anything is written or moved
    check_photos(spec, StudyFolder(folder), usable_photos(spec))
    workplace.store(spec.name)
    for moved in move_aside(folder) if again else ():
        view.say(f"kept as {moved}")
    plan = begin(place, wanted)
    design = plan.design(spec.objective.direction)
    trials = [
        PlannedTrial(candidate.params, seed, candidate.name) for seed in plan.seeds for candidate in plan.candidates
    ]

    mend_study(place)
    confirmed = run_in(place, spec, view=view, plan=Plan(trials, _skip(design)), workplace=workplace)
    if confirmed.summary.get("ending") != "finished":
        ending = confirmed.summary.get("ending")
        goes_on = f"the same command goes on{', without --again' if again else ''}"
        raise InterruptedPromotion(f"the confirmation ended before its time ({ending}); {goes_on}")
    return decide(study, confirmed, plan)


def decide(study: StudyResult, confirmed: StudyResult, plan: Confirmation) -> Promotion:
    """Returns what a finished confirmation has come to.

    Raises:
        CannotRunError: No trial was completed, or no candidate that did not fail on a seed, or violate a constraint.
    """
    place, design = StudyFolder(confirmed.folder), plan.design(study.spec.objective.direction)
    if not scores(confirmed.records):
        raise CannotRunError(f"{place.path}: no trial was completed; the reasons are in {place.trials_table}")
    found = standing(confirmed.records, design)
    if not found.fit:
        held = ", and held the study's constraints on average" if study.spec.constraints else ""
        raise CannotRunError(
            f"{place.path}: no candidate, not even the default, was trained to its end on each fresh seed{held} "
            f"({place.trials_table}). Let the study run further, or confirm others with --pick and --again"
        )
    names = {candidate.name: candidate for candidate in plan.candidates}
    promoted = names[winner(found.fit, design.direction, level=design.level)]
    return Promotion(study, confirmed, plan, scores=found.scores, fit=found.fit, promoted=promoted)


def _skip(design: Design) -> Callable[[str, Iterable[TrialRecord]], str]:
    """Returns what tells a plan why a candidate needs no more seeds."""
    judged: dict[int, Standing] = {}  # by how many trials have finished

    def skip(group: str, records: Iterable[TrialRecord]) -> str:
        finished = [record for record in records if record.state in FINISHED]
        if len(finished) not in judged:
            judged[len(finished)] = standing(finished, design)
        reason = judged[len(finished)].settled.get(group, "")
        return f"{group} needs no more seeds: {reason}" if reason else ""

    return skip


def _fresh_seeds(spec: StudySpec, count: int) -> tuple[int, ...]:
    return tuple((spec.train.seed + FRESH_SEEDS_FROM + number) % SEEDS for number in range(count))
