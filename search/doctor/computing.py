"""Does the backend compute? Tried in a process of its own, whose crash or hang is then a finding and not our end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass

from colorgan.config import Backend
from search.doctor.finding import Case, Finding, ok, problem
from search.engines.environment import worker_environment
from search.engines.local import visible_gpus
from search.words import counted

LIMIT_SECONDS = 90.0  # importing TensorFlow takes 4 to 10 s, from a slow disk several times as long
GRACE_SECONDS = 5.0  # for the process to end itself and say where it hung
TRUTH = [324.0, 36.0]  # 3 x 3 ones over 8 x 8 ones: 36 places of 9; each of the 9 ones meets 36
PREFIX = "devices: "
NAMES: dict[Backend, str] = {"tensorflow": "TensorFlow", "jax": "JAX"}
_WATCHED = """
import faulthandler, json, sys
faulthandler.enable()
faulthandler.dump_traceback_later(float(sys.argv[1]), exit=True)
"""
_ANSWER = f"print({PREFIX!r} + json.dumps(found))"
_TENSORFLOW = """
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "scipy")))  # as a worker: a third of the start
import tensorflow as tf

@tf.function
def step(photo, kernel):
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        total = tf.reduce_sum(tf.nn.conv2d(photo, kernel, 1, "VALID"))
    return total, tape.gradient(total, kernel)

found = {}
for device in [device for device in tf.config.list_logical_devices() if device.device_type in ("CPU", "GPU")]:
    with tf.device(device.name):
        total, slope = step(tf.ones((1, 8, 8, 1)), tf.ones((3, 3, 1, 1)))
        found[device.name.removeprefix("/device:")] = [float(total), float(slope[0, 0, 0, 0])]
"""
_JAX = """
import jax, jax.numpy as jnp

def convolve(photo, kernel):
    order = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(photo, kernel, (1, 1), "VALID", dimension_numbers=order).sum()

found = {}
for device in {device: None for device in [*jax.devices("cpu"), *jax.devices()]}:
    with jax.default_device(device):
        step = jax.jit(jax.value_and_grad(convolve, argnums=1))
        total, slope = step(jnp.ones((1, 8, 8, 1)), jnp.ones((3, 3, 1, 1)))
        found[f"{device.platform.upper()}:{device.id}"] = [float(total), float(slope[0, 0, 0, 0])]
"""
PROGRAMS: dict[Backend, str] = {
    "tensorflow": _WATCHED + _TENSORFLOW + _ANSWER,
    "jax": _WATCHED + _JAX + _ANSWER,
}
_CUDA: dict[Backend, str] = {
    "tensorflow": "make setup ACCELERATOR=gpu installs the CUDA libraries",
    "jax": "make setup EXTRAS=jax-gpu installs the CUDA libraries; ACCELERATOR=jax-gpu without TensorFlow",
}
_LIBRARIES = re.compile(r"dlopen|cuInit|CUDA|cuda|cudnn|libnv", re.ASCII)


@dataclass(frozen=True)
class Probe:
    """How the process ended.

    Attributes:
        code: Its exit code, negative for a signal; None where it had to be killed.
        output: What it printed.
        complaints: What it printed to stderr.
    """

    code: int | None
    output: str = ""
    complaints: str = ""


def backend(case: Case) -> Finding:
    """Does the backend start, and compute a convolution and its gradient rightly on all that the machine has?"""
    probe = run_probe(PROGRAMS[case.backend], LIMIT_SECONDS, backend=case.backend)
    return judge_probe(probe, gpus=len(visible_gpus()), backend=case.backend)


def run_probe(program: str, seconds: float, *, backend: Backend = "tensorflow") -> Probe:
    """Runs Python code in a process of its own for at most some seconds more than it is told as its argument."""
    gpus = ",".join(visible_gpus())
    settings = worker_environment(backend, gpu_share=float(bool(gpus))) | {"TF_CPP_MIN_LOG_LEVEL": "1"}
    settings |= {"CUDA_VISIBLE_DEVICES": gpus} if gpus else {}
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, str(seconds)],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(None)
    return Probe(done.returncode, done.stdout, done.stderr)


def judge_probe(probe: Probe, *, gpus: int, backend: Backend = "tensorflow") -> Finding:
    """Judges a run of the backend's program on a machine with so many NVIDIA GPUs."""
    name = NAMES[backend]
    mend = "make clean, then make setup; if it stays so, search for this message together with your processor's name"
    if probe.code is None or "Timeout (" in probe.complaints:
        return problem(f"{name} hangs when it is started", mend)
    if probe.code < 0:
        ending = signal.Signals(-probe.code).name
        if ending == "SIGILL":
            mend = "this processor lacks instructions that the build uses (AVX): use another machine or build"
        return problem(f"{name} is ended by {ending} when it is started", mend)
    if probe.code:
        return problem(f"{name} cannot be used: {_last_line(probe.complaints)}", mend)
    line = next((line for line in probe.output.splitlines() if line.startswith(PREFIX)), PREFIX + "{}")
    return _judge_devices(json.loads(line.removeprefix(PREFIX)), probe.complaints, gpus, backend)


def _judge_devices(devices: dict[str, list[float]], complaints: str, gpus: int, backend: Backend) -> Finding:
    name = NAMES[backend]
    wrong = [device for device, computed in devices.items() if computed != TRUTH]
    if wrong or not devices:
        return problem(
            f"{name} computes wrongly on {', '.join(wrong) or 'everything'}", "test the memory and the device"
        )
    seen = [device for device in devices if device.startswith("GPU")]
    if len(seen) < gpus:
        why = next((line for line in complaints.splitlines() if _LIBRARIES.search(line)), "it does not say why")
        return problem(
            f"{name} sees {len(seen)} of {counted(gpus, 'NVIDIA GPU')}: {why}",
            f"{_CUDA[backend]}; a driver too old for them must be updated",
        )
    return ok(f"{name} computes rightly on {', '.join(devices)}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it says nothing"])[-1]
