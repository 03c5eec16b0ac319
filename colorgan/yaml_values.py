"""Parsed YAML -> plain values and the line of each; whatever is more than plain is a mistake, and all are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from colorgan.plain_text import one_line

SHOWN_CHARACTERS = 60  # of a key in a message
MAX_DIGITS = 300  # of a whole number; the largest float has 309
KeyPath = tuple[str | int, ...]
SCALARS = {  # YAML 1.2's core schema: kind -> how it is written, and what it can begin with
    "bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "int": (re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    "float": (
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        list("-+.0123456789"),
    ),
}
PREFIX = "tag:yaml.org,2002:"


class ValueBuilder:
    """Builds the values of one file.

    Attributes:
        lines: Path of keys -> line number from 1.
        mistakes: One line each, `file:line: what and what to do`.
    """

    def __init__(self, source: str) -> None:
        """`source`: the file as mistakes name it."""
        self._source = source
        self.lines: dict[KeyPath, int] = {(): 1}
        self.mistakes: list[str] = []

    def build(self, node: yaml.Node, keys: KeyPath = ()) -> Any:
        """Returns a node's value; its place in the file goes to `lines`."""
        self.lines.setdefault(keys, line_of(node))
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, "map")
            return {key: self.build(value, (*keys, key)) for key, value in self._unique_items(node, keys)}
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq")
            return [self.build(item, (*keys, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _unique_items(self, node: yaml.MappingNode, keys: KeyPath) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, value in node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            where = f"{self._source}:{line}:{column}"
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.append(f"{where}: a key must be text")
                continue
            key = str(key_node.value)
            if key_node.tag.removeprefix(PREFIX) not in (*SCALARS, "str") or not _is_whole(key):
                self.mistakes.append(f"{where}: {shown_key(key)}: a key must be plain text")
            elif key in seen:
                line_before = f"the same key stands in line {seen[key]}"
                self.mistakes.append(f"{where}: {shown_key(key)}: {line_before}; remove one of them")
            else:
                seen[key] = self.lines[(*keys, key)] = line
                yield key, value

    def _scalar(self, node: yaml.Node) -> Any:
        text, kind = str(node.value), node.tag.removeprefix(PREFIX)
        if kind in SCALARS and not SCALARS[kind][0].fullmatch(text):
            self._note(node, f"{shown_key(text)!r} is no {kind}, as its tag says; remove the tag")
        elif kind == "str" and not _is_whole(text):
            self._note(node, "half a character (a lone surrogate); write the character itself")
        elif kind == "int" and len(text) > MAX_DIGITS:  # Python refuses to convert thousands of digits
            self._note(node, f"a number of {len(text)} digits; at most {MAX_DIGITS} are allowed")
        else:
            return self._value(node, text, kind)
        return None

    def _value(self, node: yaml.Node, text: str, kind: str) -> Any:
        match kind:
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        self._check_tag(node, "str")
        return None

    def _check_tag(self, node: yaml.Node, kind: str) -> None:
        if node.tag != PREFIX + kind:
            self._note(node, f"tag {shown_key(node.tag)} is not allowed; write plain values")

    def _note(self, node: yaml.Node, message: str) -> None:
        self.mistakes.append(f"{self._source}:{line_of(node)}: {message}")


def shown_key(key: object) -> str:
    """Returns a key, or other text of a file, as a message shows it: shortened, and with no power over a terminal."""
    text = one_line(str(key))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def line_of(item: yaml.Node | yaml.Event) -> int:
    """Returns the line where a node or event begins, from 1."""
    return item.start_mark.line + 1 if item.start_mark else 1


def _is_whole(text: str) -> bool:
    """Returns whether a text has no half of a character in it, as the escape of a single surrogate makes one."""
    return not any("\ud800" <= char <= "\udfff" for char in text)
