"""Photos for JAX's step: on a GPU they stay where they fit, so that a step is sent numbers of crops and no crops.

Where they do not, and on a CPU, a batch is put together here while the device still computes (`jax_step.AHEAD`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from colorgan.batches import Batch

SHARE = 0.05  # of a device's memory, that all crops of one kind may take
KEPT = 2  # kinds of crops: a worker's trials rarely have more

_kept: dict[tuple[int, tuple[int, ...]], tuple[NDArray[np.uint8], Any]] = {}
"""Crops on the device by where they lie in this process, which nothing else can while they are kept here."""


def load_batch(batch: Batch) -> Any:
    """Returns the crops of a batch, uint8 (batch, size, size, 3), on the device if all are kept there."""
    crops = _resident(batch.crops)
    return batch.array() if crops is None else _taken(crops, batch.chosen, batch.mirrored)


def load_batches(batches: Mapping[int, Batch], places: int) -> Any:
    """Returns the crops of several batches of one size, uint8 (places, batch, size, size, 3).

    Args:
        batches: By place; what is at the other places is nobody's.
        places: How many there are.
    """
    one = next(iter(batches.values()))
    same = all(_key(batch.crops) == _key(one.crops) for batch in batches.values())
    if not same or (crops := _resident(one.crops)) is None:
        photos = np.zeros((places, len(one.chosen), *one.crops.shape[1:]), np.uint8)
        for place, batch in batches.items():
            photos[place] = batch.array()
        return photos
    chosen, mirrored = (np.zeros((places, len(one.chosen)), kind) for kind in (np.int64, np.bool_))
    for place, batch in batches.items():
        chosen[place], mirrored[place] = batch.chosen, batch.mirrored
    return _taken(crops, chosen, mirrored)


def _resident(crops: NDArray[np.uint8]) -> Any | None:
    """Returns crops as the device keeps them; None where they do not fit."""
    key = _key(crops)
    if key not in _kept:
        if crops.nbytes > SHARE * _device_bytes():
            return None
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = crops, jax.device_put(crops)
    return _kept[key][1]


def _device_bytes() -> int:
    """Returns the memory of a device that has its own; 0 where it is this machine's."""
    return int((jax.devices()[0].memory_stats() or {}).get("bytes_limit", 0))


def _key(crops: NDArray[np.uint8]) -> tuple[int, tuple[int, ...]]:
    return crops.__array_interface__["data"][0], crops.shape


def _take(crops: Any, chosen: Any, mirrored: Any) -> Any:
    photos = crops[chosen]
    return jnp.where(mirrored[..., None, None, None], photos[..., ::-1, :], photos)


_taken = jax.jit(_take)
