"""YAML as its users mean it: 1.2 numbers and booleans, no duplicate keys, and the line of every key.

PyYAML reads `1e-5` as text and `no` as false and lets the last of two equal keys win. This room refuses or mends
that, keeps `safe_load`'s refusal of code, and bounds aliases and nesting, so that a hostile file stays small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from colorgan.errors import BadInputError

MAX_BYTES = 1_000_000  # a study is a few kilobytes
MAX_DEPTH = 32
KeyPath = tuple[str | int, ...]


class YamlError(BadInputError):
    """A file that is not usable YAML; one line per mistake, `file:line: what and what to do`."""


@dataclass(frozen=True)
class YamlFile:
    """A parsed file: its plain values, and where each stands.

    Attributes:
        value: Dicts with text keys, lists, text, numbers, booleans, None.
        lines: Path of keys -> line number from 1; the empty path is the first line.
    """

    path: Path
    value: Any
    lines: dict[KeyPath, int]

    def where(self, keys: KeyPath) -> str:
        """Returns `file:line` of a key, or of its nearest parent that the file has."""
        return f"{self.path}:{self.line(keys)}"

    def line(self, keys: KeyPath) -> int:
        """Returns the line of a key, from 1, or of its nearest parent that the file has."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)


def read_yaml(path: Path) -> YamlFile:
    """Reads a YAML file strictly.

    Raises:
        YamlError: It cannot be read, is too large, is not UTF-8 or not YAML, has duplicate or non-text keys, aliases,
            tags, or several documents.
    """
    try:
        if not path.is_file():
            raise YamlError(f"{path}: no such file" if not path.exists() else f"{path}: not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise YamlError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise YamlError(f"{path}: larger than {MAX_BYTES} bytes, so not a configuration")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """Parses YAML text; `path` is only named in errors. Raises `YamlError` as `read_yaml` does."""
    mistakes: list[str] = []
    lines: dict[KeyPath, int] = {(): 1}
    try:
        _refuse_aliases_and_depth(text, path)
        node = yaml.compose(text, Loader=_Loader)
        value = _build(node, (), path, lines, mistakes) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise YamlError(f"{path}{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, YamlError):
            raise
        raise YamlError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if mistakes:
        raise YamlError("\n".join(mistakes))
    return YamlFile(path, value, lines)


def write_yaml(value: Any) -> str:
    """Returns plain values as YAML that `read_yaml` and YAML 1.1 readers alike read back equal."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the YAML 1.2 core schema's scalars instead of YAML 1.1's."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that also quotes text which only YAML 1.2 takes for a number, such as 1e5 or 09; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


for _first, _resolvers in _Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _resolvers:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])


def _refuse_aliases_and_depth(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(f"{path}:{_line(event)}: aliases (*{event.anchor}) are not allowed: write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise YamlError(f"{path}:{_line(event)}: nested deeper than {MAX_DEPTH} levels")


def _build(node: yaml.Node, keys: KeyPath, path: Path, lines: dict[KeyPath, int], mistakes: list[str]) -> Any:
    lines.setdefault(keys, _line(node))
    if isinstance(node, yaml.MappingNode):
        _plain(node, "map", path, mistakes)
        return {
            key: _build(value, (*keys, key), path, lines, mistakes)
            for key, value in _unique_items(node, keys, path, lines, mistakes)
        }
    if isinstance(node, yaml.SequenceNode):
        _plain(node, "seq", path, mistakes)
        return [_build(item, (*keys, i), path, lines, mistakes) for i, item in enumerate(node.value)]
    return _scalar(node, path, mistakes)


def _unique_items(
    node: yaml.MappingNode, keys: KeyPath, path: Path, lines: dict[KeyPath, int], mistakes: list[str]
) -> Iterator[tuple[str, yaml.Node]]:
    seen: dict[str, int] = {}
    for key_node, value in node.value:
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode):
            mistakes.append(f"{path}:{line}:{column}: a key must be text")
            continue
        key = str(key_node.value)
        if key in seen:
            mistakes.append(
                f"{path}:{line}:{column}: {key}: the same key stands in line {seen[key]}; remove one of them"
            )
            continue
        seen[key] = line
        lines[(*keys, key)] = line
        yield key, value


def _plain(node: yaml.Node, kind: str, path: Path, mistakes: list[str]) -> None:
    if node.tag != f"tag:yaml.org,2002:{kind}":
        mistakes.append(f"{path}:{_line(node)}: tag {node.tag} is not allowed; write plain values")


def _scalar(node: yaml.Node, path: Path, mistakes: list[str]) -> Any:
    text = str(node.value)
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            if len(text) > 300:  # Python refuses to convert thousands of digits
                mistakes.append(f"{path}:{_line(node)}: a number of {len(text)} digits")
                return None
            return int(text)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    mistakes.append(f"{path}:{_line(node)}: tag {node.tag} is not allowed; write plain values")
    return None


def _line(item: yaml.Node | yaml.Event) -> int:
    return item.start_mark.line + 1 if item.start_mark else 1
