"""KerasTuner's tuners on a study: the same numbers as its trials, and the page that shows how."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
import yaml
from keras_tuner.errors import FailedTrialError, FatalValueError

from colorgan.config import load_config
from colorgan.epoch import EpochResult
from colorgan.model import load_model
from search.hypermodel import StudyHyperModel
from search.messages import EpochDone, TrialEnded, TrialStarted

pytestmark = pytest.mark.filterwarnings(  # KerasTuner's own
    "ignore:currentThread:DeprecationWarning", "ignore:getName:DeprecationWarning"
)
PAGE = Path(__file__).parents[2] / "docs/keras_tuner.md"
TRAIN = {
    "data": {"size": 16, "crop_scales": [1.0], "train_limit": 16, "valid_limit": 4},
    "generator": {"filters": 4, "depth": 3},
    "discriminator": {"filters": 4, "depth": 2},
    "schedule": {"epochs": 3, "steps_per_epoch": 2, "batch_size": 8},
    "validation": {"examples": 0},
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's code leaves behind, run as it stands on its study with tiny trainings, and the folder."""
    folder, text = tmp_path_factory.mktemp("page"), PAGE.read_text()
    (study,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    tree = yaml.safe_load(study)
    del tree["space"]["generator.filters"]  # one architecture is built faster
    tree["search"] |= {"trials": 4, "workers": 1, "sampler": tree["search"]["sampler"] | {"num_initial_points": 2}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree | {"train": TRAIN}))
    names: dict[str, Any] = {"__name__": "page", "folder": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", str(PAGE.parents[1]))
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(compile(code, PAGE, "exec"), names)  # noqa: S102 - our own page
    return names


@pytest.fixture(scope="module")
def hypermodel(page: dict[str, Any]) -> StudyHyperModel:
    made: StudyHyperModel = page["hypermodel"]
    return made


def default(hypermodel: StudyHyperModel) -> keras_tuner.HyperParameters:
    hyperparameters = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(hyperparameters)
    return hyperparameters


def fit(hypermodel: StudyHyperModel, hyperparameters: keras_tuner.HyperParameters, **how: Any) -> Any:
    return hypermodel.fit(hyperparameters, hypermodel.build(hyperparameters), **how)


def test_the_page_searches_a_study_with_an_oracle(page: dict[str, Any]) -> None:
    assert list(page["result"].trials["state"]) == ["complete"] * 4
    assert (page["folder"] / "results/mine/trials/0003/result.json").exists()


def test_a_trial_is_that_of_the_study_with_its_configuration_and_seed(
    page: dict[str, Any], hypermodel: StudyHyperModel
) -> None:
    record, history = page["result"].records[0], fit(hypermodel, default(hypermodel)).history
    config = load_config(page["folder"] / "results/mine/trials/0000/config.yaml")
    assert hypermodel.config(default(hypermodel)) == config
    assert history["objective"] == [epoch.objective for epoch in record.epochs]
    for key in record.epochs[0].metrics:
        assert history[key] == [epoch.metrics[key] for epoch in record.epochs]


def test_hyperband_stops_trials_and_goes_on_with_them_as_if_never_stopped(
    page: dict[str, Any], hypermodel: StudyHyperModel
) -> None:
    trials = list(page["tuner"].oracle.trials.values())
    epochs = [trial.hyperparameters.values["tuner/epochs"] for trial in trials]
    assert epochs == [1, 1, 1, 3, 3, 3]
    for trial, count in zip(trials, epochs, strict=True):
        assert trial.score == min(fit(hypermodel, trial.hyperparameters, epochs=count).history["valid/delta_e"])


def test_the_page_ends_with_a_configuration_and_a_model(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(page["folder"])
    best = page["tuner"].oracle.get_best_trials()[0]
    assert load_config(Path("best.yaml")) == page["config"] == page["tuner"].get_best_models()[0].train_config
    assert load_model(Path(f"results/mine-tuner/trial_{best.trial_id}")).config.seed == page["config"].seed


def test_a_callback_may_stop_a_trial(hypermodel: StudyHyperModel) -> None:
    class Stop(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == 1

    assert fit(hypermodel, default(hypermodel), callbacks=[Stop()]).epoch == [0, 1]


def test_a_build_without_a_declared_space_declares_it(hypermodel: StudyHyperModel) -> None:
    hyperparameters = keras_tuner.HyperParameters()
    assert hypermodel.build(hyperparameters).train_config == hypermodel.config(default(hypermodel))
    assert [hp.name for hp in hyperparameters.space] == list(default(hypermodel).values)


@pytest.mark.parametrize(("data", "epochs"), [((), 4), ((), 0), (([1],), 2)])
def test_more_epochs_than_the_studys_and_data_end_the_search(
    hypermodel: StudyHyperModel, data: tuple[Any, ...], epochs: int
) -> None:
    with pytest.raises(FatalValueError, match=r"give search\(\) no data .*, and 1 to 3 epochs"):
        hypermodel.fit(default(hypermodel), hypermodel.build(default(hypermodel)), *data, epochs=epochs)


def test_nothing_is_saved_of_an_untrained_trial(hypermodel: StudyHyperModel, tmp_path: Path) -> None:
    with pytest.raises(FatalValueError, match="has not been trained"):
        hypermodel.build(default(hypermodel)).save_weights(tmp_path / "x.weights.h5")


class Said:
    """A runner whose trials say what they are told to."""

    def __init__(self, *events: Any) -> None:
        self.events = events

    def run(self, *_: Any) -> Iterator[Any]:
        return iter(self.events)


def done(epoch: int, value: float) -> EpochDone:
    return EpochDone(0, EpochResult(epoch, epoch, {"valid/delta_e": value}, None, 0.1, 0.1))


def test_a_trial_without_memory_fails_and_is_not_taken_for_trained(
    hypermodel: StudyHyperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Said(TrialStarted(0, True, 0.1, (), 7), done(1, 20.0), TrialEnded(0, "out of memory", "no memory left"))
    monkeypatch.setattr(hypermodel, "_runner", said)
    with pytest.raises(FailedTrialError, match="no memory left"):
        fit(hypermodel, default(hypermodel))


def test_epochs_without_a_finite_objective_do_not_count(
    hypermodel: StudyHyperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Said(done(1, 20.0), done(2, math.nan), done(3, 20.0), TrialEnded(0, "complete"))
    monkeypatch.setattr(hypermodel, "_runner", said)
    assert fit(hypermodel, default(hypermodel)).history["objective"] == [20.0, 20.0]
    monkeypatch.setattr(hypermodel, "_runner", Said(done(1, math.nan), TrialEnded(0, "complete")))
    with pytest.raises(FailedTrialError, match="valid/delta_e was never finite"):
        fit(hypermodel, default(hypermodel))
