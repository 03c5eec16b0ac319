"""The report: self-contained, escaped, and read in a real browser at the widths of a phone and of a desk."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorgan.config import TrainConfig
from colorgan.record import EpochRecord, TrialRecord, write_record
from colorgan.sheets import write_sheet
from search.compare import compare
from search.plots import write_plots
from search.report import MAX_SHEET_BYTES, write_comparison, write_report
from search.storage import StudyFolder
from search.study import StudySpec
from search.verdict import judge

RATE, NORM = "optimizer.generator_learning_rate", "generator.normalization"
SPACE: dict[str, Any] = {
    RATE: {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    NORM: {"type": "categorical", "choices": ["batch", "none"]},
    "losses.l1_weight": {"type": "float", "low": 1.0, "high": 300.0, "log": True},
}
ATTACK = '</p><script>document.title = "hacked"</script><img src="http://127.0.0.1:9/x.png">'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (390, 1200)
PROBE = """<!doctype html><title>probe</title>{frames}<pre id=out></pre><script>
onload = () => setTimeout(() => {{
  const seen = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument, asked = frame.contentWindow.performance.getEntriesByType("resource");
    return {{
      width: frame.clientWidth, scroll: page.documentElement.scrollWidth, title: page.title,
      h1: page.querySelector("h1").getBoundingClientRect().height,
      plots: [...page.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect().width),
      pictures: [...page.images].map((image) => image.naturalWidth),
      asked: asked.map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
    }};
  }});
  document.getElementById("out").textContent = JSON.stringify(seen);
}}, 200);
</script>"""
Make = Callable[..., Path]


def trial(number: int, *values: float, state: str = "complete", **others: Any) -> TrialRecord:
    epochs = [
        EpochRecord(
            epoch=n, step=n, objective=value, metrics={"valid/delta_e": value}, train_seconds=2.0, valid_seconds=0.5
        )
        for n, value in enumerate(values, 1)
    ]
    params = {
        RATE: 10 ** (-4 + number % 7 / 4),
        NORM: ["batch", "none"][number % 2],
        "losses.l1_weight": 1.0 + number % 90,
    }
    fields = {"number": number, "state": state, "seed": number, "objective": values[-1] if values else None}
    timed = {"worker": number % 2, "started": 1e9 + 10.0 * number, "seconds": 9.0, "parameters": 5000}
    return TrialRecord.model_validate({"params": params, **timed, **fields, "epochs": tuple(epochs), **others})


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_study(records: Sequence[TrialRecord], name: str = "sky", *, sheets: bool = False) -> Path:
        folder = StudyFolder(tmp_path / "odd #1 results" / name)
        folder.path.mkdir(parents=True)
        folder.study.write_text(StudySpec.model_validate({"name": name, "space": SPACE}).to_yaml())
        baselines = {"gray": {"valid/delta_e": 21.0}, "tint": {"valid/delta_e": 22.0}}
        folder.summary.write_text(json.dumps({"baselines": baselines}))
        for record in records:
            files = folder.trial(record.number)
            files.path.mkdir(parents=True)
            files.config.write_text(TrainConfig().to_yaml())
            write_record(files.record, record)
            if sheets:
                write_sheet(files.examples, np.full((2, 32, 96, 3), 10 * record.number, np.uint8))
        return folder.path

    return make_study


def report(folder: Path) -> str:
    return write_report(judge(folder), []).read_text()


class Page(HTMLParser):
    """All tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_verdict_comes_first_and_nothing_comes_from_elsewhere(make: Make) -> None:
    folder = make([trial(n, 21.0, 19.0 - n % 5 / 2) for n in range(12)], sheets=True)
    [written] = compare([folder]).pages
    text = written.read_text()
    page = Page(text)
    assert text.index("Trial 4 is best: valid/delta_e 17") < text.index("Best configuration") < text.index("<svg")
    assert not page.all("script")
    assert not page.all("link")
    assert all(str(image["src"]).startswith("data:image/png;base64,") and image["alt"] for image in page.all("img"))
    links = [str(link["href"]) for link in page.all("a")]
    assert links
    assert all((folder / link).exists() for link in links if "log.txt" not in link)
    assert not re.search(r"(?:url\(|@import|src=.)\s*['\"]?https?:", text)
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in page.all("svg"))
    assert "default-src 'none'" in text
    assert f"make train CONFIG='{folder}/trials/0004/config.yaml'" in page.text  # a folder with a space


def test_the_sheets_are_of_the_best_the_median_the_worst_and_the_default_each_once(make: Make) -> None:
    folder = make([trial(0, 20.0), trial(1, 17.0), trial(2, 18.0), trial(3, 19.0)], sheets=True)
    page = Page(report(folder))
    alts = [str(image["alt"]) for image in page.all("img")]
    assert ["trial 1" in alts[0], "trial 2" in alts[1], "trial 0" in alts[2]] == [True] * 3
    assert len(alts) == 3
    assert "Worst, default" in page.text


def test_the_sheets_are_of_configurations_and_not_of_their_luckiest_seeds(make: Make) -> None:
    values = [(0, 20.0, ""), (1, 17.0, ""), (2, 18.0, ""), (3, 30.0, "trial-0001"), (4, 19.0, "trial-0002")]
    folder = make([trial(n, value, group=group) for n, value, group in values], sheets=True)
    page = Page(report(folder))
    order = [found for found in ("Best", "Median, default", "Worst") if found in page.text]
    assert order == ["Best", "Median, default", "Worst"]
    alts = [str(image["alt"]) for image in page.all("img")]
    assert ["trial 2" in alts[0], "trial 0" in alts[1], "trial 1" in alts[2]] == [True] * 3
    assert len(alts) == 3


def test_missing_and_damaged_sheets_are_said(make: Make) -> None:
    folder = make([trial(0, 20.0), trial(1, 17.0), trial(2, 18.0)])
    (folder / "trials" / "0000" / "examples.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    page = Page(report(folder))
    assert not page.all("img")
    assert page.text.count("has left no example sheet") == 2
    assert page.text.count("cannot be read") == 1


def test_a_huge_sheet_is_made_smaller(make: Make) -> None:
    folder = make([trial(0, 20.0)])
    noise = np.random.default_rng(0).integers(0, 255, (1200, 600, 3), np.uint8)
    Image.fromarray(noise).save(folder / "trials" / "0000" / "examples.png")
    assert (folder / "trials" / "0000" / "examples.png").stat().st_size > MAX_SHEET_BYTES
    [image] = Page(report(folder)).all("img")
    assert str(image["src"]).startswith("data:image/jpeg;base64,")


def test_texts_of_a_study_are_texts(make: Make) -> None:
    records = [trial(0, 20.0), trial(1, state="failed", reason=ATTACK), trial(2, state="failed", reason=ATTACK)]
    folder = make([*records, trial(3, 1.0, params={ATTACK: 1})])
    text = report(folder)
    page = Page(text)
    assert not page.all("script")
    assert not [image for image in page.all("img") if "127.0.0.1" in str(image["src"])]
    assert ATTACK in page.text
    assert 'href="trials/0001/log.txt"' in text
    assert 'href="trials/0002/log.txt"' in text


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "No trial has come so far."),
        ([trial(0, state="running", started=None)], "1 of the trials is not finished"),
        ([trial(n, state="failed", reason="out of memory") for n in range(20)], "and 8 more"),
    ],
)
def test_a_study_without_a_complete_trial_has_a_report(make: Make, records: list[TrialRecord], words: str) -> None:
    text = report(make(records))
    assert words in Page(text).text
    assert "Best configuration" not in text


def browse(pages: Sequence[Path], probe: Path) -> list[dict[str, Any]]:
    """Opens pages from disk in frames of each width and returns what is seen of each."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    frames = "".join(
        f'<iframe src="{html.escape(page.as_uri())}" style="width:{width}px;height:800px;border:0"></iframe>'
        for page in pages
        for width in WIDTHS
    )
    probe.write_text(PROBE.format(frames=frames))
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --allow-file-access-from-files "
        "--virtual-time-budget=10000 --dump-dom"
    )
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={probe.parent / 'chromium'}", probe.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="out">(.*?)</pre>', dom, re.DOTALL)
    assert found
    assert found[1], dom[-2000:]
    seen: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return seen


def test_a_browser_shows_reports_at_any_width_and_asks_for_nothing(make: Make, tmp_path: Path) -> None:
    many = [trial(n, 22.0, 19.0 - n % 5 / 2) for n in range(14)]
    many[5] = trial(5, state="failed", reason="a_reason_without_any_space_in_it/" * 12 + ATTACK)
    folders = [make(many, sheets=True), make([], "none")]
    pages = [folder / "report.html" for folder in folders]
    verdicts = [judge(folder) for folder in folders]
    for verdict, folder in zip(verdicts, folders, strict=True):
        write_report(verdict, write_plots(verdict, folder / "plots"))
    pages.append(write_comparison(verdicts, folders[0].parent / "compare.html", warnings=["odd"]))
    seen = browse(pages, tmp_path / "probe.html")
    assert len(seen) == len(pages) * len(WIDTHS)
    for one in seen:
        assert one["scroll"] <= one["width"]
        assert one["asked"] == []
        assert one["h1"] > 20
        assert "hacked" not in one["title"]
        assert all(width > 100 for width in one["plots"])
        assert all(width > 0 for width in one["pictures"])
    assert len(seen[0]["plots"]) == 8
    assert len(seen[0]["pictures"]) == 4


def test_a_thousand_trials_make_a_report_of_a_few_megabytes(make: Make) -> None:
    rng = np.random.default_rng(0)
    records = [trial(n, *(20 + rng.standard_normal(3)), state=("complete", "pruned")[n % 3 == 2]) for n in range(1000)]
    comparison = compare([make(records)])
    [page] = comparison.pages
    assert page.stat().st_size < 4_000_000
    assert "974 more" in Page(page.read_text()).text  # besides 25 and the default
