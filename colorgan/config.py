"""The configuration of one training run: every number that training uses, checked once, here.

A `TrainConfig` together with its seed determines a run to the last bit (on one CPU thread). The models are frozen,
refuse unknown keys and wrong types, and know neither TensorFlow nor Optuna, so a study is checked without either.
Fields with their ranges, defaults and sources are in `config_parts.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from colorgan.config_parts import (
    BACKEND_VARIABLE,
    BACKENDS,
    Activation,
    Backend,
    ColorSpace,
    DataConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    LossConfig,
    Normalization,
    OptimizerConfig,
    Part,
    PrecisionConfig,
    ScheduleConfig,
    ValidationConfig,
)
from colorgan.errors import BadInputError
from colorgan.mistakes import Mistake, MistakesError, explain, listed, shown
from colorgan.scales import at_scale
from colorgan.strict_yaml import KeyPath, YamlError, read_yaml, write_yaml

__all__ = [
    "Activation",
    "Backend",
    "ColorSpace",
    "ConfigError",
    "DataConfig",
    "DiscriminatorConfig",
    "GeneratorConfig",
    "LossConfig",
    "Normalization",
    "OptimizerConfig",
    "Part",
    "PrecisionConfig",
    "ScheduleConfig",
    "TrainConfig",
    "ValidationConfig",
    "load_config",
    "parse_config",
]


class ConfigError(BadInputError):
    """A configuration that cannot be used; the message says what, where and what is allowed."""


class TrainConfig(Part):
    """Everything that determines one training run."""

    data: DataConfig = DataConfig()
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    losses: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    validation: ValidationConfig = ValidationConfig()
    precision: PrecisionConfig = PrecisionConfig()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of initial weights, order of crops, flips, dropout and noise."""
    backend: Backend = "tensorflow"
    """What Keras computes with: the numbers are the same to rounding, and to the last bit only on the same one. Where
    a configuration does not say, that of KERAS_BACKEND in the environment, else TensorFlow; always written out."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_environments_backend(cls, tree: Any) -> Any:
        if not isinstance(tree, dict) or "backend" in tree or not (found := os.environ.get(BACKEND_VARIABLE)):
            return tree
        if found not in BACKENDS:
            message = f"{BACKEND_VARIABLE} in the environment is {shown(found)}; allowed are {', '.join(BACKENDS)}"
            raise MistakesError([Mistake(("backend",), message)])
        return {**tree, "backend": found}

    @model_validator(mode="after")
    def _leave_jax_its_compiler(self) -> Self:
        if self.backend == "jax" and self.precision.jit_compile == "off":
            raise ValueError("precision.jit_compile off: the backend jax always compiles; use auto")
        return self

    @model_validator(mode="after")
    def _fit_the_networks_to_the_crops(self) -> Self:
        size, down = self.data.size, 2**self.generator.depth
        if size % down:
            sizes = sorted({max(down, size // down * down), (size // down + 1) * down})
            raise ValueError(
                f"generator.depth {self.generator.depth} halves a crop {self.generator.depth} times, so data.size must "
                f"be a multiple of {down}; got {size}. Use data.size {' or '.join(map(str, sizes))}, or a smaller depth"
            )
        discriminator = self.discriminator
        if discriminator.logits(size) < 1:
            raise ValueError(
                f"discriminator.depth {discriminator.depth}, unstrided_blocks {discriminator.unstrided_blocks} and "
                f"kernel {discriminator.kernel} leave nothing of a {size} px crop to judge. Use a smaller depth or "
                "unstrided_blocks, an odd kernel, or a larger data.size"
            )
        return self

    def with_values(self, values: dict[str, Any]) -> TrainConfig:
        """Returns a checked copy with fields replaced by dotted path, e.g. `{"generator.filters": 16}`.

        Raises:
            ConfigError: A path that does not exist, or a value that its field refuses.
        """
        changed = {path.split(".")[0] for path in values}  # other parts are the very same objects in both
        tree = {name: part.model_dump() if name in changed and isinstance(part, Part) else part for name, part in self}
        for path, value in values.items():
            *parents, leaf = path.split(".")
            node: Any = tree
            for name in parents:
                node = node.get(name) if isinstance(node, dict) else None
            if not isinstance(node, dict) or leaf not in node or isinstance(node[leaf], dict):
                raise ConfigError(f"{path}: no such field of a training configuration")
            node[leaf] = value
        return parse_config(tree)

    def architecture(self) -> str:
        """Returns a key that is equal for two configurations which one built `Trainer` can serve.

        Everything that shapes the graph is in it; what is fed to the graph (learning rates, betas, loss weights,
        smoothing, dropout rate and noise above zero, seed, photos, length) is not.
        """
        generator = self.generator.model_dump()
        generator["dropout"] = self.generator.dropout > 0 and self.generator.dropout_blocks > 0
        generator["noise"] = self.generator.noise > 0
        shape = {
            "generator": generator,
            "discriminator": self.discriminator.model_dump(),
            "size": self.data.size,
            "color_space": self.data.color_space,
            "adversarial": self.losses.adversarial,
            "batch_size": [self.schedule.batch_size, self.validation.batch_size],
            "moving_average": self.validation.moving_average is not None,
            "precision": self.precision.model_dump(),
            "backend": self.backend,
        }
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]

    def continues_as(self, other: TrainConfig) -> bool:
        """Returns whether a run of this configuration may go on as a run of the other: equal but for its length.

        The length matters to a schedule that ends with it.
        """
        same = self.with_values({"schedule.epochs": other.schedule.epochs})
        return self == other or (self.schedule.decay == "constant" and same == other)

    def to_yaml(self) -> str:
        """Returns the configuration as YAML with every default written out; `load_config` reads it back equal."""
        return write_yaml(self.model_dump(mode="json"))


def parse_config(tree: Any, *, source: str = "configuration") -> TrainConfig:
    """Checks a tree of plain values and returns the configuration.

    Raises:
        ConfigError: One line per mistake: `source: dotted.path: what is wrong`.
    """
    return _parse(tree, lambda _: source)


def load_config(path: Path, *, scale: str | None = None) -> TrainConfig:
    """Reads a configuration from a YAML file, at one of its scales (`scales.py`) if it is named.

    Raises:
        ConfigError: The file cannot be read, is no YAML, or holds mistakes; all of them are named.
    """
    try:
        file = at_scale(read_yaml(path), scale)
    except YamlError as error:
        raise ConfigError(str(error)) from None
    if isinstance(file.value, dict) and {"train", "space"} <= set(file.value):
        raise ConfigError(
            f"{file.where(())}: a study, not a configuration: make search STUDY={quote(str(path))}. "
            "Or give the configuration of one of its trials, in its results"
        )
    return _parse({} if file.value is None else file.value, file.where)


def _parse(tree: Any, where: Callable[[KeyPath], str]) -> TrainConfig:
    try:
        return TrainConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(listed(explain(error, TrainConfig), where))) from None
