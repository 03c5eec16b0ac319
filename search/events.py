"""TensorBoard's HParams: the experiment, one session a trial, how a trial ended; and serving a log directory.

With `colorgan/event_file.py` the only room that knows TensorBoard; it knows no Optuna and no study, and writes without
importing TensorFlow. What shaped the files:

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
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2, summary_v2
from tensorboard.plugins.hparams import metadata as hparams_metadata

from colorgan.errors import CannotRunError
from colorgan.event_file import EventLog, create_file, scalar, text, whole
from colorgan.record import Outcome
from search.loopback import HOST, for_this_machine
from search.words import short_path

if TYPE_CHECKING:
    from search.parameter import Domain

Value = float | str | bool

OBJECTIVE_TAG = "objective"
ENDED_TAG = "trial/ended"
OUTCOME_TAG = "trial/outcome"
FEASIBLE_TAG = "trial/feasible"
ENDED_VALUES: dict[Outcome, float] = {"complete": 0.0, "pruned": 1.0, "failed": 2.0}
MAX_CHECKBOXES = 9  # from 10 choices on, the page offers a regular expression, which the server refuses for numbers
SHOWN_AT_FIRST = 5  # columns of parameters; the page has this number
_DATA_TYPES = {bool: api_pb2.DATA_TYPE_BOOL, str: api_pb2.DATA_TYPE_STRING}


@dataclass(frozen=True)
class MetricColumn:
    """A scalar tag that the table shows, with its last value."""

    tag: str
    display_name: str = ""
    description: str = ""


def further_tag(name: str) -> str:
    """Returns the tag of a further objective."""
    return f"{OBJECTIVE_TAG}/{name}"


def write_experiment(
    logdir: Path, *, hparams: Sequence[Domain], metrics: Sequence[MetricColumn], description: str = ""
) -> None:
    """Declares the columns of the HParams table, in a file of its own; call it before the first `Session`.

    A second call with the same columns changes nothing. With others it replaces the file; a TensorBoard that is
    running shows them after its restart.

    Args:
        logdir: The study's log directory; made if missing. A study has one of its own.
        hparams: What each parameter can be. The page shows the first five of them until others are ticked, and sorts
            the columns by name.
        metrics: Shown in this order, five at first; the first should be `OBJECTIVE_TAG`. The column `trial/ended` is
            put behind it.
        description: What the experiment is.

    Raises:
        OSError: The file cannot be written.
    """
    names = ", ".join(f"{value:.0f} {outcome}" for outcome, value in ENDED_VALUES.items() if value)
    ended = MetricColumn(ENDED_TAG, names, "how the trial ended, 0 complete; empty while it lives")
    columns = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=metric.tag), display_name=metric.display_name, description=metric.description
        )
        for metric in (*metrics[:1], ended, *metrics[1:])
    ]
    paths = [domain.name for domain in hparams]
    infos = [_hparam_info(domain, paths, first=place < SHOWN_AT_FIRST) for place, domain in enumerate(hparams)]
    experiment = api_pb2.Experiment(description=description, hparam_infos=infos, metric_infos=columns)
    summary = _hparams_summary(
        hparams_metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment)
    )
    path = logdir / "events.out.tfevents.experiment"
    if path.is_file() and whole(path) and summary.SerializeToString() in path.read_bytes():
        return
    logdir.mkdir(parents=True, exist_ok=True)
    create_file(path, [event_pb2.Event(wall_time=time.time(), summary=summary)])


class Session(EventLog):
    """One trial's run directory; it has one writer at a time.

    The run appears in the table with its first file. A trial that is taken up again after its writer died goes on
    without a second start (`EventLog`).
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
        super().__init__(run_dir)
        end = hparams_metadata.SESSION_END_INFO_TAG.encode()
        self._ended = any(end in file.read_bytes() for file in self.earlier)
        if not self.earlier:
            seconds = time.time() if start_seconds is None else start_seconds
            start = summary_v2.hparams_pb(dict(hparams), trial_id=group, start_time_secs=seconds)
            self.start(seconds, start)

    def end(self, outcome: Outcome, *, step: int, reason: str = "", objective: float | None = None) -> None:
        """Says how the trial ended, and writes its final objective.

        Args:
            outcome: A pruned trial counts as a success in TensorBoard's status filter.
            step: The last step that the trial reached.
            reason: Why it was pruned or failed.
            objective: Its value at the end, of a pruned trial too; None or not finite where it has none.
        """
        values = [scalar(ENDED_TAG, ENDED_VALUES[outcome]), text(OUTCOME_TAG, _how_it_ended(outcome, reason))]
        if objective is not None and math.isfinite(objective):
            values.append(scalar(OBJECTIVE_TAG, objective))
        if not self._ended:
            status = api_pb2.STATUS_FAILURE if outcome == "failed" else api_pb2.STATUS_SUCCESS
            info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
            data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
            values.extend(_hparams_summary(hparams_metadata.SESSION_END_INFO_TAG, data).value)
        self.write(step, values, restarts=False)  # beside the last epoch's scalars, perhaps an earlier file's
        self._ended = True


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

    def listen(app: Any, flags: Any) -> Any:
        return program.create_port_scanning_werkzeug_server(for_this_machine(app), flags)

    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))  # TensorBoard's own switch
    server = program.TensorBoard(default.get_plugins(), server_class=listen)
    server.configure(("tensorboard", f"--logdir={logdir}", f"--host={HOST}", f"--port={port}", "--reload_interval=1"))
    try:
        with redirect_stderr(io.StringIO()):  # its advice names options that this command does not have
            address = server.launch()
    except program.TensorBoardServerException as error:
        raise CannotRunError(f"{error.msg}; choose another with --port") from None
    say(f"TensorBoard is at {address}#hparams; Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        Event().wait()


def _hparam_info(domain: Domain, paths: Sequence[str], *, first: bool) -> Any:
    info = api_pb2.HParamInfo(name=domain.name, display_name=short_path(domain.name, paths))
    info.differs = first  # such columns come before all others
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


def _how_it_ended(outcome: Outcome, reason: str) -> str:
    quoted = "".join(f"\n    {line}" for line in reason.splitlines())  # a code block: a reason is no Markdown
    return f"**{outcome}**\n{quoted}" if quoted else f"**{outcome}**"
