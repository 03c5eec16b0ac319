"""Several runs of one architecture in one JAX program: their states stacked, and one step taken of all at once."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from colorgan.jax_step import AHEAD, JaxStep, State, step

Way = Literal["vmap", "map"]
"""How members share a program: `vmap` makes one operation of each of theirs, `map` takes one member after another."""


class JaxFusedStep:
    """The compiled step of a number of members, and their states on the device."""

    def __init__(self, one: JaxStep, members: int, *, way: Way = "vmap") -> None:
        """Compiles nothing yet.

        Args:
            one: A step of the architecture, whose variables a member's state comes from and is shown in.
            members: How many.
            way: How they share the program.
        """
        alone = partial(step, one.networks)
        mapped = partial(jax.lax.map, lambda given: alone(*given))
        together = jax.vmap(alone) if way == "vmap" else lambda *given: mapped(given)
        self._one, self._program = one, jax.jit(together, donate_argnums=0)
        self._insert = jax.jit(_inserted, donate_argnums=0)
        self._states: State = jax.tree.map(lambda v: jnp.zeros((members, *v.shape), v.dtype), one.state())
        self._ahead: deque[Any] = deque()

    def put(self, place: int) -> None:
        """Takes the state that the variables hold as a member's."""
        self._states = self._insert(self._states, self._one.state(), place)

    def show(self, place: int) -> None:
        """Lets the variables hold a member's state."""
        self._one.hold(jax.tree.map(lambda values: values[place], self._states))

    def __call__(self, photos: Any, knobs: NDArray[np.float32]) -> Any:
        """Takes a step of all members, without waiting for it.

        Args:
            photos: sRGB, uint8 (members, batch, size, size, 3), as `jax_photos.load_batches` returns them.
            knobs: (members, 11), the fields of `Knobs` in their order.

        Returns:
            Their losses in the order of `Losses`, float32 (members, 7).
        """
        self._states, losses = self._program(self._states, photos, knobs)
        self._ahead.append(losses)
        if len(self._ahead) > AHEAD:
            self._ahead.popleft().block_until_ready()
        return losses


def _inserted(states: State, state: State, place: Any) -> State:
    return jax.tree.map(lambda all_, one: all_.at[place].set(one), states, state)  # type: ignore[no-any-return]
