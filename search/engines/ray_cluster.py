"""Ray itself: started on this machine, or joined; how many workers its nodes have room for; and left again."""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

import colorgan
import search
from colorgan.config import Backend
from colorgan.interruption import uninterrupted
from colorgan.plain_text import error_line
from search.engines import EngineError
from search.engines.environment import worker_environment
from search.engines.local import usable_cores
from search.hidden_storage import STORAGE_VARIABLE
from search.settings import Resources

STORE_BYTES = 200 * 2**20  # for what workers say; an epoch's examples are some 100 kB
ANSWER_SECONDS = 30.0  # for a head that is only being started; Ray itself was still trying after nine minutes
HOW_TO_ENTER = "a cluster with a token wants RAY_AUTH_MODE=token in the environment, and ~/.ray/auth_token"


class RayCluster:
    """The Ray that this process joins, or starts.

    Attributes:
        joined: Whether it has been.
    """

    def __init__(self, address: str | None, *, cores: float | None = None) -> None:
        """Does nothing yet.

        Args:
            address: `auto`, HOST:PORT, or ray://HOST:PORT; None starts one.
            cores: How many cores one that is started shall offer at least.
        """
        self._address, self._cores = address, cores
        self.joined, self._ours = False, False

    def join(self) -> None:
        """Joins the cluster at the address, or starts a Ray of its own, whose dashboard listens on 127.0.0.1.

        Raises:
            EngineError: There is none at this address, or it does not start.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that a study runs
        self._ours = not ray.is_initialized()
        if self._ours:
            self._init(self._address)
        self.joined = True

    def _init(self, address: str | None) -> None:
        given: dict[str, Any] = {"address": address or "local", "log_to_driver": False, "logging_level": logging.ERROR}
        if address is None:
            given |= {"num_cpus": math.ceil(max(self._cores or 1, usable_cores())), "object_store_memory": STORE_BYTES}
            given |= {"include_dashboard": True, "dashboard_host": "127.0.0.1"}
        else:
            _refuse_silence(address)
            # nodes run the driver's own code, whatever they have installed
            given["runtime_env"] = {"py_modules": [str(_folder(package)) for package in (colorgan, search)]}
        try:
            with _without_storage(), uninterrupted() if address is None else nullcontext():  # half of it would live on
                ray.init(**given)
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            said = error_line(error)[:500]
            raise EngineError(f"--address {address}: {said} ({HOW_TO_ENTER})" if address else said) from None

    @property
    def may_grow(self) -> bool:
        """Whether nodes may join; to one that was started for a study none do."""
        return self._address is not None or not self._ours

    def gpus(self) -> bool:
        """Returns whether any node has GPUs."""
        return any(node.get("GPU") for node in self._nodes())

    def room(self, need: Mapping[str, float]) -> int:
        """Returns for how many workers that need this the nodes are large enough, whatever else runs there."""
        return sum(_fitting(node, need) for node in self._nodes())

    def largest(self) -> dict[str, float]:
        """Returns what the node with most cores has of what a worker may need."""
        node = max(self._nodes(), key=lambda node: node.get("CPU", 0.0))
        return {name: node.get(name, 0.0) for name in ("CPU", "GPU", "memory")}

    def close(self) -> None:
        """Leaves a cluster, and stops one that was started."""
        if self._ours:
            ray.shutdown()

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def actor_needs(wanted: Resources, *, gpus: bool) -> dict[str, float]:
    """Returns what a worker needs, by Ray's names.

    Args:
        wanted: By the study.
        gpus: Whether there are any.
    """
    gpu = float(gpus) if wanted.gpu is None else wanted.gpu
    return {
        "CPU": wanted.cpu,
        **({"GPU": gpu} if gpu else {}),
        **({"memory": wanted.memory} if wanted.memory else {}),
    }


def actor_options(needs: Mapping[str, float], backend: Backend) -> dict[str, Any]:
    """Returns how Ray shall make a worker: what it sets aside for it, and its environment."""
    gpu = needs.get("GPU", 0.0)
    variables = worker_environment(backend, threads=max(1, int(needs["CPU"])), gpu_share=min(gpu, 1.0))
    variables |= {STORAGE_VARIABLE: ""} | ({} if gpu else {"CUDA_VISIBLE_DEVICES": ""})
    return {
        "num_cpus": needs["CPU"],
        "num_gpus": gpu,
        "memory": needs.get("memory"),
        "max_restarts": 0,  # whose checkpoint goes where is the driver's to say
        "runtime_env": {"env_vars": variables},
    }


def _fitting(node: Mapping[str, float], need: Mapping[str, float]) -> int:
    return min(int(node.get(name, 0.0) / amount + 1e-9) for name, amount in need.items())


def _refuse_silence(address: str) -> None:
    """Refuses a HOST:PORT at which nobody answers; what else an address may be is Ray's to say.

    Raises:
        EngineError: Nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
        except (OSError, OverflowError, UnicodeError) as error:
            if time.monotonic() >= deadline:
                advice = "look whether Ray runs there"
                raise EngineError(f"--address {address}: nobody answers there ({error}); {advice}") from None
        else:
            return
        time.sleep(min(1.0, ANSWER_SECONDS))


def _folder(package: Any) -> Path:
    return Path(package.__file__).parent


@contextmanager
def _without_storage() -> Iterator[None]:
    """Hides the storage URL, with its password, from the processes that Ray starts."""
    storage = os.environ.pop(STORAGE_VARIABLE, None)
    try:
        yield
    finally:
        if storage is not None:
            os.environ[STORAGE_VARIABLE] = storage
