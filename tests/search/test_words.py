"""Numbers read as people write them."""

from __future__ import annotations

import pytest

from search.words import number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "true"),
        (False, "false"),
        (0.000123456, "0.0001235"),
        (17.123456, "17.12"),
        (300.0, "300"),
        (7, "7"),
        ("batch", "batch"),
    ],
)
def test_a_value_is_shown_as_in_a_study_and_a_fraction_with_four_significant_digits(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(24526.0, "24,526"), (-1000.0, "-1,000"), (1234.5, "1234"), (1e300, "1e+300")]
)
def test_a_large_whole_number_keeps_its_digits(value: float, text: str) -> None:
    assert number(value) == text
