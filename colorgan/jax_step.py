"""The training step (`step.py`) as a JAX program, a pure function of the state. `jax_backend.py` knows JAX as well.

`step` takes the state as a tree of arrays and returns the next one, so it can be transformed: `jax.vmap` over states
and knobs trains many trials of one architecture at once.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from colorgan.step import INITIAL_LOSS_SCALE, LOSS_SCALE_GROWTH_STEPS, Knobs, Networks, slot

AHEAD = (
    4  # steps handed to the device before it has done the first of them: none waits for Python, and pauses are short
)


class Moments(NamedTuple):
    """Adam's state for one network: updates done, (), and for each weight both moments of its shape."""

    updates: Any
    first: tuple[Any, ...]
    second: tuple[Any, ...]


class LossScale(NamedTuple):
    """What a loss is multiplied with, (), and the steps since it changed, ()."""

    scale: Any
    good_steps: Any


class NetworkState(NamedTuple):
    """One network's state.

    Attributes:
        weights: Its trainable variables.
        rest: Its other ones: moving statistics, states of random generators, dropout rate and deviation of noise.
        adam: Of the weights.
        loss_scale: None but with `mixed_float16`.
    """

    weights: tuple[Any, ...]
    rest: tuple[Any, ...]
    adam: Moments
    loss_scale: LossScale | None


class State(NamedTuple):
    """All that a step changes. A tree of arrays; the same tree of Keras' variables says where they belong.

    Attributes:
        average: The moving average of the generator's weights, in the order of `keras.Model.weights`; may be empty.
    """

    generator: NetworkState
    discriminator: NetworkState
    average: tuple[Any, ...]


def step(networks: Networks, state: State, photos: Any, knobs: Any) -> tuple[State, Any]:
    """Trains on one batch; pure.

    Args:
        networks: Their structure; the values of their variables are not looked at.
        state: Before the step.
        photos: sRGB, uint8 (batch, size, size, 3).
        knobs: float32 (11,), the fields of `Knobs` in their order.

    Returns:
        The state after the step, and the losses in the order of `Losses`, float32 (7,).
    """
    k = Knobs(*knobs)
    forward = partial(_forward, networks, state, photos, k)
    weights = state.generator.weights, state.discriminator.weights
    totals, pull, (generator_rest, discriminator_rest, losses) = jax.vjp(forward, *weights, has_aux=True)
    none = jnp.zeros_like(totals[0])  # both gradients are from the weights of this step's start
    slope, _ = pull((_scale(state.generator, totals[0]), none))
    rates = _Rates(k.generator_learning_rate, k.generator_beta_1, k.beta_2, k.epsilon)
    generator = _updated(state.generator._replace(rest=generator_rest), slope, rates)
    _, slope = pull((none, _scale(state.discriminator, totals[1])))
    rates = _Rates(k.discriminator_learning_rate, k.discriminator_beta_1, k.beta_2, k.epsilon)
    discriminator = _updated(state.discriminator._replace(rest=discriminator_rest), slope, rates)
    average = _moved(networks, state.average, generator, k.moving_average)
    return State(generator, discriminator, average), losses


class JaxStep:
    """See `TrainStep`. Its state leaves Keras' variables for the device at the first step, and returns in `settle`.

    Attributes:
        networks: What it trains.
    """

    def __init__(self, networks: Networks) -> None:
        scaled = networks.config.precision.policy == "mixed_float16"
        average = tuple(networks.average.weights) if networks.average else ()
        self._places = State(
            _places(networks.generator, "generator", scaled=scaled),
            _places(networks.discriminator, "discriminator", scaled=scaled),
            average,
        )
        self.networks = networks
        self._program = jax.jit(partial(step, networks), donate_argnums=0)
        self._state: State | None = None
        self._ahead: deque[Any] = deque()

    @property
    def variables(self) -> list[keras.Variable]:
        """All state, in a fixed order."""
        networks = (self._places.generator, self._places.discriminator)
        state = [[one.adam for one in networks], [one.loss_scale for one in networks]]
        return jax.tree.leaves(state)  # type: ignore[no-any-return]

    def reset(self) -> None:
        """Gives all state its initial value."""
        self._state = None
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, dtype=variable.dtype))
        for network in (self._places.generator, self._places.discriminator):
            if network.loss_scale is not None:
                network.loss_scale.scale.assign(INITIAL_LOSS_SCALE)

    def __call__(self, photos: Any, knobs: Knobs) -> Any:
        """Trains on one batch and returns its losses, without waiting for them."""
        state = self._state or self.state()
        self._state, losses = self._program(state, photos, knobs.array())
        self._ahead.append(losses)
        if len(self._ahead) > AHEAD:
            self._ahead.popleft().block_until_ready()
        return losses

    def settle(self) -> None:
        """Lets the variables hold the state reached."""
        if self._state is not None:
            self.hold(self._state)
        self._state = None
        self._ahead.clear()

    def state(self) -> State:
        """Returns the state that the variables hold."""
        return jax.tree.map(lambda place: place.value, self._places)  # type: ignore[no-any-return]

    def hold(self, state: State) -> None:
        """Lets the variables hold a state, which nobody else may use any more."""
        jax.tree.map(lambda place, value: place.assign(value), self._places, state)


class _Rates(NamedTuple):
    """Adam's inputs."""

    rate: Any
    beta_1: Any
    beta_2: Any
    epsilon: Any


def _forward(
    networks: Networks, state: State, photos: Any, k: Knobs, generator: tuple[Any, ...], discriminator: tuple[Any, ...]
) -> tuple[tuple[Any, Any], tuple[tuple[Any, ...], tuple[Any, ...], Any]]:
    """Returns both totals as a function of both networks' weights, and beside them the new rests and all losses."""
    given = [
        *zip(networks.generator.trainable_variables, generator, strict=True),
        *zip(networks.generator.non_trainable_variables, state.generator.rest, strict=True),
        *zip(networks.discriminator.trainable_variables, discriminator, strict=True),
        *zip(networks.discriminator.non_trainable_variables, state.discriminator.rest, strict=True),
    ]
    with keras.StatelessScope(given) as scope:
        losses = networks.losses(photos, k)
    generator_rest, discriminator_rest = (
        tuple(scope.get_current_value(variable) for variable in network.non_trainable_variables)
        for network in (networks.generator, networks.discriminator)
    )
    totals = losses.generator_total, losses.discriminator_total
    return totals, (generator_rest, discriminator_rest, jnp.stack(losses))


def _scale(network: NetworkState, total: Any) -> Any:
    return jnp.ones_like(total) if network.loss_scale is None else network.loss_scale.scale


def _updated(network: NetworkState, gradients: tuple[Any, ...], rates: _Rates) -> NetworkState:
    """Returns a network after an update, which is skipped where scaled gradients overflow.

    Source: Micikevicius et al. 2018, arXiv 1710.03740, section 3.2.
    """
    if network.loss_scale is None:
        return _adam(network, gradients, rates)
    scale, good_steps = network.loss_scale
    gradients = tuple(gradient / scale for gradient in gradients)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(gradient)) for gradient in gradients]))
    grow = good_steps + 1.0 >= LOSS_SCALE_GROWTH_STEPS
    good = LossScale(scale * jnp.where(grow, 2.0, 1.0), jnp.where(grow, 0.0, good_steps + 1.0))
    after = _adam(network, gradients, rates)._replace(loss_scale=good)
    skipped = network._replace(loss_scale=LossScale(jnp.maximum(scale / 2.0, 1.0), jnp.zeros_like(good_steps)))
    return jax.tree.map(partial(jnp.where, finite), after, skipped)  # type: ignore[no-any-return]


def _adam(network: NetworkState, gradients: tuple[Any, ...], rates: _Rates) -> NetworkState:
    """Returns a network after a step of Adam.

    Source: Kingma and Ba 2015, arXiv 1412.6980, in the form of its section 2's last paragraph, as TensorFlow has it.
    """
    updates = network.adam.updates + 1.0
    corrected = rates.rate * jnp.sqrt(1.0 - rates.beta_2**updates) / (1.0 - rates.beta_1**updates)
    first = [m + (g - m) * (1.0 - rates.beta_1) for m, g in zip(network.adam.first, gradients, strict=True)]
    second = [v + (g * g - v) * (1.0 - rates.beta_2) for v, g in zip(network.adam.second, gradients, strict=True)]
    weights = [
        weight - corrected * m / (jnp.sqrt(v) + rates.epsilon)
        for weight, m, v in zip(network.weights, first, second, strict=True)
    ]
    return network._replace(weights=tuple(weights), adam=Moments(updates, tuple(first), tuple(second)))


def _moved(networks: Networks, average: tuple[Any, ...], generator: NetworkState, decay: Any) -> tuple[Any, ...]:
    """Returns the moving average after a step of the generator."""
    if not average:
        return ()
    model = networks.generator
    names = [id(variable) for variable in (*model.trainable_variables, *model.non_trainable_variables)]
    values = dict(zip(names, (*generator.weights, *generator.rest), strict=True))
    weights = [values[id(weight)] for weight in model.weights]
    return tuple(old - (1.0 - decay) * (old - new) for old, new in zip(average, weights, strict=True))


def _places(network: keras.Model, name: str, *, scaled: bool) -> NetworkState:
    """Returns a network's state as a tree of the variables that hold it."""
    weights = tuple(network.trainable_variables)
    adam = Moments(
        slot((), f"{name}_updates"),
        tuple(slot(variable.shape, f"{name}_first_{i}") for i, variable in enumerate(weights)),
        tuple(slot(variable.shape, f"{name}_second_{i}") for i, variable in enumerate(weights)),
    )
    scale = LossScale(slot((), f"{name}_loss_scale"), slot((), f"{name}_good_steps")) if scaled else None
    return NetworkState(weights, tuple(network.non_trainable_variables), adam, scale)
