"""What earlier runs have left behind: owners, workers, half-written files, links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from colorgan.links import links_out
from search.doctor.finding import Case, Finding, ok, problem, warning
from search.doctor.places import caches
from search.ownership import Owner
from search.words import counted

WORKER = "search.engines.worker"
INIT = 1  # the process that takes orphans in, in most places
NAMED = 3  # files and processes that a line names
_DRAFT = re.compile(r"\..+\.(\d+)")  # what `write_whole` and others write before the rename, with their process


def owners(case: Case) -> Finding:
    """Which studies have a driver, and which one died?"""
    named = [(folder, owner) for folder in case.folders() if (owner := Owner.named_in(folder.lock))]
    dead = [f"{folder.path} by {owner}" for folder, owner in named if owner.is_alive is False]
    distant = [f"{folder.path} by {owner}" for folder, owner in named if owner.is_alive is None]
    if dead:
        return warning(
            f"left by a driver that died: {'; '.join(dead[:NAMED])}", "make search again: it goes on where they were"
        )
    if distant:
        return warning(
            f"owned on another machine: {'; '.join(distant[:NAMED])}", "leave it, or if that machine died: --takeover"
        )
    return ok(f"{counted(len(named), 'driver')} at work" if named else "no driver is at work, and none has died")


def leftovers(case: Case) -> Finding:
    """Has a killed process left half-written files?"""
    drafts = [path for path in _contents(case) if _is_dead_draft(path)]
    packs = [
        path
        for folder in caches()
        for path in (folder / "photos").glob("*.tmp*")
        if _process_gone(path.name.rpartition("tmp")[2])
    ]
    if drafts or packs:
        named = ", ".join(str(path) for path in [*drafts, *packs][:NAMED])
        return warning(
            f"{len(drafts) + len(packs)} half-written by processes that died: {named}",
            "remove them; packed photos: python -m colorgan cache --clean",
        )
    return ok("nothing half-written was left behind")


def _contents(case: Case) -> Iterable[Path]:
    """Yields all that is in the studies' folders; what others remove meanwhile is left out (`rglob` would raise)."""
    for study in case.folders():
        for folder, folders, files in os.walk(study.path):
            yield from (Path(folder) / name for name in (*folders, *files))


def _is_dead_draft(path: Path) -> bool:
    found = _DRAFT.fullmatch(path.name)
    return found is not None and _process_gone(found[1])


def _process_gone(number: str) -> bool:
    return number.isdecimal() and not psutil.pid_exists(int(number))


def damage(case: Case) -> Finding:
    """Have files been found damaged and set aside?"""
    found = [path for path in _contents(case) if path.name.startswith("damaged-")]
    if found:
        named = ", ".join(map(str, found[:NAMED]))
        return warning(
            f"{counted(len(found), 'file')} found damaged and set aside: {named}",
            "test the disk (dmesg, smartctl), then remove them; the study went on from the state before",
        )
    return ok("no file was found damaged")


def workers(_case: Case) -> Finding:
    """Do workers run that no driver has any more?"""
    orphans = list(orphaned(psutil.process_iter()))
    if orphans:
        return problem(
            f"workers without a driver hold memory and cores: processes {', '.join(map(str, orphans))}",
            f"kill -9 {' '.join(map(str, orphans))}",
        )
    return ok("no worker runs without its driver")


def orphaned(processes: Iterable[psutil.Process]) -> Iterable[int]:
    """Yields this user's workers whose parent is not the Python that started them, but whatever takes orphans in."""
    for process in processes:
        with suppress(psutil.Error):
            if WORKER in process.cmdline() and process.uids().real == os.getuid() and not _has_driver(process):
                yield process.pid


def _has_driver(worker: psutil.Process) -> bool:
    parent = worker.parent()
    try:
        if parent is None or parent.exe() != worker.exe():
            return False
    except psutil.AccessDenied:  # another user's
        return False
    return parent.pid != INIT or any("search" in word for word in parent.cmdline())  # in a container it may be either


def links(case: Case) -> Finding:
    """Does a link lead out of a study's folder?"""
    found = [path for folder in case.folders() for path in links_out(folder.path)]
    if found:
        named = ", ".join(map(str, found[:NAMED]))
        return problem(f"links lead out of the study's folder: {named}", "put the file itself in the link's place")
    return ok("no link leads out of a study's folder")
