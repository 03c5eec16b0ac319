"""What a study will do, in a few lines for who is about to run it for hours, reckoned from its file alone."""

from __future__ import annotations

from colorgan.folder import SAMPLE, photo_folder, printable
from search.photo_mistakes import why_unconfirmable
from search.space import MAX_COMBINATIONS, Space
from search.study import StudySpec
from search.words import counted


def outlook(spec: StudySpec) -> list[str]:
    """Returns what is trained at most, for how long, what for, and on which photos."""
    return [
        _trainings(spec),
        f"each at most {_length(spec)}",
        _aims(spec),
        f"photos: {_photos(spec)}",
    ]


def trials_at_most(spec: StudySpec, limit: int | None) -> str:
    """Returns how many trials there are, further seeds aside.

    Args:
        spec: The study.
        limit: Of its space: as many configurations as there are.
    """
    wanted = spec.search.trials
    if limit is None or limit >= wanted:
        return counted(wanted, "trial")
    return f"{counted(limit, 'trial')} (there are no more configurations; {wanted:,} are wanted)"


def _trainings(spec: StudySpec) -> str:
    """Returns how many trials there are at most, and how many configurations where these can be counted."""
    wanted, limit = spec.search.trials, Space(spec.space, spec.train).limit(spec)
    first, seeds = min(wanted, limit or wanted), spec.search.seeds_per_trial
    line = f"{trials_at_most(spec, limit)} over {', '.join(spec.space)}"
    if limit is not None and wanted <= limit <= MAX_COMBINATIONS:
        line += f", which have {counted(limit, 'configuration')}"
    return line if seeds == 1 else f"{line}; with {seeds} seeds each at most {counted(first * seeds, 'trial')}"


def _length(spec: StudySpec) -> str:
    schedule = spec.train.schedule
    epochs = counted(schedule.epochs, "epoch")
    if "schedule.steps_per_epoch" in spec.space:
        return epochs
    if (steps := schedule.steps_per_epoch) is None:
        return f"{epochs}, each one pass over the photos to train on"
    return f"{epochs} of {counted(steps, 'step')}, {counted(schedule.epochs * steps, 'step')} in all"


def _aims(spec: StudySpec) -> str:
    """Returns what is searched for, and what must hold, in words."""
    smooth, first = spec.objective.smooth_epochs, spec.objective
    mean = f" (mean of the last {smooth} validations)" if smooth > 1 else ""
    aims = [f"{first.direction} {first.metric}{mean}"]
    aims += [f"{one.direction} {one.words()}" for one in spec.further_objectives]
    bounds = ", ".join(f"{key} {bounds.words()}" for key, bounds in spec.constraints.items())
    return f"{', '.join(aims)}{f'; the best must have {bounds}' if bounds else ''}"


def _photos(spec: StudySpec) -> str:
    photos = spec.train.data.photos
    folder = SAMPLE if photos == SAMPLE else printable(str(photo_folder(photos).absolute()))
    unconfirmed = why_unconfirmable(spec.train)
    return f"{folder}{f'; `make promote` will find none ({unconfirmed})' if unconfirmed else ''}"
