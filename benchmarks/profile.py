"""What our training step's time goes into: `python -m benchmarks.profile SIZE DEPTH FILTERS BATCH`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.step_time import WARM_UP_STEPS, Case, our_step

SECONDS, SHOWN = 2.0, 15


def main() -> None:
    import numpy as np
    import tensorflow as tf

    step = our_step(Case(*map(int, sys.argv[1:])))
    for _ in range(WARM_UP_STEPS):
        np.asarray(step())
    with tempfile.TemporaryDirectory() as folder:
        steps, started = 0, time.perf_counter()
        with tf.profiler.experimental.Profile(folder):
            while not steps or time.perf_counter() - started < SECONDS:
                np.asarray(step())
                steps += 1
        found = next(Path(folder).glob("**/*.xplane.pb")).read_bytes()
    totals = _milliseconds(found)
    whole = sum(totals.values())
    for name, spent in totals.most_common(SHOWN):
        print(f"  {spent / steps:8.2f} ms  {100 * spent / whole:4.1f} %  {name}")


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
