"""Which parameters mattered: PED-ANOVA of Optuna, set beside what it finds where nothing matters.

An importance alone says little: the shares sum to one in pure noise too. So each is measured again on the same trials
with their ranks shuffled; a parameter stands out where it explains more than nearly all shuffles do.
Pruned trials take part, ranked below every complete one as in Optuna's TPE: in a study that prunes well they are most
of what is known of bad regions, and PED-ANOVA needs ranks only. So do those that violate a constraint, for none of them
is among the best. A configuration counts once, whatever the number of its seeds: as so many trials it would pass for
that many that agree, which no shuffle brings about; nor do the shorter trials count that Hyperband gave it before.
Source: Watanabe et al. 2023, arXiv 2304.10255; conditional parameters: arXiv 2601.20800.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from colorgan.record import TrialRecord
from search.snapshot import Seeds, best_first, configurations
from search.space import Key, Space
from search.study import StudySpec

MIN_CONFIGURATIONS = 10  # complete or pruned; below that a ranking is a guess
GOOD_SHARE, MIN_GOOD = 0.1, 5  # of them count as good: Optuna's default, and the least its documentation advises
SHUFFLES, CHANCE_QUANTILE = 60, 0.95


@dataclass(frozen=True)
class Importance:
    """How much one parameter mattered.

    Attributes:
        path: The parameter.
        share: Its part of all parameters' importance, in [0, 1].
        chance: The share that it would have had in 19 of 20 shuffles, or less; may be above 1.
    """

    path: str
    share: float
    chance: float

    @property
    def stands_out(self) -> bool:
        """Whether it mattered more than by chance."""
        return self.share > self.chance


def importances(spec: StudySpec, records: Sequence[TrialRecord]) -> tuple[Importance, ...]:
    """Returns the parameters' importances, the largest first; empty where the trials are too few to say."""
    space, order = Space(spec.space, spec.train), judged(spec, records)
    complete = sum(seeds.feasible for seeds in _distinct(space, records).values())
    if len(order) < MIN_CONFIGURATIONS or not complete:
        return ()
    study = _in_memory(space, order)
    good = max(math.ceil(GOOD_SHARE * len(order)), min(MIN_GOOD, complete))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=good / len(order))
    ranks = np.arange(len(order), dtype=float)
    found = _evaluate(study, evaluator, ranks)
    total = sum(found.values())
    if not math.isfinite(total) or total <= 0:
        return ()
    rng = np.random.default_rng(0)
    shuffled = [_evaluate(study, evaluator, rng.permutation(ranks)) for _ in range(SHUFFLES)]
    chance = {path: float(np.quantile([one[path] for one in shuffled], CHANCE_QUANTILE)) for path in found}
    shares = [Importance(path, value / total, chance[path] / total) for path, value in found.items()]
    return tuple(sorted(shares, key=lambda importance: -importance.share))


def judged(spec: StudySpec, records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Returns a trial of each configuration that says what mattered: by rank, then infeasible, then pruned ones."""
    space = Space(spec.space, spec.train)
    complete = _distinct(space, records)
    pruned = {space.key(record.params): record for record in records if record.state == "pruned"}
    order = best_first(complete.values(), spec.objective.direction)
    order += [seeds for seeds in complete.values() if not seeds.feasible]
    return [
        *(seeds.first for seeds in order),
        *(record for key, record in pruned.items() if key not in complete),
    ]


def _distinct(space: Space, records: Sequence[TrialRecord]) -> dict[Key, Seeds]:
    """Returns what each configuration came to, one that the sampler repeated as one, in the order of the first."""
    found: dict[Key, Seeds] = {}
    for seeds in configurations(records):
        key = space.key(seeds.first.params)
        found[key] = Seeds((*found[key].records, *seeds.records)) if key in found else seeds
    return found


def _evaluate(
    study: optuna.Study, evaluator: PedAnovaImportanceEvaluator, ranks: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> dict[str, float]:
    """Returns the importances, not normalized, of ending up with a low rank; `ranks` is by trial number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `normalize` and `target` warn by their mere use, few trials are told by us
        return get_param_importances(
            study, evaluator=evaluator, target=lambda trial: float(ranks[trial.number]), normalize=False
        )


def _in_memory(space: Space, records: Sequence[TrialRecord]) -> optuna.Study:
    """Returns a study of its own with these trials, numbered and valued in this order; no file is touched."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for rank, record in enumerate(records):
        fixed = optuna.trial.FixedTrial(record.params)
        space.suggest(fixed)  # type: ignore[arg-type] # has the distributions then
        study.add_trial(optuna.create_trial(params=fixed.params, distributions=fixed.distributions, value=float(rank)))
    return study
