"""A folder of photos becomes packed crops: every file counted, no photo on two sides, one pack whatever happens."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from colorgan.config import DataConfig
from colorgan.errors import CannotRunError
from colorgan.folder import SAMPLE_FOLDER
from colorgan.packs import cache_folder, clean_cache, list_cache
from colorgan.photos import Photos, PhotosError, open_photos

SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from colorgan.config import DataConfig
from colorgan.photos import open_photos

settings, cache, kill_at = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
calls = 0

def progress(done, total):
    global calls
    calls += 1
    if calls == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

photos = open_photos(DataConfig(**settings), cache=cache, progress=progress)
loaded = {name.split(".")[0] for name in sys.modules} & {"keras", "tensorflow", "optuna"}
print(json.dumps([photos.fingerprint, int(photos.train.sum()), calls, sorted(loaded)]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixteen real photos in two subfolders."""
    root = tmp_path / "my photos"
    for i, path in enumerate(sorted(SAMPLE_FOLDER.glob("*.jpg"))[:16]):
        target = root / ("abbey", "beach")[i % 2] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def settings(folder: Path, **values: object) -> DataConfig:
    return DataConfig(**{"photos": str(folder), "size": 16, "crop_scales": (1.0,), **values})


def counts(photos: Photos) -> tuple[int, int, int]:
    return photos.train_photos, photos.valid_photos, photos.confirm_photos


def equal(first: Photos, second: Photos) -> bool:
    same = [np.array_equal(getattr(first, part), getattr(second, part)) for part in ("train", "valid", "confirm")]
    return all(same) and first.fingerprint == second.fingerprint


def start(config: DataConfig, cache: Path, kill_at: int = 0) -> subprocess.Popen[str]:
    arguments = [json.dumps(config.model_dump(mode="json")), str(cache), str(kill_at)]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, text=True)


def test_the_bundled_photos_are_split_by_subject_into_many_crops(cache: Path) -> None:
    photos = open_photos(DataConfig(size=64), cache=cache)
    assert counts(photos) == (84, 26, 14)
    assert photos.unreadable == ()
    assert photos.duplicates == 0
    assert len(photos.train) + len(photos.confirm) > 1300
    assert len(photos.valid) > 350
    assert photos.train.shape[1:] == (64, 64, 3)
    assert photos.train.dtype == np.uint8
    assert 60 < photos.train.mean() < 190


def test_the_bundled_attribution_names_every_photo_author_and_licence() -> None:
    with (SAMPLE_FOLDER / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {path.name for path in SAMPLE_FOLDER.glob("*.jpg")}
    assert all(row["author"] and row["licence"] and row["package"] for row in rows)


def test_crops_are_read_only_maps_of_the_disk(folder: Path, cache: Path) -> None:
    photos = open_photos(settings(folder), cache=cache)
    assert isinstance(photos.train, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        photos.train[0] = 0


def test_photos_are_packed_once(folder: Path, cache: Path) -> None:
    calls: list[tuple[int, int]] = []
    config = settings(folder)
    first = open_photos(config, cache=cache, progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == list(range(1, 33))
    assert calls[-1] == (32, 32)
    calls.clear()
    flipped = config.model_copy(update={"flip": False, "color_space": "hsv"})
    second = open_photos(flipped, cache=cache, progress=lambda done, total: calls.append((done, total)))
    assert calls == []
    assert equal(first, second)
    assert len(list_cache(cache)) == 1


@pytest.mark.parametrize(
    "change",
    [{"size": 24}, {"crop_scales": (1.0, 2.0)}, {"crop_stride": 0.25}, {"seed": 1}, {"train_limit": 3}],
    ids=str,
)
def test_each_setting_that_shapes_crops_gives_another_pack(folder: Path, cache: Path, change: dict) -> None:
    first = open_photos(settings(folder), cache=cache)
    second = open_photos(settings(folder, **change), cache=cache)
    assert first.fingerprint != second.fingerprint
    assert equal(first, open_photos(settings(folder), cache=cache))


def test_limits_take_the_first_photos_in_the_seeded_order(folder: Path, cache: Path) -> None:
    fractions = {"valid_fraction": 0.4, "confirm_fraction": 0.3}
    everything = open_photos(settings(folder, **fractions), cache=cache)
    limited = open_photos(settings(folder, **fractions, train_limit=2, valid_limit=1, confirm_limit=1), cache=cache)
    assert counts(limited) == (2, 1, 1)
    for part in ("train", "valid", "confirm"):
        crops = getattr(limited, part)
        np.testing.assert_array_equal(crops, getattr(everything, part)[: len(crops)])


def test_renewed_photos_are_packed_once_and_follow_each_other_in_the_seeded_order(folder: Path, cache: Path) -> None:
    fractions = {"valid_fraction": 0.3, "confirm_fraction": 0.2, "crop_scales": (1.0, 2.0)}
    everything = open_photos(settings(folder, **fractions), cache=cache)
    limited = settings(folder, **fractions, train_limit=3, valid_limit=2)
    renewed = limited.model_copy(update={"renew_epochs": 5})
    plain, first = open_photos(limited, cache=cache), open_photos(renewed, cache=cache)
    assert counts(first) == counts(plain) == (3, 2, everything.confirm_photos)
    assert all(np.array_equal(getattr(first, part), getattr(plain, part)) for part in ("train", "valid", "confirm"))
    assert first.fingerprint not in (plain.fingerprint, everything.fingerprint)
    packs = len(list_cache(cache))
    calls: list[tuple[int, int]] = []
    other = renewed.model_copy(update={"renew_epochs": 1, "train_limit": 4})
    again = open_photos(other, cache=cache, progress=lambda done, total: calls.append((done, total)))
    assert (len(list_cache(cache)), calls) == (packs, [])
    assert again.fingerprint != first.fingerprint
    windows = [first.renewed(times) for times in range(-(-everything.train_photos // 3))]
    assert all(np.array_equal(window.confirm, everything.confirm) for window in windows)
    crops = {crop.tobytes() for window in windows for crop in window.train}
    assert crops == {crop.tobytes() for crop in everything.train}
    assert isinstance(windows[1].train, np.memmap)
    follows = everything.train[len(first.train) :]
    assert np.array_equal(windows[1].train, follows[: len(windows[1].train)])
    assert np.array_equal(first.renewed(len(windows)).train, first.train)  # from the start again


def test_no_photo_is_on_two_sides(tmp_path: Path, cache: Path) -> None:
    """Each photo has a colour of its own, in many crops and in two identical files; no colour is in two parts."""
    for i in range(40):
        image = Image.new("RGB", (96, 64), (6 * i, 255 - 6 * i, 100))
        for name in (f"{i}.png", f"copy/{40 - i}.png"):
            (tmp_path / "colours" / name).parent.mkdir(parents=True, exist_ok=True)
            image.save(tmp_path / "colours" / name)
    config = settings(tmp_path / "colours", crop_scales=(1.0, 2.0, 4.0), valid_fraction=0.3, confirm_fraction=0.3)
    photos = open_photos(config, cache=cache)
    assert sum(counts(photos)) == 40
    assert photos.duplicates == 40
    colours = [{tuple(crop[0, 0].tolist()) for crop in part} for part in (photos.train, photos.valid, photos.confirm)]
    assert [len(part) for part in colours] == list(counts(photos))
    assert len(set.union(*colours)) == 40


def test_a_folders_own_split_is_followed_and_what_it_does_not_name_is_reported(folder: Path, cache: Path) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    rows = [f"{name},{part}" for name, part in zip(names[:4], ("train", "train", "valid", "confirm"), strict=True)]
    (folder / "split.csv").write_text("\n".join(["file,split", *rows, "lost.jpg,train"]))
    photos = open_photos(settings(folder), cache=cache)
    assert counts(photos) == (2, 1, 1)
    assert len(photos.unreadable) == 13
    assert "lost.jpg: named in the split, but no such photo" in photos.unreadable
    (folder / "split.csv").write_text("file,split\nabbey/x.jpg,vaild\n")
    with pytest.raises(PhotosError, match="split is 'vaild'"):
        open_photos(settings(folder), cache=cache)


def test_unreadable_files_are_skipped_counted_and_named_in_a_report(folder: Path, cache: Path) -> None:
    before = counts(open_photos(settings(folder), cache=cache))
    whole = next(folder.rglob("*.jpg")).read_bytes()
    (folder / "cut off.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").touch()
    (folder / "page.webp").write_text("<html>")
    (folder / "broken link.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "round.jpg").symlink_to("round.jpg")
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"latin")
    (folder / ".hidden.jpg").write_text("not looked at")
    (folder / "notes.txt").write_text("not looked at")
    photos = open_photos(settings(folder), cache=cache)
    assert counts(photos) == before
    names = ["broken link.jpg", "caf\\xe9.jpg", "cut off.jpg", "empty.png", "page.webp", "pipe.jpg", "round.jpg"]
    assert sorted(line.split(": ")[0] for line in photos.unreadable) == names
    with photos.report.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"{row['file']}: {row['reason']}" for row in rows] == list(photos.unreadable)
    assert photos.report.is_relative_to(cache)
    assert equal(photos, open_photos(settings(folder), cache=cache))


@pytest.mark.parametrize(
    ("where", "error"),
    [("Image.open", MemoryError()), ("os.fstat", OSError(errno.EMFILE, "Too many open files"))],
)
def test_what_is_the_machines_fault_is_not_kept_as_a_photos(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("colorgan.decode.os", SimpleNamespace(fstat=os.fstat))  # a copy, for this room alone
        patch.setattr(f"colorgan.decode.{where}", fail)
        with pytest.raises(CannotRunError, match="which is no fault of the photo"):
            open_photos(settings(folder), cache=cache)
    assert not open_photos(settings(folder), cache=cache).unreadable


def test_links_are_followed_but_not_in_circles_or_upwards(folder: Path, cache: Path, tmp_path: Path) -> None:
    before = open_photos(settings(folder), cache=cache)
    (folder / "abbey" / "again").symlink_to(folder)
    (folder / "up").symlink_to(folder.parent)
    beside = tmp_path / "beside"
    beside.mkdir()
    Image.new("RGB", (32, 32), "red").save(beside / "red.png")
    assert equal(before, open_photos(settings(folder), cache=cache))
    (folder / "more").symlink_to(beside)
    assert sum(counts(open_photos(settings(folder), cache=cache))) == sum(counts(before)) + 1


def test_a_broken_photo_does_not_leave_a_small_folder_without_validation(tmp_path: Path, cache: Path) -> None:
    whole = (SAMPLE_FOLDER / "py-china.jpg").read_bytes()
    for seed in range(4):
        folder = tmp_path / f"few{seed}"
        folder.mkdir()
        shutil.copy(SAMPLE_FOLDER / "py-coffee.jpg", folder)
        shutil.copy(SAMPLE_FOLDER / "py-rocket.jpg", folder)
        (folder / "cut.jpg").write_bytes(whole[:9000])
        photos = open_photos(settings(folder, seed=seed), cache=cache)
        assert counts(photos) == (1, 1, 0)
        assert [line.split(":")[0] for line in photos.unreadable] == ["cut.jpg"]


def test_too_few_photos_are_an_error_that_says_what_was_found(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    with pytest.raises(PhotosError, match="few: too few photos: 0 files"):
        open_photos(settings(folder), cache=cache)
    shutil.copy(SAMPLE_FOLDER / "py-coffee.jpg", folder)
    (folder / "broken.jpg").write_text("no")
    message = (
        "(?s)2 files, 1 skipped, 0 duplicates leave 1 for training, 0 for validation.*-skipped.csv.*broken.jpg: not"
    )
    with pytest.raises(PhotosError, match=message):
        open_photos(settings(folder), cache=cache)
    assert list_cache(cache) == []
    assert len(list((cache / "photos").glob("*-skipped.csv"))) == 2


def test_a_relative_folder_that_is_none_is_said_with_where_it_was_looked_for(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PhotosError) as raised:
        open_photos(settings(Path("nowhere")), cache=cache)
    assert str(raised.value).endswith(
        f"nowhere: no such folder. Give a folder of photos, or `sample` (it was looked for in {tmp_path})"
    )


def test_a_folder_that_is_none_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(PhotosError, match=r"data\.photos: .*nowhere: no such folder"):
        open_photos(settings(tmp_path / "nowhere"), cache=cache)
    archive = tmp_path / "photos.tar"
    archive.touch()
    with pytest.raises(PhotosError, match="is a file, not a folder; unpack"):
        open_photos(settings(archive), cache=cache)


def test_a_cache_that_cannot_be_written_is_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PhotosError, match=r"cannot be written: Not a directory.*COLORGAN_CACHE"):
        open_photos(settings(folder), cache=tmp_path / "file")


def test_changed_photos_are_packed_anew_and_untouched_contents_keep_their_fingerprint(
    folder: Path, cache: Path
) -> None:
    first = open_photos(settings(folder), cache=cache)
    path = next(folder.rglob("*.jpg"))
    os.utime(path, (1, 1))
    touched = open_photos(settings(folder), cache=cache)
    assert equal(first, touched)
    Image.new("RGB", (64, 64), "red").save(path)
    assert open_photos(settings(folder), cache=cache).fingerprint != first.fingerprint


def test_folder_and_cache_can_be_moved(folder: Path, cache: Path, tmp_path: Path) -> None:
    first = open_photos(settings(folder), cache=cache)
    moved = folder.rename(tmp_path / "moved photos")
    moved_cache = cache.rename(tmp_path / "moved cache")
    calls: list[int] = []
    second = open_photos(settings(moved), cache=moved_cache, progress=lambda done, _: calls.append(done))
    assert calls == []
    assert equal(first, second)
    assert second.report.is_file()


@pytest.mark.parametrize("damage", ["truncate", "extend", "remove", "manifest", "report"])
def test_a_damaged_pack_is_packed_again(folder: Path, cache: Path, damage: str) -> None:
    first = open_photos(settings(folder), cache=cache)
    expected, fingerprint = first.train.copy(), first.fingerprint
    ((pack, source, size_bytes),) = list_cache(cache)
    assert source == str(folder)
    assert size_bytes > expected.nbytes
    train = pack / "train.npy"
    match damage:
        case "truncate":
            os.truncate(train, train.stat().st_size - 1)
        case "extend":
            os.truncate(train, train.stat().st_size + 1)
        case "remove":
            train.unlink()
        case "manifest":
            (pack / "pack.json").write_text("{")
        case "report":
            first.report.unlink()
    again = open_photos(settings(folder), cache=cache)
    np.testing.assert_array_equal(again.train, expected)
    assert again.fingerprint == fingerprint
    assert again.report.is_file()


def test_processes_that_want_the_same_pack_at_once_share_one(folder: Path, cache: Path) -> None:
    processes = [start(settings(folder, size=64), cache) for _ in range(3)]
    results = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    fingerprints, sums, calls, loaded = zip(*results, strict=True)
    assert len(set(fingerprints)) == len(set(sums)) == 1
    assert sorted(calls) == [0, 0, 32]
    assert loaded == ([], [], [])
    assert {path.suffix for path in (cache / "photos").iterdir()} == {"", ".csv"}


@pytest.mark.parametrize("kill_at", [1, 17, 32])
def test_a_killed_packer_leaves_nothing_broken(folder: Path, cache: Path, kill_at: int) -> None:
    config = settings(folder)
    killed = start(config, cache, kill_at)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert list_cache(cache) == []
    assert any(".tmp" in path.name for path in (cache / "photos").iterdir())
    photos = open_photos(config, cache=cache)
    assert sum(counts(photos)) == 16
    assert not any(".tmp" in path.name for path in (cache / "photos").iterdir())


def test_cleaning_frees_the_packs_and_leaves_other_files_and_open_maps(folder: Path, cache: Path) -> None:
    photos = open_photos(settings(folder), cache=cache)
    expected = photos.train.copy()
    (cache / "mine.txt").write_text("keep")
    (cache / "photos" / "mine.txt").write_text("keep")
    used = sum(path.stat().st_size for path in (cache / "photos").rglob("*") if path.is_file()) - len("keep")
    assert clean_cache(cache) == used
    np.testing.assert_array_equal(photos.train, expected)
    assert sorted(path.name for path in cache.rglob("*")) == ["mine.txt", "mine.txt", "photos"]
    assert clean_cache(cache) == 0


def test_cleaning_spares_a_pack_that_is_being_built(folder: Path, cache: Path) -> None:
    freed: list[int] = []
    photos = open_photos(
        settings(folder), cache=cache, progress=lambda done, _: freed.append(clean_cache(cache)) if done == 20 else None
    )
    assert freed == [0]
    assert sum(counts(photos)) == 16


def test_the_cache_folder_follows_argument_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COLORGAN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "colorgan"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "colorgan"
    monkeypatch.setenv("COLORGAN_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert cache_folder(tmp_path / "argument") == tmp_path / "argument"
