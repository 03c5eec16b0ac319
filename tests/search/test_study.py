"""A study file is read whole or refused whole: every mistake with file, line, key, and what to do."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from search.parameter import FloatParameter
from search.settings import Objective
from search.study import StudyError, StudySpec, read_study

ROOT = Path(__file__).parents[2]
LINES = {
    1: "name: study",
    2: "train: {data: {size: 64}, generator: {depth: 4}, schedule: {epochs: 8}}",
    3: "space:",
    4: "  losses.l1_weight: {type: float, low: 1, high: 300, log: true}",
    5: "  generator.normalization: {type: categorical, choices: [batch, instance]}",
    6: "objective: {metric: valid/delta_e}",
    7: "search: {trials: 4}",
}
L1, NORM = "space.losses.l1_weight", "space.generator.normalization"

BROKEN = [  # line, its text, the key that is named, words of the message
    (1, "nmae: study", "name", "is required, but missing"),
    (1, "name: ../study", "name", "must be a file name", "../study"),
    (1, "name: .hidden", "name", "beginning with a letter or digit"),
    (1, "name: 12", "name", "must be text", "received 12"),
    (1, "name: ''", "name", "must be a file name"),
    (1, f"name: {'x' * 65}", "name", "1 to 64"),
    (2, "train: {losses: {l1: 3}}", "train.losses.l1", "unknown key", "did you mean l1_weight?", "allowed are"),
    (2, "train: {losses: {l1_weight: many}}", "train.losses.l1_weight", "must be a number", "received 'many'"),
    (2, "train: {losses: {l1_weight: -1}}", "train.losses.l1_weight", "must be at least 0", "received -1"),
    (2, "train: {generator: {filters: 2.5}}", "train.generator.filters", "must be a whole number", "received 2.5"),
    (2, "train: {generator: {filters: true}}", "train.generator.filters", "must be a whole number", "received true"),
    (2, "train: {generator: {normalization: bach}}", "train.generator.normalization", "did you mean batch?"),
    (2, "train: {data: {flip: no}}", "train.data.flip", "must be true or false", "received 'no'"),
    (2, "train: {data: {size: 60}}", "train", "generator.depth 5", "data.size must be a multiple of 32"),
    (2, "train: [1]", "train", "must be a mapping", "received a list"),
    (
        4,
        "  losses.l1weight: {type: float, low: 1, high: 3}",
        "space.losses.l1weight",
        "no such field",
        "did you mean losses.l1_weight?; losses has adversarial",
    ),
    (4, "  losses: {type: float, low: 1, high: 3}", "space.losses", "no such field", "losses.adversarial"),
    (
        4,
        "  optimizer.lr: {type: float, low: 0.1, high: 0.2}",
        "space.optimizer.lr",
        "no such field of a training configuration; optimizer has generator_learning_rate, discriminator_learning_rate",
    ),
    (4, "  generator.l1_weight: {type: float, low: 1, high: 3}", "space.generator.l1_weight", "mean losses.l1_weight?"),
    (4, "  seed: {type: int, low: 1, high: 3}", "space.seed", "cannot be searched", "each trial has its own"),
    (4, "  backend: {type: categorical, choices: [jax]}", "space.backend", "cannot be searched", "process has one"),
    (2, "backend: torch", "backend", "must be tensorflow or jax", "received 'torch'"),
    (2, "train: {backend: torch}", "train.backend", "must be", "tensorflow", "jax", "received 'torch'"),
    (
        4,
        "  data.size: {type: int, low: 64, high: 128, step: 64}",
        "space.data.size",
        "cannot be searched",
        "same photos",
    ),
    (4, "  data.photos: {type: categorical, choices: [a, b]}", "space.data.photos", "cannot be searched"),
    (4, "  schedule.epochs: {type: int, low: 1, high: 3}", "space.schedule.epochs", "cannot be searched", "one length"),
    (4, "  validation.examples: {type: int, low: 1, high: 3}", "space.validation.examples", "cannot be searched"),
    (4, "  losses.l1_weight: {low: 1, high: 300}", L1, "has no `type`", "float, int, categorical"),
    (4, "  losses.l1_weight: {type: flaot, low: 1, high: 300}", L1, "unknown `type`", "'flaot'", "did you mean float?"),
    (4, "  losses.l1_weight: 100", L1, "must be a mapping", "received 100"),
    (4, "  losses.l1_weight: {type: float, low: 1}", f"{L1}.high", "is required, but missing"),
    (4, "  losses.l1_weight: {type: float, low: 300, high: 1}", f"{L1}.low", "300.0 is more than high 1.0"),
    (4, "  losses.l1_weight: {type: float, low: 0, high: 1, log: true}", f"{L1}.low", "must be more than 0"),
    (4, "  losses.l1_weight: {type: float, low: 0, high: 1, log: 1}", f"{L1}.log", "must be true or false"),
    (4, "  losses.l1_weight: {type: float, low: .inf, high: 1}", f"{L1}.low", "must be a finite number"),
    (
        4,
        "  losses.l1_weight: {type: float, low: 1, high: 3, steps: 1}",
        f"{L1}.steps",
        "unknown key",
        "did you mean step?",
    ),
    (4, "  losses.l1_weight: {type: float, low: 0, high: 1, step: 0.3}", f"{L1}.step", "do not end at high", "0.9"),
    (4, "  losses.l1_weight: {type: float, low: 1, high: 2, step: 1, log: true}", f"{L1}.step", "exclude each other"),
    (4, "  losses.l1_weight: {type: float, low: 1, high: 2, step: 0}", f"{L1}.step", "must be more than 0"),
    (4, "  losses.l1_weight: {type: int, low: 1.5, high: 2}", f"{L1}.low", "must be a whole number"),
    (4, "  losses.l1_weight: {type: int, low: 1, high: 8, step: 3}", f"{L1}.step", "use high 7"),
    (
        4,
        "  losses.l1_weight: {type: float, low: -1, high: 3}",
        f"{L1}.low",
        "the configuration refuses -1.0",
        "at least 0",
    ),
    (
        4,
        "  generator.depth: {type: int, low: 2, high: 8}",
        "space.generator.depth.high",
        "refuses 8",
        "multiple of 256",
    ),
    (
        4,
        "  generator.filters: {type: float, low: 8, high: 16}",
        "space.generator.filters.low",
        "must be a whole number",
    ),
    (
        5,
        "  generator.normalization: {type: categorical, choices: [batch, layer]}",
        f"{NORM}.choices.1",
        "refuses 'layer'",
    ),
    (5, "  generator.normalization: {type: categorical, choices: []}", f"{NORM}.choices", "must not be empty"),
    (5, "  generator.normalization: {type: categorical, choices: batch}", f"{NORM}.choices", "must be a list"),
    (5, "  generator.normalization: {type: categorical, choices: [[a]]}", f"{NORM}.choices.0", "received a list"),
    (
        5,
        "  generator.normalization: {type: categorical, choices: [none, none]}",
        f"{NORM}.choices",
        "'none' stands twice",
    ),
    (5, "  data.flip: {type: categorical, choices: [true, 1]}", "space.data.flip.choices", "1 stands twice"),
    (
        5,
        "  generator.dropout: {type: float, low: 0, high: 0.5, when: {generator.depth: 4}}",
        "space.generator.dropout.when.generator.depth",
        "is not searched here",
    ),
    (
        5,
        "  generator.dropout: {type: float, low: 0, high: 0.5, when: {losses.l1_weight: 4}}",
        "space.generator.dropout.when.losses.l1_weight",
        "conditions can be on int and categorical",
    ),
    (
        5,
        "  generator.kernel: {type: int, low: 3, high: 4, when: {generator.kernel: 3}}",
        "space.generator.kernel",
        "in a circle",
    ),
    (
        5,
        "  losses.l2_weight: {type: float, low: 0, high: 1, factor_of: losses.l1weight}",
        "space.losses.l2_weight.factor_of",
        "no such field",
        "did you mean losses.l1_weight?",
    ),
    (
        5,
        "  losses.l2_weight: {type: float, low: 0, high: 1, factor_of: losses.adversarial}",
        "space.losses.l2_weight.factor_of",
        "no number to multiply",
    ),
    (
        5,
        "  losses.l2_weight: {type: categorical, choices: [a, b], factor_of: losses.l1_weight}",
        "space.losses.l2_weight.choices",
        "must be numbers",
    ),
    (
        5,
        "  losses.l2_weight: {type: float, low: 0, high: 10000, factor_of: losses.l1_weight}",
        "space.losses.l2_weight",
        "the configuration refuses losses.l1_weight 300.0 with losses.l2_weight 10000.0",
        "must be at most 1000000",
    ),
    (6, "objective: {metric: valid/delta}", "objective.metric", "unknown metric", "did you mean valid/delta_e?"),
    (6, "objective: {metric: valid/psnr_db, direction: minimize}", "objective.direction", "use maximize"),
    (6, "objective: {metric: valid/colorfulness}", "objective.direction", "is required, but missing"),
    (6, "objective: {metric: valid/ssim, direction: up}", "objective.direction", "must be 'minimize' or 'maximize'"),
    (6, "objective: {smooth_epochs: 9}", "objective.smooth_epochs", "9 is more than the 8 validations in the 8 epochs"),
    (6, "objective: {smooth_epochs: 0}", "objective.smooth_epochs", "must be at least 1", "received 0"),
    (6, "objektive: {}", "objektive", "unknown key", "did you mean objective?"),
    (7, "search: {trials: 0}", "search.trials", "must be at least 1", "received 0"),
    (7, "search: {trails: 3}", "search.trails", "unknown key", "did you mean trials?"),
    (7, "search: {workers: many}", "search.workers", "must be auto or a whole number of at least 1"),
    (7, "search: {workers: 0}", "search.workers", "must be auto or a whole number of at least 1"),
    (7, "search: {seed: -1}", "search.seed", "must be at least 0"),
    (7, "search: {keep_checkpoints: none}", "search.keep_checkpoints", "must be all or a whole number"),
    (7, "search: {trial_timeout_seconds: 0}", "search.trial_timeout_seconds", "must be more than 0"),
    (7, "search: {sampler: {name: tep}}", "search.sampler.name", "unknown sampler 'tep'", "did you mean tpe?"),
    (7, "search: {sampler: tpe}", "search.sampler", "must be a mapping"),
    (7, "search: {sampler: {}}", "search.sampler.name", "is required, but missing"),
    (7, "search: {sampler: {name: tpe, n_startup: 3}}", "search.sampler.n_startup", "did you mean n_startup_trials?"),
    (7, "search: {sampler: {name: tpe, seed: 3}}", "search.sampler.seed", "no such argument"),
    (7, "search: {sampler: {name: tpe, n_ei_candidates: 3.5}}", "search.sampler.n_ei_candidates", "whole number"),
    (
        7,
        "search: {sampler: {name: nsgaiii, dividing_parameter: 0}}",
        "search.sampler.dividing_parameter",
        "at least 1; received 0",
    ),
    (7, "search: {sampler: {name: tpe, prior_weight: 3.5}}", "search.sampler", "deprecated"),
    (7, "search: {pruner: {name: wilcoxon}}", "search.pruner.name", "unknown pruner 'wilcoxon'", "allowed are none"),
    (7, "search: {pruner: {name: median, warmup: 3}}", "search.pruner.warmup", "did you mean warmup_epochs?"),
    (7, "search: {pruner: {name: median, warmup_epochs: -1}}", "search.pruner", "Optuna refuses"),
    (7, "search: {pruner: {name: median, warmup_epochs: 8}}", "search.pruner", "it would never prune"),
    (7, "search: {pruner: {name: hyperband, min_resource: 9}}", "search.pruner", "it would never prune"),
    (7, "search: {pruner: {name: patient, patience: 6}}", "search.pruner", "after epoch 8 at the earliest"),
    (7, "search: {pruner: {name: hyperband, reduction_factor: 1}}", "search.pruner", "reduction_factor >= 2"),
    (7, "search: {pruner: {name: percentile}}", "search.pruner.percentile", "is required by percentile"),
    (7, "search: {pruner: {name: threshold}}", "search.pruner", "Optuna refuses"),
    (
        7,
        "search: {pruner: {name: patient, patience: 2, wrapped: {name: medin}}}",
        "search.pruner.wrapped.name",
        "did you mean median?",
    ),
]


@pytest.fixture
def write(tmp_path: Path):
    def write_study(changes: dict[int, str]) -> Path:
        path = tmp_path / "study.yaml"
        path.write_text("\n".join({**LINES, **changes}.values()) + "\n", encoding="utf-8")
        return path

    return write_study


@pytest.mark.parametrize(("line", "text", "key", "words"), [(a, b, c, d) for a, b, c, *d in BROKEN])
def test_a_broken_study_is_refused_with_file_line_key_and_words(write, line, text, key, words):
    path = write({line: text})
    with pytest.raises(StudyError) as refused:
        read_study(path)
    lines = str(refused.value).splitlines()
    mistake = next((mistake for mistake in lines if mistake.startswith(f"{path}:{line}: {key}: ")), None)
    assert mistake is not None, lines
    assert all(word in mistake for word in words), mistake
    section = key.rsplit(".", 1)[0]
    assert len(lines) == 1 or "nmae" in text or all(f": {section}." in line for line in lines)  # no false ones


SPACE_TEXT = "{losses.l1_weight: {type: float, low: 1, high: 300}}"


def test_all_mistakes_of_a_file_are_reported_at_once_in_its_order(write):
    path = write(
        {
            1: "name: a/b",
            4: "  losses.l1_weight: {type: float, low: 3, high: 1}",
            5: "  generator.nomalization: {type: categorical, choices: [batch]}",
            6: "objective: {metric: valid/x, smooth_epochs: 3}",
            7: "search: {trials: 0, sampler: {name: x}, pruner: {name: median, warmup_epochs: 9}}",
        }
    )
    with pytest.raises(StudyError) as refused:
        read_study(path)
    found = [line.removeprefix(f"{path}:").split(": ")[:2] for line in str(refused.value).splitlines()]
    assert found == [
        ["1", "name"],
        ["4", "space.losses.l1_weight.low"],
        ["5", "space.generator.nomalization"],
        ["6", "objective.metric"],
        ["7", "search.trials"],
        ["7", "search.sampler.name"],
        ["7", "search.pruner"],
    ]


def test_a_broken_parameter_brings_no_false_mistakes_of_those_that_depend_on_it(write):
    path = write(
        {
            4: "  generator.leak: {type: float, low: 0, high: 0.3, when: {generator.normalization: batch}}",
            5: "  generator.normalization: {type: categorical, choices: []}",
        }
    )
    with pytest.raises(StudyError) as refused:
        read_study(path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_misspelled_choice_brings_no_false_mistakes_of_conditions_and_of_other_choices(write):
    others = [
        "  generator.activation: {type: categorical, choices: [relu, leaky_relu]}",
        "  discriminator.normalization: {type: categorical, choices: [batch, none]}",
        "  generator.leak: {type: float, low: 0, high: 0.3, when: {generator.normalization: [batch, none]}}",
    ]
    choices = "  generator.normalization: {type: categorical, choices: [bacth, none]}"
    with pytest.raises(StudyError) as refused:
        read_study(write({4: "\n".join(others), 5: choices}))
    (line,) = str(refused.value).splitlines()
    assert ":7: space.generator.normalization.choices.0: the configuration refuses 'bacth'" in line
    assert "did you mean batch?" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a mapping"),
        ("- 1", "must be a mapping"),
        ("name: a\nname: b", "2:1: name: the same key stands in line 1"),
        ("name: [a", "not YAML"),
        ("name: a", "space: is required, but missing"),
        ("name: a\nspace: {}", "space: must not be empty"),
        ("name: a\nspace:", "space: must be a mapping"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path, text, words):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"study\.yaml") as refused:
        read_study(path)
    assert words in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"nothing\.yaml: no such file"):
        read_study(tmp_path / "nothing.yaml")


def test_more_validations_than_a_trial_has_are_refused_at_the_scale_that_lacks_them(write):
    every = "train: {data: {size: 64}, generator: {depth: 4}, schedule: {epochs: 8}, validation: {epochs: 3}}"
    smooth = {2: every, 6: "objective: {smooth_epochs: 3}"}  # 3, 6 and the last
    small = "scales: {small: {train: {schedule: {epochs: 6}}}}"
    path = write({**smooth, 8: small})
    assert read_study(path).objective.smooth_epochs == 3
    with pytest.raises(StudyError, match=r":6: objective.smooth_epochs: 3 is more than the 2 validations in the 6 ep"):
        read_study(path, scale="small")
    path = write({2: every, 7: "search: {pruner: {name: patient, patience: 0}}", 8: small})
    assert read_study(path).search.pruner.name == "patient"
    with pytest.raises(StudyError, match=r":7: search.pruner: could stop a trial after epoch 6 at the earliest"):
        read_study(path, scale="small")


def test_a_pair_of_values_that_only_together_does_not_fit_is_refused(write):
    path = write(
        {
            4: "  discriminator.depth: {type: int, low: 1, high: 4}",
            2: "train: {data: {size: 64}, generator: {depth: 4}, discriminator: {depth: 1}, schedule: {epochs: 8}}",
            5: "  discriminator.kernel: {type: categorical, choices: [2, 4]}",
        }
    )
    read_study(path)
    path = write({4: "  discriminator.depth: {type: int, low: 1, high: 6}"})
    with pytest.raises(StudyError, match=r"4: space.discriminator.depth.high: the configuration refuses 6"):
        read_study(path)


def test_a_number_that_not_all_trials_have_is_refused_by_cmaes_with_margin_alone(write):
    pytest.importorskip("cmaes")
    number = "  generator.leak: {type: float, low: 0, high: 0.3, when: {generator.normalization: batch}}"
    choice = "  generator.activation: {type: categorical, choices: [relu], when: {generator.normalization: batch}}"
    for other in (number, choice):
        space = f"{other}\n  generator.normalization: {{type: categorical, choices: [batch, none]}}"
        for margin in (True, False):
            sampler = f"search: {{sampler: {{name: cmaes, with_margin: {str(margin).lower()}}}}}"
            path = write({5: space, 7: sampler})
            if margin and other is number:
                with pytest.raises(StudyError, match=r":5: space.generator.leak.when: a number with a condition does"):
                    read_study(path)
            else:
                assert read_study(path).search.sampler.name == "cmaes"


def test_a_grid_of_what_has_no_end_is_refused_where_it_is_written(write):
    with pytest.raises(StudyError, match=r":4: space.losses.l1_weight: the sampler grid goes through all values"):
        read_study(write({7: "search: {sampler: {name: grid}}"}))
    steps = {4: "  losses.l1_weight: {type: float, low: 0, high: 1, step: 0.25}", 7: "search: {sampler: {name: grid}}"}
    read_study(write(steps))


def test_what_may_never_be_active_together_is_not_refused(write):
    path = write(
        {
            2: "train: {data: {size: 64}, generator: {depth: 4}, schedule: {epochs: 8}}",
            4: "  losses.adversarial: {type: categorical, choices: [bce, least_squares]}",
            5: "  losses.label_smoothing: {type: float, low: 0.0, high: 0.2, when: {losses.adversarial: bce}}",
        }
    )
    assert set(read_study(path).space) == {"losses.adversarial", "losses.label_smoothing"}


def test_a_direction_is_the_metrics_better_one_unless_it_has_none(write):
    assert Objective.model_validate({}).direction == "minimize"
    assert Objective.model_validate({"metric": "valid/psnr_db"}).direction == "maximize"
    text = "objective: {metric: valid/colorfulness_ratio, direction: maximize}"
    assert read_study(write({6: text})).objective.direction == "maximize"


def test_a_study_survives_its_own_yaml_with_every_default_written_out(write, tmp_path):
    study = read_study(
        write({1: "name: '09'", 7: "search: {pruner: {name: patient, patience: 1, wrapped: {name: median}}}"})
    )
    copy = tmp_path / "copy.yaml"
    copy.write_text(study.to_yaml())
    assert read_study(copy) == study
    assert {"retries", "keep_checkpoints", "moving_average", "smooth_epochs"} <= set(
        study.to_yaml().replace(":", "").split()
    )


def test_a_study_made_in_python_is_checked_like_a_file():
    good = {"losses.l1_weight": FloatParameter(low=1, high=2)}
    assert StudySpec(name="mine", space=good).search.sampler.name == "tpe"
    with pytest.raises(ValueError, match="no such field"):
        StudySpec(name="mine", space={"losses.l1": FloatParameter(low=1, high=2)})


def test_the_command_line_changes_photos_trials_workers_and_time_and_nothing_else(write):
    path = write({})
    study, changed = read_study(path), read_study(path, data="/photos", trials=99, workers=2, hours=0.5)
    assert (changed.train.data.photos, changed.search.trials, changed.search.workers) == ("/photos", 99, 2)
    assert changed.search.study_timeout_seconds == 1800
    unlimited = changed.search.model_copy(update={"study_timeout_seconds": None})
    without = changed.model_copy(update={"search": unlimited})
    assert without.with_overrides(data="sample", trials=4, workers="auto") == study
    with pytest.raises(StudyError, match=r"^search.trials: must be at least 1; received 0$"):
        read_study(path, trials=0)
    for hours in (0.0, -1.0, 300_000.0, math.nan):
        with pytest.raises(StudyError, match=rf"^hours: must be more than 0 and at most 277,778; received {hours:g}$"):
            read_study(path, hours=hours)


def test_more_trials_workers_and_other_limits_continue_a_study(write):
    recorded = read_study(write({}))
    limits = "retries: 0, study_timeout_seconds: 9, keep_checkpoints: all, resources: {cpu: 2.0}"
    text = f"search: {{trials: 9, workers: 3, {limits}}}"
    assert recorded.same_question(read_study(write({7: text}))) == []


@pytest.mark.parametrize(
    ("line", "text", "difference"),
    [
        (2, LINES[2][:-1] + ", losses: {l2_weight: 1}}", "train.losses.l2_weight (0.0, now 1.0)"),
        (4, LINES[4].replace("low: 1", "low: 2"), "space.losses.l1_weight.low (1.0, now 2.0)"),
        (6, "objective: {metric: valid/l1}", "objective.metric ('valid/delta_e', now 'valid/l1')"),
        (7, "search: {seed: 1}", "search.seed (0, now 1)"),
        (7, "search: {sampler: {name: random}}", "search.sampler.name ('tpe', now 'random')"),
        (7, "constraints: {parameters: {max: 9}}", "constraints.parameters.max (null, now 9.0)"),
        (7, "further_objectives: [{metric: parameters}]", "further_objectives"),
    ],
)  # fmt: skip
def test_another_question_under_the_same_name_is_noticed(write, line, text, difference):
    recorded = read_study(write({}))
    assert recorded.same_question(read_study(write({line: text}))) == [difference]


def test_a_renamed_parameter_is_named_twice_not_by_all_that_was_written_of_it(write):
    recorded = read_study(write({}))
    now = read_study(write({4: LINES[4].replace("l1_weight", "l2_weight")}))
    gone, new = recorded.same_question(now)
    assert gone == "space.losses.l1_weight ('searched', now null)"
    assert new == "space.losses.l2_weight (null, now 'searched')"


@pytest.mark.parametrize("name", ["quickstart", "places365"])
def test_the_studies_that_come_with_the_project_are_good_and_say_what_they_are_for(name):
    path = ROOT / "studies" / f"{name}.yaml"
    assert read_study(path).name == name
    assert all(f"# {word}" in path.read_text() for word in ("Purpose:", "Command:", "Time:", "Result:"))


def test_reading_knows_neither_a_trainer_nor_a_dashboard_and_importing_it_not_even_optuna():
    code = (
        "import sys, search.study; assert 'optuna' not in sys.modules; "
        "search.study.read_study('studies/quickstart.yaml'); "
        "assert not {'tensorflow', 'keras', 'tensorboard', 'torch'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_a_studys_backend_is_short_for_that_of_its_trainings(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"name: sky\nbackend: jax\nspace: {SPACE_TEXT}\n")
    spec = read_study(tmp_path / "s.yaml")
    assert spec.train.backend == "jax"
    assert "\n  backend: jax\n" in spec.to_yaml()
    (tmp_path / "s.yaml").write_text(f"name: sky\nbackend: jax\ntrain: {{backend: tensorflow}}\nspace: {SPACE_TEXT}\n")
    with pytest.raises(StudyError, match=r"s.yaml:2: backend: is 'jax', but train.backend is 'tensorflow'"):
        read_study(tmp_path / "s.yaml")


def test_the_environments_backend_counts_where_a_study_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.yaml").write_text(f"name: sky\nspace: {SPACE_TEXT}\n")
    assert read_study(tmp_path / "s.yaml").train.backend == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert read_study(tmp_path / "s.yaml").train.backend == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(StudyError, match="KERAS_BACKEND in the environment is 'torch'; allowed are tensorflow, jax"):
        read_study(tmp_path / "s.yaml")


@pytest.mark.parametrize("fuse", ["auto", "4"])
def test_trials_share_a_program_on_jax_alone(tmp_path: Path, fuse: str) -> None:
    text = f"name: sky\nspace: {SPACE_TEXT}\nsearch: {{fuse: {fuse}}}\n"
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"s.yaml:3: search.fuse: only the backend jax .* add `backend: jax`, or use"):
        read_study(tmp_path / "s.yaml")
    (tmp_path / "s.yaml").write_text(f"{text}backend: jax\n")
    assert str(read_study(tmp_path / "s.yaml").search.fuse) == fuse


def test_a_number_of_trials_that_share_a_program_is_off_auto_or_some(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"name: sky\nbackend: jax\nspace: {SPACE_TEXT}\nsearch: {{fuse: 1}}\n")
    with pytest.raises(StudyError, match=r"search.fuse: must be off, auto or a whole number of at least 2"):
        read_study(tmp_path / "s.yaml")
