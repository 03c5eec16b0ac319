"""What a study knows before it begins: configurations it is given, and trials of others that could be its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorgan.photos import open_photos
from colorgan.record import EpochRecord, TrialRecord, write_record
from colorgan.strict_yaml import write_yaml
from search.experience import Lesson, as_trials, check_sources, known_good, learn, learned_once
from search.known_photos import KnownPhotos
from search.space import Space
from search.storage import StudyFolder
from search.study import StudyError, StudySpec, read_study

RATE, SECOND, L1, FILTERS = (
    "optimizer.generator_learning_rate",
    "optimizer.discriminator_learning_rate",
    "losses.l1_weight",
    "generator.filters",
)
SPACE = {
    RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    SECOND: {"type": "categorical", "choices": [1.0, 0.1], "factor_of": RATE},
}
Make = Callable[..., Path]


def spec(space: dict[str, Any] = SPACE, *, train: dict[str, Any] | None = None, **keys: Any) -> StudySpec:
    tree = {"name": "study", "train": train or {}, "space": space, "search": {"sampler": {"name": "tpe"}}}
    return StudySpec.model_validate({**tree, **keys})


def record(number: int, params: dict[str, Any], state: str = "complete") -> TrialRecord:
    epochs = tuple(
        EpochRecord(epoch=n, step=n, objective=20.0 - n, metrics={}, train_seconds=1.0, valid_seconds=1.0)
        for n in (1, 2)
    )
    return TrialRecord(number=number, state=state, objective=18.0, params=params, seed=number, epochs=epochs)


@pytest.fixture
def earlier(tmp_path: Path) -> Make:
    """Makes the results of an earlier study."""

    def make(study: StudySpec, records: list[TrialRecord]) -> Path:
        folder = StudyFolder(tmp_path / "earlier")
        folder.path.mkdir()
        for one in records:
            folder.trial(one.number).path.mkdir(parents=True)
            write_record(folder.trial(one.number).record, one)
        folder.study.write_text(study.to_yaml())
        return folder.path

    return make


def learned(study: StudySpec) -> tuple[tuple[Lesson, ...], list[str]]:
    return learn(study, Space(study.space, study.train))


def test_finished_trials_of_the_same_space_are_learned_from(earlier: Make) -> None:
    records = [
        record(0, {RATE: 1e-3, SECOND: 0.1}),
        record(1, {RATE: 2e-3, SECOND: 1.0}, "pruned"),
        record(2, {RATE: 3e-3, SECOND: 1.0}, "failed"),
    ]
    lessons, notes = learned(spec(learn_from=[str(earlier(spec(), records))]))
    assert [(lesson.trial, lesson.params, lesson.value) for lesson in lessons] == [
        (0, {RATE: 1e-3, SECOND: 0.1}, 18.0),
        (1, {RATE: 2e-3, SECOND: 1.0}, None),
    ]
    assert lessons[1].reports == {1: 19.0, 2: 18.0}
    assert notes[0].startswith("learns from 2 of 2 trials of ")


def test_a_changed_space_takes_what_could_be_its_own(earlier: Make) -> None:
    old = spec({**SPACE, L1: {"type": "categorical", "choices": [10.0, 100.0]}})
    records = [
        record(0, {RATE: 1e-3, SECOND: 0.1, L1: 100.0}),  # the l1_weight that is no longer searched
        record(1, {RATE: 1e-3, SECOND: 0.1, L1: 10.0}),
        record(2, {RATE: 1e-2, SECOND: 1.0, L1: 100.0}),  # a rate beyond the new range
    ]
    new = {
        RATE: {"type": "float", "low": 5e-4, "high": 5e-3},
        SECOND: {"type": "float", "low": 1e-5, "high": 1e-2, "log": True},  # no factor any more
        FILTERS: {"type": "categorical", "choices": [32, 64]},  # new: the earlier trials had the default
    }
    lessons, notes = learned(spec(new, learn_from=[str(earlier(old, records))]))
    assert [(lesson.trial, lesson.params) for lesson in lessons] == [
        (0, {RATE: 1e-3, SECOND: pytest.approx(1e-4), FILTERS: 64})
    ]
    assert "learns from 1 of 3 trials" in notes[0]


def test_trials_that_were_trained_otherwise_do_not_compare(earlier: Make) -> None:
    place = earlier(spec(train={"schedule": {"epochs": 6}}), [record(0, {RATE: 1e-3, SECOND: 0.1})])
    lessons, notes = learned(spec(train={"schedule": {"epochs": 12}}, learn_from=[str(place)]))
    assert lessons == ()
    assert notes[0].endswith(": they are not of this study; of trial 0 schedule.epochs is 6, here 12")


def test_what_keeps_a_configuration_from_a_study_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(spec().train.with_values({RATE: 0.1, SECOND: 0.1, "schedule.epochs": 3}).to_yaml())
    study = spec(enqueue=[str(file)])
    with pytest.raises(StudyError) as caught:
        known_good(study, Space(study.space, study.train))
    why = f"schedule.epochs is 3, here {study.train.schedule.epochs}"
    rates = [f"{path} is 0.1, the nearest here 0.01" for path in (RATE, SECOND)]
    assert f"cannot be made in this study: {', '.join([*rates, why])}. Widen" in str(caught.value)


def test_a_direction_that_is_another_is_said(earlier: Make) -> None:
    colourful = {"metric": "valid/colorfulness_ratio"}
    place = earlier(spec(objective={**colourful, "direction": "minimize"}), [])
    study = spec(objective={**colourful, "direction": "maximize"}, learn_from=[str(place)])
    with pytest.raises(StudyError, match=r"ratio \(minimize, smooth_epochs 1\), this study .*ratio \(maximize, smooth"):
        check_sources(study, Space(study.space, study.train))


def test_trials_on_photos_that_have_changed_since_do_not_compare(earlier: Make) -> None:
    train = {"data": {"size": 32, "crop_scales": [1.0]}}
    folder = StudyFolder(earlier(spec(train=train), [record(0, {RATE: 1e-3, SECOND: 0.1})]))
    study = spec(train=train, learn_from=[str(folder.path)])
    now = KnownPhotos.of(open_photos(study.train.data))
    now.write(folder.photos)
    assert [lesson.trial for lesson in learned(study)[0]] == [0]
    now.model_copy(update={"fingerprint": "0" * 16, "train": now.train - 1}).write(folder.photos)
    lessons, [note] = learned(study)
    assert lessons == ()
    assert f"learns from 0 of 1 trials of {folder.path}: data.photos: sample: other photos than the study began" in note


def test_another_objective_and_a_missing_study_are_refused(earlier: Make, tmp_path: Path) -> None:
    place = earlier(spec(objective={"metric": "valid/ssim"}), [])
    for path, words in ((place, "searched valid/ssim"), (tmp_path / "gone", "no study here")):
        study = spec(learn_from=[str(path)])
        with pytest.raises(StudyError, match=words):
            check_sources(study, Space(study.space, study.train))


def test_what_was_learned_is_kept_as_it_was(earlier: Make, tmp_path: Path) -> None:
    place = earlier(spec(), [record(0, {RATE: 5e-4, SECOND: 0.1})])
    study, folder, said = spec(learn_from=[str(place)]), StudyFolder(tmp_path / "new"), list[str]()
    space = Space(study.space, study.train)
    folder.path.mkdir()
    learned_once(study, space, folder, said.append)
    write_record(StudyFolder(place).trial(0).record, record(0, {RATE: 1e-3, SECOND: 0.1}))
    [first] = learned_once(study, space, folder, said.append)  # anew, as the study has not begun
    folder.study.touch()
    write_record(StudyFolder(place).trial(0).record, record(0, {RATE: 2e-3, SECOND: 1.0}))
    [again] = learned_once(study, space, folder, said.append)
    assert again.params == first.params == {RATE: 1e-3, SECOND: 0.1}
    assert len(said) == 2
    text = folder.learned.read_text()
    folder.learned.write_text(text.replace("18.0", "10.0"))
    with pytest.raises(StudyError, match=r"learned.json: .*checksum"):
        learned_once(study, space, folder, said.append)


def test_a_study_that_learns_from_nothing_keeps_nothing(tmp_path: Path) -> None:
    study, folder = spec(), StudyFolder(tmp_path)
    assert learned_once(study, Space(study.space, study.train), folder, print) == []
    assert not folder.learned.exists()


def test_enqueued_values_are_completed_with_defaults_and_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(spec().train.with_values({RATE: 1e-3, SECOND: 1e-4, "seed": 5}).to_yaml())
    study = spec(enqueue=[{SECOND: 0.1}, str(file)])
    assert known_good(study, Space(study.space, study.train)) == [
        {RATE: 2e-4, SECOND: 0.1},
        {RATE: 1e-3, SECOND: 0.1},
    ]


def test_a_configuration_of_another_space_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(spec().train.with_values({FILTERS: 8}).to_yaml())
    study = spec(enqueue=[str(file)])
    with pytest.raises(StudyError, match="cannot be made in this study"):
        check_sources(study, Space(study.space, study.train))


def test_enqueued_values_are_as_the_space_has_them() -> None:
    choices = {"type": "categorical", "choices": [4, 8]}
    whole = {"type": "int", "low": 1, "high": 300}
    space = {"discriminator.filters": choices, "generator.filters": {"type": "int", "low": 4, "high": 8}}
    tree = {"name": "study", "space": space, "enqueue": [{"discriminator.filters": 8.0, "generator.filters": 5.0}]}
    study = StudySpec.model_validate(tree)
    (found,) = known_good(study, Space(study.space, study.train))
    assert {path: (value, type(value)) for path, value in found.items()} == {
        "discriminator.filters": (8, int),
        "generator.filters": (5, int),
    }
    with pytest.raises(ValueError, match=r"(?i)true is outside the space"):
        StudySpec.model_validate(
            {**tree, "space": {**space, "generator.filters": whole}, "enqueue": [{"generator.filters": True}]}
        )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"enqueue": [{RATE: 1.0}]}, "enqueue.0.optimizer.generator_learning_rate: 1.0 is outside the space"),
        ({"enqueue": [{RATE: "fast"}]}, "'fast' is outside the space"),
        ({"enqueue": [{"losses.l1_wieght": 1.0}]}, "is not searched"),
        ({"enqueue": [{}, 3]}, "enqueue.1"),
        ({"learn_from": ["x"], "search": {"sampler": {"name": "random"}}}, "random learns from no trials"),
        ({"learn_from": "results/x"}, "learn_from"),
    ],
)
def test_mistakes_are_named(keys: dict[str, Any], words: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(write_yaml({"name": "study", "space": SPACE, **keys}))
    with pytest.raises(StudyError) as caught:
        read_study(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_a_study_of_several_objectives_learns_all_of_them_and_what_violated_its_constraints(earlier: Make) -> None:
    small, large = (
        record(number, {RATE: 1e-3 * (number + 1), SECOND: 0.1}, state).model_copy(update={"parameters": parameters})
        for number, (parameters, state) in enumerate([(100, "complete"), (300, "pruned")])
    )
    unknown = record(2, {RATE: 5e-3, SECOND: 0.1})  # nobody noted its size
    place = earlier(spec(), [small, large, unknown])
    more = {"further_objectives": [{"metric": "parameters"}], "constraints": {"parameters": {"max": 200}}}
    study = spec(learn_from=[str(place)], **more)
    lessons, notes = learned(study)
    assert notes == [f"learns from 2 of 3 trials of {place}"]
    first, second = as_trials(lessons, Space(study.space, study.train))
    assert (first.values, second.values) == ([18.0, 100.0], [18.0, 300.0])
    assert (first.constraints, second.constraints) == ({"parameters": -0.5}, {"parameters": 0.5})
