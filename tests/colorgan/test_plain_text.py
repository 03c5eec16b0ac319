"""Texts from elsewhere: terminals, logs and Markdown show them and do not obey them."""

import io
import re
import warnings

import pytest
from rich.table import Table
from rich.text import Text

from colorgan.plain_console import PlainConsole
from colorgan.plain_text import code_span, one_line, plain

ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize("text", [ESCAPES, "\x00", "\x85", "\x9b", "\u2028", "\udcff", "\u202e", "a\x1b"])
def test_plain_text_holds_nothing_that_a_terminal_obeys(text):
    assert not OBEYED.search(plain(f"<{text}>"))
    assert plain(plain(text)) == plain(text)
    assert "\n" not in one_line(f"{text}\nb\r\nc")
    plain(text).encode()


def test_plain_text_leaves_the_words_of_people_alone():
    for text in ("Straße 7.jpg", "Москва", "東京 夜景", "صورة", "👩\u200d🚀", "a\tb\nc", "C:\\photos", "[bold]"):
        assert plain(text) == text


@pytest.mark.parametrize("text", ["<img src=x>", "[a](http://x.example)", "`<b>`", "a\n\n# b", "``` <i>x", "a | b", ""])
def test_a_code_span_is_nothing_else_in_markdown(text):
    with warnings.catch_warnings(action="ignore"):  # TensorBoard's own copy of html5lib warns
        from tensorboard.plugin_util import markdown_to_safe_html
    shown = markdown_to_safe_html(f"- a: {code_span(text)}")
    assert set(re.findall(r"<(\w+)", shown)) <= {"ul", "li", "code"}
    assert "|" not in code_span(text)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_plain_console_obeys_neither_markup_nor_control_characters(terminal):
    buffer = io.StringIO()
    colours = "standard" if terminal else None
    console = PlainConsole(file=buffer, force_terminal=terminal, color_system=colours, width=80)
    table = Table("name", title=f"[red]{ESCAPES}")
    table.add_row(f"[/bold] :smile: {ESCAPES}")
    table.add_row(Text(f"text {ESCAPES}", "bold"))
    console.print(table)
    console.print(f"[link=file:///]line[/link] {ESCAPES}", soft_wrap=True)
    shown = re.sub("\x1b\\[[0-9;]*m", "", buffer.getvalue()) if terminal else buffer.getvalue()
    assert not OBEYED.search(shown)
    assert "[/bold] :smile: \\x1b[2J" in shown
    assert "[link=file:///]line[/link] \\x1b[2J" in shown
    assert ("\x1b[1m" in buffer.getvalue()) == terminal
