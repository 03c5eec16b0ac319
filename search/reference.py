"""What a study file may hold: each key with what it may be, its default and what it means.

All of it is taken from what checks a study: the models' fields, their ranges and docstrings, the tables of metrics and
methods. `python -m search settings` shows it; docs/settings.md is it as a page (`reference_page.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from colorgan.config import TrainConfig
from colorgan.mistakes import shown
from search import method_words
from search.oracle import ORACLES
from search.parameter import CategoricalParameter, FloatParameter, IntParameter
from search.quantities import QUANTITIES
from search.settings import Bounds, CountOr, FurtherObjective, Objective, Resources, Search
from search.signature import PRUNERS, REQUIRED, SAMPLERS, Argument, signature
from search.space_mistakes import why_fixed
from search.study import StudySpec

MUST = "must be given"
_KINDS = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}


@dataclass(frozen=True)
class Setting:
    """One key.

    Attributes:
        path: Dotted, from the top of a study file.
        allowed: What its value may be.
        default: As a study file would say it, or `MUST`; empty where it has settings of its own.
        meaning: What it does, its source, its unit.
    """

    path: str
    allowed: str
    default: str
    meaning: str

    @property
    def key(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Section:
    """Keys that stand together.

    Attributes:
        title: Where they stand, or what they belong to.
        meaning: What they are for.
        settings: The keys; for metrics, their names.
    """

    title: str
    meaning: str
    settings: tuple[Setting, ...]


def sections() -> list[Section]:
    """Returns all that a study file may hold, in the order of a file."""
    return [_study(), *_train(), *_space(), *_aims(), *_search()]


def _study() -> Section:
    short = Setting("backend", "tensorflow or jax", "", "Short for `train.backend`.")
    meaning = "What `--scale NAME` changes of this file: by name, a file of its own with the keys that differ."
    scales = Setting("scales", "mapping", "{}", meaning)
    settings = [*_settings("", StudySpec), short, scales]
    return Section("A study file", "The top of the file. Only `name` and `space` must be there.", tuple(settings))


def _train() -> Iterator[Section]:
    fields = TrainConfig.model_fields
    parts = {key: kind for key, field in fields.items() if (kind := _model(field.annotation))}
    whole = [_setting(f"train.{key}", field) for key, field in fields.items() if key not in parts]
    yield _trained("train", "A configuration for training is what stands below `train`, alone in a file.", whole)
    for key, model in parts.items():
        yield _trained(f"train.{key}", _first_paragraph(model), _settings(f"train.{key}", model))


def _trained(title: str, meaning: str, settings: Sequence[Setting]) -> Section:
    """Returns a part of a configuration, with what may not be searched of it and why."""
    reasons = {setting.key: why_fixed(setting.path.removeprefix("train.")) for setting in settings}
    by_reason = Counter(reason for reason in reasons.values() if reason)
    for reason in (reason for reason, count in by_reason.items() if count > 1):  # then it is the whole part's
        free = _either([f"`{key}`" for key, why in reasons.items() if not why] or ["nothing"], "and")
        meaning += f" Only {free} may be searched, as {reason}."
    alone = {key: reason for key, reason in reasons.items() if by_reason[reason] == 1}
    return Section(title, meaning, tuple(_with_reason(setting, alone.get(setting.key)) for setting in settings))


def _with_reason(setting: Setting, reason: str | None) -> Setting:
    return replace(setting, meaning=f"{setting.meaning} Not searched: {reason}.") if reason else setting


def _space() -> Iterator[Section]:
    for model in (FloatParameter, IntParameter, CategoricalParameter):
        kind = get_args(model.model_fields["type"].annotation)[0]
        yield Section(f"space, type: {kind}", _first_paragraph(model), tuple(_settings("space.PATH", model)))


def _aims() -> Iterator[Section]:
    for key, model in (("objective", Objective), ("further_objectives", FurtherObjective)):
        yield Section(key, _first_paragraph(model), tuple(_settings(key, model)))
    meaning = "What must hold of a trial that is to be the best: a metric or cost -> its bounds."
    yield Section("constraints", meaning, tuple(_settings("constraints.METRIC", Bounds)))
    better = {"minimize": "less is better", "maximize": "more is better", None: "neither way is better"}
    known = (
        Setting(m.key, better[m.better], "", f"{m.description[:1].upper()}{m.description[1:]}.")
        for m in QUANTITIES.values()
    )
    yield Section(
        "Metrics and costs", "What objectives and constraints can be of; `objective` takes no cost.", tuple(known)
    )


def _search() -> Iterator[Section]:
    yield Section("search", _first_paragraph(Search), tuple(_settings("search", Search)))
    yield Section("search.resources", _first_paragraph(Resources), tuple(_settings("search.resources", Resources)))
    yield from _methods("sampler", SAMPLERS, method_words.SAMPLERS, method_words.SAMPLER_ARGUMENTS)
    yield from _methods("pruner", PRUNERS, method_words.PRUNERS, method_words.PRUNER_ARGUMENTS)


def _methods(
    kind: str, table: Mapping[str, str], words: Mapping[str, str], arguments: Mapping[str, Mapping[str, str]]
) -> Iterator[Section]:
    for name, meaning in words.items():
        if name in ORACLES:
            settings = _settings(f"search.{kind}", ORACLES[name])
        else:
            known, said = signature(table, name), arguments.get(name, {})
            settings = [_argument(kind, known[key], said[key]) for key in said]
        yield Section(f"{kind}: {name}", meaning, tuple(settings))


def _argument(kind: str, argument: Argument, meaning: str) -> Setting:
    default = MUST if argument.default is REQUIRED else _plain(argument.default)
    return Setting(f"search.{kind}.{argument.name}", argument.allowed, default, meaning)


def _settings(path: str, model: type[BaseModel]) -> list[Setting]:
    fields = {key: field for key, field in model.model_fields.items() if key != "type"}
    return [_setting(f"{path}.{key}" if path else key, field) for key, field in fields.items()]


def _setting(path: str, field: FieldInfo) -> Setting:
    allowed = _allowed(field.annotation, field.metadata)
    return Setting(path, allowed, _default(field, allowed), " ".join((field.description or "").split()))


def _default(field: FieldInfo, allowed: str) -> str:
    if field.is_required():
        return "the metric's" if "minimize" in allowed else MUST  # objectives fill it in by themselves
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        named = getattr(value, "name", None)
        return f"{{name: {named}}}" if named else ""
    return _plain(value)


def _allowed(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Returns what a value may be, in words."""
    for note in metadata:
        if isinstance(check := getattr(note, "func", None), CountOr):
            return check.allowed
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        notes = [note for one in inner[1:] for note in (one.metadata if isinstance(one, FieldInfo) else [one])]
        return _allowed(inner[0], [*notes, *metadata])
    if origin is Literal:
        return _either([_plain(value) for value in inner])
    if origin is tuple:
        return f"list: {_allowed(inner[0])}"
    if origin is dict or _model(annotation):
        return "mapping"
    if inner:  # a union
        return _either([_allowed(one, metadata) for one in inner])
    return f"{_KINDS[annotation]}{_bounds(metadata) if annotation in (int, float) else ''}"


def _either(words: Sequence[str], joint: str = "or") -> str:
    *most, last = words
    comma = ";" if any(", " in word for word in most) else ""
    return f"{', '.join(most)}{comma} {joint} {last}" if most else last


def _bounds(metadata: Sequence[Any]) -> str:
    """Returns the bounds of a number, e.g. `, at least 1`."""
    words: dict[str, str] = {}
    for note in metadata:
        match note:
            case annotated_types.Ge(ge=value):
                words["at least"] = _plain(value)
            case annotated_types.Gt(gt=value):
                words["more than"] = _plain(value)
            case annotated_types.Le(le=value):
                words["at most"] = _plain(value)
            case annotated_types.Lt(lt=value):
                words["less than"] = _plain(value)
    if words.keys() == {"at least", "at most"}:
        return f", {words['at least']} to {words['at most']}"
    return "".join(f", {word} {value}" for word, value in words.items())


def _plain(value: object) -> str:
    """Returns a value as a study file says it, text without quotes."""
    match value:
        case str():
            return value
        case float():
            text = f"{value:g}"
            return text if "." in text else text.replace("e", ".0e")  # YAML takes 1e-07 for text
        case tuple():
            return f"[{', '.join(map(_plain, value))}]"
        case dict() if not value:
            return "{}"
    return shown(value)


def _model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())
