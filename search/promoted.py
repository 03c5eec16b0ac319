"""What a confirmation leaves: `promoted/` with the configuration, the numbers behind it, and a card for people."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from statistics import fmean
from typing import Any

import pandas as pd

from colorgan.config import TrainConfig
from colorgan.new_folder import new_folder
from colorgan.photos import open_photos
from colorgan.place import check_place
from colorgan.processor import processor_name
from colorgan.record import write_whole
from search.candidates import Candidate, PromoteError
from search.card import card, verdict
from search.comparison import DEFAULT, LEVEL, compare
from search.promote import Promotion
from search.space import Space
from search.storage import StudyFolder
from search.table import write_table

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Promoted:
    """What was written.

    Attributes:
        folder: `promoted/`.
        facts: What its `confirmation.json` holds.
        copy: Where a copy of the configuration was put, if anywhere.
    """

    folder: Path
    facts: dict[str, Any]
    copy: Path | None

    def lines(self) -> list[str]:
        """Returns what a person wants to know: the verdict, where all is, what to type next."""
        config = self.copy or self.folder / "config.yaml"
        return [
            f"promoted: {verdict(self.facts)}",
            f"card: {self.folder / 'card.md'}; numbers: {self.folder / 'confirmation.csv'}",
            f"seeds side by side: make tensorboard STUDY={quote(str(self.folder.with_name('confirm')))}",
            f"train it: make train CONFIG={quote(str(config))} EPOCHS=100",
        ]


def refuse_if_promoted(folder: Path, to: Path | None = None, *, again: bool = False) -> None:
    """Checks, before anything is trained, that nothing would be overwritten.

    Args:
        folder: The study's results.
        to: Where a copy of the configuration is wanted.
        again: Whether what was promoted before will be moved aside.

    Raises:
        PromoteError: Something would be.
    """
    if (promoted := StudyFolder(folder).promoted).exists() and not again:
        message = "is there already; --again keeps it under another name and confirms anew"
        raise PromoteError(f"{promoted}: {message}")
    if to is not None:
        if os.path.lexists(to):
            raise PromoteError(f"{to}: exists; give --to a new file")
        check_place(to, "--to")  # as a folder would be: here, and before hours of training


def write_promoted(promotion: Promotion, to: Path | None = None) -> Promoted:
    """Writes `promoted/` into the study's folder, whole or not at all.

    Args:
        promotion: A finished confirmation.
        to: A new file for a copy of the configuration, its folder made if missing.

    Raises:
        PromoteError: There is one already.
    """
    folder = StudyFolder(promotion.study.folder).promoted
    refuse_if_promoted(promotion.study.folder, to)
    facts, pictures = _facts(promotion), _pictured(promotion)
    with new_folder(folder) as draft:
        write_whole(draft / "config.yaml", f"{_header(promotion, facts)}{promoted_config(promotion).to_yaml()}")
        write_whole(draft / "confirmation.json", json.dumps(facts, indent=1) + "\n")
        write_table(_table(promotion), draft / "confirmation.csv")
        for name in pictures:
            shutil.copyfile(_picture(promotion, name), draft / f"{name}.png")
        write_whole(draft / "card.md", "\n".join(card(promotion, facts, pictures)) + "\n")
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "config.yaml", to)
    return Promoted(folder, facts, to)


def promoted_config(promotion: Promotion) -> TrainConfig:
    """Returns the promoted configuration, ready for full training: measured on the study's own validation photos."""
    spec = promotion.study.spec
    return Space(spec.space, spec.train).to_config(dict(promotion.promoted.params), seed=spec.train.seed)


def _facts(promotion: Promotion) -> dict[str, Any]:
    """Returns all numbers of the confirmation, as `confirmation.json` holds them."""
    study, confirmed = promotion.study, promotion.confirmed
    return {
        "study": study.spec.name,
        "metric": study.spec.objective.metric,
        "direction": promotion.direction,
        "level": LEVEL,
        "promoted": promotion.promoted.name,
        "seeds": list(promotion.plan.seeds[: max(map(len, promotion.scores.values()))]),
        "candidates": [_candidate_facts(promotion, candidate) for candidate in promotion.plan.candidates],
        "baselines": confirmed.summary.get("baselines", {}),
        "trials_searched": len(study.records),
        "photos": open_photos(study.spec.train.data).fingerprint,
        "commit": _commit(),
        "hardware": {**confirmed.summary.get("machine", {}), "processor": processor_name()},
        "seconds": {key: confirmed.summary.get(f"{key}_seconds") for key in ("wall", "worker")},
        "versions": confirmed.summary.get("versions", {}),
    }


def _candidate_facts(promotion: Promotion, candidate: Candidate) -> dict[str, Any]:
    values = promotion.scores.get(candidate.name, {})
    others = promotion.fit if candidate.name != DEFAULT else {}
    versus = compare(others, candidate.name, DEFAULT, promotion.direction, level=promotion.level)
    gained = _searched_gain(promotion, candidate)
    return {
        "name": candidate.name,
        "trial": candidate.trial,
        "params": candidate.params,
        "searched": candidate.searched,
        "values": [values[seed] for seed in promotion.plan.seeds if seed in values],
        "mean": fmean(values.values()) if values else None,
        "difference": versus.difference if versus else None,
        "interval": [versus.low, versus.high] if versus else None,
        "optimism": gained - versus.difference if versus and gained is not None else None,
        "fit": candidate.name in promotion.fit,
        "parameters": next((r.parameters for r in promotion.confirmed.records if r.group == candidate.name), None),
        "dropped": len(values) < max(map(len, promotion.scores.values())),
    }


def _searched_gain(promotion: Promotion, candidate: Candidate) -> float | None:
    """Returns how much better than the default it looked in the search."""
    default = promotion.plan.candidates[0]
    if candidate.searched is None or default.searched is None:
        return None
    gain = candidate.searched - default.searched
    return gain if promotion.direction == "maximize" else -gain


def _table(promotion: Promotion) -> pd.DataFrame:
    """Returns one row a candidate and seed."""
    names = {candidate.name: candidate for candidate in promotion.plan.candidates}
    rows = [
        {
            "candidate": record.group,
            "study_trial": names[record.group].trial,
            "seed": record.seed,
            "state": record.state,
            "objective": record.objective,
            **{f"params/{path}": value for path, value in record.params.items()},
            **{key: value for key, value in record.metrics.items() if key.startswith("valid/")},
            "confirm_trial": record.number,
            "seconds": record.seconds,
        }
        for record in promotion.confirmed.records
    ]
    return pd.DataFrame(rows).sort_values(["candidate", "seed"])


def _header(promotion: Promotion, facts: dict[str, Any]) -> str:
    promoted = promotion.promoted
    what = "the default configuration" if promoted.name == DEFAULT else f"trial {promoted.trial}"
    lines = [
        f"Promoted from study {facts['study']}: {what}. How sure that is: card.md beside this file.",
        f"Trained by: commit {facts['commit'] or 'unknown'}; "
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        f"Photos: {promotion.study.spec.train.data.photos}, fingerprint {facts['photos']}",
        "Use: make train CONFIG=<this file> EPOCHS=<more than the study's>",
    ]
    return "".join(f"# {line}\n" for line in lines)


def _pictured(promotion: Promotion) -> list[str]:
    """Returns the candidates whose examples the card shows: the promoted one and the default."""
    names = dict.fromkeys([promotion.promoted.name, DEFAULT])
    return [name for name in names if _picture(promotion, name).is_file()]


def _picture(promotion: Promotion, group: str) -> Path:
    """Returns the examples of a candidate's first seed."""
    numbers = (record.number for record in promotion.confirmed.records if record.group == group)
    return StudyFolder(promotion.confirmed.folder).trial(next(numbers, 0)).examples


def _commit() -> str:
    """Returns the commit of this program's checkout, with `-dirty` where it was changed; empty without one."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=ROOT, capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
