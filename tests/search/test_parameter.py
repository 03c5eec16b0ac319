"""A parameter asks Optuna for what it says, and knows its own values."""

import optuna
import pytest
from pydantic import ValidationError

from search.parameter import CategoricalParameter, FloatParameter, IntParameter

PARAMETERS = [
    FloatParameter(low=1e-4, high=1e-2, log=True),
    FloatParameter(low=0.0, high=0.6, step=0.2),
    IntParameter(low=8, high=32, step=8),
    IntParameter(low=1, high=512, log=True),
    CategoricalParameter(choices=("batch", "none")),
    CategoricalParameter(choices=(None, 0.99)),
    CategoricalParameter(choices=(True, False)),
]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
def test_every_suggested_value_is_one_of_its_own(parameter):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        value = parameter.suggest(study.ask(), "x")
        nearest = parameter.nearest(value)
        assert nearest == pytest.approx(value) if isinstance(value, float) else nearest is value or nearest == value
        if parameter.count() is not None:
            assert any(
                value == pytest.approx(known) if isinstance(known, float) else value == known
                for known in parameter.values()
            )


@pytest.mark.parametrize("parameter", [p for p in PARAMETERS if p.count() is not None], ids=str)
def test_its_values_are_as_many_as_it_counts_and_begin_and_end_with_its_ends(parameter):
    values, ends = parameter.values(), [value for _, value in parameter.ends()]
    assert len(values) == parameter.count() == len({str(value) for value in values})
    assert values[0] == ends[0]
    assert values[-1] == ends[-1]


@pytest.mark.parametrize(
    ("parameter", "value", "nearest"),
    [
        (FloatParameter(low=1, high=2), 5, 2.0),
        (FloatParameter(low=1, high=2), 1.5, 1.5),
        (FloatParameter(low=1, high=2), None, 1.0),
        (FloatParameter(low=0, high=0.6, step=0.2), 0.31, 0.4),
        (IntParameter(low=8, high=32, step=8), 21, 24),
        (IntParameter(low=8, high=32, step=8), 64, 32),
        (CategoricalParameter(choices=(1.0, 0.1)), 0.2, 0.1),
        (CategoricalParameter(choices=("a", "b")), "c", "a"),
        (CategoricalParameter(choices=(None, 0.9)), None, None),
    ],
)
def test_the_nearest_value_to_any(parameter, value, nearest):
    assert parameter.nearest(value) == nearest


def test_values_with_a_step_are_the_decimals_that_were_written():
    assert FloatParameter(low=0, high=0.5, step=0.1).values() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_domain_shows_choices_of_one_kind_as_they_are_and_mixed_ones_as_text():
    assert CategoricalParameter(choices=(8, 16)).domain("f").values == (8, 16)
    assert CategoricalParameter(choices=(True, False)).domain("f").values == (True, False)
    assert CategoricalParameter(choices=(0.5, 1)).domain("f").values == (0.5, 1)
    assert CategoricalParameter(choices=(None, 0.9, "auto")).domain("f").values == ("null", "0.9", "auto")
    interval = FloatParameter(low=1, high=2, log=True).domain("f")
    assert (interval.kind, interval.low, interval.high, interval.log) == ("interval", 1.0, 2.0, True)


@pytest.mark.parametrize(
    "arguments",
    [{"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 0, "high": 1, "step": 0.4}],
)
def test_an_impossible_range_cannot_be_made(arguments):
    with pytest.raises(ValidationError):
        FloatParameter(**arguments)
