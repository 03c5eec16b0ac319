"""What an evaluation leaves behind: a row a photo, a summary for machines, sheets of photos, a table for the terminal.

<folder>/evaluation.csv  summary.json  evenly_spaced.png  worst.png  best.png
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from colorgan.epoch import VALID_METRICS
from colorgan.evaluate import GRAY, MODEL, RANKED_BY, TINT, Evaluation, evaluate, examples
from colorgan.folder import expanded
from colorgan.links import real_path
from colorgan.model import load_model
from colorgan.named_photos import SCALE
from colorgan.new_folder import free_name, new_folder
from colorgan.plain_console import PlainConsole
from colorgan.sheets import write_sheet
from colorgan.versions import versions

if TYPE_CHECKING:
    from colorgan.named_photos import NamedPhoto, Selection

SHEET_PHOTOS = 8  # on each sheet: what one looks at without scrolling far
_NAMED = 3  # skipped files that the terminal names; the summary has all
_ARROWS = {"minimize": "\u2193", "maximize": "\u2191", None: ""}


def evaluate_model(path: Path, photos: str, *, part: Selection, out: Path | None, console: PlainConsole) -> Path:
    """Measures a model on photos, shows progress and the table, and returns the folder of what it wrote.

    Args:
        path: Of the model, as `find_model` takes it.
        photos: `sample` or a folder.
        part: Which of them.
        out: A folder that is not there yet; None is a new one below `evaluations` beside the model.
        console: Where to show.

    Raises:
        BadInputError: No usable model or photos, or the folder is there already or cannot be written.
        CannotRunError: The folder cannot be kept.
    """
    model = load_model(path)
    name = f"{real_path(expanded(photos)).name or 'photos'}-{part}"
    folder = out or free_name(model.source.parent / "evaluations" / name)
    with new_folder(folder) as draft:
        with console.progress() as progress:
            task = progress.add_task("photos", total=None)
            evaluation = evaluate(
                model,
                photos,
                part=part,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        write_evaluation(evaluation, draft)
    console.print(tabulate(evaluation))
    for line in (*remarks(evaluation), f"written: {folder}"):
        console.say(line)
    return folder


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Writes all files into a folder.

    Raises:
        OSError: A file cannot be written.
        PhotosError: A photo for a sheet cannot be read any more.
    """
    with (folder / "evaluation.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(_rows(evaluation))
    (folder / "summary.json").write_text(json.dumps(summarize(evaluation), indent=2) + "\n", encoding="utf-8")
    _write_sheets(evaluation, folder)


def _write_sheets(evaluation: Evaluation, folder: Path) -> None:
    ranked = evaluation.ranked()
    chosen = {"evenly_spaced": _spaced(evaluation.measured), "best": ranked, "worst": ranked[::-1]}
    sheets = {name: photos[:SHEET_PHOTOS] for name, photos in chosen.items()}
    shown = examples(evaluation, [photo for photos in sheets.values() for photo in photos])
    errors = dict(zip(evaluation.measured, evaluation.values[MODEL][RANKED_BY], strict=True))
    for place, (name, photos) in enumerate(sheets.items()):
        captions = [f"{photo.name}   Delta E {errors[photo]:.1f}" for photo in photos]
        rows = shown[place * len(photos) : (place + 1) * len(photos)]  # all sheets have as many
        write_sheet(folder / f"{name}.png", rows, captions=captions)


def summarize(evaluation: Evaluation) -> dict[str, Any]:
    """Returns the evaluation's outcome for machines; numbers that are not finite are left out, as JSON has none."""
    model, photos = evaluation.model, evaluation.photos
    return {
        "model": str(model.source),
        "epoch": model.epoch,
        "photos": str(photos.folder),
        "part": evaluation.part,
        "measured": len(evaluation.measured),
        "crops": int(evaluation.crops.sum()),
        "size": model.config.data.size,
        "scale": SCALE,
        "mean": {who: _finite(evaluation.means(who)) for who in evaluation.values},
        "median": {who: _finite(evaluation.medians(who)) for who in evaluation.values},
        "duplicates": photos.duplicates,
        "skipped": {item.name: item.reason for item in photos.skipped},
        "versions": versions(),
    }


def tabulate(evaluation: Evaluation) -> Table:
    """Returns the table for the terminal: a row a metric; mean and median of the model, means of the baselines."""
    count, crops = len(evaluation.measured), int(evaluation.crops.sum())
    title = f"{count} photos ({crops} crops of {evaluation.model.config.data.size} px)"
    caption = "means over photos, the ratio is that of the means; arrow: which way is better"
    table = Table(title=title, title_style="bold", caption=caption)
    table.add_column("", no_wrap=True)
    for name in ("model", "its median", "gray", "tint"):
        table.add_column(name, justify="right")
    means, medians = {who: evaluation.means(who) for who in evaluation.values}, evaluation.medians(MODEL)
    for metric in VALID_METRICS:
        numbers = (means[MODEL], medians, means[GRAY], means[TINT])
        table.add_row(f"{metric.key} {_ARROWS[metric.better]}", *(f"{values[metric.key]:.4g}" for values in numbers))
    return table


def remarks(evaluation: Evaluation) -> list[str]:
    """Returns what the reader of the table must know: whether doing nothing is better, and what was left out."""
    least = {who: evaluation.means(who)[RANKED_BY] for who in evaluation.values}
    better = [who for who in (GRAY, TINT) if least[who] <= least[MODEL]]
    verb = "are" if len(better) > 1 else "is"
    lines = [f"On mean Delta E {' and '.join(better)} {verb} no worse than the model."] if better else []
    if evaluation.part in ("all", "train"):
        lines.append("If the model was trained on these photos, its numbers say nothing about others: see --part.")
    skipped = evaluation.photos.skipped
    if skipped:
        rest = f" and {len(skipped) - _NAMED} more, all in summary.json" if len(skipped) > _NAMED else ""
        named = "; ".join(f"{item.name} ({item.reason})" for item in skipped[:_NAMED])
        lines.append(f"{len(skipped)} files skipped: {named}{rest}")
    return lines


def _rows(evaluation: Evaluation) -> Iterable[Sequence[Any]]:
    """Yields the header and one row a photo: the model's metrics under their names, the baselines' as `gray/...`."""
    columns = {
        key if who == MODEL else f"{who}/{key}": values
        for who in evaluation.values
        for key, values in _in_order(evaluation.per_photo(who)).items()
    }
    yield ["photo", "part", "crops", *columns]
    for place, photo in enumerate(evaluation.measured):
        yield [photo.name, photo.part, evaluation.crops[place], *(float(column[place]) for column in columns.values())]


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if math.isfinite(value)}


def _in_order(values: dict[str, Any]) -> dict[str, Any]:
    return {metric.key: values[metric.key] for metric in VALID_METRICS}


def _spaced(photos: Sequence[NamedPhoto]) -> list[NamedPhoto]:
    return [photos[place] for place in np.linspace(0, len(photos) - 1, min(SHEET_PHOTOS, len(photos))).astype(int)]
