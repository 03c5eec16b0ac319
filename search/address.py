"""Where a study's storage is, read from its URL and named without its secrets, and what its database's errors mean.

    sqlite:///file.db                                    postgresql://user:password@host:5432/database
    mysql+pymysql://user:password@host:3306/database     or any other that SQLAlchemy reads

What a database's errors mean is said here, so that no other room knows those of each database, and no message shows
what stands in an address: a database's own words are quoted without user, password and options.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from colorgan.errors import BadInputError
from search.storage import StorageError

SQLITE_PATH_BYTES = 500  # SQLite's 512 (MAX_PATHNAME in os_unix.c), with room for the `-journal` beside the file
SQLITE_TIMEOUT_SECONDS = 5.0  # for one call; `outage.py` repeats it, and hears Ctrl-C in between
GOES_ON = "Nothing is lost: the same command goes on from here"
EXAMPLE = "postgresql://user:password@host:5432/database"
INSTALL = {
    "psycopg": "install the extra `postgresql`: make setup EXTRAS=postgresql, or pip install 'colorgan[postgresql]'",
    "MySQLdb": "pip install mysqlclient, or pip install pymysql and write mysql+pymysql:// in the URL",
}
LIBPQ = {  # without them a broken network shows only after hours (libpq, "Connection Control Functions")
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms; the others in seconds
}
CONNECT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "psycopg": LIBPQ,
    "psycopg2": LIBPQ,
    "pymysql": {"connect_timeout": 10},
    "mysqldb": {"connect_timeout": 10},
}
_FAULTS = {
    sqlite3.SQLITE_FULL: f"the disk is full; make room. {GOES_ON}",
    sqlite3.SQLITE_IOERR: f"cannot be read or written: the disk is full or failing; make room. {GOES_ON}",
    sqlite3.SQLITE_READONLY: f"may not be written; make it and its folder writable. {GOES_ON}",
    sqlite3.SQLITE_CANTOPEN: f"cannot be opened; make it and its folder readable and writable. {GOES_ON}",
}
_SAFE = ("", " +")  # what of a secret stays as it is in a URL: as other programs and as SQLAlchemy write it
_LONG_SECRET = 4  # characters
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


class StorageUrlError(BadInputError):
    """A storage URL that cannot be one; the message does not quote it."""


class StorageLostError(StorageError):
    """The storage does not answer at the moment; the same may succeed a little later."""


class DamagedStorageError(StorageError):
    """What lies there is torn, or no database."""


@dataclass(frozen=True)
class Address:
    """Where a storage is.

    Attributes:
        shown: For people: without user, password and options.
        url: For SQLAlchemy.
        arguments: For SQLAlchemy's `create_engine`.
        secrets: What no message may show.
    """

    shown: str
    url: str = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def fault(self, error: BaseException, *, lost: bool) -> StorageError:
        """Returns what an error of the database's driver means for the study.

        Args:
            error: As the driver raised it.
            lost: Whether a server's connection is gone or cannot be had.
        """
        reason = self.quoted(error)
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without its extension
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return StorageLostError(f"{self.shown}: the study's storage is locked by another process ({reason})")
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "Could not decode" in reason:
                return DamagedStorageError(f"{self.shown}: the study's storage is damaged ({reason})")
            return StorageError(f"{self.shown}: {_FAULTS.get(code, 'cannot be used')} ({reason})")
        if lost:
            return StorageLostError(f"{self.shown}: the study's storage does not answer ({reason})")
        return StorageError(f"{self.shown}: the study's storage refuses ({reason}). {GOES_ON} once it does not")

    def quoted(self, error: BaseException) -> str:
        """Returns an error's own words on one line, without secrets."""
        text = str(error)
        if self.secrets:
            text = re.sub("|".join(map(_pattern, sorted(self.secrets, key=len, reverse=True))), "***", text)
        return " ".join(text.split()) or type(error).__name__


def file_address(path: Path) -> Address:
    """Returns the address of a SQLite file."""

    def connect() -> sqlite3.Connection:  # by hand: a URL has meanings of its own for ?, %, { and }
        return sqlite3.connect(path.resolve(), timeout=SQLITE_TIMEOUT_SECONDS, check_same_thread=False)

    return Address(str(path), "sqlite:///study.db", {"creator": connect})


def url_address(text: str) -> Address:
    """Returns the address that a storage URL names; connects to nothing.

    Raises:
        StorageUrlError: It is no such URL, or of an unknown kind of database.
        StorageError: The package that speaks with this kind of database is not installed.
    """
    try:
        url = make_url(text)
        if url.drivername in ("postgres", "postgresql"):  # whatever SQLAlchemy's own choice is
            url = url.set(drivername="postgresql+psycopg")
        dialect = url.get_dialect()
    except NoSuchModuleError:
        scheme = re.match(r"[\w+]+", text)
        raise StorageUrlError(
            f"the storage URL given begins with {scheme[0] if scheme else ''}://, which is no database that SQLAlchemy "
            f"knows; write one such as {EXAMPLE}"
        ) from None
    except (ArgumentError, ValueError):
        raise StorageUrlError(
            f"the storage URL given cannot be read; write one such as {EXAMPLE}, with %40 for @, %3A for : and "
            "%2F for / within user and password"
        ) from None
    if url.get_backend_name() == "sqlite":
        _check_sqlite(url.database or ":memory:")
    try:
        dialect.import_dbapi()
    except ImportError as error:
        needed = error.name or url.get_driver_name()
        raise StorageError(
            f"{_shown(text, url)}: needs {needed}: {INSTALL.get(needed, f'pip install {needed}')}"
        ) from None
    arguments = {"connect_args": _connect_arguments(url)} if url.get_backend_name() != "sqlite" else {}
    return Address(
        _shown(text, url),
        url.render_as_string(hide_password=False),
        {"pool_pre_ping": True, **arguments},
        _secrets(text, url),
    )


def _check_sqlite(database: str) -> None:
    """Refuses what SQLite would take for a failing disk.

    Raises:
        StorageUrlError: There is something that is no file, or no folder to make one in.
    """
    if database == ":memory:":
        raise StorageUrlError("the storage URL given is in memory, where no study goes on; name a file")
    if database.startswith("file:"):  # SQLite's own URL; what it names is not ours to read
        return
    path = Path(database)
    if len(os.fsencode(path.absolute())) > SQLITE_PATH_BYTES:
        raise StorageUrlError(f"sqlite:///{path}: too long; SQLite opens paths of at most {SQLITE_PATH_BYTES} bytes")
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        kind = stat.S_IFREG if path.parent.is_dir() else 0
    except OSError as error:
        raise StorageUrlError(f"sqlite:///{path}: {error.strerror}; name another file") from None
    if not kind:
        raise StorageUrlError(f"sqlite:///{path}: there is no folder {path.parent}; make it, or name another file")
    if kind != stat.S_IFREG:
        raise StorageUrlError(f"sqlite:///{path}: is {_KINDS.get(kind, 'a device')}, no file; name a file")


def _shown(text: str, url: URL) -> str:
    """Returns a URL without user, password and options; nothing of one in which a password may pass for a host.

    SQLAlchemy reads a password with an @ and a / or ? in it amiss. The host follows the last @.
    """
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ''}"
    host = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    if "@" in text and not re.match(rf"\[?{re.escape(url.host or '')}\]?(:\d+)?([/?]|$)", text.rpartition("@")[2]):
        return f"{url.get_backend_name()}://***"
    return f"{url.get_backend_name()}://{host}/{url.database or ''}"


def _secrets(text: str, url: URL) -> tuple[str, ...]:
    """Returns user, password and options in all the ways in which a message may quote them."""
    user = "" if url.get_backend_name() == "sqlite" else text.partition("://")[2].rpartition("@")[0]
    options = [value for values in url.normalized_query.values() for value in values]
    parts = {str(part) for part in (url.username, url.password, user, *re.split("[:/@?&=]", user), *options) if part}
    return tuple(form for part in parts for form in {part, *(quote(part, safe=safe) for safe in _SAFE), unquote(part)})


def _pattern(secret: str) -> str:
    """Returns what finds a secret; a short one only where it stands alone, as each word has its letters."""
    found = re.escape(secret)
    return found if len(secret) >= _LONG_SECRET else rf"(?<![^\W_]){found}(?![^\W_])"


def _connect_arguments(url: URL) -> dict[str, Any]:
    """Returns what makes a lost server known soon, as far as the URL does not say it."""
    arguments = CONNECT_ARGUMENTS.get(url.get_driver_name().lower(), {})
    return {key: value for key, value in arguments.items() if key not in url.query}
