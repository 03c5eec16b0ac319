"""One training step: ours against the step of TensorFlow's pix2pix tutorial on the same networks and batch.

As `python -m benchmarks.step_time WHO SIZE DEPTH FILTERS BATCH` it is one contestant: it builds and warms up, says so,
and for each line with a number of steps that it is given answers with the seconds a step took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.processes import ROOT, ChildError, environment, run_python, tail
from benchmarks.report import Cell, Options, Report

if TYPE_CHECKING:
    from colorgan.step import Networks

BLOCK_SECONDS, ROUNDS, SLOW_ROUNDS, WARM_UP_STEPS = 1.0, 9, 5, 2  # slow: a step takes longer than a block
CONTESTANTS = ("ours", "tutorial", "bfloat16")
COLUMNS = (
    *("size", "depth", "filters", "batch", "threads", "ours ms", "tutorial ms", "ours / tutorial", "spread"),
    *("bfloat16 ms", "bfloat16 / ours", "its spread"),
)
NOTES = [
    "Medians over interleaved blocks of about a second; spread: smallest to largest ratio of neighbouring blocks.",
    "Ours is given uint8 photos (colour conversion and moving average are in its step), the tutorial's ready "
    "float Lab tensors. Both: batch normalization, no dropout, float32, no XLA, the same noise as photos.",
    "bfloat16: ours with `precision: {policy: mixed_bfloat16}`; what it takes depends on the processor.",
]


class Case(NamedTuple):
    """Networks and batch; both networks have the same number of filters."""

    size: int
    depth: int
    filters: int
    batch: int


CASES = (Case(64, 4, 16, 16), Case(128, 5, 32, 8), Case(256, 5, 64, 4))


def run(options: Options) -> Report:
    rows: list[tuple[Cell, ...]] = []
    rounds, cases = (2, CASES[:1]) if options.quick else (ROUNDS, CASES)
    for threads in options.thread_counts():
        for case in cases:
            ours, theirs, halved = _race(case, threads, rounds)
            row = (_ms(ours), _ms(theirs), *_ratio(ours, theirs), _ms(halved), *_ratio(halved, ours))
            rows.append((*case, threads, *row))
            print(
                f"{case} threads {threads}: {row[0]:.1f} ms, tutorial {row[1]:.1f}, bfloat16 {row[4]:.1f}", flush=True
            )
    notes = list(NOTES)
    if options.profile:
        for case in cases:
            found = run_python(["-m", "benchmarks.profile", *map(str, case)], threads=1).output.splitlines()
            notes += [f"our step at {case.size} px, 1 thread, by operation:", *found]
    return Report("step_time", COLUMNS, rows, notes)


def _ms(seconds: list[float]) -> float:
    return 1e3 * median(seconds)


def _ratio(mine: list[float], others: list[float]) -> tuple[float, str]:
    """Returns the ratio of the medians, and how far those of neighbouring blocks reach."""
    ratios = [one / other for one, other in zip(mine, others, strict=True)]
    return median(mine) / median(others), f"{min(ratios):.2f} to {max(ratios):.2f}"


def _race(case: Case, threads: int, rounds: int) -> tuple[list[float], ...]:
    """Returns the seconds a step took in each block, for each of `CONTESTANTS`."""
    with ExitStack() as stack:
        runners = [stack.enter_context(runner(who, case, threads)) for who in CONTESTANTS]
        steps = [max(1, round(BLOCK_SECONDS / run_block(1))) for run_block in runners]
        rounds = min(rounds, SLOW_ROUNDS) if max(steps) == 1 else rounds
        blocks = [[run_block(n) for run_block, n in zip(runners, steps, strict=True)] for _ in range(rounds)]
    return tuple(list(seconds) for seconds in zip(*blocks, strict=True))


@contextmanager
def runner(who: str, case: Case, threads: int, *, cache: str | None = None) -> Iterator[Callable[[int], float]]:
    """Starts a contestant; yields a function that runs so many steps in it and returns the seconds of one.

    Args:
        who: `ours`, `bfloat16` (ours in 16 bit), `jax` (ours on JAX) or `tutorial`.
        case: Its networks and batch.
        threads: CPU threads that it has.
        cache: Folder of the project's cache instead of the usual one.
    """
    command = [sys.executable, "-m", "benchmarks.step_time", who, *map(str, case)]
    settings = environment(threads) | ({"COLORGAN_CACHE": cache} if cache else {})
    pipe, errors = subprocess.PIPE, tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed below, after the child
    child = subprocess.Popen(command, cwd=ROOT, env=settings, stdin=pipe, stdout=pipe, stderr=errors, text=True)

    def answer() -> Any:
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise ChildError(f"{' '.join(command[1:])} ended with {child.wait()}: {tail(errors)}")
        return json.loads(line)

    def run_block(steps: int) -> float:
        if child.stdin:
            child.stdin.write(f"{steps}\n")
            child.stdin.flush()
        return float(answer())

    try:
        answer()
        yield run_block
    finally:
        child.kill()
        child.communicate()
        errors.close()


def our_networks(case: Case, *, policy: str = "float32") -> Networks:
    """Returns our networks."""
    from colorgan.config import parse_config
    from colorgan.discriminator import build_discriminator
    from colorgan.generator import build_generator
    from colorgan.step import Networks

    config = parse_config(
        {
            "data": {"size": case.size},
            "generator": {"filters": case.filters, "depth": case.depth, "dropout": 0.0},
            "discriminator": {"filters": case.filters},
            "schedule": {"batch_size": case.batch},
            "precision": {"policy": policy},
        }
    )
    generator, average = (build_generator(config.generator, size=case.size, policy=policy) for _ in range(2))
    discriminator = build_discriminator(config.discriminator, size=case.size, policy=policy)
    return Networks(config, generator, discriminator, average)


def our_step(case: Case, networks: Networks) -> Callable[[], Any]:
    """Returns a function that trains our networks on one batch."""
    import numpy as np

    from colorgan.step import Knobs, build_step

    step = build_step(networks)
    step.reset()
    photos = np.random.default_rng(0).integers(0, 256, (case.batch, case.size, case.size, 3), dtype=np.uint8)
    knobs = Knobs(2e-4, 2e-4, 0.5, 0.5, 0.999, 1e-7, 1.0, 100.0, 0.0, 0.0, 0.999)
    return lambda: step(photos, knobs)


def tutorial_step(case: Case) -> Callable[[], Any]:
    """Returns a function that trains the tutorial's networks on one batch."""
    import numpy as np
    import tensorflow as tf

    from benchmarks.usual_ways import Pix2Pix

    model = Pix2Pix(
        size=case.size, depth=case.depth, filters=case.filters, discriminator_filters=case.filters, learning_rate=2e-4
    )
    random, shape = np.random.default_rng(0), (case.batch, case.size, case.size)
    lightness, chroma = (tf.constant(random.uniform(-1, 1, (*shape, n)), tf.float32) for n in (1, 2))
    return lambda: model.train_step(lightness, chroma)[0]


def _contest(who: str, case: Case) -> None:
    import numpy as np

    from colorgan.backend_choice import use_backend

    use_backend("jax" if who == "jax" else "tensorflow")
    policy = "mixed_bfloat16" if who == "bfloat16" else "float32"
    step = tutorial_step(case) if who == "tutorial" else our_step(case, our_networks(case, policy=policy))
    for _ in range(WARM_UP_STEPS):
        np.asarray(step())
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            loss = step()
        np.asarray(loss)
        print(json.dumps((time.perf_counter() - started) / int(line)), flush=True)


if __name__ == "__main__":
    _contest(sys.argv[1], Case(*map(int, sys.argv[2:])))
