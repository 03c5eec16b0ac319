"""Hyperparameter search over `colorgan` trainings, from Python in five lines.

    import search

    spec = search.read_study("studies/quickstart.yaml")
    result = search.run_study(spec, results="results")
    print(result.trials.sort_values("objective"), result.best_config)

`load_result` reads what a study has left. Names are imported when they are first used: `import search` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.run import StudyResult, load_result, run_study
    from search.study import StudyError, StudySpec, read_study

__all__ = ["StudyError", "StudyResult", "StudySpec", "load_result", "read_study", "run_study"]
_ROOMS = dict.fromkeys(("StudyError", "StudySpec", "read_study"), "search.study")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS.get(name, "search.run")), name)


def __dir__() -> list[str]:
    return __all__
