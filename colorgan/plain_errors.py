"""Errors of commands as a user reads them: a message without a traceback, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from colorgan.disk import explain
from colorgan.errors import BadInputError, CannotRunError
from colorgan.place import too_long
from colorgan.plain_text import plain

BAD_INPUT, FAILED = 2, 1


@contextmanager
def plain_errors() -> Iterator[None]:
    """Shows errors that a user can mend as a message; exit code 2 for bad input, 1 for what cannot be done."""
    try:
        yield
    except BadInputError as error:
        typer.echo(plain(str(error)), err=True)
        raise typer.Exit(BAD_INPUT) from None
    except CannotRunError as error:
        typer.echo(plain(str(error)), err=True)
        raise typer.Exit(FAILED) from None
    except OSError as error:
        typer.echo(plain(too_long(error) or explain(error)), err=True)
        raise typer.Exit(BAD_INPUT if too_long(error) else FAILED) from None
