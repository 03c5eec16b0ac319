"""What the backend does better than `keras.ops`, or alone can tell; the same on each, from its own room.

- `compiled(function, precision, variables=())`: the function as a program that is traced once. It may read the
  `variables`, whatever their values are when it is called; it changes none.
- `normalize_batch(x, gamma, beta, *, epsilon)`: batch normalization.
- `load_batch(batch)`: the crops of a batch, uint8 (batch, size, size, 3), as the training step takes them.
- `says_no_memory(error)`: whether an error of the backend's own says that this machine or its GPU had no memory left.
- `keep_to_share()`: called before anything is computed, keeps the process to its part of a GPU's memory.
- `room_for(length)`: the length, at least so much, for which what is computed once by the way is best computed.
- `multiplies_exactly()`: whether matrix products keep float32's precision.
"""

from __future__ import annotations

import errno

import keras

keras.config.set_image_data_format("channels_last")  # whatever a user's keras.json says
keras.config.set_floatx("float32")

if keras.backend.backend() == "jax":
    from colorgan.jax_backend import (
        compiled,
        keep_to_share,
        multiplies_exactly,
        normalize_batch,
        room_for,
        says_no_memory,
    )
    from colorgan.jax_photos import load_batch
else:
    from colorgan.tensorflow_backend import (
        compiled,
        keep_to_share,
        load_batch,
        multiplies_exactly,
        normalize_batch,
        room_for,
        says_no_memory,
    )

__all__ = [
    "compiled",
    "keep_to_share",
    "load_batch",
    "memory_ran_out",
    "multiplies_exactly",
    "normalize_batch",
    "room_for",
    "says_no_memory",
]


def memory_ran_out(error: BaseException) -> bool:
    """Returns whether an error, or one that it came from, says that this machine or its GPU had no memory left."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM):
            return True
        if says_no_memory(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
