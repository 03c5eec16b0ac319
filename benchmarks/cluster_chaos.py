"""A study on pretended machines, of which some die: `sudo python -m benchmarks.cluster_chaos [--folder FOLDER]`.

Each raylet lives in a network namespace with an address of its own, joined by a bridge; only the folder for checkpoints
is common. One node is killed with all its processes in mid-study, another's network goes, a third joins; then the
study's numbers are compared with those of the local engine. Needs root, Linux and iproute2. All of it is taken down at
the end.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT
from search.storage import StudyFolder

BRIDGE, NETWORK, PREFIX = "colorgan0", "10.213.7", "colorgan-"
PORT = 6379
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # others reach these ports as well
PATIENT = {"RAY_raylet_start_wait_time_s": "200"}  # on a machine that has all nodes to carry
STUDY = """
name: chaos
train:
  data: {{photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}}
  generator: {{filters: 4, depth: 3, dropout: 0.5}}
  discriminator: {{filters: 4, depth: 2}}
  schedule: {{epochs: 600, steps_per_epoch: 4, batch_size: 8}}
  validation: {{examples: 1, moving_average: 0.9}}
space:
  optimizer.generator_learning_rate: {{type: float, low: 1.0e-4, high: 1.0e-2, log: true}}
search: {{trials: {trials}, sampler: {{name: random}}, retries: 100}}
"""


class Node:
    """A machine: a network namespace, and in it a raylet."""

    def __init__(self, number: int, folder: Path, *, head: bool = False) -> None:
        self.name, self.address = f"{PREFIX}{number}", f"{NETWORK}.{10 + number}"
        self._outside, self._head = f"cgan{number}", head
        inside = f"cgin{number}"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("link", "set", self._outside, "master", BRIDGE, "up")
        for words in (f"addr add {self.address}/24 dev {inside}", f"link set {inside} up", "link set lo up"):
            _ip("-n", self.name, *words.split())
        join = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        options = join if head else [f"--address={NETWORK}.10:{PORT}"]
        common = [f"--node-ip-address={self.address}", f"--num-cpus={0 if head else 1}", "--disable-usage-stats"]
        command = ["ray", "start", *options, *common, "--object-store-memory=80000000", "--block"]
        self._log = folder / f"{self.name}.log"
        self._process = self.run(command, self._log, cache=folder / f"cache-{number}")

    def run(self, command: list[str], log: Path, *, cache: Path) -> subprocess.Popen[bytes]:
        """Runs a program of the environment on this machine, with a cache of photos of its own."""
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLORGAN_CACHE": str(cache), **TOKEN, **PATIENT}
        with log.open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.name, *command], env=env, cwd=log.parent, stdout=output, stderr=output
            )

    def join(self) -> None:
        """Waits until it belongs to the cluster."""
        _wait(lambda: "Ray runtime started" in self._log.read_text(), self._process, f"{self.name} at {self.address}")

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
        _ip("netns", "del", self.name)


def main() -> None:
    """Runs the study through its troubles, then undisturbed, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="for results and logs; default: one that is removed")
    parser.add_argument("--trials", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(STUDY.format(trials=given.trials))
        _torment(folder)
        subprocess.run(_command("local"), cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
        found, twin = (_numbers(folder / engine / "chaos") for engine in ("ray", "local"))
        print("every number is that of the local engine" if found == twin else "NUMBERS DIFFER", flush=True)
        raise SystemExit(found != twin)


def _torment(folder: Path) -> None:
    nodes: list[Node] = []
    _ip("link", "add", BRIDGE, "type", "bridge")
    try:
        _ip("link", "set", BRIDGE, "up")
        for number in range(3):
            nodes.append(Node(number, folder, head=number == 0))
            nodes[-1].join()
        more = ["--address", f"{NETWORK}.10:{PORT}", "--checkpoints", str(folder / "shared")]
        driver = nodes[0].run([*_command("ray"), *more], folder / "driver.log", cache=folder / "cache-driver")
        study = StudyFolder(folder / "ray" / "chaos")
        _wait(lambda: _least_epochs(study) >= 5, driver, "five epochs on both nodes")
        nodes[1].kill()
        nodes.append(Node(3, folder))
        _wait(lambda: _retried(study) == 1, driver, "a trial without its node")
        done = _least_epochs(study)
        _wait(lambda: _least_epochs(study) >= done + 5, driver, "five more on the new node")
        nodes[2].cut()
        nodes.append(Node(4, folder))
        code = driver.wait(900)
        print((folder / "driver.log").read_text(), flush=True)
        if code:
            raise SystemExit(f"the driver ended with {code}")
    finally:
        for node in nodes:
            node.remove()
        _ip("link", "del", BRIDGE)


def _command(engine: str) -> list[str]:
    return [sys.executable, "-m", "search", "run", "study.yaml", "--engine", engine, "--results", engine]


def _least_epochs(study: StudyFolder) -> int:
    """Returns how many epochs the first two trials have both done."""
    done = [len(record.epochs) for record in study.records()[:2]]
    return min(done) if len(done) == 2 else 0


def _retried(study: StudyFolder) -> int:
    return sum(record.retries for record in study.records())


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.2)
    print(f"{what}: there", flush=True)


def _numbers(folder: Path) -> list[Any]:
    return [
        (record.number, record.state, record.params, [(e.epoch, e.step, e.objective, e.metrics) for e in record.epochs])
        for record in StudyFolder(folder).records()
    ]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


if __name__ == "__main__":
    main()
