"""Values are those that are written, and what a tag or an escape pretends is refused with its line."""

import pytest
import yaml

from colorgan.yaml_values import ValueBuilder, shown_key


def build(text: str) -> tuple[object, ValueBuilder]:
    builder = ValueBuilder("file.yaml")
    return builder.build(yaml.compose(text, Loader=yaml.SafeLoader)), builder


def test_plain_values_are_built_with_the_line_of_each_key() -> None:
    value, builder = build("a: 1\nb: [x, 2.5]\nc:\n  d: null\n  e: true\n")
    assert value == {"a": 1, "b": ["x", 2.5], "c": {"d": None, "e": True}}
    assert builder.mistakes == []
    assert {keys: builder.lines[keys] for keys in [(), ("a",), ("b", 1), ("c", "d"), ("c", "e")]} == {
        (): 1, ("a",): 1, ("b", 1): 2, ("c", "d"): 4, ("c", "e"): 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [("!!str 5", "5"), ("!!int '5'", 5), ("!!float 5", 5.0), ("!!bool TRUE", True)]
)
def test_a_tag_that_fits_is_no_mistake(text: str, value: object) -> None:
    assert build(text)[0] == value


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("!!bool yes", "'yes' is no bool, as its tag says; remove the tag"),
        ('!!bool "true\\n"', "'true' is no bool, as its tag says; remove the tag"),
        ("!!int 1_000", "'1_000' is no int, as its tag says; remove the tag"),
        ("!!null x", "'x' is no null, as its tag says; remove the tag"),
        ("!!python/name:os.system x", "tag tag:yaml.org,2002:python/name:os.system is not allowed; write plain values"),
        (r'"\ud83d"', "half a character (a lone surrogate); write the character itself"),
        ("9" * 301, "a number of 301 digits; at most 300 are allowed"),
    ],
)
def test_what_is_not_what_it_says_is_a_mistake(text: str, mistake: str) -> None:
    value, builder = build(text)
    assert value is None
    assert builder.mistakes == [f"file.yaml:1: {mistake}"]


@pytest.mark.parametrize("key", ["!!python/name:os.system a", "!!binary YQ==", r'"\ud83d"'])
def test_a_key_is_plain_text(key: str) -> None:
    value, builder = build(f"b: 1\n{key}: 2")
    assert value == {"b": 1}
    assert builder.mistakes[0].startswith("file.yaml:2:1: ")
    assert builder.mistakes[0].endswith(": a key must be plain text")


def test_a_key_is_shown_shortened_and_without_power_over_a_terminal() -> None:
    assert shown_key("losses.l1_weight") == "losses.l1_weight"
    assert shown_key("\x1b[2J\nnext") == r"\x1b[2J next"
    assert shown_key("x" * 1000) == f"{'x' * 57}..."
