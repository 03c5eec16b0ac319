"""Pretended machines: network namespaces with addresses of their own on a bridge. Needs root, Linux and iproute2."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

BRIDGE, NETWORK, PREFIX = "colorgan0", "10.213.7", "colorgan-"


@contextmanager
def bridge() -> Iterator[list[Machine]]:
    """Joins the machines that are put into the list, and takes all of it down in the end."""
    machines: list[Machine] = []
    _ip("link", "add", BRIDGE, "type", "bridge")
    try:
        _ip("link", "set", BRIDGE, "up")
        yield machines
    finally:
        for machine in machines:
            machine.remove()
        _ip("link", "del", BRIDGE)


class Machine:
    """A network namespace, and what runs in it.

    Attributes:
        name: Of the namespace.
        address: That the others reach.
    """

    def __init__(self, number: int) -> None:
        self.name, self.address = f"{PREFIX}{number}", f"{NETWORK}.{10 + number}"
        self._outside = f"cgan{number}"
        inside = f"cgin{number}"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("link", "set", self._outside, "master", BRIDGE, "up")
        for words in (f"addr add {self.address}/24 dev {inside}", f"link set {inside} up", "link set lo up"):
            _ip("-n", self.name, *words.split())

    def words(self, command: list[str]) -> list[str]:
        """Returns the command that runs another here."""
        return ["ip", "netns", "exec", self.name, *command]

    def start(self, command: list[str], log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a program here, in its log's folder, with more of an environment."""
        given = {**os.environ, **env}
        with log.open("ab") as output:
            return subprocess.Popen(self.words(command), env=given, cwd=log.parent, stdout=output, stderr=output)

    def cut(self) -> None:
        """Takes its cable out."""
        _ip("link", "set", self._outside, "down")
        print(f"{self.name}: network cut", flush=True)

    def kill(self) -> None:
        """Ends all of its processes at once."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        for pid in map(int, found.stdout.split()):
            os.kill(pid, signal.SIGKILL)
        print(f"{self.name}: {len(found.stdout.split())} processes killed", flush=True)

    def remove(self) -> None:
        """Ends it and takes its network down."""
        self.kill()
        _ip("link", "del", self._outside)  # else it is there until the system has forgotten the namespace
        _ip("netns", "del", self.name)


def wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], what: str, seconds: float = 300) -> None:
    """Waits until something is so, as long as a process lives."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.2)
    print(f"{what}: there", flush=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
