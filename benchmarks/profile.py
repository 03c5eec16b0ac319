"""What our training step's time goes into: `python -m benchmarks.profile SIZE DEPTH FILTERS BATCH`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.operations import matrix_product_rate, step_operations
from benchmarks.step_time import WARM_UP_STEPS, Case, our_networks, our_step

SECONDS, SHOWN = 2.0, 15


def main() -> None:
    import numpy as np
    import tensorflow as tf

    case = Case(*map(int, sys.argv[1:]))
    networks = our_networks(case)
    step = our_step(case, networks)
    for _ in range(WARM_UP_STEPS):
        np.asarray(step())
    steps, seconds = _repeat(step)
    operations, rate = step_operations(networks.generator, networks.discriminator, case.batch), steps / seconds
    print(
        f"  {operations / 1e9:.2f} GFLOP in convolutions, {operations * rate / 1e9:.0f} GFLOP/s; "
        f"a matrix product of NumPy: {matrix_product_rate() / 1e9:.0f} GFLOP/s"
    )
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            steps, _ = _repeat(step)
        found = next(Path(folder).glob("**/*.xplane.pb")).read_bytes()
    totals = _milliseconds(found)
    whole = sum(totals.values())
    for name, spent in totals.most_common(SHOWN):
        print(f"  {spent / steps:8.2f} ms  {100 * spent / whole:4.1f} %  {name}")


def _repeat(step: Callable[[], Any]) -> tuple[int, float]:
    """Takes steps for some seconds; returns how many, and the seconds."""
    steps, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < SECONDS:
        float(step()[0])  # waits for its end
        steps += 1
    return steps, passed


def _milliseconds(data: bytes) -> Counter[str]:
    """Returns the time by kind of operation; operations are named `name:Kind`, TensorFlow's own code `A::B`."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space, totals = xplane_pb2.XSpace.FromString(data), Counter[str]()
    for plane in space.planes:
        names: dict[int, Any] = {key: value.name for key, value in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = str(names[event.metadata_id]).rpartition(":")
            if name and not name.endswith(":") and kind.isidentifier():
                totals[kind] += event.duration_ps / 1e9
    return totals


if __name__ == "__main__":
    main()
