"""Where all workers reach checkpoints: a folder, and an S3 server of this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colorgan.checkpoint import Checkpoint, read_run
from colorgan.config import TrainConfig
from colorgan.record import TrialRecord
from search import checkpoint_store
from search.checkpoint_store import CheckpointStore, StoreError
from search.kept_checkpoints import KeptCheckpoints
from search.messages import EpochDone, Job, TrialEnded, TrialStarted
from search.shelf import PREFIX
from search.storage import StudyFolder

TRAIN: dict[str, Any] = {
    "data": {"size": 32, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4},
    "generator": {"filters": 4, "depth": 3, "dropout": 0.5},
    "discriminator": {"filters": 4, "depth": 2},
    "schedule": {"epochs": 4, "steps_per_epoch": 2, "batch_size": 8},
    "validation": {"examples": 0},
}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An S3 server on a free port of 127.0.0.1, with a bucket, which the environment leads to."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield "s3://bucket/prefix"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "shared") if request.param == "folder" else str(request.getfixturevalue("bucket"))


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_of_each_trial_the_last_two_states_are_kept(place: str, tmp_path: Path) -> None:
    store, file, before = CheckpointStore(place, "two"), tmp_path / "file.npz", tmp_path / "previous-file.npz"
    store.check()
    assert store.numbers() == set()
    assert not store.download(7, file)
    for step in (8, 16, 104):
        store.upload(7, written(tmp_path / "state", str(step).encode()), step=step)
    store.upload(12, written(tmp_path / "state", b"another trial's"), step=5)
    again = CheckpointStore(*store.key)
    assert again.numbers() == {7, 12}
    assert again.download(7, file)
    assert (file.read_bytes(), before.read_bytes()) == (b"104", b"16")
    again.remove(7)
    again.remove(7)
    assert store.numbers() == {12}
    store.remove(12)


def test_states_of_another_training_are_not_taken_for_later_ones(place: str, tmp_path: Path) -> None:
    store, file = CheckpointStore(place, "anew"), tmp_path / "file.npz"
    store.check()
    for step in (800, 900):
        store.upload(3, written(tmp_path / "state", b"another's"), step=step)
    store.go_on(3, step=0)
    assert not store.download(3, file)
    for step in (75, 150, 225):
        store.upload(3, written(tmp_path / "state", str(step).encode()), step=step)
    store.go_on(3, step=225)
    store.download(3, file)
    assert file.read_bytes() == b"225"
    store.remove(3)


def test_a_trial_begun_anew_leaves_its_own_network(tmp_path: Path) -> None:
    from search.trial import TrialRunner

    config, store = TrainConfig.model_validate(TRAIN), CheckpointStore(str(tmp_path / "shared"), "anew")
    store.check()
    runner, home = TrialRunner(), tmp_path / "home.npz"
    job = Job(0, config, tmp_path / "elsewhere.npz", until=2, store=store.key)
    other = config.with_values({"seed": 7})
    assert list(runner.run(Job(0, other, job.checkpoint, store=store.key), lambda: None))
    events = list(runner.run(job, lambda: None))
    assert any("of another configuration" in event.note for event in events if isinstance(event, TrialStarted))
    store.bring(0, home)
    assert (read_run(home)[0].seed, Checkpoint.load(home).step) == (config.seed, 4)


def test_a_state_from_before_is_taken_over_unless_there_is_a_newer_one(place: str, tmp_path: Path) -> None:
    store, file = CheckpointStore(place, "adopted"), tmp_path / "file.npz"
    store.check()
    store.adopt(3, tmp_path / "none.npz")
    assert store.numbers() == set()
    store.adopt(3, written(tmp_path / "own.npz", b"old"))
    store.download(3, file)
    assert file.read_bytes() == b"old"
    store.upload(3, written(tmp_path / "state", b"new"), step=2)
    store.adopt(3, tmp_path / "own.npz")
    store.download(3, file)
    assert file.read_bytes() == b"new"
    store.remove(3)


def test_finished_trials_that_are_kept_come_home_and_the_others_go(tmp_path: Path) -> None:
    store, folder = CheckpointStore(str(tmp_path / "shared"), "study"), StudyFolder(tmp_path / "study")
    store.check()
    records = [
        TrialRecord(number=number, state=state, objective=objective, seed=0)
        for number, (state, objective) in enumerate(
            [("complete", 2.0), ("complete", 1.0), ("failed", None), ("complete", 3.0), ("waiting", None)]
        )
    ]
    import numpy as np

    for record in records:
        folder.trial(record.number).path.mkdir(parents=True)
        np.savez(tmp_path / "state.npz", number=record.number)
        store.upload(record.number, tmp_path / "state.npz", step=1)
    store.upload(1, written(tmp_path / "state", b"damaged on its way"), step=2)
    kept = KeptCheckpoints(folder, "minimize", keep=2, store=store)
    kept.look_at(records[:3])
    kept.look_at(records[3:])
    home = [record.number for record in records if folder.trial(record.number).checkpoint.exists()]
    assert home == [0, 1]
    for number in home:
        assert np.load(folder.trial(number).checkpoint)["number"] == number
    assert store.numbers() == {4}
    KeptCheckpoints(folder, "minimize", keep="all", store=store).look_at(records[:4])
    assert folder.trial(0).checkpoint.exists()


def test_a_trial_goes_on_from_a_bucket_to_the_last_bit(bucket: str, tmp_path: Path) -> None:
    from search.trial import TrialRunner

    config, store = TrainConfig.model_validate(TRAIN), CheckpointStore(bucket, "exact")
    job = Job(0, config, tmp_path / "elsewhere" / "checkpoint.npz", store=store.key)

    def results(runner: TrialRunner, job: Job, epochs: int | None = None) -> tuple[str, list[Any]]:
        said, found = "", []
        for event in runner.run(job, lambda: None):
            if isinstance(event, TrialStarted):
                said, found = event.note, [(done.epoch, done.step, done.metrics) for done in event.history]
            elif isinstance(event, EpochDone):
                found.append((event.result.epoch, event.result.step, event.result.metrics))
            elif isinstance(event, TrialEnded):
                assert event.how == "complete", event
            if epochs == len(found):
                break  # as a worker that is killed
        return said, found

    runner = TrialRunner()
    _, whole = results(runner, Job(0, config, tmp_path / "whole.npz"))
    said, begun = results(runner, job, epochs=2)
    assert (said, begun) == ("", whole[:2])
    said, found = results(runner, job)
    assert said == "continued from the checkpoint after epoch 2, step 4"
    assert found == whole
    last, _ = store._states(0)
    store._files.pipe_file(last, store._files.cat_file(last)[:-500])
    said, found = results(runner, job)
    assert "damaged checkpoint" in said
    assert said.endswith("continued from the one before it after epoch 3, step 6")
    assert found == whole
    assert not job.checkpoint.parent.exists()
    store.remove(0)


def test_what_killed_workers_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = "import search.shelf as s, sys; print(s._scratch(), flush=True); sys.stdin.read()"
    env = {**os.environ, "TMPDIR": str(tmp_path)}

    def worker() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    killed, left = worker()
    killed.kill()
    killed.communicate()
    (left / "checkpoint.npz").touch()
    living, first = worker()
    other, second = worker()
    try:
        assert sorted(tmp_path.glob(f"{PREFIX}*")) == sorted([first, second])
    finally:
        living.communicate()
        other.communicate()


def test_a_place_that_cannot_be_used_is_said_at_once(tmp_path: Path, bucket: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"--checkpoints .*/file: .*"):
        CheckpointStore(str(tmp_path / "file"), "study").check()
    with pytest.raises(StoreError, match="nosuch"):
        CheckpointStore("nosuch://somewhere", "study")
    with pytest.raises(StoreError, match=r"--checkpoints s3://other/prefix: .*"):
        CheckpointStore("s3://other/prefix", "study").check()


@pytest.mark.parametrize(
    "url", ["sftp://me:s3cr3t@host/folder", "sftp://me:s3/cr3t@host", "simplecache::ftp://me:s3cr3t@h"]
)
def test_a_password_in_a_places_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(StoreError, match=r"a password in a URL is seen by others") as caught:
        CheckpointStore(url, "study")
    assert "cr3t" not in str(caught.value)
    for harmless in ("memory://bucket/a:b@c", "memory://host:22/a@b"):
        CheckpointStore(harmless, "study")


def test_a_worker_tells_the_drivers_place_from_another_of_that_name(place: str) -> None:
    store = CheckpointStore(place, "seen")
    assert not CheckpointStore(*store.key).is_the_drivers()
    store.check()
    store.sign()
    assert CheckpointStore(*store.key).is_the_drivers()
    CheckpointStore(place, "seen").sign()  # another driver, that has the same name and place
    assert not CheckpointStore(*store.key).is_the_drivers()
    assert store.numbers() == set()


def test_a_place_that_does_not_answer_is_waited_for_and_then_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_store, "PATIENCE_SECONDS", 2.0)
    store = CheckpointStore(str(tmp_path / "shared"), "study")
    store.check()
    (tmp_path / "shared" / "study" / "0001").touch()  # where a folder should be
    with pytest.raises(StoreError, match=r"checkpoints at .*shared: "):
        store.upload(1, written(tmp_path / "state", b"x"), step=1)


def test_nothing_is_written_to_the_empty_place_of_a_share_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_store, "PATIENCE_SECONDS", 1.0)
    store, state, shared = CheckpointStore(str(tmp_path / "shared"), "study"), tmp_path / "state", tmp_path / "shared"
    store.check()
    store.upload(1, written(state, b"x"), step=1)
    shared.rename(tmp_path / "unmounted")
    shared.mkdir()
    with pytest.raises(StoreError, match=r"checkpoints at .*shared: .* still mounted"):
        store.upload(1, written(state, b"y"), step=2)
    assert list(shared.iterdir()) == []
    shared.rmdir()
    (tmp_path / "unmounted").rename(shared)
    store.upload(1, written(state, b"y"), step=2)
    assert store.download(1, state)
    assert state.read_bytes() == b"y"
