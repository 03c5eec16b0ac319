"""The names and arguments of KerasTuner's oracles in a study."""

import inspect
from pathlib import Path

import pytest

from search.oracle import ORACLES, Proposal, proposal
from search.oracles import keras_tuner
from search.study import StudyError, read_study


def test_the_arguments_are_kerastuners_with_its_defaults() -> None:
    classes = {"bayesian": "BayesianOptimizationOracle", "hyperband": "HyperbandOracle"}
    for name, oracle in classes.items():
        theirs = inspect.signature(getattr(keras_tuner().oracles, oracle).__init__).parameters
        for key, field in ORACLES[f"keras_tuner.{name}"].model_fields.items():
            assert theirs[key].default == field.default


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("{name: keras_tuner.bayes}", "2: search.sampler.name: unknown sampler 'keras_tuner.bayes'"),
        ("{name: keras_tuner.random, beta: 1}", "2: search.sampler.beta: keras_tuner.random has no arguments"),
        ("{name: keras_tuner.hyperband, factor: 1}", "2: search.sampler.factor: must be at least 2"),
        ("{name: keras_tuner.bayesian, alpha: x}", "2: search.sampler.alpha: must be a number"),
        ("{name: keras_tuner.hyperband, max_epochs: 9}", "2: search.sampler.max_epochs: unknown key"),
        ("{name: keras_tuner.hyperband, factor: 20}", "2: search.sampler: a trial has 16 epochs, fewer than"),
        ("{name: keras_tuner.hyperband}, pruner: {name: median}", "2: search.pruner: keras_tuner.hyperband itself"),
        ("{name: keras_tuner.grid}", "3: space.losses.l1_weight: the sampler keras_tuner.grid"),
    ],
)  # fmt: skip
def test_mistakes_name_file_and_line(tmp_path: Path, search: str, words: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        f"name: s\nsearch: {{sampler: {search}}}\nspace: {{losses.l1_weight: {{type: float, low: 1, high: 9}}}}\n"
        "train: {schedule: {epochs: 16}}\n"
    )
    with pytest.raises(StudyError) as refused:
        read_study(file)
    assert f"{file}:{words}" in str(refused.value)


def test_a_note_is_read_back_as_it_was_written() -> None:
    made = Proposal(params={"a": 1, "b": 1.0, "c": True, "d": None, "e": "1"}, bracket=2, round=1, past=3, epochs=9)
    again = proposal({"oracle": made.model_dump()})
    assert again == made
    assert [type(value) for value in again.params.values()] == [int, float, bool, type(None), str]
    assert proposal({}) is None
