"""The generator as an ONNX file, checked against Keras; needs the packages of the extra `onnx`."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from colorgan.errors import CannotRunError
from colorgan.model import Model

PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
OPSET = 18
TOLERANCE = 1e-4  # of chroma scaled to [-1, 1]: a hundredth of what an 8-bit screen can show


def missing_packages() -> list[str]:
    """Returns which packages of the extra are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def check_onnx_extra() -> None:
    """Checks that the extra is installed.

    Raises:
        CannotRunError: It is not.
    """
    if missing := missing_packages():
        raise CannotRunError(f"an ONNX file needs {', '.join(missing)}; pip install 'colorgan[onnx]'")


def write_onnx(model: Model, path: Path) -> None:
    """Writes the generator for photos of any size, and compares what it predicts with Keras.

    Raises:
        CannotRunError: The file's predictions are others.
    """
    model.predict(np.zeros((1, model.multiple, model.multiple, 1), np.float32))  # Keras exports what was called once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras 3.15 asks NumPy 2 for its old `np.object`
        model.generator.export(path, format="onnx", verbose=False, opset_version=OPSET)
    largest = max(_difference(model, path, height, width) for height, width in ((1, 1), (2, 3)))
    if not largest <= TOLERANCE:
        raise CannotRunError(
            f"{path.name}: its chroma differs from Keras' by {largest:.2g}, more than {TOLERANCE}; the installed "
            f"{' and '.join(PACKAGES[:2])} do not convert this network"
        )


def _difference(model: Model, path: Path, height: int, width: int) -> float:
    """Returns the largest difference of chroma on a random photo; sides are in units of `model.multiple`."""
    shape = (2, height * model.multiple, width * model.multiple, 1)
    lightness = np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)
    session = import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: lightness})
    return float(np.max(np.abs(found - model.predict(lightness))))
