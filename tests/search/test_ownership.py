"""A study has one driver at a time, and a dead one does not keep it."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from colorgan.disk import explain
from search.ownership import Owner, StudyBusyError, owned

OWN = """
import sys, pathlib
from search.ownership import owned
with owned(pathlib.Path(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.read()
"""


def owner(path: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", OWN, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "owned\n"
    return process


def test_a_study_has_one_driver_and_the_second_is_told_which_and_since_when(tmp_path: Path) -> None:
    lock = tmp_path / "study" / ".driver"
    with owner(lock) as first:
        found = Owner.named_in(lock)
        assert found is not None
        assert (found.process, found.host, found.is_alive) == (first.pid, socket.gethostname(), True)
        said = rf"study: this study is being run by process {first.pid} on {found.host}, for \d+ s; wait for it or stop"
        for takeover in (False, True):  # nothing is taken from one that runs
            with pytest.raises(StudyBusyError, match=said), owned(lock, takeover=takeover):
                pass
        first.kill()
        first.wait()
        assert found.is_alive is False
        with owned(lock) as before:  # a killed driver has let it go
            assert before == found
    with owned(lock) as before:
        assert before is None


def test_the_lock_of_a_dead_machine_can_be_taken_over(tmp_path: Path) -> None:
    lock = tmp_path / ".driver"
    with owned(lock):  # as a network file system goes on to lock it
        gone = Owner(7, "machine-that-burnt", time.time() - 7200)
        lock.write_text(json.dumps(asdict(gone)))
        said = r"process 7 on machine-that-burnt, for 2 h 0 min; .* give --takeover"
        with pytest.raises(StudyBusyError, match=said), owned(lock):
            pass
        with owned(lock, takeover=True) as before:
            assert before == gone
            assert Owner.named_in(lock) == Owner(os.getpid(), socket.gethostname(), pytest.approx(time.time(), abs=60))
            with pytest.raises(StudyBusyError), owned(lock):
                pass


def test_a_process_that_has_only_the_number_of_the_owner_is_not_taken_for_it() -> None:
    assert Owner(os.getpid(), socket.gethostname(), time.time()).is_alive
    assert Owner(os.getpid(), socket.gethostname(), 1.0).is_alive is False
    assert Owner(os.getpid(), "elsewhere", 1.0).is_alive is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": "x"}', "process 3 on host"])
def test_a_lock_file_that_names_nobody_is_no_hindrance(tmp_path: Path, content: str) -> None:
    (tmp_path / ".driver").write_text(content)
    assert Owner.named_in(tmp_path / ".driver") is None
    with owned(tmp_path / ".driver") as before:
        assert before is None


def test_a_lock_that_a_full_disk_leaves_unwritten_is_named_and_free(tmp_path: Path) -> None:
    lock, limits = tmp_path / "study" / ".driver", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as if the disk were full
    try:
        with pytest.raises(OSError) as raised, owned(lock):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert explain(raised.value).startswith(f"{lock}: cannot be written: ")
    with owned(lock) as before:
        assert before is None
