"""A trained model for use: the networks and what they were trained with, from a run, a checkpoint or an export.

A file can run no code. Checkpoints are arrays and JSON. Of a Keras file only the weights and our own JSON are read:
the network is built from the configuration, and Keras deserializes nothing that the file describes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from colorgan.checkpoint import Checkpoint
from colorgan.config import ConfigError, TrainConfig, parse_config
from colorgan.discriminator import build_discriminator
from colorgan.errors import BadInputError
from colorgan.generator import build_generator, find_chroma

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHECKPOINTS = ("best.npz", "checkpoint.npz")  # of a run's folder, the first that is there
EXPORTED = "generator.keras"
CARD = "colorgan.json"  # in a Keras file beside Keras' own entries: {"config": ..., "epoch": ...}
MAX_JSON_BYTES = 1 << 24  # a configuration has some thousand bytes, Keras' description of a deep network 100,000
MAX_EXPANSION = 20  # of the file's bytes, all entries unpacked; Keras stores weights as they are
_SEED = "/seed_generator_state"
_LAYERS = "config.json"  # Keras' own description of the network


class ModelError(BadInputError):
    """No usable model; the message names the file and says what is wrong with it, or what to give instead."""


@dataclass(frozen=True)
class Model:
    """A generator for any photo whose sides are multiples of `multiple`.

    Attributes:
        config: What it was trained with.
        generator: Scaled lightness (batch, height, width, 1) -> scaled chroma (batch, height, width, 2), both as
            `split_photo` gives them for the configuration's colour space.
        source: The file it came from.
        epoch: Epochs trained; None where the file does not say.
    """

    config: TrainConfig
    generator: keras.Model
    source: Path
    epoch: int | None = None

    @property
    def multiple(self) -> int:
        """What height and width must be a multiple of."""
        return int(2**self.config.generator.depth)

    def predict(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the scaled chroma for scaled lightness, (batch, height, width, 1) -> (..., 2).

        Both are as `colorgan.color.split_photo` gives them for `config.data.color_space`.
        """
        chroma: NDArray[np.float32] = ops.convert_to_numpy(self.generator(lightness, training=False))
        return chroma

    def find_chroma(self, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the scaled Lab chroma for sRGB photos, whatever the colour space: (batch, height, width, 3) -> 2."""
        chroma: NDArray[np.float32] = ops.convert_to_numpy(
            find_chroma(self.generator, photos, self.config.data.color_space)
        )
        return chroma


@dataclass(frozen=True)
class TrainedRun:
    """A training run's outcome: both networks in float32, for photos of any size, and the checkpoint they are from."""

    model: Model
    discriminator: keras.Model
    checkpoint: Checkpoint


def find_model(path: Path) -> Path:
    """Returns the file that holds the model meant by `path`.

    Args:
        path: A run's or trial's folder, a checkpoint (.npz), an exported generator (.keras), or its folder.

    Raises:
        ModelError: There is none.
    """
    if path.is_dir():
        names = (*CHECKPOINTS, EXPORTED, f"export/{EXPORTED}")
        found = next((path / name for name in names if (path / name).is_file()), None)
        if found is None:
            raise ModelError(f"{path}: no model in this folder (none of {', '.join(names)}). {_advice(path)}")
        return found
    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    if path.suffix not in (".npz", ".keras"):
        raise ModelError(f"{path}: not a model; give a run's folder, a checkpoint (.npz) or an export (.keras)")
    return path


def load_model(path: Path) -> Model:
    """Loads the model that `find_model` finds: of a checkpoint the moving average of the weights, if it has one.

    Raises:
        ModelError: There is none, or it is damaged or another program's.
        CheckpointError: The checkpoint is damaged.
    """
    file = find_model(path)
    if file.suffix == ".keras":
        return _from_keras(file)
    found = Checkpoint.load(file)
    return _generator_of(found, file, policy=found.config.precision.policy)


def load_run(path: Path) -> TrainedRun:
    """Loads both networks of the checkpoint that `find_model` finds; weights are float32 whatever the run's policy.

    Raises:
        ModelError: There is none, or it is an export, which holds no discriminator.
        CheckpointError: The checkpoint is damaged.
    """
    file = find_model(path)
    if file.suffix != ".npz":
        raise ModelError(f"{file}: an export, which holds no discriminator; give the run's folder or checkpoint (.npz)")
    found = Checkpoint.load(file)
    discriminator = build_discriminator(found.config.discriminator, size=None)
    _assign(discriminator.weights, found.arrays, "discriminator/", file)
    return TrainedRun(_generator_of(found, file, policy="float32"), discriminator, found)


def _generator_of(found: Checkpoint, file: Path, *, policy: str) -> Model:
    generator = build_generator(found.config.generator, size=None, policy=policy)
    averaged = any(name.startswith("average/") for name in found.arrays)
    _assign(generator.weights, found.arrays, "average/" if averaged else "generator/", file)
    return Model(found.config, generator, file, found.epoch)


def _assign(weights: list[keras.Variable], arrays: Mapping[str, NDArray[Any]], group: str, file: Path) -> None:
    """Sets weights in their order from arrays named `group/place/variable`; a random generator's state is none."""
    names = [name for name in arrays if name.startswith(group) and not name.endswith(_SEED)]
    try:
        found = [arrays[name] for name in sorted(names, key=lambda name: int(name.split("/")[1]))]
    except ValueError:
        raise ModelError(f"{file}: its variables have other names than this version gives them") from None
    if [array.shape for array in found] != [tuple(weight.shape) for weight in weights]:
        raise ModelError(f"{file}: its {group}weights are not those of its configuration; another version's?")
    for weight, array in zip(weights, found, strict=True):
        weight.assign(array)


def _from_keras(file: Path) -> Model:
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_bombs(archive, file)
            card = _read_card(archive, file)
            if (broken := archive.testzip()) is not None:
                raise ModelError(f"{file}: damaged ({broken} does not match its checksum)")
            described = _layers(json.loads(archive.read(_LAYERS)))
        config = parse_config(card["config"], source=f"{file}: {CARD}")
        generator = build_generator(config.generator, size=None)
        if described != [(type(layer).__name__, layer.name) for layer in generator.layers]:
            raise ModelError(f"{file}: its layers are not those of its configuration; not used")
        generator.load_weights(file)
    except (ModelError, ConfigError):
        raise
    except Exception as error:  # noqa: BLE001 - a damaged or hostile file makes the readers raise almost anything
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"{file}: damaged, or no exported generator ({reason})") from None
    return Model(config, generator, file, card.get("epoch"))


def _refuse_bombs(archive: zipfile.ZipFile, file: Path) -> None:
    """Refuses an archive that is small itself but would take all memory, or hours, to unpack."""
    entries = archive.infolist()
    texts = [entry.file_size for entry in entries if entry.filename in (CARD, _LAYERS)]
    if max(texts, default=0) > MAX_JSON_BYTES:
        raise ModelError(f"{file}: its {CARD} or {_LAYERS} has more than {MAX_JSON_BYTES} bytes; not used")
    if sum(entry.file_size for entry in entries) > MAX_EXPANSION * file.stat().st_size:
        raise ModelError(f"{file}: unpacked it would be more than {MAX_EXPANSION} times as large; not used")


def _read_card(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    if CARD not in archive.namelist():
        raise ModelError(f"{file}: not a generator that `python -m colorgan export` wrote (no {CARD} in it)")
    card = json.loads(archive.read(CARD))
    if not isinstance(card, dict) or "config" not in card or not isinstance(card.get("epoch"), int | None):
        raise ModelError(f"{file}: its {CARD} is not what `python -m colorgan export` writes")
    return card


def _layers(description: Any) -> list[tuple[str, str]]:
    """Returns class and name of each layer that Keras' own description lists."""
    return [(layer["class_name"], layer["config"]["name"]) for layer in description["config"]["layers"]]


def _advice(folder: Path) -> str:
    if (folder / "trials").is_dir():
        return f"It is a study: name one of its trials, e.g. {folder / 'trials' / '0000'}, or train what it promoted"
    if (folder / "config.yaml").is_file():
        return f"Train it first: make train CONFIG={quote(str(folder / 'config.yaml'))}"
    return "Give a run's folder, a checkpoint (.npz) or an export (.keras)"
