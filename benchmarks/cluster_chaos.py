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
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machines import NETWORK, Machine, bridge, wait
from benchmarks.processes import ROOT
from search.storage import StudyFolder

PORT = 6379
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # others reach these ports as well
PATIENT = {"RAY_raylet_start_wait_time_s": "200"}  # on a machine that has all nodes to carry
STUDY = """
name: chaos
train:
  data: {{photos: sample, size: 32, crop_scales: [1.0], train_limit: 16, valid_limit: 4}}
  generator: {{filters: 4, depth: 3, dropout: 0.5}}
  discriminator: {{filters: 4, depth: 2}}
  schedule: {{epochs: {epochs}, steps_per_epoch: 4, batch_size: 8}}
  validation: {{examples: 1, moving_average: 0.9}}
space:
  optimizer.generator_learning_rate: {{type: float, low: 1.0e-4, high: 1.0e-2, log: true}}
search: {{trials: {trials}, sampler: {{name: random}}, retries: 100}}
"""


class Node(Machine):
    """A machine, and its raylet."""

    def __init__(self, number: int, folder: Path, *, head: bool = False) -> None:
        super().__init__(number)
        join = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        options = join if head else [f"--address={NETWORK}.10:{PORT}"]
        common = [f"--node-ip-address={self.address}", f"--num-cpus={0 if head else 1}", "--disable-usage-stats"]
        command = ["ray", "start", *options, *common, "--object-store-memory=80000000", "--block"]
        self._log = folder / f"{self.name}.log"
        self._process = self.run(command, self._log, cache=folder / f"cache-{number}")

    def run(self, command: list[str], log: Path, *, cache: Path) -> subprocess.Popen[bytes]:
        """Runs a program of the environment on this machine, with a cache of photos of its own."""
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        env = {"PATH": path, "PYTHONPATH": str(ROOT), "COLORGAN_CACHE": str(cache), **TOKEN, **PATIENT}
        return self.start(command, log, env)

    def join(self) -> None:
        """Waits until it belongs to the cluster."""
        wait(lambda: "Ray runtime started" in self._log.read_text(), self._process, f"{self.name} at {self.address}")


def main() -> None:
    """Runs the study through its troubles, then undisturbed, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="for results and logs; default: one that is removed")
    parser.add_argument("--trials", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(STUDY.format(trials=given.trials, epochs=600))
        _torment(folder)
        subprocess.run(command("local"), cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
        found, twin = (numbers(folder / engine / "chaos") for engine in ("ray", "local"))
        print("every number is that of the local engine" if found == twin else "NUMBERS DIFFER", flush=True)
        raise SystemExit(found != twin)


def _torment(folder: Path) -> None:
    with bridge() as machines:
        nodes: list[Node] = []

        def add() -> None:
            nodes.append(Node(len(nodes), folder, head=not nodes))
            machines.append(nodes[-1])

        for _ in range(3):
            add()
            nodes[-1].join()
        more = ["--address", f"{NETWORK}.10:{PORT}", "--checkpoints", str(folder / "shared")]
        driver = nodes[0].run([*command("ray"), *more], folder / "driver.log", cache=folder / "cache-driver")
        study = StudyFolder(folder / "ray" / "chaos")
        wait(lambda: least_epochs(study) >= 5, driver, "five epochs on both nodes")
        nodes[1].kill()
        add()
        wait(lambda: retried(study) == 1, driver, "a trial without its node")
        done = least_epochs(study)
        wait(lambda: least_epochs(study) >= done + 5, driver, "five more on the new node")
        nodes[2].cut()
        add()
        code = driver.wait(900)
        print((folder / "driver.log").read_text(), flush=True)
        if code:
            raise SystemExit(f"the driver ended with {code}")


def command(engine: str) -> list[str]:
    return [sys.executable, "-m", "search", "run", "study.yaml", "--engine", engine, "--results", engine]


def least_epochs(study: StudyFolder) -> int:
    """Returns how many epochs the first two trials have both done."""
    done = [len(record.epochs) for record in study.records()[:2]]
    return min(done) if len(done) == 2 else 0


def retried(study: StudyFolder) -> int:
    return sum(record.retries for record in study.records())


def numbers(folder: Path) -> list[Any]:
    return [
        (record.number, record.state, record.params, [(e.epoch, e.step, e.objective, e.metrics) for e in record.epochs])
        for record in StudyFolder(folder).records()
    ]


if __name__ == "__main__":
    main()
