"""The trials that every contestant of `trial_overhead` runs: the same networks, steps, batches, photos, learning rates.

Crosses processes as a JSON file beside the photos' arrays. Imports no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorgan.config import TrainConfig, parse_config
from colorgan.photos import open_photos

FILTERS = (8, 12, 16)  # of the generator, in turn
LEARNING_RATES = (2e-4, 5e-4, 1e-3, 3e-4, 7e-4, 1.5e-3, 4e-4, 8e-4)  # of the generator, in turn
SIZE, DEPTH, DISCRIMINATOR_FILTERS, BATCH_SIZE = 64, 4, 16, 16
PLAN_FILE = "plan.json"
LIGHTNESS_HALF, CHROMA_LIMIT = 50.0, 110.0  # as colorgan/color.py scales Lab to [-1, 1]


@dataclass(frozen=True)
class Plan:
    """How many trials of how many steps, and the folder of the plan's files."""

    folder: Path
    trials: int
    steps: int

    def params(self, number: int) -> dict[str, Any]:
        """Returns what trial `number` differs in, by dotted path into a `TrainConfig`."""
        return {
            "generator.filters": FILTERS[number % len(FILTERS)],
            "optimizer.generator_learning_rate": LEARNING_RATES[number % len(LEARNING_RATES)],
        }

    def config(self) -> TrainConfig:
        """Returns what the trials share: one epoch of `steps` steps with a validation at its end."""
        return parse_config(
            {
                "data": {"photos": "sample", "size": SIZE},
                "generator": {"filters": FILTERS[-1], "depth": DEPTH, "dropout": 0.0},
                "discriminator": {"filters": DISCRIMINATOR_FILTERS},
                "schedule": {"epochs": 1, "steps_per_epoch": self.steps, "batch_size": BATCH_SIZE},
            }
        )

    def save(self) -> None:
        """Writes the plan, and the photos as scaled Lab: `train_lightness.npy`, `train_chroma.npy`, `valid_...`."""
        photos = open_photos(self.config().data)
        for part, crops in (("train", photos.train), ("valid", photos.valid)):
            lightness, chroma = _scaled_lab(crops)
            np.save(self.folder / f"{part}_lightness.npy", lightness)
            np.save(self.folder / f"{part}_chroma.npy", chroma)
        text = json.dumps({**dataclasses.asdict(self), "folder": str(self.folder)})
        (self.folder / PLAN_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Reads what `save` wrote."""
        tree = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
        return cls(folder, tree["trials"], tree["steps"])

    def photos(self, part: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Opens a part's lightness (count, 64, 64, 1) and chroma (count, 64, 64, 2), both in [-1, 1]."""
        lightness, chroma = (np.load(self.folder / f"{part}_{kind}.npy") for kind in ("lightness", "chroma"))
        return lightness, chroma


def _scaled_lab(crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    from skimage.color import rgb2lab

    lab = rgb2lab(crops.astype(np.float32) / 255.0).astype(np.float32)
    return lab[..., :1] / LIGHTNESS_HALF - 1.0, lab[..., 1:] / CHROMA_LIMIT
