"""The reference says of every key what the models say, and docs/settings.md is the reference."""

import re
import warnings
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from colorgan.config import TrainConfig
from search import method_words
from search.__main__ import app
from search.oracle import ORACLES
from search.reference import MUST, Setting, sections
from search.reference_page import PAGE_COMMAND, page
from search.signature import PRUNERS, SAMPLERS, make_silently, signature
from search.study import StudySpec

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
SETTINGS = {setting.path: setting for section in sections() for setting in section.settings}
SPEC = StudySpec.model_validate({"name": "a", "space": {"losses.l1_weight": {"type": "float", "low": 1, "high": 2}}})


def leaves(tree: dict, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def test_every_key_of_training_is_explained_with_its_default() -> None:
    for path, value in leaves(TrainConfig().model_dump(mode="json")).items():
        assert yaml.safe_load(SETTINGS[f"train.{path}"].default) == pytest.approx(value), path


@pytest.mark.parametrize("part", ["objective", "search"])
def test_every_key_of_a_study_is_explained(part: str) -> None:
    whole = SPEC.model_dump(mode="json")[part]
    assert {f"{part}.{key}" for key in whole} <= SETTINGS.keys()
    assert set(StudySpec.model_fields) <= SETTINGS.keys()


def test_every_key_has_a_meaning() -> None:
    assert [path for path, setting in SETTINGS.items() if not setting.meaning] == []


@pytest.mark.parametrize(
    ("path", "allowed", "default"),
    [
        ("train.generator.filters", "whole number, 1 to 512", "64"),
        ("train.generator.normalization", "batch, instance or none", "batch"),
        ("train.optimizer.generator_learning_rate", "number, more than 0, at most 1", "0.0002"),
        ("train.data.train_limit", "whole number, at least 1; or null", "null"),
        ("train.data.crop_scales", "list: number, 1 to 16", "[1, 2]"),
        ("search.workers", "auto or a whole number of at least 1 and at most 1024", "auto"),
        ("search.pruner.percentile", "a number", MUST),
        ("objective.direction", "minimize or maximize", "the metric's"),
        ("valid/psnr_db", "more is better", ""),
    ],
)
def test_a_key_is_explained_by_what_checks_it(path: str, allowed: str, default: str) -> None:
    setting = SETTINGS[path]
    assert (setting.allowed, setting.default) == (allowed, default)


@pytest.mark.parametrize(
    ("path", "searched"),
    [("train.generator.filters", True), ("train.schedule.epochs", False), ("train.data.flip", True)],
)
def test_what_may_not_be_searched_says_why(path: str, searched: bool) -> None:
    assert ("Not searched: all trials share one length" in SETTINGS[path].meaning) is not searched


def test_a_part_that_may_not_be_searched_says_why_once() -> None:
    data = next(section for section in sections() if section.title == "train.data")
    assert "Only `train_limit`, `flip` and `color_space` may be searched, as all trials must" in data.meaning
    assert not any("searched:" in setting.meaning for setting in data.settings)


def test_every_method_is_explained() -> None:
    assert set(method_words.SAMPLERS) == {*SAMPLERS, *ORACLES}
    assert set(method_words.PRUNERS) == set(PRUNERS)


@pytest.mark.parametrize(
    ("table", "name", "words"),
    [(SAMPLERS, name, method_words.SAMPLER_ARGUMENTS) for name in SAMPLERS]
    + [(PRUNERS, name, method_words.PRUNER_ARGUMENTS) for name in PRUNERS],
)
def test_every_argument_is_explained_that_is_of_use(table: dict[str, str], name: str, words: dict[str, dict]) -> None:
    allowed, said = signature(table, name), words.get(name, {})
    assert set(said) <= set(allowed)
    for key in set(allowed) - set(said) - {"n_warmup_steps"}:  # which is warmup_epochs + 1
        assert key.startswith("warn_") or given_up(table, name, key, allowed[key].kinds[0]), key


def given_up(table: dict[str, str], name: str, key: str, kind: str) -> bool:
    """Returns whether Optuna says that it will take an argument away."""
    if key == "inc_popsize":
        return True  # it is of use with restart_strategy only
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        try:
            make_silently(table, name, {key: {"bool": True, "float": 0.5, "int": 2, "str": "ipop"}[kind]})
        except FutureWarning:
            return True
    return False


def test_the_page_is_the_reference() -> None:
    assert PAGE.read_text(encoding="utf-8") == f"{page()}\n", f"write it anew: {PAGE_COMMAND}"


def test_the_pages_tables_have_four_columns() -> None:
    rows = [line for line in page().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?:^| )\|(?: |$)", row)) for row in rows} == {5}


def test_the_command_lists_all_keys() -> None:
    done = CliRunner().invoke(app, ["settings"])
    assert done.exit_code == 0
    assert {setting.key for setting in SETTINGS.values()} <= set(re.split(r"[,\s]+", done.output))
    assert "pruner: none\n    no arguments\n" in done.output


def test_the_command_explains_keys_by_parts_of_their_paths() -> None:
    done = CliRunner().invoke(app, ["settings", "Generator", "drop"])
    paths = re.findall(r"^  (\S+):", done.output, re.MULTILINE)
    assert paths == ["train.generator.dropout", "train.generator.dropout_blocks"]
    assert "number, 0 to 0.999999; default 0.5" in done.output


def test_the_command_explains_a_method_by_its_name() -> None:
    done = CliRunner().invoke(app, ["settings", "brute"])
    assert done.output.startswith("sampler: brute_force\n    As `grid`")


def test_a_word_that_no_key_has_is_refused_with_the_nearest() -> None:
    for words in (["dropot"], ["generator", "dropot"]):
        done = CliRunner().invoke(app, ["settings", *words])
        assert done.exit_code == 2
        assert done.output.startswith("dropot: no setting has this in its path; did you mean dropout?")


def test_words_that_are_never_together_are_refused_without_another() -> None:
    done = CliRunner().invoke(app, ["settings", "asha", "dropout"])
    assert done.exit_code == 2
    assert done.output.startswith("asha dropout: no setting has all of these in its path, though some have each;")


def test_a_key_is_the_end_of_its_path() -> None:
    assert Setting("search.pruner.min_epochs", "", "", "").key == "min_epochs"
