"""The card of an exported model: what it is, what it was trained on, how good it is, where it ends, how to load it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from colorgan.blocks import count_weights
from colorgan.config import ColorSpace, TrainConfig
from colorgan.discriminator import receptive_field
from colorgan.epoch import VALID_METRICS
from colorgan.model import TrainedRun
from colorgan.plain_text import code_span
from colorgan.regular_file import read_regular
from colorgan.versions import versions

Metrics = dict[str, float]
_FILES = {
    "architecture.png": "picture of both networks",
    "discriminator.keras": "the discriminator as a Keras file",
    "discriminator.weights.h5": "its weights alone (HDF5)",
    "generator.keras": "the generator as a Keras file, its configuration inside",
    "generator.onnx": "the generator for ONNX runtimes",
    "generator.weights.h5": "its weights alone (HDF5)",
    "saved_model": "the generator as a TensorFlow SavedModel, endpoint `serve`",
    "summary.txt": "both networks layer by layer",
}
_LIMITS = """\
- Colours are a guess that fits the lightness; they are no evidence of what was there. One gray photo has many
  plausible colourings, and this model gives one.
- It has learned from its training photos. On other kinds of photos (portraits, documents, drawings, scans of old
  prints) expect worse, and gray or brownish colours wherever it is unsure.
- The metrics are of crops of the size above. Much larger photos show it less context than it was trained with.
- Objects whose colour is free (clothes, cars, walls) cannot be got right, only plausible.
"""
_LOADING = {
    "generator.keras": """\
```python
from pathlib import Path
from colorgan.model import load_model

model = load_model(Path("generator.keras"))  # reads weights and configuration; runs no code of the file
chroma = model.predict(lightness)
```

Keras' own loader reads it too, once the layers are known:

```python
import keras
import colorgan.blocks

generator = keras.saving.load_model("generator.keras", compile=False, safe_mode=True)
```
""",
    "saved_model": """\
```python
import tensorflow as tf

saved = tf.saved_model.load("saved_model")
chroma = saved.serve(lightness)
```
""",
    "generator.onnx": """\
```python
import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
(chroma,) = session.run(None, {session.get_inputs()[0].name: lightness})
```
""",
}


class _Space(NamedTuple):
    """What the generator does in a colour space, in words."""

    task: str
    given: str
    found: str
    note: str = ""


_SPACES: dict[ColorSpace, _Space] = {
    "lab": _Space("the chroma of a photo from its lightness in CIE Lab", "lightness / 50 - 1", "a and b, each / 110"),
    "hsv": _Space(
        "the hue and saturation of a photo from its value in HSV",
        "2 * value - 1, the value being the largest of R, G and B in [0, 1]",
        "2 * hue - 1 and 2 * saturation - 1, the hue as a share of the circle from red",
        "\n\nMetrics and coloured photos show that colour under the photo's own CIE Lab lightness: "
        "`model.find_chroma(photos)` gives it as a and b, each / 110, for sRGB photos.",
    ),
}


def write_card(run: TrainedRun, path: Path, *, files: Sequence[str]) -> None:
    """Writes the card as Markdown.

    Args:
        run: What is exported.
        path: The card's file.
        files: Names of the files beside it.

    Raises:
        OSError: The file cannot be written.
    """
    config, checkpoint = run.model.config, run.checkpoint
    sections = {
        "What it is": _what(run),
        "Training": _training(run),
        "Metrics": _metrics(run),
        "Limits": _LIMITS,
        "Files": "\n".join(f"- `{name}`: {_FILES[name]}" for name in files),
        "Loading": _loading(config, files),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions().items()) + " (of this export)",
        "Configuration": f"```yaml\n{config.to_yaml().strip()}\n```",
    }
    title = f"# Photo colorization: generator after epoch {checkpoint.epoch}"
    body = [f"## {name}\n\n{text.strip()}" for name, text in sections.items()]
    path.write_text("\n\n".join([title, *body]) + "\n", encoding="utf-8")


def find_baselines(folder: Path) -> dict[str, Metrics]:
    """Returns the metrics of the gray and the tint baseline on a run's own photos, where they are known.

    They stand in the run's `result.json`, or, for a trial, in the `summary.json` of its study.
    """
    for path in (folder / "result.json", folder.parent.parent / "summary.json"):
        try:
            found = json.loads(read_regular(path))
        except (OSError, ValueError, RecursionError):
            continue
        baselines = found.get("baselines") if isinstance(found, dict) else None
        if baselines and isinstance(baselines, dict) and all(isinstance(values, dict) for values in baselines.values()):
            return {name: baselines[name] for name in ("gray", "tint") if name in baselines}
    return {}


def _what(run: TrainedRun) -> str:
    config = run.model.config
    field = receptive_field(config.discriminator)
    averaged = "the moving average of its weights" if config.validation.moving_average is not None else "its weights"
    space = _SPACES[config.data.color_space]
    generator, discriminator = (count_weights(network) for network in (run.model.generator, run.discriminator))
    return (
        f"A U-Net ({generator:,} weights) that predicts {space.task}, trained against a PatchGAN "
        f"discriminator ({discriminator:,} weights) that judges patches of {field} x {field} pixels. "
        f"Exported is {averaged}, in float32.\n\n"
        f"Input: {space.given}, float32, (batch, height, width, 1), both sides multiples of {run.model.multiple}. "
        f"Output: {space.found}, (batch, height, width, 2).{space.note}"
    )


def _training(run: TrainedRun) -> str:
    config, checkpoint = run.model.config, run.checkpoint
    data = config.data
    if data.photos == "sample":
        source = "the photos that come with colorgan"
        licence = (
            "They keep their own licences, CC-BY, CC-BY-SA, CC0 or public domain; authors and sources are in its "
            "`sample_photos/ATTRIBUTION.csv`."
        )
    else:
        source = f"the folder {code_span(Path(data.photos).name)}"
        licence = (
            "Their licence is not known to this program: whoever shares this model must know whether it allows that "
            "(Places365, for one, is for research use only)."
        )
    seconds = sum(result.train_seconds + result.valid_seconds for result in checkpoint.history)
    return (
        f"Photos: {source}, cut into crops of {data.size} px. {licence}\n\n"
        f"Epochs: {checkpoint.epoch} of {config.schedule.epochs}, {checkpoint.step} steps of "
        f"{config.schedule.batch_size} crops, {seconds:.0f} s. Seed: {config.seed}."
    )


def _metrics(run: TrainedRun) -> str:
    """Returns a table of the last validation at or before the checkpoint."""
    validated = [result for result in run.checkpoint.history if VALID_METRICS[0].key in result.metrics]
    if not validated:
        return "This run has not been validated yet."
    last = validated[-1]
    part, others = run.model.config.validation.part, _are_others(run.model.config, last.epoch)
    baselines, first = find_baselines(run.model.source.parent), " (first photos)" if others else ""
    columns = {"this model": last.metrics, **{f"{name}{first}": values for name, values in baselines.items()}}
    lines = [f"| | {' | '.join(columns)} | |", "|---" * (len(columns) + 2) + "|"]
    lines += [
        f"| {metric.key} | {' | '.join(_number(values.get(metric.key)) for values in columns.values())} "
        f"| {metric.description} |"
        for metric in VALID_METRICS
    ]
    known = "gray and tint: no chroma, and the mean chroma of the training photos. " if baselines else ""
    if known and others:
        known += (
            "They are of the photos that the run began with, this model is of newer ones (`data.renew_epochs`): they "
            "compare roughly. "
        )
    note = f"Means over the crops of the `{part}` photos after epoch {last.epoch}. {known}"
    advice = "`python -m colorgan evaluate` measures it on other photos, with both baselines."
    return f"{note}{advice}\n\n" + "\n".join(lines)


def _are_others(config: TrainConfig, epoch: int) -> bool:
    """Returns whether an epoch was measured on other photos than those that the run began with."""
    data = config.data
    renewed = data.renew_epochs is not None and data.valid_limit is not None and epoch > data.renew_epochs
    return renewed and config.validation.part == "valid"


def _loading(config: TrainConfig, files: Sequence[str]) -> str:
    texts = [text for name, text in _LOADING.items() if name in files]
    given = _SPACES[config.data.color_space].given
    lightness = f"np.zeros((1, {config.data.size}, {config.data.size}, 1), np.float32)  # {given}"
    return f"```python\nimport numpy as np\n\nlightness = {lightness}\n```\n\n" + "\n".join(texts)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
