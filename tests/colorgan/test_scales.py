"""A file at one of its scales is the file with that scale's changes, under a name of its own if it has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorgan.config import ConfigError, load_config
from search.study import StudyError, read_study

STUDY = """
name: big
train:
  data: {size: 256}
  schedule: {epochs: 64, batch_size: 32}
space:
  losses.l1_weight: {type: float, low: 1, high: 300, log: true}
  generator.filters: {type: categorical, choices: [32, 64]}
search: {trials: 50, sampler: {name: tpe, n_startup_trials: 20}}
scales:
  small:
    train: {data: {size: 64}, schedule: {epochs: 4}}
    space:
      generator.filters: {type: int, low: 4, high: 8}
      losses.l1_weight: null
    search: {trials: 6, sampler: {name: random}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def test_without_a_scale_it_is_the_study_itself(study: Path) -> None:
    spec = read_study(study)
    assert (spec.name, spec.train.data.size, spec.search.trials, list(spec.space)) == (
        *("big", 256, 50),
        ["losses.l1_weight", "generator.filters"],
    )


def test_a_scale_is_laid_over_key_by_key_and_methods_are_replaced_whole(study: Path) -> None:
    spec = read_study(study, scale="small", trials=3)
    schedule = spec.train.schedule
    assert (spec.name, spec.train.data.size, schedule.epochs, schedule.batch_size) == ("big-small", 64, 4, 32)
    assert list(spec.space) == ["generator.filters"]
    assert spec.space["generator.filters"].type == "int"
    assert (spec.search.trials, spec.search.sampler.name, spec.search.sampler.arguments) == (3, "random", {})


def test_what_ran_at_a_scale_is_read_back_as_it_ran(study: Path, tmp_path: Path) -> None:
    spec = read_study(study, scale="small")
    (tmp_path / "ran.yaml").write_text(spec.to_yaml())
    assert read_study(tmp_path / "ran.yaml") == spec


@pytest.mark.parametrize(
    ("old", "new", "scale", "words"),
    [
        ("", "", "smal", ":1: no scale 'smal'; did you mean small?; it has small"),
        (STUDY[STUDY.index("scales:") :], "", "small", "it has none (no section `scales`)"),
        ("epochs: 4", "epochs: none", "small", ":12: train.schedule.epochs"),
        ("batch_size: 32", "batch_size: none", "small", ":5: train.schedule.batch_size"),
        ("high: 8", "high: 2", "small", ":14: space.generator.filters"),
        ("  small:\n", "  name: x\n  small:\n", "small", ":11: scales.name: must hold what it changes"),
        (
            "  small:\n",
            "  small:\n    name: x\n",
            None,
            "scales.small: must hold what it changes, which is not the name",
        ),
        (STUDY[STUDY.index("scales:") :], "scales: [small]", None, "scales: must hold scales by name"),
    ],
)
def test_mistakes_are_named_where_they_stand(study: Path, old: str, new: str, scale: str | None, words: str) -> None:
    study.write_text(STUDY.replace(old, new) if old else STUDY)
    with pytest.raises(StudyError) as caught:
        read_study(study, scale=scale)
    assert words in str(caught.value)


def test_a_configuration_has_scales_too(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("data: {size: 128}\nschedule: {epochs: 9}\nscales: {small: {data: {size: 64}}}\n")
    assert load_config(file).data.size == 128
    small = load_config(file, scale="small")
    assert (small.data.size, small.schedule.epochs) == (64, 9)
    with pytest.raises(ConfigError, match="no scale 'large'"):
        load_config(file, scale="large")
