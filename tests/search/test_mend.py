"""Records and event files that a disk has spoilt: said, set aside, and made anew."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

from colorgan.event_file import whole
from colorgan.record import EpochRecord, TrialRecord, read_record, record_copy, write_record
from search.aims import Aims
from search.live_trial import epoch_scalars
from search.mend import mend_events, mend_records
from search.space import Space
from search.storage import StudyFolder
from search.study import StudySpec

RATE = "optimizer.generator_learning_rate"
SPEC = StudySpec.model_validate({"name": "s", "space": {RATE: {"type": "float", "low": 1e-4, "high": 1e-2}}})
SPACE = Space(SPEC.space, SPEC.train)
NO_TENSORFLOW = "tensorboard.compat.notf"  # TensorBoard's switch to read without TensorFlow, whose import takes seconds


@pytest.fixture(scope="module", autouse=True)
def without_tensorflow() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, NO_TENSORFLOW, types.ModuleType(NO_TENSORFLOW))
        yield


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """Three trials of three epochs as a driver leaves them; the last is not finished."""
    study = StudyFolder(tmp_path)
    for number, state in enumerate(("complete", "failed", "running")):
        epochs = tuple(
            EpochRecord(epoch=e, step=5 * e, objective=9.0 / e, metrics=metrics, train_seconds=1.0, valid_seconds=1.0)
            for e in (1, 2, 3)
            for metrics in ({"valid/delta_e": 9.0 / e, "train/l1": 0.5 / e},)
        )
        record = TrialRecord(
            number=number, state=state, seed=number, params={RATE: 1e-3}, epochs=epochs, objective=3.0, started=1e9
        )
        trial = study.trial(number)
        trial.path.mkdir(parents=True)
        write_record(trial.record, record)
        Image.fromarray(np.full((8, 24, 3), 10 * number, dtype=np.uint8)).save(trial.examples)
        session = study.open_session(record, SPACE.shown(record.params))
        for epoch in epochs:
            session.scalars(epoch.step, epoch_scalars(epoch))
        if state != "running":
            session.end(record.state, step=15, reason="why", objective=3.0)
    return study


def flip(path: Path, place: float) -> None:
    """Flips a bit at a place between 0 and 1."""
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 4
    path.write_bytes(data)


def shown(folder: StudyFolder, number: int) -> Any:
    """Returns what TensorBoard finds of a trial: its scalars, and how its session began and ended."""
    found = EventAccumulator(str(folder.session(number))).Reload()
    scalars = {tag: [(p.step, p.value) for p in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    told = {}
    for tag in (metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG):
        if tag in found.Tags()["tensors"]:
            content = found.SummaryMetadata(tag).plugin_data.content
            told[tag] = plugin_data_pb2.HParamsPluginData.FromString(content)
    return scalars, {tag: getattr(data, data.WhichOneof("data")) for tag, data in told.items()}


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "a folder"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_finished_trials_record_comes_back_from_its_copy(folder: StudyFolder, damage: str, number: int) -> None:
    path = folder.trial(number).record
    before = read_record(path)
    match damage:
        case "flipped":
            flip(path, 0.5)
        case "truncated":
            os.truncate(path, path.stat().st_size // 2)
        case "empty":
            os.truncate(path, 0)
        case _:
            path.unlink()
            path.mkdir()
    with pytest.warns(UserWarning, match="no usable trial record"):
        assert [record.number for record in folder.records()] == [0, 1, 2]
    said: list[str] = []
    mend_records(folder, said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{path}: no usable trial record (")
    assert said[0].endswith("; set aside as damaged-result.json, its copy is used")
    assert read_record(path) == before
    assert (path.parent / "damaged-result.json").exists()
    mend_records(folder, said.append)
    assert len(said) == 1


def killed(*_: Any) -> None:
    raise InterruptedError


def test_who_is_killed_while_he_mends_a_record_loses_it_not(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = folder.trial(1).record, list[str]()
    before = read_record(path)
    flip(path, 0.5)
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr("search.mend.write_record", killed)
        mend_records(folder, said.append)
    assert not path.exists()
    mend_records(folder, said.append)
    assert [line.rpartition("; ")[2] for line in said] == ["its copy is used"]
    assert [read_record(path), len(folder.records())] == [before, 3]


@pytest.mark.parametrize("done", range(6))  # a file made, two moved and then renamed, the first put in its place
def test_who_is_killed_while_he_mends_a_session_loses_it_not(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    before, record, left = shown(folder, 0)[0], folder.records()[0], list(range(done))
    folder.open_session(record, SPACE.shown(record.params)).scalars(15, epoch_scalars(record.epochs[2]))
    flip(min(folder.session(0).iterdir()), 0.5)
    replace = Path.replace

    def going_on(path: Path, target: Path) -> Path:
        left.pop() if left else killed()
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Path, "replace", going_on)
        mend_events(folder, SPACE, Aims(SPEC), print)
    assert left == []
    mend_events(folder, SPACE, Aims(SPEC), print)
    (anew,) = folder.session(0).iterdir()
    assert whole(anew)
    assert shown(folder, 0)[0] == before
    assert not (folder.trial(0).path / "events-anew").exists()


def test_who_is_killed_while_he_writes_a_session_anew_loses_it_not(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shown(folder, 0)[0]
    flip(*folder.session(0).iterdir(), 0.5)
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr("search.events.Session.images", killed)
        mend_events(folder, SPACE, Aims(SPEC), print)
    mend_events(folder, SPACE, Aims(SPEC), print)
    assert shown(folder, 0)[0] == before


def test_a_record_without_a_copy_is_set_aside_and_said(folder: StudyFolder) -> None:
    flip(folder.trial(2).record, 0.3)
    flip(folder.trial(0).record, 0.3)
    flip(record_copy(folder.trial(0).record), 0.3)
    said: list[str] = []
    mend_records(folder, said.append)
    assert [line.partition("; ")[2] for line in said] == ["set aside as damaged-result.json"] * 2
    assert [record.number for record in folder.records()] == [1]


def test_whole_event_files_are_left_as_they_are(folder: StudyFolder) -> None:
    before = {path: path.read_bytes() for path in folder.tensorboard.rglob("*") if path.is_file()}
    said: list[str] = []
    mend_events(folder, SPACE, Aims(SPEC), said.append)
    assert (said, len(before)) == ([], 3)
    assert {path: path.read_bytes() for path in folder.tensorboard.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("place", [0.01, 0.2, 0.6, 0.99])
def test_a_damaged_session_is_made_anew_whole(folder: StudyFolder, number: int, place: float) -> None:
    before = shown(folder, number)
    (file,) = folder.session(number).iterdir()
    flip(file, place)
    spoilt = file.read_bytes()
    said: list[str] = []
    mend_events(folder, SPACE, Aims(SPEC), said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{file}: damaged; ")
    scalars, told = shown(folder, number)
    assert scalars == before[0]
    assert told.keys() == before[1].keys()
    start = metadata.SESSION_START_INFO_TAG
    assert told[start] == before[1][start]
    assert all(told[tag].status == before[1][tag].status for tag in told.keys() - {start})
    assert (folder.trial(number).path / f"damaged-{file.name}").read_bytes() == spoilt
    assert "examples" in EventAccumulator(str(folder.session(number))).Reload().Tags()["tensors"]


def test_a_torn_session_is_made_anew_from_all_of_its_files(folder: StudyFolder) -> None:
    before = shown(folder, 0)[0]
    record = folder.records()[0]
    later = folder.open_session(record, SPACE.shown(record.params))
    later.scalars(15, epoch_scalars(record.epochs[2]))
    first, second = sorted(folder.session(0).iterdir())
    os.truncate(first, first.stat().st_size - 5)
    mend_events(folder, SPACE, Aims(SPEC), print)
    (anew,) = folder.session(0).iterdir()
    assert whole(anew)
    assert shown(folder, 0)[0] == before
    assert {path.name for path in folder.trial(0).path.glob("damaged-*")} == {
        f"damaged-{first.name}",
        f"damaged-{second.name}",
    }


def test_a_session_without_a_readable_sheet_is_made_anew_too(folder: StudyFolder) -> None:
    before = shown(folder, 0)[0]
    folder.trial(0).examples.write_bytes(b"\x89PNG\r\n\x1a\n torn")
    flip(*folder.session(0).iterdir(), 0.5)
    mend_events(folder, SPACE, Aims(SPEC), print)
    assert shown(folder, 0)[0] == before
