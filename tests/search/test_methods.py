"""Samplers and pruners by name do what Optuna's do; what all of them keep to is test_contract.py's."""

import warnings

import optuna
import pytest
from pydantic import ValidationError

from colorgan.config import TrainConfig
from search import method
from search.method import EXTRAS, Pruner, Sampler
from search.methods import make_pruner, make_sampler
from search.parameter import CategoricalParameter, FloatParameter, IntParameter
from search.settings import Search
from search.signature import ASHA, PRUNERS
from search.space import Space
from search.study import StudySpec

FINITE = {
    "losses.l1_weight": FloatParameter(low=1, high=5, step=1),
    "generator.filters": CategoricalParameter(choices=(8, 16)),
}
ENDLESS = {
    "losses.l1_weight": FloatParameter(low=1, high=300, log=True),
    "generator.filters": IntParameter(low=8, high=64),
    "generator.normalization": CategoricalParameter(choices=("batch", "none")),
    "generator.dropout": FloatParameter(low=0, high=0.5, when={"generator.normalization": "batch"}),
}
PRUNER_ARGUMENTS = {"percentile": {"percentile": 25.0}, "patient": {"patience": 1}, "threshold": {"upper": 9.0}}


@pytest.fixture(autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def spec(sampler: str, pruner: Pruner | None = None, **arguments: object) -> StudySpec:
    return StudySpec(
        name="study",
        train=TrainConfig().with_values({"schedule.epochs": 8}),
        space=FINITE if sampler in ("grid", "brute_force") else ENDLESS,
        search=Search(sampler=Sampler(name=sampler, **arguments), pruner=pruner or Pruner(name="none")),
    )


def drive(study_spec: StudySpec, trials: int, *, default: bool = False) -> list[dict]:
    """Runs a toy objective one trial at a time, as the driver would, and returns the parameters of all trials."""
    space = Space(study_spec.space, study_spec.train)
    study = optuna.create_study(sampler=make_sampler(study_spec, space))
    if default and not study.trials:
        study.enqueue_trial(space.default_params()[0])
    while len(study.trials) < trials or study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
        trial = study.ask()
        params = space.suggest(trial)
        space.to_config(params, seed=trial.number)
        study.tell(trial, float(params["losses.l1_weight"]) + float(params["generator.filters"]))
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_no_two_trials_draw_the_same_numbers(name):
    params = drive(spec(name, n_startup_trials=20) if name == "tpe" else spec(name), 12)
    assert len({p["losses.l1_weight"] for p in params}) == 12


@pytest.mark.parametrize("name", ["grid", "brute_force"])
@pytest.mark.parametrize("default", [False, True])
def test_a_finite_sampler_goes_through_everything_within_its_limit_and_does_not_fall_over_at_the_end(name, default):
    study_spec = spec(name)
    study_spec = study_spec.model_copy(
        update={"search": study_spec.search.model_copy(update={"start_with_default": default})}
    )
    limit = Space(study_spec.space, study_spec.train).limit(study_spec)
    params = drive(study_spec, limit, default=default)
    assert len({tuple(sorted(p.items())) for p in params}) == 10
    assert len(params) == limit == 10


def test_an_endless_sampler_has_no_limit():
    study_spec = spec("random")
    assert Space(study_spec.space, study_spec.train).limit(study_spec) is None


def test_tpe_learns():
    params = drive(spec("tpe", n_startup_trials=5), 40)
    assert sum(p["losses.l1_weight"] + p["generator.filters"] for p in params[-10:]) < sum(
        p["losses.l1_weight"] + p["generator.filters"] for p in params[:10]
    )


@pytest.mark.parametrize(("name", "cls"), [*{**PRUNERS, ASHA: "NopPruner"}.items()])
def test_each_pruner_is_optunas_and_warns_of_nothing(name, cls):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pruner = make_pruner(spec("random", Pruner(name=name, **PRUNER_ARGUMENTS.get(name, {}))))
    assert type(pruner).__name__ == cls


@pytest.mark.parametrize(
    ("pruner", "first"),
    [
        (Pruner(name="median", warmup_epochs=3), 4),
        (Pruner(name="median", n_warmup_steps=3), 3),
        (Pruner(name="median"), 1),
        (Pruner(name="threshold", upper=0.5, warmup_epochs=2), 3),
        (Pruner(name="successive_halving", min_resource=2), 2),
        (Pruner(name="patient", patience=1, wrapped={"name": "median", "warmup_epochs": 4}), 5),
        (Pruner(name="patient", patience=0), 2),
        (Pruner(name="patient", patience=4, wrapped={"name": "median", "warmup_epochs": 4}), 6),
    ],
    ids=str,
)
def test_a_pruner_stops_a_hopeless_trial_at_the_first_epoch_it_may(pruner, first):
    study = optuna.create_study(pruner=make_pruner(spec("random", pruner)))
    for _ in range(8):
        good = study.ask()
        for epoch in range(1, 9):
            good.report(0.1 / epoch, epoch)
            good.should_prune()  # successive halving counts who is asked about
        study.tell(good, 0.0)
    bad = study.ask()
    for epoch in range(1, 9):
        bad.report(1.0 + epoch, epoch)
        if bad.should_prune():
            break
    assert epoch == pruner.first_epoch(8) == first


def test_hyperband_knows_the_length_of_a_trial_before_any_has_ended():
    study = optuna.create_study(study_name="s", pruner=make_pruner(spec("random", Pruner(name="hyperband"))))
    stopped = 0
    for number in range(30):
        trial = study.ask()
        for epoch in range(1, 9):
            trial.report(float(number), epoch)
            if trial.should_prune():
                stopped += 1
                break
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    assert stopped > 10


@pytest.mark.parametrize(("name", "modules"), EXTRAS.items())
def test_a_sampler_that_needs_a_missing_package_says_which_extra_to_install(name, modules, monkeypatch):
    monkeypatch.setattr(method.importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ValidationError) as refused:
        Sampler(name=name)
    needs, extra = " and ".join(modules), name.rpartition(".")[2]
    message = f"{name} needs {needs}: run make setup EXTRAS={extra}, or pip install 'colorgan[{extra}]'"
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "tpe", "gamma": 3}, "no such argument"),
        ({"name": "qmc", "qmc_type": "sobel"}, "Optuna refuses"),
        ({"name": "tpe", "group": "yes"}, "must be true or false; received 'yes'"),
        ({"name": "nsgaii", "population_size": 1}, "Optuna refuses"),
    ],
)
def test_arguments_that_yaml_cannot_give_or_optuna_refuses_are_refused(arguments, words):
    with pytest.raises(ValidationError, match=words):
        Sampler(**arguments)


def test_both_names_of_one_warm_up_are_refused():
    with pytest.raises(ValidationError, match="is warmup_epochs \\+ 1; remove one"):
        Pruner(name="median", warmup_epochs=2, n_warmup_steps=3)
