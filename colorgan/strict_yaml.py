"""YAML as its users mean it: 1.2 numbers and booleans, no duplicate keys, and the line of every key.

PyYAML reads `1e-5` as text and `no` as false and lets the last of two equal keys win. This room refuses or mends
that, keeps `safe_load`'s refusal of code, and bounds size, aliases and nesting, so that a hostile file stays small and
costs a second at most. What values a file holds is `yaml_values.py`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.reader import ReaderError

from colorgan.errors import BadInputError
from colorgan.plain_text import one_line, plain
from colorgan.yaml_values import PREFIX, SCALARS, ValueBuilder, line_of, shown_key
from colorgan.yaml_values import KeyPath as KeyPath  # colorgan.strict_yaml is where others look for it

MAX_BYTES = 1_000_000  # a study is a few kilobytes
MAX_VALUES = 10_000  # keys and values; PyYAML takes 50 microseconds for each
MAX_DEPTH = 32
MAX_NAMED = 50  # mistakes in one message


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
        return f"{plain(str(self.path))}:{self.line(keys)}"

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
    name = plain(str(path))
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise YamlError(f"{name}: {_what_is_there(path)}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise YamlError(f"{name}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise YamlError(f"{name}: larger than {MAX_BYTES} bytes, so not a configuration")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlError(f"{name}:{line}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """Parses YAML text; `path` is only named in errors. Raises `YamlError` as `read_yaml` does."""
    name = plain(str(path))
    builder = ValueBuilder(name)
    try:
        _refuse_bombs(text, name)
        node = yaml.compose(text, Loader=_Loader)
        value = builder.build(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        why = ": ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(f"{name}{line}: not YAML: {one_line(why)}") from None
    except ReaderError as error:
        line = f":{text.count(chr(10), 0, error.position) + 1}"
        raise YamlError(
            f"{name}{line}: not YAML: character #x{error.character:04x} is not allowed; remove it"
        ) from None
    except YamlError:
        raise
    except (ValueError, OverflowError) as error:  # PyYAML's own, of an escape beyond Unicode
        raise YamlError(f"{name}: not YAML: {error}") from None
    if builder.mistakes:
        left = len(builder.mistakes) - MAX_NAMED
        more = [f"{name}: and {left} more mistakes; mend these first"] if left > 0 else []
        raise YamlError("\n".join([*builder.mistakes[:MAX_NAMED], *more]))
    return YamlFile(path, value, builder.lines)


def write_yaml(value: Any) -> str:
    """Returns plain values as YAML that `read_yaml` and YAML 1.1 readers alike read back equal."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the YAML 1.2 core schema's scalars instead of YAML 1.1's."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]


for _kind, (_written, _firsts) in SCALARS.items():
    _Loader.add_implicit_resolver(PREFIX + _kind, _written, _firsts)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that also quotes text which only YAML 1.2 takes for a number, such as 1e5 or 09; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Escapes the line ends that are none in YAML 1.2, which PyYAML would write and read as spaces."""
        return self.represent_scalar(f"{PREFIX}str", text, style='"' if _OTHER_LINE_ENDS.search(text) else None)


_OTHER_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_Dumper.add_representer(str, _Dumper.represent_text)

for _first, _resolvers in _Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _resolvers:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])


def _what_is_there(path: Path) -> str:
    """Returns why a path is no file."""
    if path.exists():
        return f"not a regular file{', but a folder' if path.is_dir() else ''}; give a YAML file"
    return "a symbolic link that leads to no file" if path.is_symlink() else "no such file"


def _refuse_bombs(text: str, name: str) -> None:
    """Refuses what would grow or take long, before any of it is built."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_Loader):
        where = f"{name}:{line_of(event)}"
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(f"{where}: aliases (*{shown_key(event.anchor)}) are not allowed: write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise YamlError(f"{where}: nested deeper than {MAX_DEPTH} levels; no configuration is")
        count += isinstance(event, yaml.NodeEvent)
        if count > MAX_VALUES:
            raise YamlError(f"{where}: more than {MAX_VALUES} keys and values, so not a configuration")
