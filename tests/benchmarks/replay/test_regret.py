"""Regret counts what would be promoted, and a cost what stays reached."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay.page import table, write_page
from benchmarks.replay.regret import curves
from benchmarks.replay.simulation import Search

UP_AND_DOWN = Search(seconds=[10.0, 40.0, 70.0], values=[18.0, 19.0, 17.0])
STEADY = Search(seconds=[20.0], values=[18.0])


def test_regret_is_that_of_the_incumbent_at_a_time() -> None:
    found = curves([UP_AND_DOWN, STEADY], trainings=10.0, seconds=100.0, optimum=17.0)
    assert math.isinf(found.at(0.5).value)
    assert [found.at(cost).value for cost in (2.0, 4.0, 6.9, 7.0, 10.0)] == pytest.approx([1.0, 1.5, 1.5, 0.5, 0.5])
    assert found.at(10.0).low == pytest.approx(0.0)
    assert found.at(10.0).high == pytest.approx(1.0)
    assert np.all(np.diff(found.costs) > 0)


def test_a_cost_counts_from_when_it_stays_reached() -> None:
    found = curves([UP_AND_DOWN], trainings=10.0, seconds=100.0, optimum=17.0)
    assert found.cost_of(1.0).value == pytest.approx(7.0)
    assert found.cost_of(2.0).value == pytest.approx(1.0)
    assert math.isinf(found.cost_of(-0.1).value)


def test_a_share_of_searches_is_beaten() -> None:
    found = curves([UP_AND_DOWN, STEADY], trainings=10.0, seconds=100.0, optimum=17.0)
    assert [found.beaten_by(1.0, cost) for cost in (3.0, 5.0, 8.0)] == [0.0, 0.5, 0.0]


def test_a_page_is_changed_between_its_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- replay: one -->\nold\n<!-- end -->\nb\n<!-- replay: two -->\n<!-- end -->\nc\n")
    write_page(page, {"one": table(["x"], [["1"]]), "two": "new"})
    wanted = "a\n<!-- replay: one -->\n\n| x |\n| --- |\n| 1 |\n\n<!-- end -->\nb\n"
    wanted += "<!-- replay: two -->\n\nnew\n\n<!-- end -->\nc\n"
    assert page.read_text() == wanted
    write_page(page, {"one": table(["x"], [["1"]]), "two": "new"})
    assert page.read_text() == wanted
