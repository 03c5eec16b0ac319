"""Tables of numbers for terminals of any width: names are broken and columns left out, a number never is either."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

HEADER_WIDTHS = (16, 13, 10, 8)  # that headers are broken to, as long as the table is too wide
NAMES_WIDTH = 20  # of the first column, where it has more and the table is too wide
_BORDER = 3  # two blanks and a line


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: At its head.
        cells: One for each row.
        kept: Whether it is shown even where all others have been left out.
    """

    name: str
    cells: Sequence[str]
    kept: bool = False


@dataclass(frozen=True)
class NarrowTable:
    """Rows with a name each; what leaves no room in the terminal is left out, the last column first, and named below.

    Attributes:
        title: Above it.
        names: The first column.
        columns: The others.
        styles: One for each row; none for plain ones.
        sections: The rows that a line is drawn under.
    """

    title: str
    names: Sequence[str]
    columns: Sequence[Column]
    styles: Sequence[str] = ()
    sections: frozenset[int] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yields the table as wide as there is room, and what was left out of it."""
        columns, header, names = self._fitting(options.max_width)
        table = Table(title=Text(self.title), title_justify="left")
        table.add_column("", width=names, overflow="fold")
        for column in columns:
            table.add_column(Text("\n".join(_head(column, header))), justify="right", no_wrap=True)
        for row, name in enumerate(self.names):
            style = self.styles[row] if self.styles else ""
            cells = (Text(column.cells[row]) for column in columns)
            table.add_row(Text(name), *cells, style=style, end_section=row in self.sections)
        yield table
        if left_out := [column.name for column in self.columns if column not in columns]:
            yield Text(f"no room in {options.max_width} columns for {', '.join(left_out)}")

    def _fitting(self, width: int) -> tuple[list[Column], int, int]:
        """Returns the columns that there is room for, how wide their headers may be, and the width of the names."""
        columns, longest = list(self.columns), max((cell_len(name) for name in self.names), default=0)
        for header in HEADER_WIDTHS:
            room = _room(columns, header, width)
            if room >= longest:
                return columns, header, longest
        while (room := _room(columns, header, width)) < min(longest, NAMES_WIDTH):
            spare = [index for index, column in enumerate(columns) if not column.kept]
            if not spare:
                break
            del columns[spare[-1]]
        return columns, header, max(1, min(longest, room))


def _room(columns: Sequence[Column], header: int, width: int) -> int:
    """Returns how wide the names can be."""
    return width - sum(_width(column, header) + _BORDER for column in columns) - _BORDER - 1


def _width(column: Column, header: int) -> int:
    return max(cell_len(text) for text in (*column.cells, *_head(column, header)))


def _head(column: Column, header: int) -> list[str]:
    """Returns a column's name in lines, broken at its dots, slashes, underscores and blanks, or where those are few."""
    lines, width = [""], max((header, *map(cell_len, column.cells)))
    for part in re.findall(rf"[^._/ ]{{1,{width - 1}}}[._/ ]?|[._/ ]", column.name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]
