"""Files that were cut, flipped or swapped: recognised or harmless, never believed, whichever bit it is."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colorgan.checkpoint import Checkpoint, CheckpointError
from colorgan.config import DataConfig, TrainConfig
from colorgan.epoch import EpochResult
from colorgan.event_file import EventLog
from colorgan.packs import clean_cache, list_cache
from colorgan.photos import Photos, open_photos
from colorgan.record import EpochRecord, RecordError, TrialRecord, read_record, write_record

NO_TENSORFLOW = "tensorboard.compat.notf"  # TensorBoard's switch to read without TensorFlow, whose import takes seconds
ARRAYS = {
    "generator/0/kernel": np.arange(1, 25, dtype=np.float32).reshape(2, 3, 4),
    "generator/1/kernel": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "step/0/seed": np.array([1, 2], np.uint32),
    "step/1/count": np.array(7, np.int64),
}
HISTORY = (EpochResult(1, 5, {"train/l1": 0.1 + 0.2}, None, 1.5, 0.25),)


@pytest.fixture(scope="module", autouse=True)
def without_tensorflow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NO_TENSORFLOW, types.ModuleType(NO_TENSORFLOW))
        yield


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    Checkpoint(TrainConfig(seed=4), 7, 1, (0.1, 1 / 3), 0.75, HISTORY, ARRAYS).save(tmp_path / "c.npz")
    return tmp_path / "c.npz"


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def comparable(checkpoint: Checkpoint) -> list[object]:
    arrays = {name: (array.dtype.str, array.shape, array.tolist()) for name, array in checkpoint.arrays.items()}
    return [checkpoint.config, checkpoint.step, checkpoint.epoch, checkpoint.loss_sums, checkpoint.history, arrays]


def recognised(read: Callable[[Path], object], path: Path, data: bytes, *, error: type[Exception]) -> bool | object:
    """Writes the data, reads the file, and returns True where the error says so, else what was read."""
    path.write_bytes(data)
    try:
        return read(path)
    except error as problem:
        assert str(path) in str(problem)
        return True


def test_a_flipped_bit_of_a_checkpoint_is_recognised_or_changes_nothing(saved: Path) -> None:
    data, original = saved.read_bytes(), comparable(Checkpoint.load(saved))
    directory = data.index(b"PK\x01\x02")  # the archive's directory, where most formats are careless
    bits = [*range(0, 8 * directory, 37), *range(8 * directory, 8 * len(data), 5)]
    found = [recognised(Checkpoint.load, saved, flipped(data, bit), error=CheckpointError) for bit in bits]
    read = [checkpoint for checkpoint in found if isinstance(checkpoint, Checkpoint)]
    assert all(comparable(checkpoint) == original for checkpoint in read)  # a bit of a date, say
    assert len(found) - len(read) > 500


def test_every_bit_of_a_checkpoints_arrays_and_text_counts(saved: Path) -> None:
    data, names = saved.read_bytes(), [*ARRAYS, "meta"]
    with zipfile.ZipFile(saved) as archive:
        places = [(data.index(content := archive.read(f"{name}.npy")), len(content)) for name in names]
    bits = [bit for start, length in places for bit in range(8 * start, 8 * (start + length), 19)]
    assert len(bits) > 500
    assert all(recognised(Checkpoint.load, saved, flipped(data, bit), error=CheckpointError) is True for bit in bits)


def test_a_checkpoint_that_was_cut_anywhere_is_recognised(saved: Path) -> None:
    data = saved.read_bytes()
    lengths = [*range(0, len(data), 23), *range(len(data) - 60, len(data))]
    assert all(recognised(Checkpoint.load, saved, data[:n], error=CheckpointError) is True for n in lengths)


def test_a_block_that_the_disk_lost_is_recognised(saved: Path) -> None:
    data = saved.read_bytes()
    for start in range(0, len(data), 512):
        lost = data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :]
        assert recognised(Checkpoint.load, saved, lost, error=CheckpointError) is True


def test_a_variable_that_is_missing_is_recognised(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(tmp_path / "less.npz", "w") as less:
        for entry in whole.infolist()[:-1]:
            less.writestr(entry, whole.read(entry))
    with pytest.raises(CheckpointError, match=r"less\.npz: damaged checkpoint \(variables are missing\)"):
        Checkpoint.load(tmp_path / "less.npz")


class _Harmful:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.mkdir, ("harmed",)  # type: ignore[return-value]


@pytest.mark.parametrize("place", ["meta", "generator/0/kernel", "whole"])
def test_pickled_objects_are_never_loaded(
    saved: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if place == "whole":
        saved.write_bytes(pickle.dumps(_Harmful()))
    else:
        with np.load(saved) as archive:
            arrays = {name: archive[name] for name in archive.files}
        np.savez(saved, **{**arrays, place: np.array([_Harmful()], dtype=object)})
    with pytest.raises(CheckpointError):
        Checkpoint.load(saved)
    assert not (tmp_path / "harmed").exists()


def test_a_file_that_unpacks_to_more_than_it_holds_is_refused_before_it_does(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 27,)})
    bomb = zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED)
    with bomb, bomb.open("meta.npy", "w", force_zip64=True) as entry:
        entry.write(header.getvalue())
        for _ in range(32):
            entry.write(bytes(1 << 20))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from colorgan.checkpoint import Checkpoint, CheckpointError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: Checkpoint.load(Path(sys.argv[1]))\n"
        "except CheckpointError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bomb.npz")], capture_output=True, text=True, check=True
    )
    message, kilobytes = done.stdout.splitlines()
    assert message.endswith("bomb.npz: damaged checkpoint (its entries are larger than the file)")
    assert int(kilobytes) < 8000


def test_an_array_that_claims_more_than_it_has_is_refused(saved: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("huge.npy", header.getvalue() + bytes(64))
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        Checkpoint.load(saved)


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    for name in ("pipe.npz", "folder.npz"):
        with pytest.raises(CheckpointError, match=f"{name}: not a file"):
            Checkpoint.load(tmp_path / name)


RECORD = TrialRecord(
    number=7,
    state="complete",
    objective=1 / 3,
    params={"losses.l1_weight": 0.1 + 0.2, "generator.filters": 8},
    seed=3,
    epochs=(EpochRecord(epoch=1, step=4, objective=1 / 3, metrics={"a": 5.0}, train_seconds=1.5, valid_seconds=0.25),),
)


def test_a_flipped_bit_of_a_record_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_record(path, RECORD)
    data = path.read_bytes()
    found = [recognised(read_record, path, flipped(data, bit), error=RecordError) for bit in range(0, 8 * len(data), 5)]
    assert all(outcome is True for outcome in found)


def test_a_record_that_was_cut_anywhere_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_record(path, RECORD)
    data = path.read_bytes()
    assert all(recognised(read_record, path, data[:n], error=RecordError) is True for n in range(len(data)))


@pytest.fixture
def packed(tmp_path: Path) -> Iterator[tuple[Callable[[], Photos], Path]]:
    """What opens photos with all checksums compared, and their pack."""
    (tmp_path / "photos").mkdir()
    for i in range(8):
        Image.effect_noise((48, 32), 40.0).convert("RGB").save(tmp_path / "photos" / f"{i}.png")
    config, cache = DataConfig(photos=str(tmp_path / "photos"), size=16, valid_fraction=0.4), tmp_path / "cache"
    open_photos(config, cache=cache)
    ((folder, _, _),) = list_cache(cache)
    yield lambda: open_photos(config, cache=cache, whole=True), folder
    assert clean_cache(cache) > 0
    assert list(cache.rglob("*")) == [cache / "photos"]


def spoil(path: Path, place: int) -> None:
    data = path.read_bytes()
    path.write_bytes(flipped(data, 8 * (place % len(data)) + 1))


@pytest.mark.parametrize("name", ["train.npy", "valid.npy", "pack.json"])
def test_a_flipped_bit_of_packed_photos_is_recognised_and_they_are_packed_anew(
    packed: tuple[Callable[[], Photos], Path], name: str
) -> None:
    open_whole, folder = packed
    before = open_whole()
    expected, fingerprint = before.train.copy(), before.fingerprint
    assert before.note == ""
    for place in (20, 300, -1) if name.endswith(".npy") else (10, 100, 200, 300, -40, -5):
        spoil(folder / name, place)
        again = open_whole()
        assert again.note.startswith(f"{folder}: the packed photos were damaged ({name}")
        np.testing.assert_array_equal(again.train, expected)
        assert again.fingerprint == fingerprint
        assert open_whole().note == ""
    assert not [path for path in folder.parent.iterdir() if ".tmp" in path.name]


@pytest.mark.parametrize("name", ["train.npy", "pack.json"])
@pytest.mark.parametrize("damage", ["empty", "cut", "zip", "folder", "pipe"])
def test_packed_photos_with_something_else_in_their_place_are_packed_anew(
    packed: tuple[Callable[[], Photos], Path], name: str, damage: str
) -> None:
    open_whole, folder = packed
    match damage:
        case "empty":
            (folder / name).write_bytes(b"")
        case "cut":
            os.truncate(folder / name, 100)
        case "zip":
            np.savez((folder / name).with_suffix(""), a=np.zeros(3))
            (folder / name).with_suffix(".npz").replace(folder / name)
        case "folder":
            (folder / name).unlink()
            (folder / name).mkdir()
        case "pipe":
            (folder / name).unlink()
            os.mkfifo(folder / name)
    assert "the packed photos were damaged" in open_whole().note
    assert open_whole().note == ""


def test_a_damaged_pack_is_shown_as_one(packed: tuple[Callable[[], Photos], Path]) -> None:
    os.truncate(packed[1] / "valid.npy", 7)
    ((_, source, _),) = list_cache(packed[1].parents[1])
    assert source.startswith("damaged: valid.npy has 7 bytes instead of")


def logged(folder: Path) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in EventAccumulator(str(folder)).Reload().Scalars("l1")]


def test_whatever_a_kill_left_of_an_event_file_is_read_and_so_is_what_follows(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "whole")
    for step in (1, 2, 3):
        log.scalars(step, {"l1": float(step)})
    (file,) = (tmp_path / "whole").iterdir()
    ends = [0]
    for length in range(0, file.stat().st_size, 7):
        folder = tmp_path / f"{length}"
        shutil.copytree(tmp_path / "whole", folder)
        os.truncate(folder / file.name, length)
        EventLog(folder).scalars(4, {"l1": 4.0})
        *before, last = logged(folder)
        assert last == (4, 4.0)
        assert before == [(1, 1.0), (2, 2.0), (3, 3.0)][: len(before)]
        assert len(before) >= ends[-1]
        ends.append(len(before))
    assert ends[-1] == 2


def test_a_flipped_bit_of_an_event_file_hides_no_record_before_it_and_no_later_file(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for step in (1, 2, 3):
        log.scalars(step, {"l1": float(step)})
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    record = (len(data) - 40) // 3  # bytes; the file's own first record has 40
    EventLog(tmp_path).scalars(4, {"l1": 4.0})
    for bit in range(3, 8 * len(data), 41):
        file.write_bytes(flipped(data, bit))
        whole = max(0, bit // 8 - 40) // record
        assert logged(tmp_path) == [*[(1, 1.0), (2, 2.0), (3, 3.0)][:whole], (4, 4.0)]


KILLED_WHILE_IT_SAVES = """
import os, random, signal, sys, time
from dataclasses import replace
from pathlib import Path
from colorgan.checkpoint import Checkpoint, previous_checkpoint

path, rng, before, kills = Path(sys.argv[1]), random.Random(0), 0, 0
checkpoint = Checkpoint.load(path)
while kills < 25 or before <= 10:  # a loaded machine saves seldom
    kills += 1
    child = os.fork()
    if not child:
        while True:
            checkpoint = replace(Checkpoint.load(path), step=Checkpoint.load(path).step + 1)
            checkpoint.save(path)
    time.sleep(rng.uniform(0.001, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    step = Checkpoint.load(path).step
    assert step >= before, (step, before)
    assert not previous_checkpoint(path).exists() or Checkpoint.load(previous_checkpoint(path)).step in (step - 1, step)
    before = step
print(before)
"""


def test_a_process_killed_while_it_saves_leaves_whole_checkpoints(saved: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_SAVES, str(saved)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_a_checkpoint_saved_again_and_again_is_never_torn_for_a_reader(saved: Path) -> None:
    checkpoint = Checkpoint.load(saved)
    for step in range(8, 12):
        with saved.open("rb") as file:  # a reader that came before
            replace(checkpoint, step=step).save(saved)
            assert zipfile.ZipFile(file).testzip() is None
        assert Checkpoint.load(saved).step == step
