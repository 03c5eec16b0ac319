"""TensorBoard event files of one run: scalars, texts and images, written without importing TensorFlow.

The writers that TensorBoard offers import TensorFlow wherever it is installed. The HParams plugin's records are
`search/events.py`'s.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google_crc32c import value as crc32c
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.text import metadata as text_metadata

from colorgan.disk import append, set_aside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_PATTERN = "events.out.tfevents.*"
MAX_FLOAT32 = 3.4028234663852886e38  # scalars are stored as float32


class EventLog:
    """One run's directory of event files; it has one writer at a time.

    A run that is taken up again after its writer died goes on in a new file. TensorBoard then forgets what was logged
    at or after the first step that is written anew, so epochs that are trained again do not appear twice.

    Attributes:
        earlier: The files that were there before.
    """

    def __init__(self, run_dir: Path) -> None:
        """Makes the directory; its first file appears with the first record.

        Raises:
            OSError: The directory cannot be made or read.
        """
        run_dir.mkdir(parents=True, exist_ok=True)
        self.earlier = sorted(run_dir.glob(FILE_PATTERN))
        self._path = run_dir / f"events.out.tfevents.{len(self.earlier):06d}"  # TensorBoard reads them in this order

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes scalars of one step; those that float32 cannot hold, NaN and infinity among them, are left out.

        Raises:
            OSError: The file cannot be written; it is then as it was before the call.
        """
        self.write(step, [scalar(tag, value) for tag, value in values.items() if abs(value) <= MAX_FLOAT32])

    def images(self, step: int, tag: str, images: NDArray[np.uint8]) -> None:
        """Writes images, lossless.

        Args:
            step: The training step they were made at.
            tag: Name of the series.
            images: RGB, (count, height, width, 3).

        Raises:
            ValueError: The array is of another shape or type.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != "uint8":
            message = f"images of {tag}: expected uint8 of (count, height, width, 3), got {images.dtype} {images.shape}"
            raise ValueError(message)
        height, width = images.shape[1:3]
        content = [str(width).encode(), str(height).encode(), *(_png(image) for image in images)]
        kind = image_metadata.create_summary_metadata(display_name="", description="")
        self.write(step, [_tensor(tag, kind, summary_pb2.DATA_CLASS_BLOB_SEQUENCE, content, [len(content)])])

    def write(self, step: int, values: Sequence[Any], *, restarts: bool = True) -> None:
        """Writes summary values of one step.

        Args:
            step: Training steps done.
            values: `Summary.Value` records.
            restarts: Whether TensorBoard shall forget what an earlier file holds of this step and later ones.
        """
        now = time.time()
        events = [event_pb2.Event(wall_time=now, step=step, summary=summary_pb2.Summary(value=values))]
        if self._path.exists():
            append(self._path, _records(events))  # the file is not kept open: no handle a run, nothing to close
            return
        restart = event_pb2.Event(wall_time=now, step=step)
        restart.session_log.status = event_pb2.SessionLog.START
        create_file(self._path, [restart, *events] if restarts and self.earlier else events)

    def start(self, seconds: float, summary: Any) -> None:
        """Writes the first file with a summary that stands before all steps.

        Args:
            seconds: Since the epoch.
            summary: A `Summary` record.
        """
        create_file(self._path, [event_pb2.Event(wall_time=seconds, summary=summary)])


def create_file(path: Path, events: Iterable[Any]) -> None:
    """Writes an event file that appears with all of `events` in it, or not at all."""
    draft = path.with_name(f"draft.{path.suffix.removeprefix('.')}")  # a name that TensorBoard does not read
    first = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
    try:
        draft.unlink(missing_ok=True)  # of a process that was killed
        append(draft, _records([first, *events]))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def scalar(tag: str, value: float) -> Any:
    """Returns a scalar as a `Summary.Value`."""
    return summary_pb2.Summary.Value(tag=tag, simple_value=value)


def text(tag: str, markdown: str) -> Any:
    """Returns a text as a `Summary.Value`."""
    kind = text_metadata.create_summary_metadata(display_name="", description="")
    return _tensor(tag, kind, summary_pb2.DATA_CLASS_TENSOR, [markdown.encode()], [])


def whole(path: Path) -> bool:
    """Returns whether an event file consists of records that are as they were written, by their checksums.

    Raises:
        OSError: It cannot be read.
    """
    data, place = path.read_bytes(), 0
    while place < len(data):
        head, body = data[place : place + 8], place + 12
        if len(head) < 8 or data[place + 8 : body] != _checksum(head):
            return False
        end = body + int.from_bytes(head, "little")
        if data[end : end + 4] != _checksum(data[body:end]):
            return False
        place = end + 4
    return True


def set_aside_damaged(run_dir: Path, home: Path) -> Path | None:
    """Moves all event files of a run, if one of them is damaged or torn, to a folder that TensorBoard does not read.

    It would read no further than to the damage.

    Args:
        run_dir: The run's directory; it need not exist.
        home: The folder, on the same file system.

    Returns:
        The damaged file as it was called.

    Raises:
        OSError: A file cannot be read or moved.
    """
    damaged = damaged_file(run_dir)
    if damaged is not None:
        set_events_aside(run_dir, home, last=damaged)
    return damaged


def damaged_file(run_dir: Path) -> Path | None:
    """Returns the first event file of a run that is damaged or torn; None where all are whole, or there is none.

    Raises:
        OSError: A file cannot be read.
    """
    return next((file for file in sorted(run_dir.glob(FILE_PATTERN)) if not whole(file)), None)


def set_events_aside(run_dir: Path, home: Path, *, last: Path) -> None:
    """Moves all event files of a run to a folder on the same file system, which TensorBoard does not read.

    Args:
        run_dir: The run's directory.
        home: The folder.
        last: The damaged file, which goes last, so that who is killed in between finds that there is still one.

    Raises:
        OSError: A file cannot be moved.
    """
    for file in sorted(run_dir.glob(FILE_PATTERN), key=lambda file: (file == last, file)):
        set_aside(file.replace(home / file.name))


def _records(events: Iterable[Any]) -> bytes:
    """Returns events as an event file's records.

    Source: TFRecord, https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
    """
    records = []
    for event in events:
        body: bytes = event.SerializeToString()
        head = len(body).to_bytes(8, "little")
        records += [head, _checksum(head), body, _checksum(body)]
    return b"".join(records)


def _checksum(data: bytes) -> bytes:
    """Returns TFRecord's masked CRC-32C."""
    crc: int = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")


def _tensor(tag: str, kind: Any, data_class: int, content: Sequence[bytes], shape: Sequence[int]) -> Any:
    kind.data_class = data_class
    dimensions = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, string_val=content, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dimensions)
    )
    return summary_pb2.Summary.Value(tag=tag, metadata=kind, tensor=tensor)


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    return buffer.getvalue()
