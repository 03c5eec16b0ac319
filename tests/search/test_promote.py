"""Promotion from a real small study, as a user calls it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from colorgan.config import load_config
from colorgan.errors import CannotRunError
from colorgan.folder import PhotosError
from colorgan.hand_run import HandRun, train_by_hand
from colorgan.record import TrialRecord
from colorgan.strict_yaml import read_yaml, write_yaml
from search.__main__ import app
from search.candidates import Candidate, PromoteError, choose
from search.comparison import compare
from search.confirmation_study import Confirmation, move_aside
from search.known_photos import KnownPhotos
from search.ownership import owned
from search.promote import FRESH_SEEDS_FROM, confirm, decide
from search.promoted import write_promoted
from search.run import load_result, run_study
from search.storage import StudyFolder
from search.study import StudyError, StudySpec

ROOT = Path(__file__).parents[2]
RATE = "optimizer.generator_learning_rate"
TREE: dict[str, Any] = {
    "name": "small",
    "train": {
        "data": {"photos": "sample", "size": 32, "crop_scales": [1.0], "train_limit": 24, "valid_limit": 6},
        "generator": {"filters": 4, "depth": 3, "dropout": 0.0},
        "discriminator": {"filters": 4, "depth": 2},
        "optimizer": {"generator_learning_rate": 1.0},
        "schedule": {"epochs": 2, "steps_per_epoch": 10, "batch_size": 8},
        "validation": {"examples": 2},
    },
    # the default's colours are absurd, so that what a confirmation must find is certain
    "space": {RATE: {"type": "categorical", "choices": [1.0, 1e-3, 0.9]}},
    "objective": {"metric": "valid/l1"},
    "search": {"trials": 9, "sampler": {"name": "brute_force"}, "workers": 1},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study's folder."""
    return run_study(StudySpec.model_validate(TREE), results=tmp_path_factory.mktemp("results")).folder


def test_photos_that_are_gone_leave_no_confirmation(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(study, folder)
    recorded = (folder / "study.yaml").read_text()
    assert "photos: sample" in recorded
    (folder / "study.yaml").write_text(recorded.replace("photos: sample", f"photos: {tmp_path}/gone"))
    with pytest.raises(PhotosError, match="gone: no such folder"):
        confirm(folder)
    assert not (folder / "confirm").exists()


def test_a_study_is_not_confirmed_on_photos_that_it_did_not_begin_with(study: Path, tmp_path: Path) -> None:
    folder = StudyFolder(Path(shutil.copytree(study, tmp_path / "small")))
    known = KnownPhotos.read(folder.photos)
    assert known is not None
    known.model_copy(update={"fingerprint": "0" * 16, "confirm": known.confirm + 1}).write(folder.photos)
    with pytest.raises(StudyError, match=r"sample: other photos than the study began with: .* then, .* now"):
        confirm(folder.path)
    assert not folder.confirmation.path.exists()


@pytest.mark.parametrize(
    ("to", "words"), [("x" * 300, "a name of 300 bytes"), ("file/new.yaml", "file: not a folder"), ("file", "exists")]
)
def test_a_copy_that_could_not_be_written_is_refused_before_training(
    study: Path, tmp_path: Path, to: str, words: str
) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["promote", str(study), "--to", str(tmp_path / to)])
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (study / "confirm").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "4", "--most-seeds", "2"], "give --most-seeds no less"),
        (["--to", "{folder}/study.yaml"], "exists"),
        (["--pick", "77"], "trial 77 is not a complete trial"),
        (["--workers", "2000"], "search.workers: must be auto or"),
        ([], "gone: no such folder"),
    ],
)
def test_what_refuses_to_confirm_again_leaves_the_earlier_confirmation_in_its_place(
    study: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    folder = confirmed_before(study, tmp_path)
    if not arguments:
        recorded = (folder / "study.yaml").read_text()
        (folder / "study.yaml").write_text(recorded.replace("photos: sample", f"photos: {tmp_path}/gone"))
    given = [argument.format(folder=folder) for argument in arguments]
    result = CliRunner().invoke(app, ["promote", str(folder), "--again", *given])
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    assert {path.name for path in folder.iterdir()} >= {"confirm", "promoted"}
    assert not list(folder.glob("*-1"))


def test_a_confirmation_that_runs_is_not_moved_from_under_its_driver(study: Path, tmp_path: Path) -> None:
    folder = confirmed_before(study, tmp_path)
    with owned(folder / "confirm" / ".driver"):
        result = CliRunner().invoke(app, ["promote", str(folder), "--again"])
    assert (result.exit_code, "confirm: this study is being run by process" in result.stderr) == (1, True)
    assert {path.name for path in folder.iterdir()} >= {"confirm", "promoted"}
    assert not list(folder.glob("*-1"))


def test_a_damaged_record_is_said_in_words(study: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(study, tmp_path / "small", ignore=shutil.ignore_patterns("confirm", "promoted"))
    (folder / "trials" / "0002" / "result.json").write_text("{")
    for line in (
        ["promote", str(folder), "--pick", "knee", "--workers", "2000"],
        ["promote", str(folder), "--pick", "77"],
    ):
        found = CliRunner().invoke(app, line)
        assert found.exit_code == 2, found.stderr
        assert "Warning" not in found.output
        assert found.output.count("0002/result.json: no usable trial record") == 1
    status = CliRunner().invoke(app, ["status", str(folder)])
    assert (status.exit_code, status.output.count("0002/result.json: no usable trial record")) == (0, 1)


def confirmed_before(study: Path, to: Path) -> Path:
    """Returns a copy of a study that has been confirmed, by the look of it."""
    folder = shutil.copytree(study, to / "small", ignore=shutil.ignore_patterns("confirm", "promoted"))
    (folder / "confirm").mkdir()
    (folder / "promoted").mkdir()
    return folder


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "search", "promote", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def promoted(study: Path) -> subprocess.CompletedProcess[str]:
    """What the command printed; before it ended it was interrupted once."""
    line = [
        sys.executable,
        "-m",
        "search",
        "promote",
        str(study),
        "--seeds",
        "2",
        "--to",
        str(study / "to" / "my.yaml"),
    ]
    first = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not list((study / "confirm").glob("trials/*/checkpoint.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        _, errors = first.communicate(timeout=120)
    finally:
        first.kill()
    assert first.returncode == 130, errors
    assert "the same command goes on" in errors
    return command(str(study), "--seeds", "2", "--to", str(study / "to" / "my.yaml"))


def test_what_truly_is_better_is_promoted_with_all_that_shows_it(
    study: Path, promoted: subprocess.CompletedProcess[str]
) -> None:
    assert promoted.returncode == 0, promoted.stderr
    facts = json.loads((study / "promoted" / "confirmation.json").read_text())
    best = next(found for found in facts["candidates"] if found["name"] == facts["promoted"])
    assert best["params"] == {RATE: 1e-3}
    assert best["interval"][0] > 0
    assert f"promoted: Trial {best['trial']}: valid/l1" in promoted.stdout
    config = load_config(study / "promoted" / "config.yaml")
    assert config == load_result(study).spec.train.with_values({RATE: 1e-3})
    header = (study / "promoted" / "config.yaml").read_text().partition("data:")[0]
    assert "study small: trial" in header
    assert f"fingerprint {facts['photos']}" in header
    assert (study / "to" / "my.yaml").read_text() == (study / "promoted" / "config.yaml").read_text()
    card = (study / "promoted" / "card.md").read_text()
    assert "| gray baseline |" in card
    assert re.search(r"It was judged after 2(, \d+)* seeds, .* up to 16; the intervals allow for all", card)
    assert f"![gray, real, generated]({best['name']}.png)" in card
    assert (study / "promoted" / f"{best['name']}.png").stat().st_size > 1000


def test_every_candidate_has_the_same_fresh_seeds_and_the_confirm_photos(
    study: Path, promoted: subprocess.CompletedProcess[str]
) -> None:
    table = pd.read_csv(study / "promoted" / "confirmation.csv")
    assert set(table["seed"]) == {FRESH_SEEDS_FROM, FRESH_SEEDS_FROM + 1}
    assert table.groupby("candidate")["seed"].apply(list).map(sorted).map(tuple).nunique() == 1
    for config in (study / "confirm").glob("trials/*/config.yaml"):
        found = load_config(config)
        assert found.validation.part == "confirm"
        assert found.seed >= FRESH_SEEDS_FROM


def test_a_confirmed_trial_trained_by_hand_gives_the_same_number(
    study: Path, promoted: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    table = pd.read_csv(study / "promoted" / "confirmation.csv")
    number = int(table["confirm_trial"].iloc[-1])
    config = study / "confirm" / "trials" / f"{number:04d}" / "config.yaml"
    assert train_by_hand(HandRun(load_config(config), tmp_path))
    by_hand = json.loads((tmp_path / "result.json").read_text())
    expected = table.set_index("confirm_trial").loc[number, "valid/l1"]
    assert by_hand["epochs"][-1]["metrics"]["valid/l1"] == expected


def test_promoting_again_overwrites_nothing(study: Path, promoted: subprocess.CompletedProcess[str]) -> None:
    again = command(str(study), "--seeds", "2")
    assert again.returncode == 2
    assert "promoted: is there already; --again keeps it" in again.stderr
    with pytest.raises(PromoteError, match="another confirmation was begun here"):
        confirm(study, seeds=3)


def test_fewer_seeds_at_most_than_at_least_are_refused(study: Path) -> None:
    with pytest.raises(PromoteError, match="at most 3 seeds, but 4 at the least: give --most-seeds no less"):
        confirm(study, seeds=4, most_seeds=3)


def test_a_trial_that_is_none_cannot_be_picked(study: Path) -> None:
    with pytest.raises(PromoteError, match="trial 77 is not a complete trial of this study; complete are 0, 1, 2"):
        confirm(study, pick=[77])


def test_a_confirmation_is_not_confirmed_again_on_the_photos_that_it_saw(study: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(study, tmp_path / "small", ignore=shutil.ignore_patterns("confirm", "promoted"))
    seen = StudySpec.model_validate({**TREE, "train": {**TREE["train"], "validation": {"part": "confirm"}}})
    (folder / "study.yaml").write_text(seen.to_yaml())
    with pytest.raises(
        PromoteError, match="no photos are left that no trial saw: trials are measured on the `confirm`"
    ):
        confirm(folder, top=2, seeds=2)
    assert not (folder / "confirm").exists()


def test_the_knee_of_a_trade_off_can_be_picked(study: Path) -> None:
    records = load_result(study).records
    best = min((record for record in records if record.state == "complete"), key=lambda record: record.objective or 0.0)
    assert choose(study, ["knee", "2"], [], []) == [best.number, 2]  # all are of one size, so nothing is traded
    assert choose(study, ["weights"], ["valid/ssim"], [1.0, 0.0]) == [best.number]
    with pytest.raises(PromoteError, match="pick 'best': give the number of a trial, knee or weights"):
        choose(study, ["best"], [], [])
    wrong = command(str(study), "--pick", "weights", "--weight", "1")
    assert (wrong.returncode, wrong.stderr) == (2, "1 weights: give 2, one each for valid/l1, parameters\n")


def test_a_folder_without_a_study_is_named() -> None:
    found = command(str(ROOT / "tests"))
    assert (found.returncode, "no study here" in found.stderr) == (2, True)


def test_nothing_is_promoted_but_the_default_where_nothing_is_better(study: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(study, tmp_path / "small", ignore=shutil.ignore_patterns("confirm", "promoted"))
    as_absurd = next(r.number for r in load_result(folder).records if r.params == {RATE: 0.9})
    promotion = confirm(folder, pick=[as_absurd], seeds=2, most_seeds=6, workers=1)
    assert promotion.promoted.name == "default"
    counts = {len(values) for values in promotion.scores.values()}
    assert counts < {2, 4, 6}  # as long as it could become sure
    assert len(promotion.confirmed.records) <= max(counts) * 2 + 1  # one more at most, begun before that was known
    written = write_promoted(promotion)
    assert written.lines()[0] == "promoted: The default configuration: none of 1 candidates was surely better than it."
    assert load_config(folder / "promoted" / "config.yaml") == load_result(folder).spec.train
    assert move_aside(folder) == [f"{folder}/promoted-1", f"{folder}/confirm-1"]
    assert not (folder / "promoted").exists()


def test_what_a_study_began_with_and_learned_from_is_no_part_of_its_confirmation(study: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(study, tmp_path / "small", ignore=shutil.ignore_patterns("confirm", "promoted"))
    tree = read_yaml(folder / "study.yaml").value
    burden = {"learn_from": [str(tmp_path / "gone")], "enqueue": [str(tmp_path / "gone.yaml")]}
    tree |= burden | {"search": tree["search"] | {"sampler": {"name": "tpe"}, "seeds_per_trial": 3}}
    (folder / "study.yaml").write_text(write_yaml(tree))
    promotion = confirm(folder, top=1, seeds=2, most_seeds=2, workers=1)
    assert promotion.confirmed.spec.search.seeds_per_trial == 1
    recorded = folder / "confirm" / "study.yaml"
    begun = read_yaml(recorded).value
    recorded.write_text(write_yaml(begun | burden | {"search": begun["search"] | {"seeds_per_trial": 3}}))
    again = confirm(folder, top=1, seeds=2, most_seeds=2, workers=1)  # begun before this was so, it goes on
    assert (again.promoted, again.scores) == (promotion.promoted, promotion.scores)


def test_nothing_is_promoted_where_all_candidates_and_the_default_failed_on_a_seed(study: Path) -> None:
    names, result = ("default", "trial-0001"), load_result(study)
    plan = Confirmation(
        candidates=tuple(Candidate(name=name, trial=n, params={}, searched=None) for n, name in enumerate(names)),
        seeds=(0, 1),
    )
    records = [
        TrialRecord(number=n, group=names[n // 2], seed=n % 2, objective=20.0, state="failed" if n % 3 else "complete")
        for n in range(4)
    ]
    with pytest.raises(CannotRunError, match=r"not even the default, was trained to its end on each fresh seed \("):
        decide(result, replace(result, records=tuple(records)), plan)


def test_the_card_shows_the_interval_that_decided(study: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(study, tmp_path / "small", ignore=shutil.ignore_patterns("confirm", "promoted"))
    values: dict[str, tuple[float | None, ...]] = {
        "default": (20.0, 20.1, 19.9, 20.05),
        "trial-0001": (19.0, 19.15, 18.8, 19.1),
        "trial-0002": (25.0, 90.0, 14.0, None),  # would drown all others in its noise
    }
    records = [
        TrialRecord(
            number=4 * number + seed, group=name, seed=seed, objective=value, params={RATE: 1e-3},
            state="failed" if value is None else "complete",
        )
        for number, (name, several) in enumerate(values.items()) for seed, value in enumerate(several)
    ]  # fmt: skip
    named = [Candidate(name=name, trial=n, params={RATE: 1e-3}, searched=None) for n, name in enumerate(values)]
    result = load_result(folder)
    plan = Confirmation(candidates=tuple(named), seeds=(0, 1, 2, 3), every=4)
    promotion = decide(result, replace(result, records=tuple(records)), plan)
    decided = compare(promotion.fit, "trial-0001", "default", "minimize", level=promotion.level)
    written = write_promoted(promotion)
    default, better, failed = written.facts["candidates"]
    assert decided is not None
    assert better["interval"] == [decided.low, decided.high]
    assert decided.low > 0.8
    assert (failed["interval"], failed["difference"], failed["fit"]) == (None, None, False)
    assert (default["fit"], len(failed["values"])) == (True, 3)
    card = (written.folder / "card.md").read_text()
    assert f"interval {decided.low:.3g} to {decided.high:.3g}" in card
    assert "Not compared, as they failed on a seed or violate a constraint on average: trial-0002." in card
