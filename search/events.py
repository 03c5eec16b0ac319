"""TensorBoard event files: the HParams experiment, one session a trial, scalars, example images, how a trial ended.

The only room that knows TensorBoard; it knows no Optuna and no study, and writes without importing TensorFlow (the
writers that TensorBoard offers import it wherever it is installed). What shaped the files:

- TensorBoard keeps the first experiment, session start and session end of a run and ignores later ones. So a trial
  that lives has no end ("Unknown" in the page's status filter), and gets SUCCESS or FAILURE once. Pruned is no status
  of TensorBoard's: a pruned trial is a SUCCESS, and the column `trial/ended` and the text `trial/outcome` say how
  each trial ended.
- A table cell is the last scalar of its tag, so the final objective is a scalar of its own, `objective`.
- A searched parameter that a trial does not have is left out of its session: an empty cell, passed by every filter.
  A text in its place would break sorting and filtering of numbers. The page's parallel coordinates leave out trials
  with an empty cell in a ticked column.
- Numbers stay numbers, shown with five digits (16.000), because numbers written as text would sort as text.
"""

from __future__ import annotations

import io
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2, summary_v2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from colorgan.errors import CannotRunError
from colorgan.record import Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from search.parameter import Domain

Value = float | str | bool

OBJECTIVE_TAG = "objective"
ENDED_TAG = "trial/ended"
OUTCOME_TAG = "trial/outcome"
ENDED_VALUES: dict[Outcome, float] = {"complete": 0.0, "pruned": 1.0, "failed": 2.0}
MAX_CHECKBOXES = 9  # from 10 choices on, the page offers a regular expression, which the server refuses for numbers
MAX_FLOAT32 = 3.4028234663852886e38  # scalars are stored as float32
FILE_PATTERN = "events.out.tfevents.*"
_DATA_TYPES = {bool: api_pb2.DATA_TYPE_BOOL, str: api_pb2.DATA_TYPE_STRING}


@dataclass(frozen=True)
class MetricColumn:
    """A scalar tag that the table shows, with its last value."""

    tag: str
    display_name: str = ""
    description: str = ""


def write_experiment(
    logdir: Path, *, hparams: Sequence[Domain], metrics: Sequence[MetricColumn], description: str = ""
) -> None:
    """Declares the columns of the HParams table, in a file of its own; call it before the first `Session`.

    A second call with the same columns changes nothing. With others it replaces the file; a TensorBoard that is
    running shows them after its restart.

    Args:
        logdir: The study's log directory; made if missing. A study has one of its own.
        hparams: What each parameter can be. TensorBoard sorts the columns by name and shows five at first.
        metrics: Shown in this order, five at first; the first should be `OBJECTIVE_TAG`. The column `trial/ended` is
            put behind it.
        description: What the experiment is.

    Raises:
        OSError: The file cannot be written.
    """
    names = ", ".join(f"{value:.0f} {outcome}" for outcome, value in ENDED_VALUES.items())
    ended = MetricColumn(ENDED_TAG, f"ended: {names}", "how the trial ended; empty while it lives")
    columns = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=metric.tag), display_name=metric.display_name, description=metric.description
        )
        for metric in (*metrics[:1], ended, *metrics[1:])
    ]
    infos = [_hparam_info(domain) for domain in hparams]
    experiment = api_pb2.Experiment(description=description, hparam_infos=infos, metric_infos=columns)
    summary = _hparams_summary(
        hparams_metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment)
    )
    path = logdir / "events.out.tfevents.experiment"
    if path.is_file() and summary.SerializeToString() in path.read_bytes():
        return
    logdir.mkdir(parents=True, exist_ok=True)
    _create(path, [event_pb2.Event(wall_time=time.time(), summary=summary)])


class Session:
    """One trial's run directory; it has one writer at a time.

    The run appears in the table with its first file. A trial that is taken up again after its writer died goes on in
    a new file of the same directory, without a second start. TensorBoard then forgets what was logged at or after the
    first step that is written anew, so epochs that are trained again do not appear twice.
    """

    def __init__(
        self, run_dir: Path, *, hparams: Mapping[str, Value], group: str = "", start_seconds: float | None = None
    ) -> None:
        """Makes the directory and writes the session's start, unless it is there.

        Args:
            run_dir: A directory in the study's log directory; its name is the run's and the trial's.
            hparams: Parameter -> value; parameters that the trial does not have are left out.
            group: Sessions of one group are one row, with their metrics averaged (seeds of one configuration); by
                default each session is a row of its own.
            start_seconds: Seconds since the epoch; now by default.

        Raises:
            OSError: A file cannot be written or read.
        """
        run_dir.mkdir(parents=True, exist_ok=True)
        earlier = sorted(run_dir.glob(FILE_PATTERN))
        self._path = run_dir / f"events.out.tfevents.{len(earlier):06d}"  # TensorBoard reads them in this order
        self._ended = any(hparams_metadata.SESSION_END_INFO_TAG.encode() in file.read_bytes() for file in earlier)
        if not earlier:
            start_seconds = time.time() if start_seconds is None else start_seconds
            start = summary_v2.hparams_pb(dict(hparams), trial_id=group, start_time_secs=start_seconds)
            _create(self._path, [event_pb2.Event(wall_time=start_seconds, summary=start)])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes scalars of one step; those that float32 cannot hold, NaN and infinity among them, are left out.

        Raises:
            OSError: The file cannot be written; it is then as it was before the call.
        """
        self._write(step, [_scalar(tag, value) for tag, value in values.items() if abs(value) <= MAX_FLOAT32])

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
        self._write(step, [_tensor(tag, kind, summary_pb2.DATA_CLASS_BLOB_SEQUENCE, content, [len(content)])])

    def end(self, outcome: Outcome, *, step: int, reason: str = "", objective: float | None = None) -> None:
        """Says how the trial ended, and writes its final objective.

        Args:
            outcome: A pruned trial counts as a success in TensorBoard's status filter.
            step: The last step that the trial reached.
            reason: Why it was pruned or failed.
            objective: Its value at the end, of a pruned trial too; None or not finite where it has none.
        """
        values = [_scalar(ENDED_TAG, ENDED_VALUES[outcome]), _text(OUTCOME_TAG, _how_it_ended(outcome, reason))]
        if objective is not None and math.isfinite(objective):
            values.append(_scalar(OBJECTIVE_TAG, objective))
        if not self._ended:
            status = api_pb2.STATUS_FAILURE if outcome == "failed" else api_pb2.STATUS_SUCCESS
            info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
            data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
            values.extend(_hparams_summary(hparams_metadata.SESSION_END_INFO_TAG, data).value)
        self._write(
            step, values, restarts=False
        )  # it stands beside the last epoch's scalars, perhaps an earlier file's
        self._ended = True

    def _write(self, step: int, values: Sequence[Any], *, restarts: bool = True) -> None:
        now = time.time()
        events = [event_pb2.Event(wall_time=now, step=step, summary=summary_pb2.Summary(value=values))]
        if not self._path.exists():  # the first of a session that was taken up again
            restart = event_pb2.Event(wall_time=now, step=step)
            restart.session_log.status = event_pb2.SessionLog.START  # TensorBoard forgets what is at this step or after
            _create(self._path, [restart, *events] if restarts else events)
            return
        with self._path.open("ab", buffering=0) as file:  # not kept open: no handle a trial, nothing to close
            _append(file, events)


def serve(logdir: Path, *, port: int, say: Callable[[str], None]) -> None:
    """Serves a log directory to this machine alone, until Ctrl-C; without TensorFlow, whose import takes seconds.

    Args:
        logdir: A study's log directory.
        port: 0 for a free one.
        say: Is told the address.

    Raises:
        CannotRunError: The port is taken.
    """
    from tensorboard import default, program

    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))  # TensorBoard's own switch
    server = program.TensorBoard(default.get_plugins())
    server.configure(("tensorboard", f"--logdir={logdir}", "--host=127.0.0.1", f"--port={port}", "--reload_interval=1"))
    try:
        address = server.launch()
    except program.TensorBoardServerException as error:
        raise CannotRunError(str(error.msg)) from None
    say(f"TensorBoard is at {address}#hparams; Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        Event().wait()


def _create(path: Path, events: Iterable[Any]) -> None:
    """Writes an event file that appears with all of `events` in it, or not at all."""
    draft = path.with_name(f"draft.{path.suffix.removeprefix('.')}")  # a name that TensorBoard does not read
    with draft.open("wb", buffering=0) as file:
        _append(file, [event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"), *events])
    draft.replace(path)


def _append(file: BinaryIO, events: Iterable[Any]) -> None:
    """Appends whole records; after an error the file is as long as before, so that later records can be read."""
    buffer = io.BytesIO()
    records = RecordWriter(buffer)
    for event in events:
        records.write(event.SerializeToString())
    rest, size = buffer.getbuffer(), file.seek(0, io.SEEK_END)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        file.truncate(size)
        raise OSError(error.errno, error.strerror, str(file.name)) from error


def _hparam_info(domain: Domain) -> Any:
    info = api_pb2.HParamInfo(name=domain.name, differs=True)  # such columns stand before those that do not differ
    info.type = _DATA_TYPES.get(type(next(iter(domain.values), 0.0)), api_pb2.DATA_TYPE_FLOAT64)
    low, high, values = domain.low, domain.high, domain.values
    if info.type == api_pb2.DATA_TYPE_FLOAT64 and len(values) > MAX_CHECKBOXES:
        low, high, values = min(map(float, values)), max(map(float, values)), ()
    if values:
        info.domain_discrete.extend(values)
    else:
        info.domain_interval.min_value, info.domain_interval.max_value = low, high
    return info


def _hparams_summary(tag: str, data: Any) -> Any:
    kind = hparams_metadata.create_summary_metadata(data)
    return summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag=tag, metadata=kind, tensor=hparams_metadata.NULL_TENSOR)]
    )


def _scalar(tag: str, value: float) -> Any:
    return summary_pb2.Summary.Value(tag=tag, simple_value=value)


def _text(tag: str, markdown: str) -> Any:
    kind = text_metadata.create_summary_metadata(display_name="", description="")
    return _tensor(tag, kind, summary_pb2.DATA_CLASS_TENSOR, [markdown.encode()], [])


def _tensor(tag: str, kind: Any, data_class: int, content: Sequence[bytes], shape: Sequence[int]) -> Any:
    kind.data_class = data_class
    dimensions = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, string_val=content, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dimensions)
    )
    return summary_pb2.Summary.Value(tag=tag, metadata=kind, tensor=tensor)


def _how_it_ended(outcome: Outcome, reason: str) -> str:
    quoted = "".join(f"\n    {line}" for line in reason.splitlines())  # a code block: a reason is no Markdown
    return f"**{outcome}**\n{quoted}" if quoted else f"**{outcome}**"


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    return buffer.getvalue()
