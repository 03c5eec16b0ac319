"""Times a member's step among others, on JAX: arguments SIZE DEPTH FILTERS BATCH WAY MEMBERS..., output JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, cast

from colorgan.backend_choice import use_backend

if TYPE_CHECKING:
    from colorgan.jax_fused_step import Way

SECONDS = 3.0


def main() -> None:
    size, depth, filters, batch = (int(value) for value in sys.argv[1:5])
    way, members = cast("Way", sys.argv[5]), [int(value) for value in sys.argv[6:]]
    use_backend("jax")
    from colorgan import fused_trainer
    from colorgan.config import parse_config
    from colorgan.photos import open_photos
    from colorgan.trainer import Trainer

    fused_trainer.MEASURED_SECONDS = SECONDS
    config = parse_config(
        {
            "backend": "jax",
            "data": {"size": size, "train_limit": 16, "valid_limit": 4},
            "generator": {"filters": filters, "depth": depth, "dropout": 0.0},
            "discriminator": {"filters": filters},
            "schedule": {"batch_size": batch},
        }
    )
    trainer = Trainer(config, open_photos(config.data), warm_step=False)
    found = {count: fused_trainer.step_seconds(trainer, count, way=way) for count in members}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
