"""pydantic's refusals in plain words: which key, what is wrong, what was received, what is allowed.

Several mistakes travel together, each under its path of keys, so that a file's reader can name file and line.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from colorgan.yaml_values import KeyPath, shown_key

SHOWN_CHARACTERS = 60  # of a received value
MAX_NAMED = 50  # mistakes of one model
_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "string_unicode": "must be text without halves of characters",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "dict_type": "must be a mapping, `key: value`",
    "model_type": "must be a mapping, `key: value`",
    "model_attributes_type": "must be a mapping, `key: value`",
    "tuple_type": "must be a list, `[a, b]`",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "has {actual_length} entries; at most {max_length} are allowed",
    "union_tag_invalid": "unknown `type`; allowed are {expected_tags}",
}
_UNSHOWN = {"value_error", "too_short", "string_too_short", "too_long"}


class Mistake(NamedTuple):
    """One thing that is wrong: the keys that lead to it, and what to tell its author."""

    keys: KeyPath
    message: str


class MistakesError(ValueError):
    """Raised by a model's validator that found mistakes; their keys start at the model."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(listed(self.mistakes)))


def listed(mistakes: Iterable[Mistake], where: Callable[[KeyPath], str] | None = None) -> list[str]:
    """Returns a line per mistake, `where: dotted.key: message`."""
    lines = []
    for keys, message in mistakes:
        dotted = ".".join(map(shown_key, keys))
        lines.append(": ".join(part for part in (where(keys) if where else "", dotted, message) if part))
    return lines


def explain(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """Returns the mistakes of an error that validating `model` raised; of very many the first, and how many more."""
    mistakes, items = [], error.errors(include_url=False)
    for item in items[:MAX_NAMED]:
        keys, allowed = _resolve(model, item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, MistakesError):
            mistakes += [Mistake((*keys, *mistake.keys), mistake.message) for mistake in cause.mistakes]
        else:
            mistakes.append(Mistake(keys, _message(item, allowed)))
    if len(items) > MAX_NAMED:
        mistakes.append(Mistake((), f"{len(items) - MAX_NAMED} more mistakes are not named; mend these first"))
    inside = {mistake.keys[:i] for mistake in mistakes for i in range(len(mistake.keys))}
    return [m for m in mistakes if not (m.message == _WORDS["too_short"] and m.keys in inside)]  # a list of bad items


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """Returns `; did you mean ...?` for the nearest allowed name, or nothing."""
    names = list(allowed) if name else []
    close = difflib.get_close_matches(str(name), names, n=1) or [n for n in names if n.startswith(str(name))]
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: object) -> str:
    """Returns a value as its author wrote it in YAML, shortened."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _message(item: ErrorDetails, allowed: list[str]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(item['loc'][-1], allowed)}; allowed are {', '.join(allowed)}"
    if kind == "union_tag_not_found":
        return f"has no `type`; allowed are {', '.join(allowed)}"
    if kind == "missing":
        return "is required, but missing"
    message = _WORDS[kind].format(**context) if kind in _WORDS else item["msg"].removeprefix("Value error, ")
    if kind in _UNSHOWN or isinstance(item["input"], BaseModel):
        return message
    received = item["input"]["type"] if kind == "union_tag_invalid" else item["input"]
    names = str(context.get("expected", context.get("expected_tags", ""))).replace(" or ", ", ").split(", ")
    hint = did_you_mean(received, [name.strip("'") for name in names]) if isinstance(received, str) else ""
    return f"{message}; received {shown(received)}{hint}"


def _resolve(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[KeyPath, list[str]]:
    """Returns the keys of a pydantic location without its union tags, and the keys allowed beside the last one.

    At a union of models, which are told apart by their `type`, the allowed types instead.
    """
    annotation: Any = model
    keys: list[str | int] = []
    allowed: list[str] = []
    for part in loc:
        models = _models(annotation)
        if len(models) > 1:
            annotation = next(m for m in models if part in _types(m))
            continue
        keys.append(part)
        allowed = [name for m in models for name in m.model_fields]
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            annotation = next((m.model_fields[str(part)].annotation for m in models if part in m.model_fields), None)
    models = _models(annotation)
    return tuple(keys), [kind for m in models for kind in _types(m)] if len(models) > 1 else allowed


def _types(model: type[BaseModel]) -> tuple[str, ...]:
    """Returns the values of `type` that mean this model of a union."""
    return get_args(model.model_fields["type"].annotation)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Returns the model of an annotation, or those of a union by `type`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is dict:
        return []
    arguments = get_args(annotation)
    return [m for part in (arguments[:1] if get_origin(annotation) is Annotated else arguments) for m in _models(part)]
