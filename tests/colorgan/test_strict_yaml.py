"""YAML is read as its authors mean it, and hostile or careless files are refused with their line."""

import random
from pathlib import Path

import pytest
import yaml

from colorgan.strict_yaml import YamlError, parse_yaml, read_yaml, write_yaml

FILE = Path("file.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1.0e-5", 1e-5),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-12", -12),
        ("012", 12),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("'1'", "1"),
        (".inf", float("inf")),
        ("0x1f", "0x1f"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    read = parse_yaml(f"a: {text}", FILE).value["a"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "file.yaml:3:1: a: the same key stands in line 1"),
        ("a: {b: 1,\n b: 2}", "file.yaml:2:2: b: the same key stands in line 1"),
        ("a: &x 1\nb: *x", "file.yaml:2: aliases"),
        ("a: !!python/object/apply:os.system [ls]", "is not allowed"),
        ("a: !!set {b}", "is not allowed"),
        ("? [1]\n: 2", "a key must be text"),
        ("a: [1", "not YAML"),
        ("a: b: c", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("[" * 40 + "]" * 40, "nested deeper"),
        ("a: \x07", "not YAML"),
        ("a: " + "9" * 400, "a number of 400 digits"),
    ],
)
def test_what_is_ambiguous_or_hostile_is_refused(text, words):
    with pytest.raises(YamlError) as refused:
        parse_yaml(text, FILE)
    assert words in str(refused.value)


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    levels = "\n".join(f"x{i + 1}: &x{i + 1} [{', '.join([f'*x{i}'] * 9)}]" for i in range(30))
    with pytest.raises(YamlError, match="aliases"):
        parse_yaml(f"x0: &x0 [lol]\n{levels}", FILE)


def test_every_key_has_its_line_and_what_is_not_there_its_parents():
    file = parse_yaml("a:\n  b: 1\n  c:\n    - x\n    - d: 2\n", FILE)
    assert [file.line(keys) for keys in [(), ("a",), ("a", "b"), ("a", "c", 1, "d"), ("a", "z"), ("z",)]] == [
        1,
        1,
        2,
        5,
        1,
        1,
    ]
    assert file.where(("a", "c", 0)) == "file.yaml:4"


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"a: \xff", "not UTF-8"), (b"#" * 1_000_001, "larger than"), (None, "no such file")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, data, words):
    path = tmp_path / "x.yaml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(YamlError, match=words) as refused:
        read_yaml(path)
    assert str(path) in str(refused.value)
    with pytest.raises(YamlError, match="not a regular file"):
        read_yaml(tmp_path)


def test_an_empty_file_is_nothing(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf# only a comment\n")
    assert read_yaml(path).value is None


@pytest.mark.parametrize(
    "text", ["1e5", "09", "5.", "1.e3", "+.5e1", "no", "1:30", "null", "~", "true", "", " a", "a: b", "é\n", "#"]
)
def test_text_stays_text_when_written_and_read_here_and_elsewhere(text):
    value = {"key": text, "list": [text, 1e-05, 1e22, 0.1, -3, True, None]}
    assert parse_yaml(write_yaml(value), FILE).value == value
    assert yaml.safe_load(write_yaml(value)) == value


def test_any_short_text_of_number_like_characters_survives():
    chance = random.Random(0)  # noqa: S311 - no secret
    for _ in range(2000):
        text = "".join(chance.choices("0123456789.eE+-_:xoTn~", k=chance.randint(1, 5)))
        assert parse_yaml(write_yaml({"a": text}), FILE).value == {"a": text}


def test_a_value_that_stands_twice_is_written_twice():
    shared = [1, 2]
    assert parse_yaml(write_yaml({"a": shared, "b": shared}), FILE).value == {"a": [1, 2], "b": [1, 2]}
