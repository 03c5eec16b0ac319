"""Whom our servers answer, by the name that a request calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from search.loopback import for_this_machine

SECRET = b"secret"


def asked(environ: dict[str, Any]) -> tuple[str, bytes]:
    """The status and the body of the answer to a request."""
    said: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        said.append(status)

    def secret(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [SECRET]

    body = b"".join(for_this_machine(secret)(environ, start_response))
    return said[0], body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:6006", "127.0.0.1.evil.example", "[::2]:80", "", "@localhost", "localhost."]
)
def test_pages_of_other_names_are_not_answered(host: str) -> None:
    status, body = asked({"HTTP_HOST": host})
    assert status == "403 Forbidden"
    assert SECRET not in body
    assert b"127.0.0.1" in body


@pytest.mark.parametrize(
    "environ",
    [{"HTTP_HOST": host} for host in ("127.0.0.1:6006", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]")]
    + [{}],
)
def test_this_machine_is_answered_by_its_own_names(environ: dict[str, Any]) -> None:
    assert asked(environ) == ("200 OK", SECRET)
