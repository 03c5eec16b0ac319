"""Links in a study's folder: inside it they may lead anywhere, out of it nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorgan.links import LinkError, links_out, refuse_links_out


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "sky"
    (folder / "trials" / "0000").mkdir(parents=True)
    (folder / "trials" / "0000" / "log.txt").write_text("x")
    return folder


def test_links_within_a_study_are_fine(study: Path) -> None:
    (study / "inner").symlink_to(study / "trials")
    (study / "loop").symlink_to(study / "loop")
    (study / "trials" / "up").symlink_to("../trials/0000/log.txt")
    assert links_out(study) == []
    refuse_links_out(study)


def test_links_out_of_a_study_are_refused_whatever_they_are_and_whether_anything_is_there(study: Path) -> None:
    victim = study.parents[1] / "victim"
    victim.write_text("precious")
    made = {
        study / "trials" / "0001": study.parents[1],
        study / "trials" / "0000" / "checkpoint.npz": victim,
        study / "plots": Path("/nowhere/at/all"),
        study / "study.db": Path("../../victim"),
        study / "trials" / "a\x1b[2J": study.parent,
    }
    for path, target in made.items():
        path.symlink_to(target)
    assert links_out(study) == sorted(made)
    with pytest.raises(LinkError, match="and 2 more: a link that leads out of ") as refused:
        refuse_links_out(study)
    assert "\x1b" not in str(refused.value)


def test_results_and_a_study_may_themselves_be_links(study: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(study.parent)
    assert links_out(tmp_path / "link" / "sky") == []
    (tmp_path / "sky").symlink_to(study)
    assert links_out(tmp_path / "sky") == []


@pytest.mark.parametrize("name", ["trials/0000/log.txt", "pipe"])
def test_a_pipe_is_refused_as_who_writes_to_it_waits(study: Path, name: str) -> None:
    (study / name).parent.mkdir(parents=True, exist_ok=True)
    (study / name).unlink(missing_ok=True)
    os.mkfifo(study / name)
    with pytest.raises(LinkError, match=f"{name}: a pipe, socket or device, not a file; remove it"):
        refuse_links_out(study)
