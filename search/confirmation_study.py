"""A confirmation as a study of its own in `confirm/`, with its plan: begun, gone on with, or moved aside."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from colorgan.config import Part
from colorgan.mistakes import explain, listed
from colorgan.record import write_whole
from colorgan.regular_file import read_regular
from colorgan.strict_yaml import read_yaml, write_yaml
from search.candidates import Candidate, PromoteError
from search.comparison import LEAST_SEEDS, Direction
from search.confirmation import Design
from search.ownership import owned
from search.storage import StudyFolder
from search.study import StudySpec

PLAN_FILE = "plan.json"
NAME_LENGTH = 56  # of a study's 64 characters, so that `-confirm` fits behind it


class Confirmation(Part):
    """What is trained: every candidate, the default first, seed by seed, each as long as more seeds could tell more.

    Attributes:
        candidates: All of them.
        seeds: Of each of them, at most.
        every: Seeds after which it is looked at what came of them, and again after as many.
    """

    candidates: tuple[Candidate, ...] = Field(min_length=2)
    seeds: tuple[int, ...] = Field(min_length=LEAST_SEEDS)
    every: int = Field(default=LEAST_SEEDS, ge=LEAST_SEEDS)

    def design(self, direction: Direction) -> Design:
        """Returns it as its statistics see it."""
        return Design([candidate.name for candidate in self.candidates], self.seeds, self.every, direction)


def begin(folder: StudyFolder, wanted: Confirmation) -> Confirmation:
    """Writes the plan of a new confirmation; one that was begun goes on only with the same plan.

    Raises:
        PromoteError: It was begun with another, or its plan is damaged.
    """
    path = folder.path / PLAN_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, wanted.model_dump_json(indent=1))
        return wanted
    try:
        begun = Confirmation.model_validate_json(read_regular(path))
    except ValidationError:
        raise PromoteError(f"{path}: damaged. With --again the confirmation is moved aside and begun anew") from None
    if begun != wanted:
        names = ", ".join(candidate.name for candidate in begun.candidates)
        raise PromoteError(
            f"{path.parent}: another confirmation was begun here: {names} on {begun.every} to {len(begun.seeds)} "
            "seeds. Give what it was begun with to go on with it, or --again to move it aside and begin anew"
        )
    return begun


def confirmation_study(spec: StudySpec, plan: Confirmation, workers: int | None) -> StudySpec:
    """Returns the confirmation as a study: the same trials, measured on other photos, none stopped early.

    Raises:
        PromoteError: It would be no valid study.
    """
    tree = spec.model_dump()
    changes = {
        "trials": len(plan.candidates) * len(plan.seeds),
        "sampler": {"name": "random"},
        "pruner": {"name": "none"},
        "start_with_default": False,
        "study_timeout_seconds": None,
        "keep_checkpoints": 0,
        **({"workers": workers} if workers else {}),
    }
    tree["name"] = f"{spec.name[:NAME_LENGTH]}-confirm"
    tree["train"]["validation"]["part"] = "confirm"
    tree["search"] |= changes
    try:
        return StudySpec.model_validate(_only_planned(tree))
    except ValidationError as error:
        raise PromoteError("\n".join(listed(explain(error, StudySpec)))) from None


def mend_study(folder: StudyFolder) -> None:
    """Takes out of a confirmation that was begun what it once took from its study, and could not go on with.

    Raises:
        StudyBusyError: Another process runs it.
        YamlError: It cannot be read.
    """
    tree = read_yaml(folder.study).value if folder.study.exists() else None
    if isinstance(tree, dict) and isinstance(tree.get("search"), dict) and tree != (mended := _only_planned(tree)):
        with owned(folder.lock):
            write_whole(folder.study, write_yaml(mended))


def move_aside(folder: Path) -> list[str]:
    """Keeps an earlier confirmation and what it promoted under names with the next free number; returns these.

    Raises:
        StudyBusyError: Another process runs that confirmation.
    """
    confirmation = StudyFolder(folder).confirmation
    places, number = (StudyFolder(folder).promoted, confirmation.path), 1
    while any(place.with_name(f"{place.name}-{number}").exists() for place in places):
        number += 1
    with owned(confirmation.lock) if confirmation.path.exists() else nullcontext():
        return [str(place.rename(place.with_name(f"{place.name}-{number}"))) for place in places if place.exists()]


def _only_planned(tree: dict[str, Any]) -> dict[str, Any]:
    """Returns a study without what would give it other trials than those of its plan."""
    return {**tree, "enqueue": [], "learn_from": [], "search": {**tree["search"], "seeds_per_trial": 1}}
