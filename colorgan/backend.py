"""What the backend does better than `keras.ops`, or alone can tell; the same on each, from its own room.

- `compiled(function, precision, variables=())`: the function as a program that is traced once. It may read the
  `variables`, whatever their values are when it is called; it changes none.
- `normalize_batch(x, gamma, beta, *, epsilon)`: batch normalization.
- `load_batch(batch)`: the crops of a batch, uint8 (batch, size, size, 3), as the training step takes them.
- `memory_ran_out(error)`: whether an error says so.
- `multiplies_exactly()`: whether matrix products keep float32's precision.
"""

from __future__ import annotations

import keras

if keras.backend.backend() == "jax":
    from colorgan.jax_backend import compiled, memory_ran_out, multiplies_exactly, normalize_batch
    from colorgan.jax_photos import load_batch
else:
    from colorgan.tensorflow_backend import compiled, load_batch, memory_ran_out, multiplies_exactly, normalize_batch

__all__ = ["compiled", "load_batch", "memory_ran_out", "multiplies_exactly", "normalize_batch"]
