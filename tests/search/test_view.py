"""What a person reads in a terminal and in a log."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from colorgan.plain_console import PlainConsole
from colorgan.record import EpochRecord, State, TrialRecord
from search.comparison import DEFAULT
from search.outcome import summary_lines, summary_table, why_no_best
from search.promoted import Promoted
from search.snapshot import Snapshot
from search.study import StudySpec
from search.view import SteadyView, TerminalView, View

RATE = "optimizer.generator_learning_rate"
SPEC = StudySpec.model_validate({"name": "sky", "space": {RATE: {"type": "float", "low": 1e-4, "high": 1e-2}}})


def trial(number: int, state: State, value: float, rate: float) -> TrialRecord:
    epoch = EpochRecord(
        epoch=1,
        step=1,
        objective=value,
        metrics={"valid/delta_e": value, "train/l1": 0.5},
        train_seconds=1.0,
        valid_seconds=1.0,
    )
    fields = {"number": number, "state": state, "objective": value, "params": {RATE: rate}, "seed": 0, "worker": 3}
    return TrialRecord.model_validate({**fields, "epochs": (epoch,), "started": 1.0})


TRIALS = (trial(0, "complete", 14.25, 2e-4), trial(1, "complete", 12.5, 3e-3), trial(2, "running", 13.0, 5e-4))
BASELINES = {"gray": {"valid/delta_e": 15.5}, "tint": {"valid/delta_e": 16.5}}
SNAPSHOT = Snapshot(
    records=TRIALS,
    running=(2,),
    trials=10,
    workers=1,
    baselines=BASELINES,
    seconds=3600.0,
    worker_seconds=3600.0,
    busy_share=0.9,
    finished_here=2,
)


def console(*, terminal: bool) -> tuple[PlainConsole, io.StringIO]:
    output = io.StringIO()
    return PlainConsole(file=output, force_terminal=terminal, width=120), output


def printed(thing: object) -> str:
    plain, output = console(terminal=False)
    plain.print(thing)
    return output.getvalue()


def shown(spec: StudySpec, snapshot: Snapshot, folder: Path, *, width: int = 120) -> str:
    """Returns the live view as it is last drawn."""
    output = io.StringIO()
    live = TerminalView(PlainConsole(file=output, force_terminal=True, width=width))
    live.start(spec, folder, "8 train")
    output.truncate(0)
    live.show(snapshot)
    live.end()
    return output.getvalue()


def test_a_log_gets_plain_lines(tmp_path: Path) -> None:
    plain, output = console(terminal=False)
    view = TerminalView(plain)
    view.packing(1, 8)
    view.start(SPEC, tmp_path / "[/odd] folder", "8 train")
    view.say("trial 0 failed ([/b] is no number)")
    view.show(SNAPSHOT)
    view.show(SNAPSHOT)
    view.end()
    text = output.getvalue()
    assert "\x1b" not in text
    assert f"results in {tmp_path / '[/odd] folder'}\n" in text
    assert "trial 0 failed ([/b] is no number)\n" in text
    progress = "2/10 trials, best 12.5 (trial 1), gray 15.5, tint 16.5, training 90% of worker time, about 16 s left"
    assert text.count(progress) == 1


def test_workers_that_start_are_said_to_until_one_has_a_trial(tmp_path: Path) -> None:
    nothing = replace(SNAPSHOT, records=(), running=(), baselines={}, workers=2, busy_share=0.0, finished_here=0)
    text = shown(SPEC, nothing, tmp_path)
    assert "0/10 trials, starting 2 workers" in text
    assert not any(word in text for word in ("training", "epoch", "parameters"))  # no table of nothing
    assert "starting 1 worker\n" in shown(SPEC, replace(nothing, workers=1), tmp_path).replace("\r", "")
    running = shown(SPEC, replace(nothing, records=TRIALS[2:], running=(2,)), tmp_path)
    assert "starting" not in running
    assert "0/10 trials, training 0% of worker time" in running
    finished = shown(SPEC, replace(nothing, records=TRIALS[:2], trials=2), tmp_path)
    assert "2/2 trials" in finished
    assert "starting" not in finished


def test_a_study_that_may_need_fewer_trials_says_so(tmp_path: Path) -> None:
    plain, output = console(terminal=False)
    view = TerminalView(plain)
    view.start(SPEC, tmp_path, "8 train")
    view.show(replace(SNAPSHOT, at_most=True))
    view.end()
    assert "2 of at most 10 trials, best" in output.getvalue()
    assert "at most 16 s left" in output.getvalue()


@pytest.mark.parametrize(
    ("limit", "finished", "said"),
    [
        (None, 2, "about 16 s left"),
        (3700, 2, "about 16 s left"),
        (3610, 2, "about 16 s left, stops in 10 s"),
        (3610, 0, "worker time, stops in 10 s"),
        (3600, 2, "stops in 0 s"),
    ],
)
def test_a_time_limit_that_comes_before_the_last_trial_is_said(
    tmp_path: Path, limit: float | None, finished: int, said: str
) -> None:
    limited = StudySpec.model_validate({**SPEC.model_dump(), "search": {"study_timeout_seconds": limit}})
    plain, output = console(terminal=False)
    view = TerminalView(plain)
    view.start(limited, tmp_path, "8 train")
    view.show(replace(SNAPSHOT, finished_here=finished))
    assert output.getvalue().endswith(f"{said}\n")


def test_a_study_that_has_all_its_trials_is_not_said_to_stop_at_its_limit(tmp_path: Path) -> None:
    limited = StudySpec.model_validate({**SPEC.model_dump(), "search": {"study_timeout_seconds": 3600}})
    done = replace(SNAPSHOT, records=TRIALS[:2], running=(), trials=2, finished_here=0)
    assert "stops in" not in shown(limited, done, tmp_path)


def test_a_terminal_gets_a_table_of_the_running_trials(tmp_path: Path) -> None:
    live, output = console(terminal=True)
    view = TerminalView(live)
    view.start(SPEC, tmp_path, "8 train")
    view.show(replace(SNAPSHOT, finished_here=0))
    view.end()
    text = output.getvalue()
    assert "1/200" in text
    assert "generator_learning_rate 0.0005" in text
    assert "left" not in text


def test_the_running_trials_parameters_have_names_that_tell_them_apart(tmp_path: Path) -> None:
    paths = ("generator.filters", "discriminator.filters")
    integer, rate = {"type": "int", "low": 4, "high": 8}, {"type": "categorical", "choices": [1.0, 0.1]}
    space = {**dict.fromkeys(paths, integer), RATE: {**rate, "factor_of": "optimizer.discriminator_learning_rate"}}
    spec = StudySpec.model_validate({"name": "sky", "space": space})
    record = TRIALS[2].model_copy(update={"params": {**dict.fromkeys(paths, 4), RATE: 0.1}})
    text = shown(spec, replace(SNAPSHOT, records=(record,)), tmp_path, width=200)
    assert "generator.filters 4, discriminator.filters 4, generator_learning_rate (factor) 0.1" in text


@pytest.mark.parametrize("width", [72, 80, 90])
def test_a_narrow_terminal_breaks_no_parameters_number(tmp_path: Path, width: int) -> None:
    assert "0.0001234" in shown(
        SPEC, replace(SNAPSHOT, records=(trial(2, "running", 13.0, 1.234e-4),)), tmp_path, width=width
    )


def test_how_the_study_stands_comes_before_what_a_low_terminal_cuts_off(tmp_path: Path) -> None:
    text = shown(SPEC, SNAPSHOT, tmp_path)
    assert text.index("2/10 trials") < text.index("seconds")


def test_paused_trials_are_counted(tmp_path: Path) -> None:
    paused = (*TRIALS, trial(3, "paused", 15.0, 1e-3))
    assert "2/10 trials, 1 paused, best 12.5" in shown(SPEC, replace(SNAPSHOT, records=paused), tmp_path)


def test_infeasible_is_a_trial_whose_configuration_is_on_average(tmp_path: Path) -> None:
    beyond = {TRIALS[0].number: 0.1, TRIALS[1].number: -0.3}
    records = [
        record.model_copy(update={"state": "complete", "violations": {"parameters": beyond[record.number]}})
        for record in TRIALS[:2]
    ]
    assert "1 infeasible" in shown(SPEC, replace(SNAPSHOT, records=tuple(records)), tmp_path)
    seeds = tuple(record.model_copy(update={"group": "trial-0000"}) for record in records)
    assert "infeasible" not in shown(SPEC, replace(SNAPSHOT, records=seeds), tmp_path)


@pytest.mark.parametrize("started", [True, False])
def test_the_cursor_comes_back_however_it_ends(tmp_path: Path, started: bool) -> None:
    live, output = console(terminal=True)
    view = TerminalView(live)
    view.packing(1, 8)
    view.packing(2, 8)
    if started:
        view.start(SPEC, tmp_path, "8 train")
    view.end()
    view.end()
    assert output.getvalue().rindex("\x1b[?25h") > output.getvalue().rindex("\x1b[?25l")


def test_the_summary_sets_the_best_beside_the_default_and_both_baselines() -> None:
    lines = [[cell.strip() for cell in line.split("│")] for line in printed(table()).splitlines()]
    cells = {line[1]: line[2:-1] for line in lines if len(line) > 2}
    assert cells["objective"] == cells["valid/delta_e"] == ["12.5", "14.25", "15.5", "16.5"]
    assert cells[RATE] == ["0.003", "0.0002", "-", "-"]
    assert "train/l1" not in cells
    for name in ("best: trial 1", "default: trial 0", "gray", "tint"):
        assert name in printed(table())


def table() -> object:
    return summary_table(SPEC, TRIALS, BASELINES)


def test_a_default_that_was_stopped_is_said_to_be_and_has_the_parameters_that_the_best_has_not() -> None:
    norm, dropout = "generator.normalization", "generator.dropout"
    space = {
        norm: {"type": "categorical", "choices": ["batch", "none"]},
        dropout: {"type": "float", "low": 0.0, "high": 0.5, "when": {norm: "batch"}},
    }
    spec = StudySpec.model_validate({"name": "sky", "space": space})
    params = ({norm: "batch", dropout: 0.25}, {norm: "none"})
    stopped, best = (record.model_copy(update={"params": p}) for record, p in zip(TRIALS[:2], params, strict=True))
    table = summary_table(spec, (stopped.model_copy(update={"state": "pruned"}), best), {})
    assert [column.name for column in table.columns] == ["best: trial 1", "default: trial 0, pruned"]
    assert table.names[-2:] == [norm, dropout]
    assert [column.cells[-2:] for column in table.columns] == [["none", "-"], ["batch", "0.25"]]


def test_a_best_default_stands_once_and_a_study_without_trials_has_an_empty_table() -> None:
    assert "default" not in printed(summary_table(SPEC, TRIALS[:1], {}))
    assert "objective" in printed(summary_table(SPEC, (), {}))


def test_the_last_lines_say_how_it_went_where_all_is_and_what_to_type() -> None:
    summary = {
        "trials": {"wanted": 10},
        "worker_seconds": 120.0,
        "wall_seconds": 61.0,
        "workers": 2,
        "busy_share": 0.875,
    }
    text = "\n".join(summary_lines(SPEC, Path("results/sky"), TRIALS, summary))
    assert "2 complete, 1 running of 10 wanted" in text
    assert "1 min 1 s on 2 workers, 87.5% of their time" in text
    assert "make train CONFIG=results/sky/trials/0001/config.yaml" in text
    assert "make tensorboard STUDY=results/sky" in text
    assert summary_lines(SPEC, Path("results/sky"), (), {})[0] == "no trials yet of 50 wanted"


def test_trials_are_counted_and_the_best_is_named_without_a_summary() -> None:
    lines = summary_lines(SPEC, Path("results/sky"), TRIALS, {})
    assert lines[0] == "2 complete, 1 running of 50 wanted"
    assert "train the best on: make train CONFIG=results/sky/trials/0001/config.yaml" in lines
    assert "confirm and promote the best: make promote STUDY=results/sky" in lines


def test_where_no_configuration_holds_its_constraints_the_mean_of_its_seeds_is_said_to_count() -> None:
    tree = {**SPEC.model_dump(), "constraints": {"parameters": {"max": 9}}, "search": {"seeds_per_trial": 2}}
    records = [TRIALS[0].model_copy(update={"violations": {"parameters": 0.3}})]
    said = why_no_best(StudySpec.model_validate(tree), records, Path("trials.csv"))
    assert said.startswith("no configuration, on the mean of its seeds, holds the study's constraints (parameters at")


def test_what_was_promoted_is_what_to_train_and_is_confirmed_anew_only_on_demand(tmp_path: Path) -> None:
    config = tmp_path / "promoted" / "config.yaml"
    config.parent.mkdir()
    config.touch()
    lines = summary_lines(SPEC, tmp_path, TRIALS, {})
    assert f"train what was promoted on: make train CONFIG={config}" in lines
    assert f"confirm and promote anew: make promote STUDY={tmp_path} AGAIN=1" in lines
    assert not any("trials/0001" in line for line in lines)


@pytest.mark.parametrize(
    ("at_most", "words"), [(False, ": 50 trials, results"), (True, ": at most 50 trials, results")]
)
def test_the_first_line_says_how_many_trials_there_will_be(tmp_path: Path, at_most: bool, words: str) -> None:
    plain, output = console(terminal=False)
    SteadyView(TerminalView(plain)).start(SPEC, tmp_path, "", at_most=at_most)
    assert words in output.getvalue()


def test_the_first_line_promises_no_more_trials_than_there_are_configurations(tmp_path: Path) -> None:
    few = {"generator.normalization": {"type": "categorical", "choices": ["batch", "none"]}}
    spec = StudySpec.model_validate({"name": "sky", "space": few})
    plain, output = console(terminal=False)
    SteadyView(TerminalView(plain)).start(spec, tmp_path, "")
    assert "study sky: 2 trials (there are no more configurations; 50 are wanted), results in" in output.getvalue()
    plain, output = console(terminal=False)
    SteadyView(TerminalView(plain)).start(spec, tmp_path, "", at_most=True)
    assert "study sky: at most 50 trials, results in" in output.getvalue()


def test_a_quiet_view_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    view = View()
    view.packing(1, 2)
    view.start(SPEC, tmp_path, "")
    view.say("something")
    view.show(SNAPSHOT)
    view.end()
    assert capsys.readouterr() == ("", "")


def test_commands_can_be_pasted_whatever_the_folder_is_called() -> None:
    folder, output = Path("my results/sky"), io.StringIO()
    lines = summary_lines(SPEC, folder, TRIALS, {})
    view = TerminalView(PlainConsole(file=output, width=300))
    view.start(SPEC, folder, "84 train")
    promoted = Promoted(folder / "promoted", {"candidates": [], "promoted": DEFAULT}, None).lines()
    said = "\n".join([*lines, *promoted, output.getvalue()])
    for command in (
        "make train CONFIG='my results/sky/trials/0001/config.yaml'",
        "make tensorboard STUDY='my results/sky'; as a report: make compare STUDY='my results/sky'",
        "make promote STUDY='my results/sky'",
        "watch: make tensorboard STUDY='my results/sky' ",
        "make tensorboard STUDY='my results/sky/confirm'",
        "make train CONFIG='my results/sky/promoted/config.yaml' EPOCHS=100",
    ):
        assert command in said
