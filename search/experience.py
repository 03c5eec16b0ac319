"""What a study knows before it begins: configurations that are known to be good, and trials of earlier studies.

A trial of another study counts as if it were this one's where it could be one of it: its configuration can be made in
this space, all that is not searched here is equal, the photos under its path are still those that it was trained on,
and it was measured by the same objective. Then its value compares.
The spaces themselves may differ. What was taken is kept in `learned.json`, so a study that goes on knows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import optuna
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial
from pydantic import Field, ValidationError

from colorgan.config import ConfigError, Part, TrainConfig, load_config
from colorgan.photos import open_photos
from colorgan.record import TrialRecord, write_whole
from colorgan.regular_file import read_regular
from colorgan.seal import SealError, sealed, unsealed
from search.aims import Aims
from search.known_photos import KnownPhotos
from search.parameter import Scalar
from search.space import Params, Space
from search.storage import StudyFolder
from search.study import StudyError, StudySpec, read_study


class Lesson(Part):
    """A finished trial of another study, in the words of this one.

    Attributes:
        study: Its study's name.
        trial: Its number there.
        params: What it would have been sampled as here.
        value: The objective at its end; None where it was stopped before.
        further: This study's further objectives, in their order.
        violations: Of this study's constraints.
        reports: The objective by epoch.
    """

    study: str
    trial: int
    params: dict[str, Scalar]
    value: float | None
    reports: dict[int, float]
    further: Annotated[tuple[float, ...], Field(strict=False)] = ()
    violations: dict[str, float] = Field(default_factory=dict)


class Lessons(Part):
    """All that a study learned before it began, as it is kept."""

    trials: tuple[Lesson, ...] = ()


def known_good(spec: StudySpec, space: Space) -> list[Params]:
    """Returns the configurations that the study is to begin with, as parameters.

    Raises:
        StudyError: A file of one cannot be read, or is not of this space.
    """
    return [_from_file(entry, space) if isinstance(entry, str) else space.complete(entry) for entry in spec.enqueue]


def learn(spec: StudySpec, space: Space) -> tuple[tuple[Lesson, ...], list[str]]:
    """Returns what the study can learn from the studies that it names, and a note for people on each of them.

    Raises:
        StudyError: There is no such study, or it searched another objective.
    """
    lessons: list[Lesson] = []
    notes: list[str] = []
    for place in spec.learn_from:
        folder = StudyFolder(Path(place))
        earlier = _read(folder, spec)
        records = [record for record in folder.records() if record.state in ("complete", "pruned")]
        found = [lesson for record in records if (lesson := _lesson(record, earlier, space, Aims(spec))) is not None]
        why_none = _other_photos(folder, earlier) if found else _why_none(records, earlier, space)
        taken = [] if why_none else found
        lessons += taken
        notes.append(f"learns from {len(taken)} of {len(records)} trials of {place}{why_none}")
    return tuple(lessons), notes


def learned_once(spec: StudySpec, space: Space, folder: StudyFolder, say: Callable[[str], None]) -> list[FrozenTrial]:
    """Returns what the study learned when it began; when it begins that is learned, said and kept.

    Args:
        spec: The study.
        space: Its space.
        folder: Its files, owned by this process.
        say: Is told where lessons come from.

    Raises:
        StudyError: As `learn`, or what was kept is damaged.
        OSError: The disk is full or the folder cannot be written.
    """
    if not spec.learn_from:
        return []
    lessons = _kept(folder) if folder.study.exists() else None  # one that could not begin may have been mended since
    if lessons is None:
        lessons, notes = learn(spec, space)
        for note in notes:
            say(note)
        write_whole(folder.learned, sealed(Lessons(trials=lessons).model_dump_json(indent=1)))
    return as_trials(lessons, space)


def check_sources(spec: StudySpec, space: Space) -> None:
    """Checks that what a new study names is there.

    Raises:
        StudyError: As `known_good` and `learn`.
    """
    known_good(spec, space)
    for place in spec.learn_from:
        _read(StudyFolder(Path(place)), spec)


def _kept(folder: StudyFolder) -> tuple[Lesson, ...] | None:
    try:
        return Lessons.model_validate_json(unsealed(read_regular(folder.learned).decode())).trials
    except FileNotFoundError:
        return None
    except (OSError, SealError, UnicodeDecodeError, ValidationError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise StudyError(
            f"{folder.learned}: what the study learned before it began cannot be read ({reason}); restore the file, or "
            "remove it to learn anew"
        ) from None


def as_trials(lessons: Sequence[Lesson], space: Space) -> list[FrozenTrial]:
    """Returns lessons as Optuna's finished trials, numbered from 0, with the distributions of the space."""
    return [_trial(number, lesson, space) for number, lesson in enumerate(lessons)]


def _trial(number: int, lesson: Lesson, space: Space) -> FrozenTrial:
    fixed = FixedTrial(dict(lesson.params))
    space.suggest(cast(optuna.Trial, fixed))  # learns the distributions
    last = lesson.reports[max(lesson.reports)]
    stopped = lesson.value is None and not lesson.further  # of several objectives samplers compare complete ones alone
    trial = create_trial(
        state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
        values=[last if lesson.value is None else lesson.value, *lesson.further],
        params=fixed.params,
        distributions=fixed.distributions,
        intermediate_values=lesson.reports,
        constraints=lesson.violations,
    )
    trial.number = number
    return trial


def _read(folder: StudyFolder, spec: StudySpec) -> StudySpec:
    if not folder.study.exists():
        raise StudyError(f"learn_from: {folder.path}: no study here (no study.yaml); name a folder in results/")
    earlier = read_study(folder.study)
    ours, theirs = (
        f"{one.metric} ({one.direction}, smooth_epochs {one.smooth_epochs})"
        for one in (spec.objective, earlier.objective)
    )
    if ours != theirs:
        raise StudyError(
            f"learn_from: {folder.path}: searched {theirs}, this study {ours}, so its values do not compare. Use the "
            "same objective, or give its best configuration under enqueue"
        )
    return earlier


def _why_none(records: Sequence[TrialRecord], earlier: StudySpec, space: Space) -> str:
    """Returns what keeps trials from being of this study, of the first where it can be said."""
    configs = ((record.number, _config(record, earlier)) for record in records)
    reasons = ((number, space.why_not(config)) for number, config in configs if config is not None)
    return next((f": they are not of this study; of trial {number} {why}" for number, why in reasons if why), "")


def _other_photos(folder: StudyFolder, earlier: StudySpec) -> str:
    """Returns how the photos under an earlier study's path have changed since it began, or nothing."""
    known = KnownPhotos.read(folder.photos)
    changed = known.difference(open_photos(earlier.train.data)) if known else ""
    return f": data.photos: {earlier.train.data.photos}: {changed}" if changed else ""


def _lesson(record: TrialRecord, earlier: StudySpec, space: Space, aims: Aims) -> Lesson | None:
    config = _config(record, earlier)
    params = None if config is None else space.params_of(config)
    if params is None or not record.reports or aims.unknown(record):
        return None
    return Lesson(
        study=earlier.name,
        trial=record.number,
        params=params,
        value=record.objective if record.state == "complete" else None,
        reports=record.reports,
        further=tuple(aims.further_values(record).values()),
        violations=aims.violations(record),
    )


def _config(record: TrialRecord, earlier: StudySpec) -> TrainConfig | None:
    try:
        return Space(earlier.space, earlier.train).to_config(dict[str, Any](record.params), seed=record.seed)
    except ConfigError:
        return None


def _from_file(path: str, space: Space) -> Params:
    try:
        config = load_config(Path(path))
    except ConfigError as error:
        raise StudyError(f"enqueue: {error}") from None
    params = space.params_of(config)
    if params is None:
        raise StudyError(
            f"enqueue: {path}: this configuration cannot be made in this study: {space.why_not(config)}. Widen the "
            "space, change `train`, or give values under enqueue instead, by dotted path"
        )
    return params
