"""Broken and hostile photo files and folders: each is told apart by one message, and none is waited for."""

from __future__ import annotations

import os
import struct
import sys
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from colorgan.__main__ import app
from colorgan.config import DataConfig
from colorgan.decode import PhotoError, read_crops, read_file
from colorgan.photos import open_photos

CONFIG = "data: {size: 32, crop_scales: [1.0]}\ngenerator: {depth: 3}\ndiscriminator: {depth: 2}\n"
MAX_BYTES = 50_000_000  # of memory that refusing a file may take


def noise(seed: int, side: int = 40) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    stream = BytesIO()
    (image or noise(0)).save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes, *, size: int | None = None, checksum: int | None = None) -> bytes:
    found = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data) if size is None else size) + kind + data + struct.pack(">I", found)


def png(width: int, height: int, *chunks: bytes, depth: int = 8, color: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def pixels(width: int, height: int) -> bytes:
    return chunk(b"IDAT", zlib.compress(bytes((3 * width + 1) * height)))


def resized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header promises another size than it has."""
    data = encoded("JPEG")
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def webp_header(width: int, height: int) -> bytes:
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + struct.pack("<I", width - 1)[:3]
    body = b"WEBP" + extended + struct.pack("<I", height - 1)[:3] + b"VP8L" + struct.pack("<I", 8) + b"\x2f" + bytes(7)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there many times; each costs a pass over all pixels."""
    data = encoded("JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + data[-2:]


FILES: dict[str, tuple[bytes, str]] = {  # what is wrong -> the file and the reason that is told
    "no-bytes.jpg": (b"", "empty"),
    "one-byte.png": (b"\xff", "not a JPEG, PNG or WebP file"),
    "zeros.webp": (bytes(10_000), "not a JPEG, PNG or WebP file"),
    "text.jpg": (b"a photo of the sky\n", "not a JPEG, PNG or WebP file"),
    "page.jpg": (b"<!doctype html><title>404</title>", "not a JPEG, PNG or WebP file"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG or WebP file"),
    "document.jpg": (b"%PDF-1.7\n", "not a JPEG, PNG or WebP file"),
    "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n", "not a JPEG, PNG or WebP file"),
    "archive.jpg": (b"PK\x03\x04" + bytes(100), "not a JPEG, PNG or WebP file"),
    "gif.jpg": (encoded("GIF"), "not a JPEG, PNG or WebP file"),
    "bmp.png": (encoded("BMP"), "not a JPEG, PNG or WebP file"),
    "tiff.jpg": (encoded("TIFF"), "not a JPEG, PNG or WebP file"),
    "cut-in-header.jpg": (encoded("JPEG")[:20], "cut off in its header"),
    "cut-in-header.png": (encoded("PNG")[:20], "broken"),
    "cut-in-pixels.jpg": (encoded("JPEG")[:-300], "truncated"),
    "cut-in-pixels.png": (encoded("PNG")[:-300], "truncated"),
    "cut-in-pixels.webp": (encoded("WEBP")[:-30], "broken"),
    "cut-progressive.jpg": (encoded("JPEG", progressive=True)[:-300], "truncated"),
    "bomb.png": (png(60_000, 60_000, pixels(10, 10)), "more than 89478485 pixels"),
    "bomb.jpg": (resized_jpeg(60_000, 60_000), "more than 89478485 pixels"),
    "bomb.webp": (webp_header(16_383, 16_383), "more than 89478485 pixels"),
    "largest-there-can-be.png": (png(2**31 - 1, 2**31 - 1, pixels(10, 10)), "more than 89478485 pixels"),
    "promises-more-rows.png": (png(400, 400, pixels(40, 40)), "truncated"),
    "thousands-of-scans.jpg": (scans(5_000), "more than 100 scans"),
    "one-pixel.png": (encoded("PNG", noise(0, 1)), "1 x 1: a side of less than 8 pixels"),
    "no-width.png": (png(0, 40, pixels(0, 40)), "not a JPEG, PNG or WebP file"),
    "no-height.jpg": (resized_jpeg(40, 0), ""),
    "strip.png": (png(4_000, 8, pixels(4_000, 8)), "one side is more than 16 times the other"),
    "depth-3.png": (png(40, 40, pixels(40, 40), depth=3), "not a JPEG, PNG or WebP file"),
    "color-9.png": (png(40, 40, pixels(40, 40), color=9), "not a JPEG, PNG or WebP file"),
    "no-pixels.png": (png(40, 40), ""),
    "chunk-of-4-GB.png": (png(40, 40, chunk(b"IDAT", b"", size=2**32 - 1)), ""),
    "chunk-checksum.png": (png(40, 40, chunk(b"gAMA", bytes(4), checksum=0), pixels(40, 40)), "not a JPEG, PNG"),
    "chunk-name.png": (png(40, 40, chunk(b"\0\0\0\0", b"")), ""),
    "no-zlib.png": (png(40, 40, chunk(b"IDAT", bytes(5_000))), ""),
    "text-bomb.png": (png(40, 40, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))), pixels(40, 40)), "too large"),
    "profile-bomb.png": (png(40, 40, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8))), pixels(40, 40)), "large"),
    "marker-only.jpg": (b"\xff\xd8\xff\xda\xff\xd9", ""),
    "endless-markers.jpg": (b"\xff\xd8" + b"\xff" * 100_000, ""),
    "segment-to-itself.jpg": (b"\xff\xd8" + b"\xff\xe0\0\0" * 10_000, ""),
}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    Path("photos").mkdir()
    return Path("photos")


def assert_train_refuses(*words: str, data: str = "photos") -> Result:
    """Checks that training refuses a folder of photos as it should."""
    before = sorted(Path().iterdir())
    result = CliRunner().invoke(app, ["train", "config.yaml", "--data", data, "--out", "results"])
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(char.isprintable() for char in result.stderr.replace("\n", "")), "it could steer the terminal"
    assert all(word in result.stderr for word in ("data.photos: ", *words)), result.stderr
    assert sorted(Path().iterdir()) == before, "something was written"
    return result


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("name", "data", "reason"), [(a, b, c) for a, (b, c) in FILES.items()], ids=FILES.keys())
def test_a_broken_photo_is_named_with_its_reason(photos: Path, name: str, data: bytes, reason: str) -> None:
    (photos / name).write_bytes(data)
    message = assert_train_refuses(
        "too few photos: 1 files, 1 skipped", "Add JPEG, PNG or WebP files", f"\n  {name}: "
    ).stderr
    assert reason in message.rpartition(f"\n  {name}: ")[2], message


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_refusing_a_broken_photo_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    tracemalloc.start()
    try:
        for data, _ in FILES.values():
            path.write_bytes(data)
            with pytest.raises(PhotoError):
                read_crops(read_file(path), DataConfig(size=32, crop_scales=(1.0,)))
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


def test_broken_photos_among_good_ones_cost_only_themselves(photos: Path) -> None:
    for name, (data, _) in FILES.items():
        (photos / name).write_bytes(data)
    for seed in range(4):
        (photos / f"good-{seed}.png").write_bytes(encoded("PNG", noise(seed)))
    with warnings.catch_warnings(action="ignore"):  # Pillow's, which threads would raise as errors
        found = open_photos(DataConfig(photos="photos", size=32, crop_scales=(1.0,)))
    assert found.train_photos + found.valid_photos + found.confirm_photos == 4
    assert len(found.unreadable) == len(FILES)


ODD: dict[str, bytes] = {
    "png-named-jpg": encoded("PNG"),
    "animated-png": encoded("PNG", save_all=True, append_images=[noise(1), noise(2)]),
    "animated-webp": encoded("WEBP", save_all=True, append_images=[noise(1)], lossless=True),
    "several-pictures-in-a-jpeg": encoded("MPO", save_all=True, append_images=[noise(1)]),
    "bytes-behind-the-end": encoded("JPEG") + bytes(range(256)) * 100,
    "video-behind-the-end": encoded("JPEG") + b"\xff\xda" * 1000,
    "progressive": encoded("JPEG", progressive=True),
    "most-scans": scans(80),
    "pixels-of-another-checksum": png(40, 40, chunk(b"IDAT", zlib.compress(bytes(121 * 40)), checksum=0)),
    "palette-of-one": encoded("PNG", noise(0).quantize(1)),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_a_photo_that_is_only_odd_is_taken(data: bytes) -> None:
    crops = read_crops(data, DataConfig(size=32, crop_scales=(1.0,)))
    assert (crops.shape[1:], crops.dtype) == ((32, 32, 3), np.uint8)


def lay_link(name: str, target: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).symlink_to(target)


SPECIAL: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (lambda folder: os.mkfifo(folder / "a.jpg"), "a.jpg: not a regular file"),
    "folder-named-jpg": (lambda folder: (folder / "a.jpg").mkdir(), "0 files"),
    "dangling-link": (lay_link("a.jpg", "nowhere.jpg"), "a.jpg: cannot be read: No such file"),
    "link-to-itself": (lay_link("a.jpg", "a.jpg"), "a.jpg: cannot be read: Too many levels of symbolic links"),
    "link-to-a-device": (lay_link("a.jpg", "/dev/zero"), "a.jpg: not a regular file"),
    "link-to-its-own-folder": (lay_link("again", "."), "0 files"),
    "link-upwards": (lay_link("up", ".."), "0 files"),
    "link-to-everything": (lay_link("root", "/"), "0 files"),
    "hidden": (lambda folder: (folder / ".a.png").write_bytes(encoded("PNG")), "0 files"),
    "other-suffix": (lambda folder: (folder / "a.gif").write_bytes(encoded("GIF")), "0 files"),
    "one-photo": (lambda folder: (folder / "a.png").write_bytes(encoded("PNG")), "1 files, 0 skipped"),
    "only-copies": (
        lambda folder: [(folder / f"{n}.png").write_bytes(encoded("PNG")) for n in range(9)],
        "9 files, 0 skipped, 8 duplicates",
    ),
    "name-that-clears-the-screen": (
        lambda folder: (folder / "\x1b[2J\x1b]0;x\a\u202e.jpg").touch(),
        r"\x1b[2J\x1b]0;x\x07\u202e.jpg: empty",
    ),
    "name-of-two-lines": (lambda folder: (folder / "a\nb.jpg").touch(), r"a\nb.jpg: empty"),
    "name-of-other-bytes": (lambda folder: (folder / "\udce4.jpg").touch(), r"\xe4.jpg: empty"),
    "unreadable": (lambda folder: (folder / "a.jpg").touch(mode=0), "a.jpg: cannot be read"),
}


@pytest.mark.parametrize(("make", "words"), SPECIAL.values(), ids=SPECIAL.keys())
def test_a_folder_without_usable_photos_is_refused_at_once(
    photos: Path, make: Callable[[Path], object], words: str, request: pytest.FixtureRequest
) -> None:
    if "unreadable" in request.node.name and os.geteuid() == 0:
        pytest.skip("root may read everything")
    make(photos)
    assert_train_refuses("photos: too few photos: ", words)


SPLITS = {
    "no-table": (b"\xff\xd8\xff", "not a CSV file in UTF-8"),
    "null-bytes": (b"file,split\n\0\n", "split.csv"),
    "no-columns": (b"a,b\n1,2\n", "no column file and split"),
    "unknown-part": (b"file,split\na.png,test\n", "split.csv:2: split is 'test'; allowed are train, valid, confirm"),
    "listed-twice": (b"file,split\na.png,train\na.png,valid\n", "split.csv:3: a.png is listed twice"),
    "name-that-clears-the-screen": (b"file,split\n\x1b[2J,train\n\x1b[2J,valid\n", r":3: \x1b[2J is listed twice"),
    "open-quote": (b'file,split\n"a.png,train\n', "not a CSV file"),
    "group-in-two-parts": (b"file,split,group\na.png,train,x\nb.png,valid,x\n", "group x is in train (line 2), valid"),
    "climbs": (b"file,split\n../a.png,train\n/etc/passwd,valid\n", "too few photos"),
    "all-train": (b"file,split\na.png,train\n", "1 for training, 0 for validation"),
}


@pytest.mark.parametrize(("content", "words"), SPLITS.values(), ids=SPLITS.keys())
def test_a_broken_split_is_refused(photos: Path, content: bytes, words: str) -> None:
    (photos / "a.png").write_bytes(encoded("PNG"))
    (photos / "split.csv").write_bytes(content)
    result = CliRunner().invoke(app, ["train", "config.yaml", "--data", "photos", "--out", "results"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert all(char.isprintable() for char in result.stderr.replace("\n", "")), "it could steer the terminal"
    assert not Path("results").exists()


NO_PATHS = {
    "~nobody-has-this-name/x": "COLORGAN_CACHE: nobody's home is known for ~nobody-has-this-name/x; give an absolute",
    "": "COLORGAN_CACHE=: give an absolute path",
    "cache": "COLORGAN_CACHE=cache: give an absolute path",
    "./cache": "COLORGAN_CACHE=./cache: give an absolute path",
}
NO_FOLDERS = {
    "/dev/null": "/dev/null: the cache of packed photos cannot be written: Not a directory",
    "/sys": "/sys: the cache of packed photos cannot be written: ",  # which forbids even root to make a folder
    f"/{'x' * 300}": "the cache of packed photos cannot be written: File name too long",
}


@pytest.mark.parametrize(("cache", "words"), [*NO_PATHS.items(), *NO_FOLDERS.items()], ids=lambda text: text[:30])
def test_a_cache_that_cannot_be_is_refused_by_the_name_of_its_variable(
    photos: Path, cache: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cache == "/sys" and sys.platform != "linux":
        pytest.skip("only Linux has it")
    monkeypatch.setenv("COLORGAN_CACHE", cache)
    before = sorted(Path().iterdir())
    for command in (["train", "config.yaml"], *((["cache"], ["cache", "--clean"]) if cache in NO_PATHS else ())):
        result = CliRunner().invoke(app, command)
        assert (result.exit_code, result.stdout) == (2, ""), result.exception
        assert words in result.stderr
        assert "COLORGAN_CACHE" in result.stderr
        assert sorted(Path().iterdir()) == before, "something was written"


def test_a_cache_in_the_home_of_nobody_is_refused(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORGAN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "~")  # as `expanduser` then leaves what it cannot expand
    result = CliRunner().invoke(app, ["cache"])
    assert result.exit_code == 2
    assert "COLORGAN_CACHE: nobody's home is known for ~/.cache" in result.stderr


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("nosuch", "nosuch: no such folder. Give a folder of photos, or `sample`"),
        ("config.yaml", "is a file, not a folder; unpack an archive first"),
        ("pipe", "is a file, not a folder"),
        ("loop", "a symbolic link that leads to no folder"),
        ("~nobody-has-this-name/photos", "no such folder"),
        ("a\0b", r"a\x00b: no such folder"),
        ("\x1b[2J", r"\x1b[2J: no such folder"),
        ("/dev/null", "is a file, not a folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_is_no_folder_of_photos_is_refused(photos: Path, data: str, words: str) -> None:
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    assert_train_refuses(words, data=data)
