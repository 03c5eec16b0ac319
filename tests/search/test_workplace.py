"""What is refused of a place before anything is started there."""

from __future__ import annotations

import pytest

from colorgan.errors import BadInputError
from search.workplace import Workplace


def test_only_ray_has_an_address() -> None:
    with pytest.raises(BadInputError, match="--address auto: only --engine ray joins a cluster"):
        Workplace(address="auto")
