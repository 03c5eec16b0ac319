"""Text from elsewhere (file names, error messages, records) as text and nothing else, for terminals and logs.

A terminal obeys control characters: a file name may hold some that clear the screen, write its title or hide a line.
"""

from __future__ import annotations

import re

# C0 and C1 controls but newline and tab, line and paragraph separators, what turns the direction of writing, and
# bytes of a name that were no UTF-8
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Returns the text with everything written out, as an escape code, that a terminal obeys rather than shows.

    Lines and tabs stay; see `one_line`.
    """
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Returns the text as `plain` does, in one line, so that it cannot look like several entries of a log."""
    return plain(" ".join(text.split()))


def error_line(error: BaseException) -> str:
    """Returns an error's own words in one line, its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def code_span(text: str) -> str:
    """Returns the text for Markdown: in one line, and nothing in it is a link, a tag, or the end of a table's cell."""
    return f"`{one_line(text).replace('`', chr(39)).replace('|', '/')}`"
