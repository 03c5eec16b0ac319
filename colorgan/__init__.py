"""The core model module: a U-Net and a PatchGAN that colour gray photos, and everything to train and measure them.

    import colorgan

    config = colorgan.load_config(Path("config.yaml"))
    trainer = colorgan.Trainer(config, colorgan.open_photos(config.data))
    for result in trainer.epochs():
        print(result.epoch, result.metrics["valid/delta_e"])

Names are imported when they are first used; only `Trainer` imports Keras and its backend.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorgan.checkpoint import Checkpoint
    from colorgan.config import TrainConfig, load_config
    from colorgan.epoch import EpochResult
    from colorgan.photos import Photos, open_photos
    from colorgan.trainer import Trainer

__all__ = ["Checkpoint", "EpochResult", "Photos", "TrainConfig", "Trainer", "load_config", "open_photos"]
_ROOMS = {
    "Checkpoint": "colorgan.checkpoint",
    "EpochResult": "colorgan.epoch",
    "Photos": "colorgan.photos",
    "TrainConfig": "colorgan.config",
    "Trainer": "colorgan.trainer",
    "load_config": "colorgan.config",
    "open_photos": "colorgan.photos",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return __all__
