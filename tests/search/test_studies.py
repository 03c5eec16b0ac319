"""The studies that come with the program are sound at every scale, say what they are for, and train when small."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from colorgan.config import load_config
from colorgan.generator import build_generator
from colorgan.strict_yaml import read_yaml
from search.messages import Job, TrialEnded
from search.methods import make_sampler
from search.space import Space
from search.study import read_study
from search.trial import TrialRunner

FOLDER = Path(__file__).parents[2] / "studies"
CONFIGURATIONS = {"thesis_run_3"}  # for training, not for searching
STUDIES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem not in CONFIGURATIONS)
SMALL = [path for path in STUDIES if path.stem.startswith("thesis")]
SHORT = {"schedule.epochs": 2, "schedule.steps_per_epoch": 2, "validation.examples": 0, "data.train_limit": 8}


@pytest.fixture(scope="module")
def runner() -> TrialRunner:
    return TrialRunner()


def scales(path: Path) -> list[str | None]:
    return [None, *(read_yaml(path).value.get("scales") or {})]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_says_what_it_is_for_how_it_is_run_how_long_it_takes_and_what_comes_out(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for word in ("Purpose", "Command", "Time", "Result"):
        assert any(line.startswith(f"# {word}:") for line in header)
    assert str(path.relative_to(FOLDER.parent)) in "".join(header) or path.stem == "quickstart"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_each_is_sound_at_every_scale(path: Path) -> None:
    for scale in scales(path):
        spec = read_study(path, scale=scale)
        assert spec.name == path.stem + (f"-{scale}" if scale else "")
        assert scale is None or (spec.train.data.photos, spec.train.data.size <= 128) == ("sample", True)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_the_small_form_trains_its_default_and_another_configuration(
    path: Path, runner: TrialRunner, tmp_path: Path
) -> None:
    spec = read_study(path, scale="small")
    space = Space(spec.space, spec.train)
    study = optuna.create_study(sampler=make_sampler(spec, space))
    study.enqueue_trial(space.default_params()[0])
    for _ in range(2):
        trial = study.ask()
        config = space.to_config(space.suggest(trial), seed=trial.number).with_values(SHORT)
        *_, end = runner.run(Job(trial.number, config, tmp_path / f"{trial.number}.npz"), lambda: None)
        assert isinstance(end, TrialEnded)
        assert (end.how, end.reason) == ("complete", "")
        study.tell(trial, 20.0)


def test_the_thesis_final_network_is_its_own() -> None:
    path = FOLDER / "thesis_run_3.yaml"
    config, small = load_config(path), load_config(path, scale="small")
    generator = build_generator(config.generator, size=config.data.size)
    assert round(generator.count_params() / 1e6, 1) == 26.4
    assert config.data.renew_epochs == 64 == config.schedule.epochs // 2
    assert small.data.renew_epochs == small.schedule.epochs // 2
    assert small.data.photos == "sample"
