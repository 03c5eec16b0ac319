"""A storage URL given on the command line: kept where other users of the machine do not see its password.

The list of processes (`ps`) shows everybody's command line to everybody; the environment only its owner sees. So the
first thing that a command does is to start again in its place, as the same process, with the URL in the environment.
Until then, for up to a tenth of a second, it can be seen: who minds that sets the variable instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

STORAGE_VARIABLE = "COLORGAN_STORAGE"
_OPTION = "--storage"
_COMMANDS = ("run", "doctor")  # others have no such option, and shall say so


def hide_storage() -> None:
    """Starts this process again where its command line names a storage that is no file."""
    given = sys.argv[1:]
    if given[:1] and given[0] in _COMMANDS and sys.orig_argv[-len(given) :] == given:
        rest, storage = without_storage(given)
        if storage:
            os.environ[STORAGE_VARIABLE] = storage
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1 : -len(given)], *rest])  # noqa: S606 - no shell


def without_storage(arguments: Sequence[str]) -> tuple[list[str], str]:
    """Returns a command line without its storage URL, and that; all of it and "" where there is nothing to hide."""
    rest: list[str] = []
    found: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":  # no options behind it
            rest += [word, *words]
        elif word == _OPTION:
            found.append(next(words, ""))
        elif word.startswith(f"{_OPTION}="):
            found.append(word.removeprefix(f"{_OPTION}="))
        else:
            rest.append(word)
    if all(storage.startswith("sqlite:") or not storage for storage in found):
        return list(arguments), ""
    return rest, [storage for storage in found if storage][-1]  # the last one counts, as it does without us
