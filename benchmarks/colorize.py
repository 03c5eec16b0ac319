"""Photos coloured a second, and memory beyond the model, with the networks of the papers' size (256 px, 64 filters)."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.processes import run_python
from benchmarks.report import Cell, Options, Report
from colorgan.folder import list_photos
from search.engines.local import usable_cores

COLUMNS = ("photos", "megapixels each", "count", "photos/s", "peak MB beyond the model")
LARGE, QUICK_LARGE = (6000, 4000), (600, 400)
COUNT, QUICK_COUNT = 40, 3


def run(options: Options) -> Report:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = write_photos(folder, QUICK_LARGE if options.quick else LARGE, QUICK_COUNT if options.quick else COUNT)
        rows = [_measure(name, folder / name) for name in names]
    notes = [
        "Reading, colouring and writing, one photo after the other, after one photo to warm up; start-up left out.",
        f"Peak: the most that was ever resident, less what was before the first of them; {usable_cores()} cores.",
    ]
    return Report("colorize", COLUMNS, rows, notes)


def write_photos(folder: Path, size: tuple[int, int], count: int) -> list[str]:
    """Writes folders of photos: bundled ones, and one enlarged as 8-bit JPEG and as 16-bit gray PNG."""
    files = list_photos("sample").files[:count]
    names = ["bundled, JPEG", "large, JPEG", "large, 16-bit gray PNG"]
    for name in names:
        (folder / name).mkdir()
    for file in files:
        (folder / names[0] / file.name).write_bytes(Path(file.path).read_bytes())
    with Image.open(files[0].path) as photo:
        large = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    large.save(folder / names[1] / "large.jpg", quality=90)
    noise = np.random.default_rng(0).integers(0, 257, size[::-1], dtype=np.uint16)
    gray = np.asarray(large.convert("L"), np.uint16) * 256 + noise
    Image.fromarray(np.minimum(gray, 65535).astype(np.uint16)).save(folder / names[2] / "large.png", compress_level=1)
    return names


def colour(folder: Path) -> dict[str, float]:
    """Colours a folder in this process and returns what it took."""
    from colorgan.colorize import colorize_photos
    from colorgan.colour_jobs import Job, plan_jobs
    from colorgan.config import TrainConfig
    from colorgan.generator import build_generator
    from colorgan.model import Model

    config, sample = TrainConfig(), Path(list_photos("sample").files[0].path)
    model = Model(config, build_generator(config.generator, size=None), folder)  # untrained: as fast as a trained one
    list(colorize_photos(model, [Job("warm-up", sample, folder / "warm-up" / "warm-up.png")]))
    jobs = [job for job in plan_jobs(folder, folder / "results").jobs if job.source.parent == folder]
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    problems = [outcome.problem for outcome in colorize_photos(model, jobs) if outcome.problem]
    if problems:
        sys.exit(problems[0])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"count": len(jobs), "seconds": seconds, "bytes": peak - before}


def _measure(name: str, folder: Path) -> tuple[Cell, ...]:
    with Image.open(next(folder.iterdir())) as photo:
        megapixels = photo.width * photo.height / 1e6
    found = run_python(["-m", "benchmarks.colorize", str(folder)], threads=usable_cores()).result
    return (name, megapixels, found["count"], found["count"] / found["seconds"], found["bytes"] / 1e6)


if __name__ == "__main__":
    print(json.dumps(colour(Path(sys.argv[1]))))
