"""optuna-dashboard on a study, for this machine only, with each trial's example sheet as an artifact.

The dashboard gets a view of the storage for reading only: SQLite is opened so that nothing can be written, so it can
neither change a study nor make a running driver wait for its writes. Hence no sheet is uploaded (nor does Optuna allow
that for a finished trial, and a copy would go stale): the view adds to each trial the attribute that
`optuna.artifacts.upload_artifact` would have written, and the store behind it reads the sheet where it lies.
"""

from __future__ import annotations

import copy
import json
import re
import sqlite3
from collections.abc import Callable, Container
from contextlib import closing, suppress
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from typing import Any, BinaryIO
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from colorgan.errors import BadInputError, CannotRunError
from search.address import SQLITE_TIMEOUT_SECONDS
from search.loopback import HOST, for_this_machine
from search.storage import StorageError, StudyFolder

ARTIFACT = "artifacts:"  # optuna.artifacts._upload.ARTIFACTS_ATTR_PREFIX
MISSING = (
    "the dashboard needs the package optuna-dashboard: install the extra `dashboard`, e.g. make setup "
    "EXTRAS=dashboard, or pip install optuna-dashboard"
)


def serve(folder: StudyFolder, *, port: int, say: Callable[[str], None]) -> None:
    """Serves a study's dashboard to this machine alone, until Ctrl-C.

    Args:
        folder: The study's files.
        port: 0 for a free one.
        say: Is told the address.

    Raises:
        BadInputError: The folder has no SQLite storage.
        CannotRunError: optuna-dashboard is not installed, the storage cannot be read, or the port is taken.
    """
    if find_spec("optuna_dashboard") is None:
        raise CannotRunError(MISSING)
    if not folder.database.is_file():
        raise BadInputError(
            f"{folder.database}: no such file; run the study first, or open the storage that it ran with yourself: "
            "optuna-dashboard --host 127.0.0.1 URL"
        )
    from optuna_dashboard import wsgi  # type: ignore[import-untyped]

    app = for_this_machine(wsgi(open_view(folder), artifact_store=SheetStore(folder)))
    try:
        server = make_server(HOST, port, app, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise CannotRunError(f"port {port}: {error.strerror}; choose another with --port") from None
    with server, suppress(KeyboardInterrupt):
        say(f"optuna-dashboard is at http://{HOST}:{server.server_port}/dashboard; Ctrl-C ends it")
        server.serve_forever()


def open_view(folder: StudyFolder) -> StorageView:
    """Opens a study's SQLite storage for reading only.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        with closing(sqlite3.connect(folder.database, timeout=SQLITE_TIMEOUT_SECONDS)) as connection:
            connection.execute("SELECT study_id FROM studies")  # rolls back what a killed driver has left half written
        return StorageView(folder)
    except Exception as error:  # noqa: BLE001 - sqlite3's, SQLAlchemy's or Optuna's; all mean the same here
        raise StorageError(f"{folder.database}: the study's storage cannot be read ({error})") from None


class StorageView(RDBStorage):
    """A study's storage for reading only, each trial with its example sheet as an artifact."""

    def __init__(self, folder: StudyFolder) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sheets = SheetStore(folder)
        path = f"file:{quote(str(folder.database.resolve()))}?mode=ro"

        def connect() -> sqlite3.Connection:  # by hand: in a URL, braces are Optuna's and percents are SQLAlchemy's
            return sqlite3.connect(path, uri=True, timeout=SQLITE_TIMEOUT_SECONDS, check_same_thread=False)

        super().__init__("sqlite:///study.db", engine_kwargs={"creator": connect}, skip_table_creation=True)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Returns the trials, with their sheets."""
        return [self._with_sheet(trial) for trial in super().get_all_trials(study_id, deepcopy, states)]

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Returns a trial's attributes, its sheet among them."""
        number = self.get_trial_number_from_id(trial_id)
        return {**super().get_trial_system_attrs(trial_id), **self._sheets.attribute(number)}

    def _with_sheet(self, trial: FrozenTrial) -> FrozenTrial:
        shown = copy.copy(trial)
        shown._system_attrs = {**trial._system_attrs, **self._sheets.attribute(trial.number)}
        return shown


class SheetStore:
    """An Optuna artifact store of the example sheets in a study's trial folders, for reading only.

    A sheet's identifier names its trial and when it was written, so that a browser never shows an older one.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder

    def attribute(self, number: int) -> dict[str, str]:
        """Returns the attribute that makes the sheet of a trial an artifact; empty where it has none."""
        try:
            written = self._folder.trial(number).examples.stat().st_mtime_ns
        except OSError:
            return {}
        identifier = f"{number:08x}-{written:x}"
        meta = {"artifact_id": identifier, "filename": "examples.png", "mimetype": "image/png", "encoding": None}
        return {ARTIFACT + identifier: json.dumps(meta)}

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Opens a sheet.

        Raises:
            ArtifactNotFound: There is none.
        """
        named = re.fullmatch(r"([0-9a-f]{8})-[0-9a-f]+", artifact_id)
        try:
            return self._folder.trial(int(named[1], 16) if named else -1).examples.open("rb")
        except OSError:
            raise ArtifactNotFound(f"{artifact_id}: no such sheet") from None

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:  # noqa: ARG002 - Optuna's protocol
        """Refuses to: sheets are written by the study alone."""
        raise PermissionError(f"{artifact_id}: this view of the study is for reading only")

    def remove(self, artifact_id: str) -> None:
        """Refuses to: sheets are the study's."""
        raise PermissionError(f"{artifact_id}: this view of the study is for reading only")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base's name
        """Says nothing of each request."""
