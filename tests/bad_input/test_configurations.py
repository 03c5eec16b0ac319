"""Broken training configurations: each is refused with one message, and no training begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from colorgan.__main__ import app

GOOD = "data: {photos: photos, size: 32}\ngenerator: {depth: 3}\ndiscriminator: {depth: 2}\n"

BROKEN = {  # what is wrong -> the file, where the message says it is, and words of the message
    "list": ("[1]", ":1", "must be a mapping"),
    "study-instead": ("name: sky\nspace: {}\ntrain: {}\n", ":1", "a study, not a configuration: make search STUDY="),
    "nearly-a-study": ("name: sky\nspace: {}\n", ":1", "name: unknown key", "allowed are data"),
    "section-is-a-number": ("data: 7", ":1", "data: must be a mapping", "received 7"),
    "section-is-null": ("data:\nseed: 1", ":1", "data: must be a mapping"),
    "dotted-path": ("data.size: 32", ":1", "data.size: unknown key"),
    "unknown-field": ("data: {sise: 32}", ":1", "data.sise: unknown key; did you mean size?"),
    "field-in-capitals": ("data:\n  Size: 32", ":2", "data.Size: unknown key; did you mean size?"),
    "same-field-twice": ("data:\n  size: 32\n  size: 64", ":3:3", "the same key stands in line 2"),
    "number-as-text": ("data: {size: '32'}", ":1", "must be a whole number; received '32'"),
    "fraction-of-a-pixel": ("data: {size: 32.5}", ":1", "must be a whole number; received 32.5"),
    "size-true": ("data: {size: true}", ":1", "must be a whole number; received true"),
    "size-of-nothing": ("data: {size: 0}", ":1", "must be at least 8; received 0"),
    "size-huge": ("data: {size: 1000000}", ":1", "must be at most 2048"),
    "size-not-a-number": ("data: {size: .nan}", ":1", "must be a whole number"),
    "size-of-googol": (f"data: {{size: 1{'0' * 100}}}", ":1", "must be at most 2048; received 1000"),
    "scale-infinite": ("data: {crop_scales: [1.0, .inf]}", ":1", "data.crop_scales.1: must be a finite number"),
    "no-scales": ("data: {crop_scales: []}", ":1", "data.crop_scales: must not be empty"),
    "scales-nested": ("data: {crop_scales: [[1.0]]}", ":1", "must be a number; received a list"),
    "stride-of-nothing": ("data: {crop_stride: 0.0}", ":1", "must be at least 0.125"),
    "no-photos-left": ("data: {valid_fraction: 0.6, confirm_fraction: 0.6}", ":1", "leave no photos to train on"),
    "photos-empty": ("data: {photos: ''}", ":1", "data.photos: must not be empty"),
    "photos-null": ("data: {photos: null}", ":1", "data.photos: must be text"),
    "depth-does-not-fit": (GOOD.replace("depth: 3", "depth: 6"), ":1", "data.size must be a multiple of 64"),
    "patches-too-small": (GOOD.replace("{depth: 2}", "{depth: 7}"), ":1", "leave nothing of a"),
    "rate-negative": ("optimizer: {generator_learning_rate: -0.1}", ":1", "must be more than 0"),
    "rate-denormal-negative": ("optimizer: {epsilon: -5e-324}", ":1", "must be at least 1e-30"),
    "rate-infinite": ("optimizer: {generator_learning_rate: .inf}", ":1", "must be a finite number"),
    "weight-huge": ("losses: {l1_weight: 1e+308}", ":1", "must be at most 1000000"),
    "weight-beyond-floats": ("losses: {l1_weight: 1e+999}", ":1", "must be a finite number; received inf"),
    "loss-by-module": ("losses: {adversarial: os.system}", ":1", "must be 'bce' or 'least_squares'"),
    "policy-unknown": ("precision: {policy: float8}", ":1", "must be 'float32'"),
    "seed-negative": ("seed: -1", ":1", "must be at least 0"),
    "seed-of-64-bits": ("seed: 18446744073709551616", ":1", "must be less than 2147483648"),
    "epochs-in-billions": ("schedule: {epochs: 1000000000}", ":1", "must be at most 1000000"),
    "batch-of-nothing": ("schedule: {batch_size: 0}", ":1", "must be at least 1"),
    "alias": ("data: &d {}\ngenerator: *d", ":2", "aliases (*d) are not allowed"),
    "code": ("seed: !!python/object/apply:os.getpid []", ":1", "os.getpid is not allowed"),
    "control-character": ('data: {photos: "a\x1b[2J"}', ":1", "character #x001b is not allowed"),
    "several-mistakes": ("seed: x\ndata: {size: y}\nlosses: {z: 1}", ":2", "seed: must be", "losses.z: unknown key"),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("config.yaml")


@pytest.mark.parametrize(("content", "where", "words"), [(a, b, c) for a, b, *c in BROKEN.values()], ids=BROKEN.keys())
def test_a_broken_configuration_is_refused_where_it_is_broken(
    file: Path, content: str, where: str, words: list[str]
) -> None:
    file.write_text(content)
    result = CliRunner().invoke(app, ["train", "config.yaml"])
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(word in result.stderr for word in (f"config.yaml{where}", *words)), result.stderr
    assert all(char.isprintable() for char in result.stderr.replace("\n", ""))
    assert list(Path().iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "schedule.epochs: must be at least 1; received 0"),
        (["--epochs", "9" * 30], "schedule.epochs: must be at most 1000000"),
        (["--epochs", "9" * 5000], "'--epochs'"),
        (["--epochs", "many"], "'--epochs'"),
        (["--patience", "0"], "'--patience'"),
        (["--threads", "0"], "'--threads'"),
        (["--threads", "999999999999"], "'--threads'"),
        (["--data", ""], "data.photos: must not be empty"),
        (["--data", "x" * 5000], "data.photos: must have at most 4096 characters"),
        (["--best", "valid/nosuch"], "valid/nosuch: no metric that one model is best by; allowed are valid/delta_e"),
        (["--best", "train/l1"], "train/l1: no metric"),
        (["--out", "a\0b"], "'--out'"),
        (["--nosuch"], "No such option"),
        (["config.yaml"], "unexpected extra argument"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_a_broken_option_is_refused_before_training(file: Path, arguments: list[str], words: str) -> None:
    file.write_text(GOOD)
    result = CliRunner().invoke(app, ["train", "config.yaml", *arguments])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2
    assert words in result.stderr
    assert list(Path().iterdir()) == [file]
