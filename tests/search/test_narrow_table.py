"""Tables of numbers in terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from search.narrow_table import Column, NarrowTable

NAMES = ("optimizer.generator_learning_rate", "losses.l1_weight")
COLUMNS = (
    Column("valid/colorfulness_ratio", ("0.0001211", "6.716e-05"), kept=True),
    Column("discriminator.filters", ("1234.5", "")),
    Column("training", ("1 h 25 min", "4 s")),
)


def printed(width: int, names: tuple[str, ...] = NAMES) -> str:
    output = io.StringIO()
    Console(file=output, width=width).print(NarrowTable("sky", names, COLUMNS))
    return output.getvalue()


@pytest.mark.parametrize("width", range(40, 130, 6))
def test_numbers_are_shown_whole_or_not_at_all(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    left_out = text.partition("no room")[2].replace("\n", " ")
    for column in COLUMNS:
        assert all(cell in text for cell in column.cells) != (column.name in left_out)


def test_the_last_columns_are_left_out_first_and_named() -> None:
    assert "no room" not in printed(120)
    assert "no room in 56 columns for training" in printed(56)
    assert "discriminator.filters, training" in printed(44).partition("no room in 44 columns")[2]


def test_a_kept_column_stays_where_there_is_no_room_for_any() -> None:
    assert "0.0001211" in printed(24, ("a", "b"))


def test_names_are_broken_rather_than_cut() -> None:
    lines = [line.split("│")[1].strip() for line in printed(48).splitlines() if "│" in line]
    assert "".join(lines) == "".join(NAMES)


def test_a_table_without_rows_has_its_columns() -> None:
    output = io.StringIO()
    Console(file=output, width=40).print(NarrowTable("sky", (), (Column("gray", ()),)))
    assert "gray" in output.getvalue()


def test_text_from_elsewhere_is_no_markup() -> None:
    assert "[/b]" in printed(120, ("[/b]", "b"))
