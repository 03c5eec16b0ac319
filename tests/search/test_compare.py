"""Comparing: verdicts on studies whose truth is known, tables, and the command as a user would call it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from colorgan.config import TrainConfig
from colorgan.record import EpochRecord, TrialRecord, write_record
from search import verdict_words
from search.__main__ import app
from search.candidates import PromoteError, candidates
from search.compare import compare, differences, studies_view, trials_view, verdict_lines
from search.importance import importances, judged
from search.known_photos import KnownPhotos
from search.outcome import summary_lines, summary_table
from search.run import load_result
from search.standings import left_out, standings
from search.storage import StudyFolder
from search.study import StudySpec
from search.verdict import evaluation_noise, judge
from search.words import short_names

RATE, WEIGHT = "optimizer.generator_learning_rate", "losses.l1_weight"
SPACE: dict[str, Any] = {
    RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    WEIGHT: {"type": "float", "low": 1.0, "high": 100.0},
}
BASELINES = {"gray": {"valid/delta_e": 20.0}, "tint": {"valid/delta_e": 21.5}}
CONFIRMED_BASELINES = {"gray": {"valid/delta_e": 18.0}, "tint": {"valid/delta_e": 20.0}}
Make = Callable[..., Path]


def spec(name: str = "sky", **others: Any) -> StudySpec:
    return StudySpec.model_validate({"name": name, "space": SPACE, **others})


def trial(number: int, *values: float, state: str = "complete", **others: Any) -> TrialRecord:
    epochs = [
        EpochRecord(
            epoch=n, step=n, objective=value, metrics={"valid/delta_e": value}, train_seconds=1.0, valid_seconds=0.5
        )
        for n, value in enumerate(values, 1)
    ]
    fields = {"number": number, "state": state, "seed": number, "objective": values[-1] if values else None}
    params = {RATE: 2e-4, WEIGHT: 50.0}
    return TrialRecord.model_validate({"params": params, "worker": 0, **fields, "epochs": tuple(epochs), **others})


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_study(records: Sequence[TrialRecord], study: StudySpec | None = None, **summary: Any) -> Path:
        study = study or spec()
        folder = StudyFolder(tmp_path / "results" / study.name)
        folder.path.mkdir(parents=True)
        folder.study.write_text(study.to_yaml())
        folder.summary.write_text(json.dumps({"baselines": BASELINES, **summary}))
        for record in records:
            folder.trial(record.number).path.mkdir(parents=True)
            folder.trial(record.number).config.write_text(TrainConfig().to_yaml())
            write_record(folder.trial(record.number).record, record)
        return folder.path

    return make_study


def confirm(folder: Path, promoted: str, *, fit: bool = True) -> None:
    gain = {"difference": 1.1, "interval": [0.6, 1.4]} if fit else {"difference": None, "interval": None}
    candidates = [
        {"name": "default", "trial": 0, "values": [18.0, 18.4], "mean": 18.2, "fit": fit},
        {"name": "trial 1", "trial": 1, "values": [17.0, 17.2], "mean": 17.1, **gain},
    ]
    (folder / "promoted").mkdir()
    (folder / "promoted" / "confirmation.json").write_text(
        json.dumps({"candidates": candidates, "promoted": promoted, "baselines": CONFIRMED_BASELINES})
    )


def test_noise_is_what_the_last_validations_swing_by_and_slow_progress_is_none() -> None:
    rng, smooth = np.random.default_rng(1), spec(objective={"smooth_epochs": 4}).objective
    still = [trial(n, *(15 + 0.5 * rng.standard_normal(4))) for n in range(400)]
    slow = [trial(n, *(15 + 0.5 * rng.standard_normal(4) - 0.1 * np.arange(4))) for n in range(400)]
    assert evaluation_noise(still, spec().objective) == pytest.approx(0.5, rel=0.1)
    assert evaluation_noise(slow, spec().objective) == pytest.approx(0.5, rel=0.1)
    assert evaluation_noise(still, smooth) == pytest.approx(0.25, rel=0.1)
    assert evaluation_noise([trial(0, 1.0, 2.0)], spec().objective) is None


def test_of_a_configuration_with_several_seeds_the_mean_counts_everywhere(make: Make) -> None:
    swing, found = (0.4, 0.0, 0.4, 0.0), [[25.0, 25.2, 24.8], [15.0, 24.0, 24.0], [18.0, 18.2, 17.0]]
    records = []
    for first, values in enumerate(found):
        for place, value in enumerate(values):
            group = {"group": f"trial-{first:04d}"} if place else {}
            number = first if place == 0 else 3 + 2 * first + place - 1
            records.append(
                trial(number, *(value + v for v in swing), params={RATE: 2e-4 * (1 + first), WEIGHT: 50.0}, **group)
            )
    folder = make(records, spec("seeds", search={"seeds_per_trial": 3}))
    verdict = judge(folder)
    assert verdict.best is not None
    assert verdict.best.number == 2
    assert verdict.second is not None
    assert verdict.second.number == 1
    lead = verdict.lead_over(verdict.second)
    assert lead is not None
    assert lead.margin == pytest.approx(21.0 - 53.2 / 3)
    assert lead.ratio == pytest.approx(lead.margin / (0.8 / math.sqrt(6) * math.sqrt(2 / 3)))
    assert verdict_words.headline(verdict) == "Trial 2 is best: valid/delta_e 17.73, the mean of 3 seeds"
    assert "7.27 (29.1%) better than the default" in verdict_words.leads(verdict)[0]
    sure = verdict_words.certainty(verdict)[-1]
    assert "on at most 3 seeds" in sure
    assert "the best of 3 configurations also looks better than it is. Confirm it: make promote" in sure
    rows = [row.name for row in standings(verdict)]
    assert rows == [f"trial {n}" for n in (2, 7, 8)] + ["gray"] + [f"trial {n}" for n in (1, 5, 6)] + ["tint"] + [
        f"trial {n}" for n in (0, 3, 4)
    ]
    chosen = candidates(load_result(folder), 2, ())
    assert [(one.trial, one.searched) for one in chosen] == [(None, None), (2, 53.2 / 3), (1, 21.0)]
    lucky = make([trial(0, 17.5)], spec("lucky"))
    comparison = compare([folder, lucky])
    assert [one.result.spec.name for one in comparison.verdicts] == ["lucky", "seeds"]
    assert comparison.page is not None
    for text in (printed(studies_view(comparison)), comparison.page.read_text()):
        assert all(number in text for number in ("17.73", "25"))
    assert "17.73" in printed(summary_table(verdict.result.spec, verdict.result.records, {}))


def test_the_default_is_no_trial_to_pick_as_it_is_confirmed_anyway(make: Make) -> None:
    default = {RATE: 2e-4, WEIGHT: 100.0}
    study = load_result(make([trial(0, 18.0, params=default), trial(1, 17.0)]))
    assert [one.trial for one in candidates(study, 3, [0, 1])] == [0, 1]
    with pytest.raises(PromoteError, match=r"no picked trial differs .* Pick another$"):
        candidates(study, 3, [0])


def test_configurations_that_are_rounded_to_the_same_are_one_candidate(make: Make) -> None:
    filters = {"type": "float", "low": 0.5, "high": 1.0, "factor_of": "generator.filters"}
    factors = {0: 0.999, 1: 0.7, 2: 0.701, 3: 0.6}  # of 64; the first is the default but for rounding
    records = [trial(n, 18.0 + n, params={"discriminator.filters": factor}) for n, factor in factors.items()]
    folder = make(records, spec("rounded", space={"discriminator.filters": filters}))
    assert [one.trial for one in candidates(load_result(folder), 3, ())] == [0, 1, 3]


def test_a_lead_is_clear_only_beyond_the_noise(make: Make) -> None:
    swing = (17.0, 17.4, 17.0, 17.4)
    clear = judge(make([trial(0, *swing), trial(1, *(v - 4 for v in swing))]))
    assert clear.certainty == "clear"
    lead = clear.lead_over(clear.default)
    assert lead is not None
    assert lead.margin == pytest.approx(4.0)
    assert lead.ratio == pytest.approx(4.0 / (0.8 / math.sqrt(6) * math.sqrt(2)))
    text = " ".join(verdict_words.leads(clear))
    assert "4 (23.0%) better than the default" in text
    assert "6.6 (33.0%) better than the gray baseline" in text
    close = judge(make([trial(0, *swing), trial(1, *(v - 0.1 for v in swing))], spec("close")))
    assert close.certainty == "unsettled"
    assert "within what that explains" in " ".join(verdict_words.certainty(close))


def test_more_is_better_where_the_study_says_so(make: Make) -> None:
    study = spec(objective={"metric": "valid/colorfulness", "direction": "maximize"})
    baselines = {"gray": {"valid/colorfulness": 0.1}, "tint": {"valid/colorfulness": 6.0}}
    verdict = judge(make([trial(0, 5.0), trial(1, 9.0)], study, baselines=baselines))
    assert [row.name for row in standings(verdict)] == ["trial 1", "tint", "trial 0", "gray"]
    assert "3 (50.0%) better than the tint baseline." in verdict_words.leads(verdict)


def test_the_default_can_be_best_and_doing_nothing_can_win(make: Make) -> None:
    verdict = judge(make([trial(0, 22.0), trial(1, 23.0)]))
    assert verdict.certainty == "default"
    assert verdict_words.headline(verdict) == "The default configuration is best: valid/delta_e 22"
    assert verdict_words.leads(verdict)[0] == (
        "2 (10.0%) worse than the gray baseline. By this metric it has not learned to colour."
    )


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "No trial is complete yet"),
        ([trial(0, state="running")], "No trial is complete yet"),
        ([trial(0, state="failed", reason="no")], "No trial is complete: it failed"),
        ([trial(n, state="failed") for n in range(8)], "No trial is complete: all 8 failed"),
        ([trial(0, 19.0, state="pruned"), trial(1, state="failed")], "No trial is complete"),
        ([trial(0, 19.0)], "The default configuration is best: valid/delta_e 19"),
    ],
)
def test_a_study_of_any_state_has_a_verdict(make: Make, records: list[TrialRecord], words: str) -> None:
    verdict = judge(make(records))
    assert verdict_words.headline(verdict) == words
    assert verdict_words.certainty(verdict) is not None
    assert "Too early to say what mattered" in verdict_words.importance(verdict)[0]
    names = [row.name for row in standings(verdict)]
    assert {"gray", "tint", *(f"trial {record.number}" for record in records)} == set(names)


@pytest.mark.parametrize(
    "train", [{"validation": {"part": "confirm"}}, {"data": {"confirm_fraction": 0.0, "photos": "mine"}}]
)
def test_what_no_photos_are_left_to_confirm_on_is_not_said_to_be_confirmable(make: Make, train: dict[str, Any]) -> None:
    sizes = {0: 400_000, 1: 200_000, 2: 100_000}
    further = [trial(n, 17.0 + n, parameters=size, further={"parameters": size}) for n, size in sizes.items()]
    for several in ([], [{"metric": "parameters"}]):
        name = f"seen-{len(several)}"
        for study, told in (
            (spec(name, further_objectives=several), 3),
            (spec(f"{name}-none", further_objectives=several, train=train), 0),
        ):
            folder = make(further, study)
            verdict = judge(folder)
            said = [*verdict_words.certainty(verdict), *verdict_words.cost(verdict)]
            said += summary_lines(study, folder, further, {})
            assert sum("make promote" in sentence for sentence in said) == told


def test_a_smaller_network_that_is_nearly_as_good_is_named(make: Make) -> None:
    sizes = (400_000, 100_000, 200_000)
    records = [
        trial(n, value, parameters=size) for n, (value, size) in enumerate(zip((17, 17.2, 19), sizes, strict=True))
    ]
    said = verdict_words.cost(judge(make([*records, trial(3, 30.0, parameters=90_000)])))[-1]
    assert "trial 0 17 with 400,000 weights, trial 1 17.2 with 100,000 weights (the knee), trial 3 30" in said
    assert "PICK=knee" in said
    assert "smaller" not in " ".join(verdict_words.cost(judge(make(records[:1], spec("one")))))


def test_a_confirmation_decides(make: Make) -> None:
    records = [trial(0, 18.0), trial(1, 16.8), trial(2, 16.5)]
    folder = make(records)
    confirm(folder, "trial 1")
    verdict = judge(folder)
    assert verdict.best is not None
    assert (verdict.certainty, verdict.best.number) == ("confirmed", 1)
    text = " ".join(verdict_words.certainty(verdict))
    assert "beats the default by 1.1 on average (95% interval 0.6 to 1.4)" in text
    assert "Trial 2 has reached 16.5 in the search and is not confirmed" in text
    assert f"To do so: make promote STUDY={folder} AGAIN=1" in text  # without that it would be refused
    assert verdict_words.headline(verdict) == "Trial 1 was promoted: valid/delta_e 17.1 on unseen photos"
    assert "promoted" in next(row.marks for row in standings(verdict) if row.name == "trial 1")


def test_a_configuration_is_confirmed_by_whichever_of_its_seeds_was_picked(make: Make) -> None:
    folder = make([trial(0, 18.0), trial(1, 15.0), trial(2, 17.5), trial(3, 17.0, group="trial-0001")])
    confirm(folder, "trial 1")
    path = folder / "promoted" / "confirmation.json"
    path.write_text(path.read_text().replace('"trial": 1', '"trial": 3'))
    assert "is not confirmed" not in " ".join(verdict_words.certainty(judge(folder)))


def test_a_winner_without_a_default_beside_it_has_kept_no_lead(make: Make) -> None:
    folder = make([trial(0, 18.0), trial(1, 16.8)])
    confirm(folder, "trial 1", fit=False)
    said = " ".join(verdict_words.certainty(judge(folder)))
    assert "trial 1 is the best; the default failed or violates a constraint." in said
    assert "lead" not in said


def test_a_confirmation_can_send_everyone_back_to_the_default(make: Make) -> None:
    folder = make([trial(0, 18.0), trial(1, 16.8)])
    confirm(folder, "default")
    verdict = judge(folder)
    assert (verdict.certainty, verdict.best) == ("refuted", verdict.default)
    assert "keep it" in " ".join(verdict_words.certainty(verdict))
    assert (
        verdict_words.headline(verdict) == "The default configuration was promoted: valid/delta_e 18.2 on unseen photos"
    )
    assert verdict_words.leads(verdict) == [  # on the photos of the confirmation, not on the search's
        "0.2 (1.1%) worse than the gray baseline. By this metric it has not learned to colour.",
        "1.8 (9.0%) better than the tint baseline.",
    ]


def test_a_promoted_default_that_was_no_trial_is_named(make: Make) -> None:
    folder = make([trial(0, 18.0), trial(1, 16.8)], spec(search={"start_with_default": False}))
    candidates = [{"name": "default", "trial": None, "mean": 16.5}, {"name": "trial 1", "trial": 1, "mean": 17.0}]
    (folder / "promoted").mkdir()
    facts = {"candidates": candidates, "promoted": "default"}
    (folder / "promoted" / "confirmation.json").write_text(json.dumps(facts))
    found = verdict_words.headline(judge(folder))
    assert found == "The default configuration was promoted: valid/delta_e 16.5 on unseen photos"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"candidates": 3}', b"\xff"])
def test_a_damaged_confirmation_is_said_and_does_not_count(make: Make, content: bytes) -> None:
    folder = make([trial(0, 18.0), trial(1, 16.8)])
    (folder / "promoted").mkdir()
    (folder / "promoted" / "confirmation.json").write_bytes(content)
    verdict = judge(folder)
    assert verdict.confirmation is None
    assert "no usable confirmation" in verdict.notes[0]


def test_damaged_and_strange_records_are_said_and_left_out(make: Make) -> None:
    folder = make(
        [trial(0, 18.0), trial(1, 17.0), trial(2, 3.0, params={"nosuch": 1}), trial(3, 2.0, params={RATE: "x"})]
    )
    for name in ("result.json", "copy-of-result.json"):
        (folder / "trials" / "0001" / name).write_text("{")
    verdict = judge(folder)
    assert [record.number for record in verdict.ranked] == [0]
    assert "no usable trial record" in verdict.notes[0]
    assert "do not fit study.yaml: trials 2, 3" in verdict.notes[1]


def random_trials(rng: np.random.Generator, count: int, *, effect: float) -> list[TrialRecord]:
    records = []
    for number in range(count):
        rate, weight = 10 ** rng.uniform(-4, -2), rng.uniform(1, 100)
        value = 18 + effect * abs(math.log10(rate) + 3) + 0.3 * rng.standard_normal()
        state = "pruned" if value > 18 + 0.8 * effect and number % 2 else "complete"
        records.append(trial(number, value, state=state, params={RATE: rate, WEIGHT: weight}))
    return records


def test_importance_finds_the_parameter_that_matters_and_says_that_the_other_does_not() -> None:
    found = importances(spec(), random_trials(np.random.default_rng(0), 60, effect=5.0))
    assert [one.path for one in found] == [RATE, WEIGHT]
    assert [one.stands_out for one in found] == [True, False]
    assert sum(one.share for one in found) == pytest.approx(1.0)


def test_in_pure_noise_hardly_anything_seems_to_matter() -> None:
    studies = [importances(spec(), random_trials(np.random.default_rng(seed), 20, effect=0.0)) for seed in range(10)]
    assert sum(one.stands_out for found in studies for one in found) <= 3


def test_seeds_of_a_configuration_do_not_make_what_it_has_matter() -> None:
    stands_out = 0
    for seed in range(12):
        rng, records = np.random.default_rng(seed), list[TrialRecord]()
        for first in range(0, 48, 4):
            params = {RATE: 10 ** rng.uniform(-4, -2), WEIGHT: rng.uniform(1, 100)}
            groups = ["", *[f"trial-{first:04d}"] * 3]
            records += [
                trial(first + place, 18.0 + rng.standard_normal(), params=params, group=group)
                for place, group in enumerate(groups)
            ]
        stands_out += any(one.stands_out for one in importances(spec(), records))
    assert stands_out <= 3


def test_trials_that_cannot_be_the_best_say_what_mattered_too(make: Make) -> None:
    pale = {"violations": {"valid/colorfulness_ratio": 0.1}}
    records = [
        trial(n, 18.0 - n / 100, params={RATE: 1e-3, WEIGHT: 5.0 + 4 * n}, **({} if n < 12 else pale))
        for n in range(24)
    ]
    study = spec(constraints={"valid/colorfulness_ratio": {"min": 0.5}})
    assert [one.path for one in importances(study, records) if one.stands_out] == [WEIGHT]
    assert "From 24 configurations" in verdict_words.importance(judge(make(records, study)))[-1]
    few = [*records[:4], *records[12:17], trial(24, 17.0, group="trial-0000"), trial(25, 17.0, group="trial-0001")]
    said = verdict_words.importance(judge(make(few, spec("few", constraints=study.constraints))))[0]
    assert said == "Too early to say what mattered: 9 configurations complete or pruned, and it takes 10."


def test_trials_that_hyperband_went_on_with_are_no_evidence_against_what_they_became() -> None:
    params = [{RATE: 1e-3, WEIGHT: 5.0 + n} for n in range(3)]
    rounds = [(n, "pruned", params[n]) for n in range(3)] + [(3, "pruned", params[0]), (4, "complete", params[0])]
    rounds += [(5, "pruned", params[1])]
    records = [trial(n, 18.0, state=state, params=given) for n, state, given in rounds]
    assert [record.params for record in judged(spec(), records)] == params


def test_a_configuration_that_the_sampler_repeated_counts_once_by_the_mean_of_its_trials() -> None:
    values = ((0, 17.0, 5.0), (1, 18.0, 6.0), (2, 20.0, 5.0))
    records = [trial(n, value, params={RATE: 1e-3, WEIGHT: weight}) for n, value, weight in values]
    assert [record.number for record in judged(spec(), records)] == [1, 0]


def test_constraints_that_all_trials_hold_rule_none_out(make: Make) -> None:
    pale = trial(0, 18.0, violations={"valid/colorfulness_ratio": 0.1})
    for name, record, said in (
        ("held", trial(0, 18.0), "No trial violated a constraint (valid/colorfulness_ratio at least 0.5)."),
        (
            "broken",
            pale,
            "1 trial violated a constraint (valid/colorfulness_ratio at least 0.5) and cannot be the best.",
        ),
    ):
        study = spec(name, constraints={"valid/colorfulness_ratio": {"min": 0.5}})
        assert said in verdict_words.cost(judge(make([record], study)))


def test_a_seed_that_violates_a_constraint_does_not_rule_out_a_configuration_that_holds_it_on_average(
    make: Make,
) -> None:
    bounds = {"valid/colorfulness_ratio": {"min": 0.5}}
    kept, broken = ({"violations": {"valid/colorfulness_ratio": beyond}} for beyond in (-0.3, 0.1))
    study = spec("seeds", constraints=bounds, search={"seeds_per_trial": 2})
    verdict = judge(make([trial(0, 17.0, **kept), trial(1, 17.2, group="trial-0000", **broken)], study))
    said = "No trial violated a constraint (valid/colorfulness_ratio at least 0.5) on the mean of their seeds."
    assert said in verdict_words.cost(verdict)


def test_a_default_that_violates_a_constraint_on_the_mean_of_its_seeds_is_said_to(make: Make) -> None:
    bounds = {"valid/colorfulness_ratio": {"min": 0.5}}
    kept, broken = ({"violations": {"valid/colorfulness_ratio": beyond}} for beyond in (-0.1, 0.3))
    others = {"params": {RATE: 1e-3, WEIGHT: 50.0}, **kept}
    records = [trial(0, 16.0, **kept), trial(1, 17.0, **others), trial(2, 16.0, group="trial-0000", **broken)]
    study = spec("seeds", constraints=bounds, search={"seeds_per_trial": 2})
    [lead, *_] = verdict_words.leads(judge(make(records, study)))
    assert lead.endswith("than the default configuration (trial 0), which violates a constraint.")


def test_importance_knows_conditional_and_categorical_parameters_and_its_limits() -> None:
    space = {
        "generator.normalization": {"type": "categorical", "choices": ["batch", "none"]},
        "generator.dropout": {"type": "float", "low": 0.0, "high": 0.5, "when": {"generator.normalization": "batch"}},
        WEIGHT: {"type": "float", "low": 1, "high": 100},
    }
    study, rng, records = spec(space=space), np.random.default_rng(0), []
    for number in range(30):
        params = {"generator.normalization": "none" if number % 2 else "batch", WEIGHT: float(rng.uniform(1, 100))}
        params |= {} if number % 2 else {"generator.dropout": float(rng.uniform(0, 0.5))}
        records.append(trial(number, 20.0 - 3 * (number % 2) + rng.uniform(), params=params))
    found = importances(study, records)
    assert found[0].path == "generator.normalization"
    assert found[0].stands_out
    assert importances(study, records[:9]) == ()
    assert importances(study, [trial(n, state="failed") for n in range(30)]) == ()


def test_baselines_and_the_default_stand_among_the_trials_and_the_rest_behind(make: Make) -> None:
    records = [
        *(trial(0, 20.5), trial(1, 19.0), trial(2, 1.0, state="pruned"), trial(3, state="failed")),
        *(trial(4, 17.0), trial(5, 2.0, state="running")),
    ]
    verdict = judge(make(records))
    rows = standings(verdict)
    assert [row.name for row in rows] == [
        *("trial 4", "trial 1", "gray", "trial 0", "tint"),
        *("trial 5", "trial 2", "trial 3"),
    ]
    assert [row.role for row in rows[:4]] == ["best", "trial", "baseline", "default"]
    few = standings(verdict, most=1)
    assert [row.name for row in few] == ["trial 4", "gray", "trial 0", "tint"]
    assert (left_out(verdict, few), left_out(verdict, rows)) == (4, 0)


def test_trials_that_the_tables_have_no_room_for_are_counted(make: Make) -> None:
    records = [trial(0, 29.0), *(trial(n, 19.0 + n / 100) for n in range(1, 31))]
    comparison = compare([make(records)])
    [verdict] = comparison.verdicts
    assert verdict_lines(verdict)[0].startswith("10 more trials: ")  # besides 20 and the default
    assert "5 more, and all metrics" in comparison.pages[0].read_text()  # besides 25 and the default


def test_short_names_are_no_two_parameters_names(make: Make) -> None:
    integer = {"type": "int", "low": 4, "high": 8}
    space = {"generator.filters": integer, "discriminator.filters": integer, RATE: SPACE[RATE]}
    names = short_names(judge(make([], spec(space=space))).space)
    assert list(names.values()) == ["generator.filters", "discriminator.filters", "generator_learning_rate"]


def printed(thing: object) -> str:
    output = io.StringIO()
    Console(file=output, width=160).print(thing)
    return output.getvalue()


def test_one_study_leaves_table_plots_and_report(make: Make) -> None:
    folder = make([trial(0, 18.0), trial(1, 17.0, 16.5), trial(2, state="failed", reason="[/b] no")])
    comparison = compare([folder, folder])
    assert comparison.page is None
    assert [*comparison.reports] == [folder / "report.html"]
    assert list(pd.read_csv(folder / "trials.csv")["number"]) == [0, 1, 2]
    assert (folder / "plots" / "history.png").exists()
    text = printed(trials_view(comparison.verdicts[0]))
    assert [text.index(name) for name in ("trial 1, best", "trial 0, default", "gray", "trial 2")] == sorted(
        text.index(name) for name in ("trial 1, best", "trial 0, default", "gray", "trial 2")
    )


def test_several_studies_stand_side_by_side_the_best_first(make: Make) -> None:
    folders = [make([trial(0, value)], spec(name)) for name, value in (("one", 18.0), ("two", 17.0))] + [
        make([], spec("three"))
    ]
    comparison = compare(folders)
    assert [verdict.result.spec.name for verdict in comparison.verdicts] == ["two", "one", "three"]  # three has none
    assert comparison.warnings == ()
    assert comparison.page is not None
    page = comparison.page.read_text()
    assert all(f'href="{name}/report.html"' in page for name in ("one", "two", "three"))
    text = printed(studies_view(comparison))
    assert text.index("two") < text.index("one") < text.index("three")


def test_studies_that_do_not_compare_are_said_so(make: Make) -> None:
    other = {"data": {"size": 64}, "generator": {"depth": 4}}
    verdicts = [
        judge(make([], spec("one"))),
        judge(make([], spec("two", objective={"metric": "valid/ssim"}))),
        judge(make([], spec("three", train=other, objective={"smooth_epochs": 2}))),
        judge(make([], spec("four", objective={"failed_value": 30.0}))),  # which only the sampler hears of
    ]
    assert [line.split(": ")[1] for line in differences(verdicts)] == [
        "one searches for valid/delta_e, two for valid/ssim.",
        "one and three average their metric over different numbers of validations.",
        "one and three use different photos or crops (train.data).",
    ]
    ratio = "valid/colorfulness_ratio"
    ways = [
        judge(make([], spec(way, objective={"metric": ratio, "direction": way}))) for way in ("minimize", "maximize")
    ]
    assert differences(ways) == [
        f"Their numbers do not compare: minimize is to minimize {ratio}, maximize to maximize it."
    ]


def test_studies_of_other_photos_under_the_same_path_are_said_so(make: Make) -> None:
    known = KnownPhotos(fingerprint="0" * 16, train=9, valid=1, confirm=1)
    folders = [make([], spec(name)) for name in ("one", "two", "three", "four", "five")]
    for folder, fingerprint in zip(folders, ("0" * 16, "0" * 16, "1" * 16), strict=False):
        known.model_copy(update={"fingerprint": fingerprint}).write(StudyFolder(folder).photos)
    StudyFolder(folders[4]).photos.write_text("damaged")
    said = "the photos under 'sample' were others for one than for three"
    assert differences([judge(folder) for folder in folders]) == [f"Their numbers do not compare: {said}."]


def search(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_command_takes_study_files_and_folders(make: Make, tmp_path: Path) -> None:
    folder = make([trial(0, 18.0)])
    file = tmp_path / "sky.yaml"
    file.write_text(spec().to_yaml())
    result = search("compare", file, "--results", tmp_path / "results")
    assert result.exit_code == 0
    assert "The default configuration is best: valid/delta_e 18" in result.output
    assert str(folder / "report.html") in result.output.replace("\n", "")
    other = make([], spec("empty"))
    result = search("compare", folder, other)
    assert result.exit_code == 0
    assert "compare.html" in result.output


def test_a_place_without_a_study_is_bad_input(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nosuch.yaml"):
        result = search("compare", place)
        assert result.exit_code == 2
        assert str(place) in result.stderr.replace("\n", "")
    assert not list(tmp_path.iterdir())


def test_a_report_that_cannot_be_written_is_an_error_in_a_line(make: Make) -> None:
    folder = make([trial(0, 18.0)])
    (folder / "plots").write_text("in the way")
    result = search("compare", folder)
    assert result.exit_code == 1
    assert "plots" in result.stderr
