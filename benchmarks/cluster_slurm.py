"""A study on a pretended SLURM, through most of what ends a job: `sudo python -m benchmarks.cluster_slurm`.

A controller and three nodes, each in a network namespace of its own, run munged, slurmctld and slurmd (Debian's
packages slurm-wlm and munge), without cgroups. `docs/cluster/slurm.sh` is submitted as it stands. Its time limit comes,
the same command is given twice, the job is requeued, Ray is killed on a node, the driver's node dies, the job is
cancelled and given again; then the study's numbers are compared with those of the local engine. Needs root, and a
`.venv` with Ray in the checkout. All of it is taken down at the end.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import subprocess
import tempfile
from pathlib import Path

from benchmarks.cluster_chaos import STUDY, command, least_epochs, numbers, retried
from benchmarks.machines import NETWORK, Machine, bridge, wait
from benchmarks.processes import ROOT
from search.storage import StudyFolder

NAMES = ("login", "node1", "node2", "node3")
# what a program sees as its machine's: its name, the others' addresses, a folder for Ray's sockets and logs
INTO = """
hostname "$1" && mount --bind "$2" /etc/hosts && mkdir -p /tmp/ray && mount --bind "$3" /tmp/ray && shift 3 && exec "$@"
"""
CONFIGURATION = """
ClusterName=colorgan
SlurmctldHost=login({network}.10)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
GresTypes=gpu
SlurmdTimeout=20
StateSaveLocation={folder}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/%n
SlurmdParameters=config_overrides
{nodes}
PartitionName=all Nodes=ALL Default=YES OverSubscribe=NO
"""


class Host(Machine):
    """A machine with a name."""

    def __init__(self, number: int, folder: Path) -> None:
        super().__init__(number)
        self.host, self._folder = NAMES[number], folder
        (folder / self.host / "ray").mkdir(parents=True, exist_ok=True)

    def words(self, command: list[str]) -> list[str]:
        """Returns the command that runs another here."""
        own = [self.host, str(self._folder / "hosts"), str(self._folder / self.host / "ray")]
        return super().words(["unshare", "--uts", "sh", "-c", INTO, "sh", *own, *command])


class Slurm:
    """The cluster."""

    def __init__(self, folder: Path, hosts: list[Host]) -> None:
        self._folder, self._login, self._env = folder, hosts[0], {"SLURM_CONF": str(folder / "slurm.conf")}
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{h.address} {h.host}\n" for h in hosts))
        nodes = "\n".join(f"NodeName={host.host} NodeAddr={host.address} CPUs=1" for host in hosts[1:])
        (folder / "slurm.conf").write_text(CONFIGURATION.format(network=NETWORK, folder=folder, nodes=nodes))
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # none is used; without this one is looked for
        self.controller = hosts[0].start(["slurmctld", "-D", "-c"], folder / "slurmctld.log", self._env)
        for host in hosts[1:]:
            host.start(["slurmd", "-D", "-N", host.host], folder / f"{host.host}.log", self._env)
        wait(lambda: self.ask("sinfo", "-h", "-o", "%D %t") == "3 idle", self.controller, "three idle nodes")

    def ask(self, *command: str) -> str:
        """Runs one of SLURM's commands and returns what it says."""
        env = {**os.environ, **self._env, "COLORGAN_CACHE": str(self._folder / "cache")}
        words = self._login.words(list(command))
        return subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    def submit(self, *options: str) -> str:
        """Submits the script with the study, and returns the job's number."""
        script = [str(ROOT / "docs/cluster/slurm.sh"), str(self._folder / "study.yaml")]
        own = ["--parsable", "--cpus-per-task=1", "--gpus-per-node=0", f"--output={self._folder}/job-%j.log", *options]
        job = self.ask("sbatch", *own, *script, "--results", str(self._folder / "ray"))
        print(f"job {job}: {' '.join(options)}", flush=True)
        return job

    def state(self, job: str) -> str:
        """Returns a job's state and exit code."""
        found = re.findall(r"\b(?:JobState|ExitCode)=(\S+)", self.ask("scontrol", "show", "job", job))
        return " ".join(found)

    def step(self, job: str, host: str) -> str:
        """Returns the number of what a job runs on a node, its script aside."""
        steps = [line.split() for line in self.ask("squeue", "-h", "-s", "-o", "%i %N").splitlines()]
        return next(step for step, node in steps if step.startswith(f"{job}.") and node == host)

    def ends(self, job: str, *states: str) -> None:
        """Waits until a job has ended, in one of these states."""
        running = ("PENDING", "RUNNING", "COMPLETING")
        wait(lambda: not self.state(job).startswith(running), self.controller, f"the end of job {job}", seconds=1500)
        if (state := self.state(job)) not in states:
            raise SystemExit(f"job {job} ended as {state} instead of {states}; see its log")
        print(f"job {job}: {state}", flush=True)


def main() -> None:
    """Runs the study through its troubles, then undisturbed, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="for results and logs; default: one that is removed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(STUDY.format(trials=2, epochs=1500))
        munged = _munged(folder)
        try:
            _torment(folder)
        finally:
            munged.terminate()
        subprocess.run(command("local"), cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
        found, twin = (numbers(folder / engine / "chaos") for engine in ("ray", "local"))
        print("every number is that of the local engine" if found == twin else "NUMBERS DIFFER", flush=True)
        raise SystemExit(found != twin)


def _munged(folder: Path) -> subprocess.Popen[bytes]:
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
    options = [f"--{option}={folder}/munge.{ending}" for option, ending in files.items()]
    with (folder / "munged.log").open("ab") as output:
        return subprocess.Popen(["munged", "--foreground", "--force", *options], stdout=output, stderr=output)


def _torment(folder: Path) -> None:
    study = StudyFolder(folder / "ray" / "chaos")
    with bridge() as machines:
        hosts: list[Host] = []
        for number in range(len(NAMES)):
            hosts.append(Host(number, folder))
            machines.append(hosts[-1])
        slurm = Slurm(folder, hosts)

        def trained(what: str) -> None:
            done = least_epochs(study)
            more = f"five more epochs of both trials {what}"
            wait(lambda: least_epochs(study) >= done + 5, slurm.controller, more, seconds=600)

        def again(job: str) -> None:
            wait(lambda: slurm.state(job).startswith("PENDING"), slurm.controller, f"job {job} in the queue again")
            slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

        slurm.ends(slurm.submit("--time=3", "--signal=B:TERM@60"), "FAILED 130:0")  # saved
        job = slurm.submit()
        trained("after the time limit")
        slurm.ends(slurm.submit("--nodes=1"), "FAILED 1:0")  # refused
        slurm.ask("scontrol", "requeue", job)
        again(job)
        trained("after the requeueing")
        slurm.ask("scancel", slurm.step(job, "node2"))
        wait(lambda: retried(study) == 1, slurm.controller, "a trial without its Ray")
        trained("with a new Ray")
        hosts[1].kill()  # with it the driver; SLURM requeues the job
        again(job)
        trained("on other nodes")
        slurm.ask("scancel", job)
        slurm.ends(job, "CANCELLED 0:9", "CANCELLED 0:15", "CANCELLED 0:0")
        slurm.ends(slurm.submit(), "COMPLETED 0:0")


if __name__ == "__main__":
    main()
