"""Plots of studies of all kinds, read back as pictures and as XML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from colorgan.config import TrainConfig
from colorgan.record import EpochRecord, TrialRecord, write_record
from search.parameter_plots import draw_contour, draw_parallel, scales
from search.plot_style import BEST, STYLE, objective_limits
from search.plots import KINDS, VARIABLES, for_page, write_plots
from search.progress_plots import draw_cost, draw_front, draw_history, draw_timeline
from search.storage import StudyFolder
from search.study import StudySpec
from search.verdict import Verdict, judge

RATE, NORM, DROPOUT = "optimizer.generator_learning_rate", "generator.normalization", "generator.dropout"
SPACE: dict[str, Any] = {
    RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    NORM: {"type": "categorical", "choices": ["batch", "none"]},
    DROPOUT: {"type": "float", "low": 0.0, "high": 0.5, "when": {NORM: "batch"}},
    "generator.filters": {"type": "int", "low": 8, "high": 32, "step": 8},
}
ALL = [kind.name for kind in KINDS if kind.name != "front"]  # which takes several objectives
Make = Callable[..., Verdict]


def trial(number: int, *values: float, state: str = "complete", **others: Any) -> TrialRecord:
    epochs = [
        EpochRecord(
            epoch=n, step=n, objective=value, metrics={"valid/delta_e": value}, train_seconds=2.0, valid_seconds=0.5
        )
        for n, value in enumerate(values, 1)
    ]
    params: dict[str, Any] = {RATE: 10 ** (-4 + number % 7 / 4), "generator.filters": 8 * (1 + number % 4)}
    params |= {NORM: "none"} if number % 3 else {NORM: "batch", DROPOUT: 0.05 * (number % 5)}
    fields = {"number": number, "state": state, "seed": number, "objective": values[-1] if values else None}
    timed = {
        "worker": number % 2,
        "started": 1e9 + 10.0 * number,
        "seconds": 9.0,
        "parameters": 1000 * (1 + number % 4),
    }
    return TrialRecord.model_validate({"params": params, **timed, **fields, "epochs": tuple(epochs), **others})


MANY = [
    trial(n, 25.0, 20.0 + n % 5 * 0.7 + n % 3, state="pruned" if n % 4 == 3 else "failed" if n == 6 else "complete")
    for n in range(24)
]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_verdict(records: Sequence[TrialRecord], space: dict[str, Any] | None = None, **others: Any) -> Verdict:
        study = StudySpec.model_validate({"name": "sky", "space": space or SPACE, **others})
        folder = StudyFolder(tmp_path / "sky")
        folder.path.mkdir()
        folder.study.write_text(study.to_yaml())
        baselines = {"gray": {"valid/delta_e": 21.0}, "tint": {"valid/delta_e": 22.0}}
        folder.summary.write_text(json.dumps({"baselines": baselines}))
        for record in records:
            folder.trial(record.number).path.mkdir(parents=True)
            folder.trial(record.number).config.write_text(TrainConfig().to_yaml())
            write_record(folder.trial(record.number).record, record)
        return judge(folder.path)

    return make_verdict


def drawn(verdict: Verdict, folder: Path) -> list[str]:
    """Draws, checks that each plot is a picture, an XML file and fit for a page, and returns the names."""
    plots = write_plots(verdict, folder)
    ids = [found for plot in plots for found in re.findall(r' id="([^"]*)"', plot.svg)]
    assert len(ids) == len(set(ids))
    for plot in plots:
        with Image.open(folder / f"{plot.kind.name}.png") as picture:
            picture.load()
            assert picture.width == 920
        assert ElementTree.parse(folder / f"{plot.kind.name}.svg").getroot().tag.endswith("svg")  # noqa: S314
        ElementTree.fromstring(plot.svg)  # noqa: S314
        assert not any(colour in plot.svg for colour in VARIABLES)
        assert " width=" not in plot.svg.partition(">")[0]
        assert plot.kind.title in plot.svg.partition(">")[0]
    names = [plot.kind.name for plot in plots]
    assert {path.stem for path in folder.iterdir()} == set(names)
    return names


def test_a_study_has_all_plots_as_png_and_svg_and_for_a_page(make: Make, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    assert drawn(make(MANY), tmp_path / "plots") == ALL
    assert dict(matplotlib.rcParams) == before


def test_categorical_parameters_alone_are_plotted(make: Make, tmp_path: Path) -> None:
    filters = [4, 8, 12, 16, 20, 24]
    space = {NORM: SPACE[NORM], "generator.filters": {"type": "categorical", "choices": filters}}
    records = [
        trial(n, 20.0 + n % 3, params={NORM: ["batch", "none"][n % 2], "generator.filters": filters[n // 2]})
        for n in range(12)
    ]
    assert drawn(make(records, space), tmp_path / "plots") == ALL


@pytest.mark.parametrize(
    ("records", "names"),
    [
        ([], []),
        ([trial(0, state="failed", started=None)], ["history"]),
        ([trial(0, state="waiting", started=None)], []),
        ([trial(0, 20.0, state="running", seconds=0.0)], ["history", "learning_curves", "timeline"]),
        ([trial(0, 20.0)], [name for name in ALL if name != "importance"]),
    ],
)
def test_small_and_hopeless_studies_have_the_plots_that_make_sense(
    make: Make, tmp_path: Path, records: list[TrialRecord], names: list[str]
) -> None:
    assert drawn(make(records), tmp_path / "plots") == names


def test_a_single_parameter_has_no_contour(make: Make) -> None:
    records = [trial(n, 20.0 + n, params={RATE: 10 ** (-4 + n / 6)}) for n in range(12)]
    assert draw_contour(make(records, {RATE: SPACE[RATE]})) is None


def test_a_plot_that_is_no_longer_drawn_is_removed(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    folder.mkdir()
    (folder / "importance.png").write_bytes(b"old")
    (folder / "mine.txt").write_text("kept")
    write_plots(make([]), folder)
    assert not (folder / "importance.png").exists()
    assert (folder / "mine.txt").exists()


def test_the_same_study_gives_the_same_files(make: Make, tmp_path: Path) -> None:
    verdict = make([trial(0, 20.0, state="running")])
    for name in ("one", "two"):
        write_plots(verdict, tmp_path / name)
    assert all(
        path.read_bytes() == (tmp_path / "two" / path.name).read_bytes() for path in (tmp_path / "one").iterdir()
    )


def test_the_best_so_far_only_improves_and_ends_at_the_best(make: Make) -> None:
    verdict = make(MANY)
    figure = draw_history(verdict)
    assert figure is not None
    [line] = [line for line in figure.axes[0].lines if line.get_color() == BEST]
    values = [float(value) for value in line.get_ydata()]  # type: ignore[union-attr]
    assert values == sorted(values, reverse=True)
    assert verdict.best is not None
    assert values[-1] == verdict.best.objective


def seeds_of(verdict: Verdict) -> dict[str, list[tuple[float, float]]]:
    """Returns what the plots of a study show by name: points of each panel's first collection, and lines."""
    history, cost, front = draw_history(verdict), draw_cost(verdict), draw_front(verdict)
    assert history is not None
    assert cost is not None
    assert front is not None
    [line] = [line for line in history.axes[0].lines if line.get_color() == BEST]
    collections = history.axes[0].collections
    return {
        "best so far": [(float(x), float(y)) for x, y in line.get_xydata()],  # type: ignore[union-attr]
        **{str(one.get_label()): _offsets(one) for one in collections},
        "cost": _offsets(cost.axes[1].collections[0]),
        "front": _offsets(front.axes[0].collections[0]),
        "beyond": [point for one in front.axes[0].collections[1:] for point in _offsets(one)],
        "front line": [(float(x), float(y)) for x, y in front.axes[0].lines[0].get_xydata()],  # type: ignore[union-attr]
    }


def _offsets(collection: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in collection.get_offsets()]


def test_plots_show_configurations_by_what_counts_and_which_trials_cannot_be_the_best(make: Make) -> None:
    weights = {0: 1000, 1: 2000, 2: 1000, 3: 2000, 4: 3000}
    groups = {2: "trial-0000", 3: "trial-0001"}
    values = {0: 20.0, 1: 17.0, 2: 18.0, 3: 22.0, 4: 15.0}
    records = [
        trial(n, value, parameters=weights[n], group=groups.get(n, ""), further={"parameters": float(weights[n])})
        for n, value in values.items()
    ]
    records[4] = records[4].model_copy(update={"violations": {"parameters": 1.0}})
    others = {"further_objectives": [{"metric": "parameters"}], "constraints": {"parameters": {"max": 2500}}}
    verdict = make(records, **others, search={"seeds_per_trial": 2})
    found = seeds_of(verdict)
    assert verdict.best is not None
    assert verdict.value(verdict.best) == 19.0
    assert found["best so far"][-1] == (4.0, 19.0)
    assert found["complete"] == [(n, values[n]) for n in range(4)]
    assert found["infeasible"] == [(4.0, 15.0)]
    assert sorted(found["cost"]) == sorted(found["front"]) == [(1000.0, 19.0), (2000.0, 19.5)]
    assert found["beyond"] == [(1000.0, 19.0)] * len(found["beyond"])
    assert set(found["front line"]) <= set(found["front"])


def test_every_trial_has_its_line_also_where_another_than_the_best_was_promoted(make: Make) -> None:
    def lines(verdict: Verdict) -> set[str]:
        figure = draw_parallel(verdict)
        assert figure is not None
        parts: list[Any] = list(figure.axes[0].collections)
        return {str(line) for part in parts for line in part.get_segments()}

    verdict = make(MANY[1:])  # the default would have a line of its own
    assert lines(replace(verdict, best=verdict.ranked[3])) == lines(verdict)


def test_a_promoted_trial_is_circled_also_where_it_was_not_the_best(make: Make) -> None:
    def circles(verdict: Verdict) -> int:
        figure = draw_contour(verdict)
        assert figure is not None
        return sum(not len(one.get_facecolors()) for axes in figure.axes for one in axes.collections)  # type: ignore[attr-defined]

    verdict = make(MANY)
    promoted = next(one for one in verdict.ranked[1:] if one.params.keys() == verdict.ranked[0].params.keys())
    assert circles(replace(verdict, best=promoted)) == circles(verdict) > 0


def test_a_long_name_of_an_objective_is_not_cut_off(make: Make) -> None:
    further = {"further_objectives": [{"metric": "parameters"}, {"metric": "valid/colorfulness_ratio", "target": 1.0}]}
    values = {"valid/colorfulness_ratio": 0.5, "parameters": 1000.0}
    figure = draw_front(make([trial(0, 20.0, further=values)], **further))
    assert figure is not None
    with matplotlib.rc_context(STYLE):
        figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.xaxis.label.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_a_diverged_trial_does_not_flatten_the_others(make: Make) -> None:
    verdict = make([*(trial(n, 20.0 + n / 10) for n in range(9)), trial(9, 1e9)])
    low, high = objective_limits(verdict, [record.objective or 0.0 for record in verdict.ranked])
    assert 19.5 < low < 20.0
    assert 20.8 < high < 25.0
    figure = draw_history(verdict)
    assert figure is not None
    assert figure.axes[0].get_ylim()[1] < 25.0


def test_a_pause_of_a_night_is_cut_out_of_the_timeline(make: Make) -> None:
    night = [trial(0, 20.0), trial(1, 20.0), trial(2, 20.0, started=1e9 + 80_000.0)]
    figure = draw_timeline(make(night))
    assert figure is not None
    assert figure.axes[0].get_xlabel() == "seconds"
    assert figure.axes[0].dataLim.x1 < 60


def test_the_line_of_the_best_for_less_has_no_trial_below_it(make: Make) -> None:
    verdict = make(MANY)
    figure = draw_cost(verdict)
    assert figure is not None
    corners = {(float(x), float(y)) for x, y in figure.axes[1].lines[0].get_xydata()}  # type: ignore[union-attr]
    for record in verdict.ranked:
        assert record.parameters is not None
        assert record.objective is not None
        assert any(x <= record.parameters and y <= record.objective for x, y in corners)


def test_a_value_lies_between_the_ends_of_its_scale(make: Make) -> None:
    found = {scale.path: scale for scale in scales(make([]))}
    assert found[RATE].share(1e-3) == pytest.approx(0.5)
    assert [found[NORM].share(choice) for choice in ("batch", "none")] == [0.0, 1.0]
    assert found["generator.filters"].share(32) == 1.0


def test_a_study_of_several_objectives_has_its_front_as_well(make: Make, tmp_path: Path) -> None:
    further = {"further_objectives": [{"metric": "parameters"}, {"metric": "valid/colorfulness_ratio", "target": 1.0}]}
    values = [{"parameters": 1000.0 * (1 + n % 4), "valid/colorfulness_ratio": n / 24} for n in range(24)]
    records = [one.model_copy(update={"further": found}) for one, found in zip(MANY, values, strict=True)]
    assert sorted(drawn(make(records, **further), tmp_path / "plots")) == sorted([*ALL, "front"])


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    odd = '<script>alert("$x_1$ & more")</script>'
    figure = Figure()
    with matplotlib.rc_context(STYLE):
        figure.add_subplot().set_xlabel(odd)
        figure.savefig(tmp_path / "odd.svg")
    page = for_page((tmp_path / "odd.svg").read_text(), odd)
    root = ElementTree.fromstring(page)  # noqa: S314
    assert root.get("aria-label") == odd
    assert [element.text for element in root.iter() if element.text and "alert" in element.text] == [odd]
    assert "<script" not in page
