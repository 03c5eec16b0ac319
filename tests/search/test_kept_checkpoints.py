import random
from pathlib import Path

import pytest

from colorgan.record import State, TrialRecord
from search.checkpoint_store import CheckpointStore
from search.kept_checkpoints import KeptCheckpoints
from search.snapshot import group_name, ranked
from search.storage import StudyFolder


def left(folder: StudyFolder, records: list[TrialRecord]) -> set[int]:
    return {record.number for record in records if folder.trial(record.number).checkpoint.exists()}


def trained(folder: StudyFolder, number: int, state: State, objective: float | None, group: str = "") -> TrialRecord:
    checkpoint = folder.trial(number).checkpoint
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    return TrialRecord(number=number, state=state, objective=objective, seed=0, group=group)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_after_each_trial_the_best_so_far_have_their_checkpoints(tmp_path: Path, direction: str):
    folder, rng = StudyFolder(tmp_path), random.Random(0)  # noqa: S311 - no secret
    kept, records = KeptCheckpoints(folder, direction, keep=3), []
    for number in range(40):
        state = rng.choice(["complete", "complete", "pruned", "failed"])
        records.append(trained(folder, number, state, rng.randrange(10)))
        kept.look_at([records[-1]])
        assert left(folder, records) == {record.number for record in ranked(records, direction)[:3]}


@pytest.mark.parametrize("keep", [1, 2, 3])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_of_several_seeds_the_mean_counts_as_soon_as_all_are_trained(tmp_path: Path, direction: str, keep: int):
    folder, rng = StudyFolder(tmp_path), random.Random(0)  # noqa: S311 - no secret
    kept, records, due = KeptCheckpoints(folder, direction, keep=keep, seeds=3), list[TrialRecord](), list[str]()
    while len(records) < 40 or due:
        group = due.pop(rng.randrange(len(due))) if due and (len(records) >= 40 or rng.random() < 0.7) else ""
        state = rng.choice(["complete", "complete", "complete", "pruned", "failed"])
        records.append(trained(folder, len(records), state, rng.randrange(20), group))
        due += [] if group or state != "complete" else [group_name(records[-1].number)] * 2
        kept.look_at([records[-1]])
        open_ = {record.number for record in records if (record.group or group_name(record.number)) in due}
        best = ranked([record for record in records if record.number not in open_], direction)[:keep]
        assert left(folder, records) == {record.number for record in best} | open_
    again = KeptCheckpoints(folder, direction, keep=keep, seeds=3)
    again.look_at(records)
    assert left(folder, records) == {record.number for record in ranked(records, direction)[:keep]}


def test_a_study_that_goes_on_keeps_the_same_as_one_that_never_stopped(tmp_path: Path):
    folder = StudyFolder(tmp_path)
    records = [trained(folder, number, "complete", float(number % 5)) for number in range(10)]
    KeptCheckpoints(folder, "minimize", keep=2).look_at(records[:6])
    again = KeptCheckpoints(folder, "minimize", keep=2)
    again.look_at(records[:7])
    again.look_at([records[0], *records[7:]])  # the first a second time
    assert left(folder, records) == {0, 5}


def test_the_whole_store_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, store = StudyFolder(tmp_path / "study"), CheckpointStore(str(tmp_path / "store"), "study")
    store.check()
    listed, numbers, records = [], store.numbers, []
    monkeypatch.setattr(store, "numbers", lambda: listed.append(1) or numbers())
    kept = KeptCheckpoints(folder, "minimize", keep=2, store=store)
    for number in range(20):
        records.append(trained(folder, number, "complete", float(9 - number % 7)))
        checkpoint = folder.trial(number).checkpoint
        for step in (1, 2):
            store.upload(number, checkpoint, step=step)
        checkpoint.unlink()
        kept.look_at([records[-1]])
        assert left(folder, records) == {record.number for record in ranked(records, "minimize")[:2]}
        assert numbers() == set()
    assert len(listed) == 1


def test_unfinished_trials_keep_theirs_and_all_means_all(tmp_path: Path):
    folder = StudyFolder(tmp_path)
    records = [
        trained(folder, 0, "running", 1.0),
        trained(folder, 1, "waiting", None),
        trained(folder, 2, "failed", 3.0),
    ]
    KeptCheckpoints(folder, "minimize", keep="all").look_at(records)
    assert left(folder, records) == {0, 1, 2}
    KeptCheckpoints(folder, "minimize", keep=0).look_at(records)
    assert left(folder, records) == {0, 1}
