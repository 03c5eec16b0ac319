"""Serving this machine alone: where to listen, and whom to answer.

Listening on 127.0.0.1 keeps other machines out, but not the pages of other sites in a browser on this one: a site can
let its own name mean 127.0.0.1 once its page is loaded (DNS rebinding), and its scripts then read what is served here.
Such requests name that site as their `Host`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
NAMES = frozenset({HOST, "localhost", "[::1]"})


def for_this_machine(app: WSGIApplication) -> WSGIApplication:
    """Returns an application that answers only requests to this machine by one of its own names, at any port."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", HOST)  # HTTP/1.0, which no browser speaks, has none
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() in NAMES:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(_REFUSED)))])
        return [_REFUSED]

    return answer


_REFUSED = f"This server answers requests to {' and '.join(sorted(NAMES))} only.\n".encode()
