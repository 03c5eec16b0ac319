"""Event files are judged by what TensorBoard's own reader finds in them."""

from __future__ import annotations

import io
import os
import re
import resource
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colorgan.event_file import EventLog, create_file, scalar, text, whole

NO_TENSORFLOW = "tensorboard.compat.notf"  # TensorBoard's switch to read without TensorFlow, whose import takes seconds
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 24, 72, 3), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def without_tensorflow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NO_TENSORFLOW, types.ModuleType(NO_TENSORFLOW))
        yield


def read(run: Path) -> Any:
    return EventAccumulator(str(run)).Reload()


def points(run: Path, tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in read(run).Scalars(tag)]


def test_scalars_come_back_and_what_float32_cannot_hold_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.scalars(1, {"l1": 0.5, "nan": float("nan"), "inf": float("inf"), "huge": 1e300})
    log.scalars(2, {"l1": -0.25})
    assert points(tmp_path, "l1") == [(1, 0.5), (2, -0.25)]
    assert read(tmp_path).Tags()["scalars"] == ["l1"]


def test_images_come_back_pixel_by_pixel(tmp_path: Path) -> None:
    EventLog(tmp_path).images(7, "examples", PIXELS)
    (event,) = read(tmp_path).Tensors("examples")
    width, height, *pngs = event.tensor_proto.string_val
    assert (event.step, width, height) == (7, b"72", b"24")
    assert np.array_equal([np.asarray(Image.open(io.BytesIO(png))) for png in pngs], PIXELS)


@pytest.mark.parametrize("images", [PIXELS[0], PIXELS / 255.0, PIXELS[..., :1]])
def test_what_is_no_image_is_refused(tmp_path: Path, images: Any) -> None:
    with pytest.raises(ValueError, match="images of examples: expected uint8"):
        EventLog(tmp_path).images(1, "examples", images)


def test_a_text_comes_back(tmp_path: Path) -> None:
    EventLog(tmp_path).write(3, [text("outcome", "*pruned* at 50 %, ä")])
    (event,) = read(tmp_path).Tensors("outcome")
    assert event.tensor_proto.string_val == ["*pruned* at 50 %, ä".encode()]


def test_a_log_taken_up_again_replaces_the_steps_that_it_writes_anew(tmp_path: Path) -> None:
    for steps in ((1, 2, 3), (2, 3, 4)):
        log = EventLog(tmp_path)
        for step in steps:
            log.scalars(step, {"l1": 10.0 * len(log.earlier) + step})
    assert [file.name[-6:] for file in sorted(tmp_path.iterdir())] == ["000000", "000001"]
    assert points(tmp_path, "l1") == [(1, 1.0), (2, 12.0), (3, 13.0), (4, 14.0)]


def test_a_value_beside_an_earlier_files_last_step_replaces_nothing(tmp_path: Path) -> None:
    EventLog(tmp_path).scalars(2, {"l1": 1.0})
    EventLog(tmp_path).write(2, [scalar("end", 5.0)], restarts=False)
    assert points(tmp_path, "l1") == [(2, 1.0)]
    assert points(tmp_path, "end") == [(2, 5.0)]


def test_a_log_without_records_leaves_no_file(tmp_path: Path) -> None:
    EventLog(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_record_torn_by_a_kill_hides_nothing_that_follows(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.scalars(1, {"l1": 1.0})
    log.scalars(2, {"l1": 2.0})
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size - 3)
    EventLog(tmp_path).scalars(2, {"l1": 3.0})
    assert points(tmp_path, "l1") == [(1, 1.0), (2, 3.0)]


def test_a_file_is_whole_at_the_end_of_a_record_and_with_no_other_bit(tmp_path: Path) -> None:
    log, ends = EventLog(tmp_path), [0]
    for step in (1, 2):
        log.scalars(step, {"l1": float(step)})
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    while ends[-1] < len(data):
        ends.append(ends[-1] + 16 + int.from_bytes(data[ends[-1] : ends[-1] + 8], "little"))
    assert len(ends) == 4
    for length in range(len(data) + 1):
        file.write_bytes(data[:length])
        assert whole(file) == (length in ends)
    for bit in range(0, 8 * len(data), 11):
        file.write_bytes((int.from_bytes(data, "little") ^ 1 << bit).to_bytes(len(data), "little"))
        assert not whole(file)


def test_a_full_disk_names_the_file_and_leaves_it_whole(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.scalars(1, {"l1": 1.0})
    (file,) = tmp_path.iterdir()
    size, limits = file.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(OSError, match=re.escape(str(file))):
            log.scalars(2, {"l1": 2.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.stat().st_size == size
    log.scalars(3, {"l1": 3.0})
    assert points(tmp_path, "l1") == [(1, 1.0), (3, 3.0)]


def test_a_file_that_cannot_be_written_whole_does_not_appear(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
    try:
        with pytest.raises(OSError, match="draft"):
            create_file(tmp_path / "events.out.tfevents.000000", [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_writing_imports_neither_tensorflow_nor_keras(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, numpy as np; from colorgan.event_file import *\n"
        "log = EventLog(pathlib.Path(sys.argv[1]))\n"
        "log.scalars(1, {'b': 1.0})\n"
        "log.images(1, 'c', np.zeros((1, 2, 2, 3), np.uint8))\n"
        "log.write(1, [text('d', 'e')])\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'keras')])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
