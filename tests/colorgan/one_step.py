"""One training step from given weights, on the backend that Keras has: what two backends are compared by.

As a program it takes the configurations as JSON and a file for what it finds.
"""

import json
import sys
from typing import Any

import numpy as np
from keras import ops

from colorgan.blocks import initialize
from colorgan.config import parse_config
from colorgan.discriminator import build_discriminator
from colorgan.generator import build_generator
from colorgan.step import Knobs, Networks, build_step

KNOBS = Knobs(1e-3, 2e-3, 0.5, 0.4, 0.999, 1e-3, 1.0, 100.0, 3.0, 0.1, 0.9)  # with that epsilon tiny slopes stay tiny
BETA_1 = {"generator": 0.5, "discriminator": 0.4}


def one_step(tree: dict[str, Any]) -> dict[str, Any]:
    """The losses, all gradients, all weights and statistics after the step, and the moving average."""
    config = parse_config(tree)
    size, batch = config.data.size, config.schedule.batch_size
    generator, average = (build_generator(config.generator, size=size) for _ in range(2))
    discriminator = build_discriminator(config.discriminator, size=size)
    for seed, network in enumerate((generator, discriminator, average)):
        initialize(network, seed=seed)
    step = build_step(Networks(config, generator, discriminator, average))
    step.reset()
    photos = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    found = {"losses": np.asarray(step(photos, KNOBS))}
    step.settle()
    for variable in step.variables:  # from zero, Adam's first moment is the gradient's share of 1 - beta 1
        name, _, number = variable.name.partition("_first_")
        if number:
            found[f"gradient {name} {number}"] = ops.convert_to_numpy(variable) / (1.0 - BETA_1[name])
    for network, name in ((generator, "generator"), (discriminator, "discriminator"), (average, "average")):
        found |= {f"{name} {i} {v.name}": ops.convert_to_numpy(v) for i, v in enumerate(network.weights)}
    return found


if __name__ == "__main__":
    cases = [one_step(tree) for tree in json.loads(sys.argv[1])]
    np.savez(sys.argv[2], **{f"{i} {name}": value for i, case in enumerate(cases) for name, value in case.items()})
