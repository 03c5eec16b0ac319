"""Hyperband's brackets, laid out anew from what is noted of each trial, and the pruner that keeps to them.

KerasTuner's Hyperband gives each trial a number of epochs, and lets the best of a round go on in the next. Here all
trials are of one length, so a trial of a bracket ends as pruned after its epochs, at its value there; the last round
is trained to the end. What goes on is a new trial of the same parameters and the same seed, from its start: the same
numbers as before, and then more. (KerasTuner loads the best weights, without the optimizer's state.)
"""
# ruff: noqa: ARG002 - Optuna calls the pruner with these

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from search.oracle import Proposal, proposal
from search.space import Params


class Brackets:
    """The brackets of one of KerasTuner's `HyperbandOracle`s."""

    def __init__(self, oracle: Any, proposals: Mapping[int, Proposal | None]) -> None:
        """Gives the oracle the brackets of all trials so far.

        Args:
            oracle: New.
            proposals: By number of the trial; None for those that no oracle has proposed, and are in no bracket.
        """
        self._oracle = oracle
        placed = {number: made for number, made in proposals.items() if made and made.bracket is not None}
        oracle._brackets = []
        for ordinal in range(1 + max((made.bracket or 0 for made in placed.values()), default=0)):
            self._begin(ordinal)
        self._all: list[dict[str, Any]] = list(oracle._brackets)
        for number, made in placed.items():
            past = None if made.past is None else str(made.past)
            self._all[made.bracket or 0]["rounds"][made.round].append({"past_id": past, "id": str(number)})

    def proposal(self, number: int, params: Params) -> Proposal:
        """Returns what the oracle has just proposed, with its place.

        Args:
            number: The trial's, as the oracle was told.
            params: What the oracle's values mean.
        """
        self._all += [bracket for bracket in self._oracle._brackets if not any(bracket is known for known in self._all)]
        for ordinal, bracket in enumerate(self._all):
            for place, entries in enumerate(bracket["rounds"]):
                for entry in entries:
                    if entry["id"] == str(number):
                        epochs = self._oracle._get_epochs(bracket["bracket_num"], place)
                        past = None if entry["past_id"] is None else int(entry["past_id"])
                        return Proposal(params=params, bracket=ordinal, round=place, past=past, epochs=epochs)
        raise LookupError(f"KerasTuner's Hyperband has put trial {number} in no bracket")

    def _begin(self, ordinal: int) -> None:
        """Begins a bracket; they go from the one that halves most to the one that does not halve, and again."""
        count = self._oracle._get_num_brackets()
        self._oracle._current_iteration, place = divmod(ordinal, count)
        self._oracle._current_bracket = count - 1 - place
        self._oracle._start_new_bracket()


class BracketPruner(optuna.pruners.BasePruner):
    """Ends each trial of a bracket after its epochs."""

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Returns whether the trial has had its epochs, or more where not each epoch is validated."""
        made = proposal(trial.system_attrs)
        return made is not None and made.epochs is not None and (trial.last_step or 0) >= made.epochs


def first_of(study: optuna.Study, number: int) -> int:
    """Returns the trial that a trial repeats and goes beyond, through all rounds; itself if there is none."""
    trials = study.get_trials(deepcopy=False)
    while (made := proposal(trials[number].system_attrs)) and made.past is not None:
        number = made.past
    return number
