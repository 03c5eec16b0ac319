"""A checksum in a JSON text: its last line holds one of all the others, so that what the disk spoils is recognised."""

from __future__ import annotations

import re
import zlib

_END = "\n}"
_SEAL = re.compile(r',\n "checksum": "([0-9a-f]{8})"\n}\Z')


class SealError(ValueError):
    """A text that is not as it was sealed."""


def sealed(text: str) -> str:
    """Returns a JSON object, written with an indent of 1, with a key `checksum` behind its own."""
    return f'{text.removesuffix(_END)},\n "checksum": "{_checksum(text)}"{_END}'


def unsealed(text: str) -> str:
    """Returns the text that was sealed; one that never was comes back as it is, for the caller to refuse or not.

    Raises:
        SealError: The text was changed.
    """
    seal = _SEAL.search(text)
    if seal is None:
        return text
    whole = text[: seal.start()] + _END
    if _checksum(whole) != seal[1]:
        raise SealError("its checksum is another")
    return whole


def _checksum(text: str) -> str:
    """Returns eight hexadecimal digits, which differ for texts that differ within 32 neighbouring bits."""
    return f"{zlib.crc32(text.encode()):08x}"
