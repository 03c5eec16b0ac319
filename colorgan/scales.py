"""One file at several scales: what the section `scales` of a study or a configuration changes of it, by name.

    scales:
      small: {train: {data: {photos: sample, size: 64}}, search: {trials: 6}}

A scale is laid over the file key by key; null takes a key away. Whole, not by key, it replaces lists and whatever names
its own kind: a parameter with its `type`, a sampler or a pruner with its `name`. What has a name of its own gets the
scale's behind it, so its results are its own.
"""

from __future__ import annotations

import copy
from typing import Any

from colorgan.mistakes import did_you_mean, shown
from colorgan.strict_yaml import YamlError, YamlFile

SECTION = "scales"
_KINDS = ("type", "name")


def at_scale(file: YamlFile, scale: str | None) -> YamlFile:
    """Returns a file at one scale, without the section.

    Args:
        file: As it was read.
        scale: The scale's name; None is the file itself.

    Raises:
        YamlError: The file has no such scale, or its section is not made of scales.
    """
    section = _section(file)
    if scale is not None and scale not in section:
        has = f"it has {', '.join(section)}" if section else f"it has none (no section `{SECTION}`)"
        raise YamlError(f"{file.where(())}: no scale {shown(scale)}{did_you_mean(scale, section)}; {has}")
    if not section:
        return file
    tree = {key: value for key, value in file.value.items() if key != SECTION}
    lines = {keys: line for keys, line in file.lines.items() if keys[:1] != (SECTION,)}
    if scale is not None:
        tree = _laid_over(tree, section[scale])
        tree |= {"name": f"{tree['name']}-{scale}"} if "name" in tree else {}
        lines |= {keys[2:]: line for keys, line in file.lines.items() if keys[:2] == (SECTION, scale) and keys[2:]}
    return YamlFile(file.path, tree, lines)


def _section(file: YamlFile) -> dict[str, dict[str, Any]]:
    section = file.value.get(SECTION, {}) if isinstance(file.value, dict) else {}
    if not isinstance(section, dict):
        raise YamlError(f"{file.where((SECTION,))}: {SECTION}: must hold scales by name; received {shown(section)}")
    for name, changes in section.items():
        if not isinstance(changes, dict) or "name" in changes:
            what = "must hold what it changes, which is not the name"
            raise YamlError(f"{file.where((SECTION, name))}: {SECTION}.{name}: {what}; received {shown(changes)}")
    return section


def _laid_over(tree: Any, changes: Any) -> Any:
    """Returns a tree with changes; neither is touched."""
    if not isinstance(tree, dict) or not isinstance(changes, dict) or any(kind in changes for kind in _KINDS):
        return copy.deepcopy(changes)
    changed = {key: _laid_over(tree.get(key), value) for key, value in changes.items() if value is not None}
    return {key: value for key, value in {**tree, **changed}.items() if changes.get(key, value) is not None}
