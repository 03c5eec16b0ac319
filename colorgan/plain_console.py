"""The console for texts from elsewhere: they are shown as they are, and neither Rich nor the terminal obeys them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from colorgan.plain_text import plain

if TYPE_CHECKING:
    from rich.progress import Progress


class PlainConsole(Console):
    """A console without markup; what a terminal would obey is written out."""

    def __init__(self, **options: Any) -> None:
        """Takes what Rich's console takes."""
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def say(self, line: str) -> None:
        """Prints a line as it is, however long; the terminal breaks it."""
        self.print(line, soft_wrap=True)

    def progress(self, *, counted: bool = True) -> Progress:
        """Returns a progress bar, with how many are done unless that is not `counted`; none outside a terminal."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        count = (MofNCompleteColumn(),) if counted else ()
        columns = (TextColumn("{task.description}"), BarColumn(), *count, TimeRemainingColumn())
        return Progress(*columns, console=self, transient=True, disable=not self.is_terminal)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields what is to be shown; all that is printed goes through here. Rich's own control codes stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)
