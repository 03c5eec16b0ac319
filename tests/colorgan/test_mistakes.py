"""Mistakes carry the keys of the file they are in, whatever models lie between."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from colorgan.mistakes import Mistake, MistakesError, did_you_mean, explain, listed, shown


class Round(BaseModel, extra="forbid"):
    type: Literal["round"]
    radius: Annotated[int, Field(ge=1)]


class Square(BaseModel, extra="forbid"):
    type: Literal["square"]
    side: int

    @model_validator(mode="after")
    def _refuse_thirteen_twice(self) -> "Square":
        if self.side == 13:
            raise MistakesError([Mistake(("side",), "unlucky"), Mistake((), "odd")])
        return self


class Drawing(BaseModel, extra="forbid"):
    shapes: dict[str, Annotated[Round | Square, Field(discriminator="type")]]


@pytest.mark.parametrize(
    ("shape", "mistakes"),
    [
        ({"type": "round", "radius": 0}, [(("shapes", "a.b", "radius"), "must be at least 1; received 0")]),
        (
            {"type": "round", "side": 3, "radius": 1},
            [(("shapes", "a.b", "side"), "unknown key; allowed are type, radius")],
        ),
        ({"radius": 1}, [(("shapes", "a.b"), "has no `type`; allowed are round, square")]),
        ({"type": "square"}, [(("shapes", "a.b", "side"), "is required, but missing")]),
        ({"type": "square", "side": 13}, [(("shapes", "a.b", "side"), "unlucky"), (("shapes", "a.b"), "odd")]),
    ],
)
def test_a_mistake_has_the_keys_of_the_file_and_the_words_of_its_model(shape, mistakes):
    with pytest.raises(ValidationError) as refused:
        Drawing.model_validate({"shapes": {"a.b": shape}})
    assert explain(refused.value, Drawing) == [Mistake(*mistake) for mistake in mistakes]


def test_mistakes_are_listed_with_where_they_are():
    mistakes = [Mistake(("a", 0), "wrong"), Mistake((), "all wrong")]
    assert listed(mistakes, lambda keys: f"f:{len(keys)}") == ["f:2: a.0: wrong", "f:0: all wrong"]
    assert listed(mistakes) == ["a.0: wrong", "all wrong"]


def test_values_are_shown_as_yaml_has_them():
    assert [shown(value) for value in (None, True, 1.5, "no", [1], {"a": 1})] == [
        "null", "true", "1.5", "'no'", "a list", "a mapping",
    ]  # fmt: skip
    assert len(shown("x" * 1000)) == 60


def test_a_name_is_proposed_only_if_it_is_near():
    assert did_you_mean("trails", ["trials", "seed"]) == "; did you mean trials?"
    assert did_you_mean("l1", ["l1_weight"]) == "; did you mean l1_weight?"
    assert did_you_mean("qqq", ["trials"]) == ""
