"""A sealed text is JSON still, comes back as it was, and is refused once it was changed."""

from __future__ import annotations

import json

import pytest

from colorgan.seal import SealError, sealed, unsealed

TEXT = json.dumps({"a": 1.5, "b": {"ä": [1, None]}}, indent=1)


def test_a_sealed_text_is_json_with_one_key_more_and_comes_back_as_it_was() -> None:
    found = json.loads(sealed(TEXT))
    assert list(found) == ["a", "b", "checksum"]
    assert unsealed(sealed(TEXT)) == TEXT
    assert unsealed(sealed(sealed(TEXT))) == sealed(TEXT)


def test_a_text_that_was_never_sealed_comes_back_as_it_is() -> None:
    assert unsealed(TEXT) == TEXT
    assert unsealed("") == ""


@pytest.mark.parametrize(("old", "new"), [("1.5", "1.7"), ("null", "1234"), ('"a"', '"c"'), ("ä", "ö")])
def test_a_changed_text_is_refused(old: str, new: str) -> None:
    text = json.dumps(json.loads(TEXT), indent=1, ensure_ascii=False)
    with pytest.raises(SealError, match="its checksum is another"):
        unsealed(sealed(text).replace(old, new))
