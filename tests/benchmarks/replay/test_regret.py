"""Regret counts what would be promoted, and a cost what stays reached."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay.findings import Findings
from benchmarks.replay.judgement import Search
from benchmarks.replay.markdown import table
from benchmarks.replay.page import write_page
from benchmarks.replay.plan import cells
from benchmarks.replay.regret import curves
from benchmarks.replay.search_tables import summary
from benchmarks.replay.surrogate import recorded_surrogate

UP_AND_DOWN = Search(17.0, 18.0, seconds=[10.0, 40.0, 70.0], promoted=[18.0, 19.0, 17.0])
STEADY = Search(17.0, 18.0, seconds=[20.0], promoted=[18.0])


def test_regret_is_that_of_the_incumbent_at_a_time() -> None:
    found = curves([UP_AND_DOWN, STEADY], "promoted", trainings=10.0, seconds=100.0)
    assert math.isinf(found.at(0.5).value)
    assert [found.at(cost).value for cost in (2.0, 4.0, 6.9, 7.0, 10.0)] == pytest.approx([1.0, 1.5, 1.5, 0.5, 0.5])
    assert found.at(10.0).low == pytest.approx(0.0)
    assert found.at(10.0).high == pytest.approx(1.0)
    assert np.all(np.diff(found.costs) > 0)


def test_a_cost_counts_from_when_it_stays_reached() -> None:
    found = curves([UP_AND_DOWN], "promoted", trainings=10.0, seconds=100.0)
    assert found.cost_of(1.0).value == pytest.approx(7.0)
    assert found.cost_of(2.0).value == pytest.approx(1.0)
    assert math.isinf(found.cost_of(-0.1).value)


def test_a_search_may_promote_something_worse_than_the_default() -> None:
    found = curves([UP_AND_DOWN, STEADY], "promoted", trainings=10.0, seconds=100.0)
    assert [found.worse_than_default(cost) for cost in (3.0, 5.0, 8.0)] == [0.0, 0.5, 0.0]


def test_a_page_is_changed_between_its_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- replay: one -->\nold\n<!-- end -->\nb\n<!-- replay: two -->\n<!-- end -->\nc\n")
    write_page(page, {"one": table(["x"], [["1"]]), "two": "new"})
    wanted = "a\n<!-- replay: one -->\n\n| x |\n| --- |\n| 1 |\n\n<!-- end -->\nb\n"
    wanted += "<!-- replay: two -->\n\nnew\n\n<!-- end -->\nc\n"
    assert page.read_text() == wanted
    write_page(page, {"one": table(["x"], [["1"]]), "two": "new"})
    assert page.read_text() == wanted


def test_the_summary_says_what_each_method_costs_to_find_what_random_search_finds() -> None:
    cross = [cell for cell in cells() if (cell.part, cell.row, cell.column) == ("cross", "random", "none")]
    drawn = [cell for cell in cells() if cell.part == "drawn" and cell.row in ("random, none", "tpe, asha 2/2")]
    half = drawn[0].setting.seconds(recorded_surrogate()) / 2  # of the budget

    def search(seconds: float) -> Search:
        measures = {name: [18.0, 17.5] for name in ("found", "promoted", "confirmed")}
        return Search(17.0, 18.0, seconds=[1.0, seconds], **measures)

    soon = {cell.name: [search(half if cell.row == "random, none" else half / 4)] for cell in drawn}
    found = Findings([*cross, *drawn], {cell.name: [search(half)] for cell in cross} | soon, recorded_surrogate())
    lines = summary(found).splitlines()
    assert lines[0].startswith("| trainings, at 2 workers | 6 epochs, drawn spaces | 6 epochs, the likeliest |")
    assert [cell.strip() for cell in lines[2].split("|")[1:4]] == ["random, none", "50 (50-50)", "50 (50-50)"]
    (tpe,) = (line for line in lines if "tpe, asha at a third" in line)
    assert [cell.strip() for cell in tpe.split("|")[2:4]] == ["12 (12-12)", ""]
