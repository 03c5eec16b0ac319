"""Exporting a trained run: both networks in the formats that other programs read, and what a reader must know of them.

<folder>/generator.keras  discriminator.keras              Keras files; the generator's knows its configuration
         generator.weights.h5  discriminator.weights.h5    weights alone, the thesis' format
         generator.onnx  saved_model/                      the generator for ONNX runtimes and TensorFlow
         architecture.png  summary.txt  card.md            pictures and words

Weights are those that are validated: the moving average of the generator's, if the run has one, in float32.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from colorgan.architecture_picture import draw_architecture
from colorgan.discriminator import build_discriminator
from colorgan.errors import BadInputError, CannotRunError
from colorgan.generator import build_generator
from colorgan.links import real_path
from colorgan.model import CARD, EXPORTED, TrainedRun, load_run
from colorgan.model_card import write_card
from colorgan.new_folder import new_folder
from colorgan.onnx_file import check_onnx_extra, missing_packages, write_onnx

SAVED_MODEL = "saved_model"
SUMMARY_COLUMNS = 120
_KERAS_WEIGHTS = "model.weights.h5"  # Keras' own name
TENSORFLOW_FORMATS = ("saved_model", "onnx")
FORMATS = ("keras", "h5", "saved_model", "onnx")


def export_run(
    run: Path, *, out: Path | None = None, formats: Sequence[str] = (), say: Callable[[str], None] = print
) -> Path:
    """Exports a run and returns the folder, which appears whole or not at all.

    Args:
        run: A run's or trial's folder, or a checkpoint (.npz).
        out: A folder that is not there yet; None is `export` beside the checkpoint.
        formats: Of `FORMATS`; nothing is all of them, ONNX only where its packages are installed.
        say: Takes a line about what was left out.

    Raises:
        ModelError: No run, or one that is damaged.
        BadInputError: No such format, or there is an export already, or the folder cannot be written.
        CannotRunError: ONNX or a SavedModel was asked for and cannot be written, or the disk is full.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise BadInputError(f"{', '.join(unknown)}: no such format; there are {', '.join(FORMATS)}")
    if "onnx" in formats:
        check_onnx_extra()
    if (reason := _needs_tensorflow()) and (asked := [name for name in formats if name in TENSORFLOW_FORMATS]):
        raise CannotRunError(f"{', '.join(asked)}: {reason}")
    trained = load_run(run)
    folder = real_path(out or trained.model.source.parent / "export")
    wanted = list(dict.fromkeys(formats)) or list(FORMATS)
    if not formats and reason:
        wanted = [name for name in wanted if name not in TENSORFLOW_FORMATS]
        say(f"no {' and no '.join(TENSORFLOW_FORMATS)}: {reason}")
    elif not formats and (missing := missing_packages()):
        wanted.remove("onnx")
        say(f"no ONNX file: {', '.join(missing)} not installed; pip install 'colorgan[onnx]'")
    with new_folder(folder) as draft:
        for name in wanted:
            _write(name, trained, draft)
        _describe(trained, draft)
        write_card(trained, draft / "card.md", files=sorted(path.name for path in draft.iterdir()))
    return folder


def _needs_tensorflow() -> str:
    """Returns why the formats that TensorFlow writes cannot be written here; empty where they can."""
    if keras.backend.backend() == "tensorflow":
        return ""
    return "TensorFlow writes it; export where that is installed, with KERAS_BACKEND unset or tensorflow"


def _write(name: str, run: TrainedRun, folder: Path) -> None:
    try:
        _WRITERS[name](run, folder)
    except (BadInputError, CannotRunError):
        raise
    except Exception as error:  # where a disk is full, the formats' libraries raise almost anything
        if isinstance(error, OSError) and error.strerror:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise OSError(None, f"{name}: {reason}", str(folder)) from error


def _write_keras(run: TrainedRun, folder: Path) -> None:
    run.discriminator.save(folder / "discriminator.keras")
    run.model.generator.save(folder / EXPORTED)
    card = {"config": run.model.config.model_dump(mode="json"), "epoch": run.model.epoch}
    with zipfile.ZipFile(folder / EXPORTED, "a") as archive:
        archive.writestr(CARD, json.dumps(card))


def _write_h5(run: TrainedRun, folder: Path) -> None:
    """Writes weights as `save_weights` does, by way of a Keras file, which holds the same.

    On a full disk HDF5 ends the whole process. For a Keras file it writes into memory, and only zipfile to the disk.
    """
    for name, network in (("generator", run.model.generator), ("discriminator", run.discriminator)):
        whole = folder / f"whole-{name}.keras"
        network.save(whole)
        with zipfile.ZipFile(whole) as archive:
            (folder / f"{name}.weights.h5").write_bytes(archive.read(_KERAS_WEIGHTS))
        whole.unlink()


def _write_saved_model(run: TrainedRun, folder: Path) -> None:
    run.model.generator.export(folder / SAVED_MODEL, format="tf_saved_model", verbose=False)


def _write_onnx(run: TrainedRun, folder: Path) -> None:
    write_onnx(run.model, folder / "generator.onnx")


_WRITERS: dict[str, Callable[[TrainedRun, Path], None]] = {
    "keras": _write_keras,
    "h5": _write_h5,
    "saved_model": _write_saved_model,
    "onnx": _write_onnx,
}


def _describe(run: TrainedRun, folder: Path) -> None:
    """Writes text summary and picture of the networks at the size that they were trained on."""
    config = run.model.config
    generator = build_generator(config.generator, size=config.data.size)
    discriminator = build_discriminator(config.discriminator, size=config.data.size)
    with (folder / "summary.txt").open("w", encoding="utf-8") as file:
        for network in (generator, discriminator):
            _summarize(network, lambda line: file.write(line + "\n"))
    draw_architecture(generator, discriminator).save(folder / "architecture.png")


def _summarize(network: keras.Model, write: Callable[[str], object]) -> None:
    network.summary(line_length=SUMMARY_COLUMNS, print_fn=write, show_trainable=True)
