"""The reference of a study file (`reference.py`) as text for a terminal, and as the page docs/settings.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from colorgan.errors import BadInputError
from colorgan.mistakes import did_you_mean
from search.reference import MUST, Section, Setting, sections

PAGE_COMMAND = "python -m search settings --markdown > docs/settings.md"
_INTRODUCTION = f"""# Settings of a study

Every key of a study file, what it may be, its default and what it means. The same in a terminal, by parts of a key or a
name: `python -m search settings`, `python -m search settings dropout`, `python -m search settings asha`.

What stands below `train` may be searched where nothing else is said: `space` names it by its path there, e.g.
`generator.filters`. Sources: pix2pix is Isola et al. 2017, arXiv 1611.07004; DCGAN Radford et al. 2016, arXiv
1511.06434; U-Net Ronneberger et al. 2015, arXiv 1505.04597; Improved GAN Salimans et al. 2016, arXiv 1606.03498; thesis
is that which this program grew out of.

This page is written by `{PAGE_COMMAND}`.
"""


def page() -> str:
    """Returns the page, in Markdown."""
    return "\n".join([_INTRODUCTION, *(line for section in sections() for line in _section(section))])


def index() -> str:
    """Returns the names of all keys, by section, for a terminal."""
    keys = ((section.title, ", ".join(setting.key for setting in section.settings)) for section in sections())
    blocks = (f"{title}\n{_indented(names or 'no arguments')}" for title, names in keys)
    return "\n".join(
        [*blocks, "", "python -m search settings WORD explains all that have WORD in their path or section."]
    )


def explanation(words: Sequence[str]) -> str:
    """Returns what all keys mean that have each of some words in their path or their section's title.

    Raises:
        BadInputError: There are none.
    """
    known, blocks = sections(), []
    for section in known:
        hits = [setting for setting in section.settings if _has(f"{section.title} {setting.path}", words)]
        whole = _has(section.title, words)
        if hits or whole:
            blocks.append("\n".join([section.title, _indented(section.meaning), *map(_entry, hits)]))
    if not blocks:
        raise BadInputError(f"{_unfound(words, known)}; python -m search settings lists all")
    return "\n\n".join(blocks)


def _unfound(words: Sequence[str], known: Sequence[Section]) -> str:
    """Returns which of some words is nowhere, with the nearest that is somewhere, or that all are but not together."""
    names = [name for section in known for name in (section.title, *(setting.key for setting in section.settings))]
    everything = " ".join([*names, *(setting.path for section in known for setting in section.settings)])
    for word in words:
        if not _has(everything, [word]):
            return f"{word}: no setting has this in its path{did_you_mean(word, names)}"
    return f"{' '.join(words)}: no setting has all of these in its path, though some have each"


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word.lower() in text.lower() for word in words)


def _entry(setting: Setting) -> str:
    return f"  {setting.path}: {_value(setting)}\n{_indented(setting.meaning, 6)}".rstrip()


def _value(setting: Setting) -> str:
    default = setting.default if setting.default in ("", MUST) else f"default {setting.default}"
    return "; ".join(part for part in (setting.allowed, default) if part)


def _indented(text: str, by: int = 4) -> str:
    return textwrap.fill(text, 100, initial_indent=" " * by, subsequent_indent=" " * by)


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.meaning, "")
    if not section.settings:
        return
    rows = [("key", "value", "default", "meaning"), ("---",) * 4]
    rows += [(f"`{s.key}`", s.allowed, s.default, s.meaning) for s in section.settings]
    yield from map(_row, rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
