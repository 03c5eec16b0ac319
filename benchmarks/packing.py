"""Photos packed a second, room on disk and memory of the packer, on altered copies of the bundled photos at 256 px."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageOps

from benchmarks.processes import private_bytes, resident_bytes, run_python
from benchmarks.report import Options, Report
from colorgan.config import DataConfig
from colorgan.folder import list_photos
from colorgan.photos import open_photos
from search.engines.local import usable_cores

SIZE, QUICK_PHOTOS = 256, 150
COLUMNS = ("photos", "crops", "pack s", "photos/s", "MB of files", "MB packed", "peak MB", "of it private MB", "open s")


def run(options: Options) -> Report:
    count = QUICK_PHOTOS if options.quick else options.photos
    peak = {"resident": 0, "private": 0}

    def watch(process: psutil.Process) -> None:
        peak["resident"] = max(peak["resident"], resident_bytes(process))
        peak["private"] = max(peak["private"], private_bytes(process))

    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary) / "photos", Path(temporary) / "cache"
        folder.mkdir()
        write_copies(folder, count)
        command = ["-m", "benchmarks.packing", str(folder), str(cache)]
        first = run_python(command, threads=usable_cores(), watch=watch, every=0.02).result
        again = run_python(command, threads=usable_cores()).result
        sizes = (_megabytes(folder), _megabytes(cache))
    seconds, memory = first["seconds"], (peak["resident"] / 1e6, peak["private"] / 1e6)
    notes = [
        "open s: opening what is packed already. Private: without pages of the written files, which the system takes "
        "back at need.",
        f"Packing reads each photo twice (hash, decode); {usable_cores()} cores.",
    ]
    row = (first["photos"], first["crops"], seconds, first["photos"] / seconds, *sizes, *memory, again["seconds"])
    return Report("packing", COLUMNS, [row], notes)


def write_copies(folder: Path, count: int) -> None:
    """Writes `count` JPEG photos of 256 px, no two alike: the bundled ones, moved sideways by a few pixels."""
    files = list_photos("sample").files
    for first in range(len(files)):
        numbers = range(first, count, len(files))
        if not numbers:
            break
        with Image.open(files[first].path) as photo:
            pixels = np.asarray(ImageOps.fit(photo.convert("RGB"), (SIZE, SIZE)))
        for shift, number in enumerate(numbers):
            Image.fromarray(np.roll(pixels, shift, axis=1)).save(folder / f"{number:06d}.jpg", quality=90)


def pack(folder: Path, cache: Path) -> dict[str, float]:
    """Packs a folder, or opens its pack, and returns what it took."""
    started = time.perf_counter()
    photos = open_photos(DataConfig(photos=str(folder), size=SIZE, crop_scales=(1.0,)), cache=cache)
    return {
        "seconds": time.perf_counter() - started,
        "photos": photos.train_photos + photos.valid_photos + photos.confirm_photos,
        "crops": len(photos.train) + len(photos.valid) + len(photos.confirm),
    }


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    print(json.dumps(pack(Path(sys.argv[1]), Path(sys.argv[2]))))
