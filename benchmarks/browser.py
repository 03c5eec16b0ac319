"""Headless Chromium, asked over the pipe of its remote debugging protocol (file descriptors 3 and 4)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "google-chrome", "chromium-browser")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--window-size=1600,900", "--remote-debugging-pipe",
)  # fmt: skip


def find_browser() -> str | None:
    """Returns the program; None where none is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """A browser with one page; a context manager that ends it."""

    def __init__(self, program: str, profile: Path) -> None:
        """Starts it with a new profile in the folder `profile`."""
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        wired = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", wired, "browser", program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._calls, self._buffer, self._session = 0, b"", ""
        while not (pages := [t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page"]):
            time.sleep(0.05)
        self._session = self._call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def open(self, address: str) -> None:
        """Begins to load a page."""
        self._call("Page.navigate", url=address)

    def evaluate(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression; None while the page cannot answer."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def _call(self, method: str, **arguments: Any) -> Any:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": arguments}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._read_message()).get("id") != self._calls:
            pass  # an event
        return answer["result"]

    def _read_message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not (received := os.read(self._read, 1 << 16)):
                raise RuntimeError("the browser has ended")
            self._buffer += received
        raw, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(raw))
