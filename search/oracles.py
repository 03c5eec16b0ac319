"""KerasTuner, imported for its oracles without Keras and without a backend.

`import keras_tuner` imports Keras and with it TensorFlow: many seconds, and half a gigabyte that the driver never
needs, as an oracle reckons with numbers alone. (There is no lighter backend: Keras' NumPy backend imports JAX.) So
while it is imported here, a stand-in takes the place of `keras`; then both leave `sys.modules`, and whoever imports
`keras` or `keras_tuner` later gets the real ones. Where Keras is loaded already, the real ones are taken.

The oracles touch Keras at two places, which the stand-in fills: its version, and the spelling of conditions.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from types import ModuleType, SimpleNamespace
from typing import Any

_NAMES = ("applications", "callbacks", "layers", "losses", "metrics", "models", "random", "saving", "src", "src.ops")


@functools.cache
def keras_tuner() -> Any:
    """Returns the module `keras_tuner`, of which only oracles, trials and hyperparameters may be used."""
    if "keras" in sys.modules:
        import keras_tuner as library

        return library
    with _stand_ins():
        import keras_tuner as library

        return library


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Puts the stand-in for Keras into `sys.modules`, and takes it and what was imported with it out again."""
    keras = _Absent("keras")
    modules = {name: _Absent(f"keras.{name}") for name in _NAMES}
    top = {name: module for name, module in modules.items() if "." not in name}
    spelling = SimpleNamespace(serialize_keras_object=_spell, deserialize_keras_object=_read)
    own = {
        "version": lambda: version("keras"),
        "config": SimpleNamespace(backend=lambda: "none"),
        "utils": SimpleNamespace(legacy=spelling),
    }
    vars(keras).update(top, **own, __all__=[*top, *own])
    sys.modules.update({"keras": keras, **{module.__name__: module for module in modules.values()}})
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("keras", "keras_tuner")]:
            del sys.modules[name]


class _Anything(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Nothing(metaclass=_Anything):
    """A class to derive from, a decorator, a function, and what these have inside; none of it is ever of use."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, decorated: Any) -> Any:
        return decorated


class _Absent(ModuleType):
    """A module all of whose names stand for nothing."""

    __all__ = ()  # for `from ... import *`

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []  # a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing


def _spell(condition: Any) -> dict[str, Any]:
    return {"class_name": type(condition).__name__, "config": condition.get_config()}


def _read(spelled: Mapping[str, Any], _custom: Any, known: Mapping[str, Any]) -> Any:
    return known[spelled["class_name"]].from_config(spelled["config"])
