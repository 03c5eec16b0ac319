"""What JAX alone does; `test_on_jax.py` runs it in a process of its own."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("of a process on JAX", allow_module_level=True)

import jax

from colorgan.backend import compiled, memory_ran_out, room_for
from colorgan.config import PrecisionConfig


def test_a_program_sees_the_values_that_its_variables_have_then_and_is_traced_once():
    variable, traced = keras.Variable(np.ones(2, np.float32)), []

    def scaled(x):
        traced.append(1)
        return x * variable

    program = compiled(scaled, PrecisionConfig(), [variable])
    assert np.asarray(program(np.float32(3.0))).tolist() == [3.0, 3.0]
    variable.assign([2.0, 4.0])
    assert np.asarray(program(np.float32(3.0))).tolist() == [6.0, 12.0]
    assert len(traced) == 1


def test_memory_that_ran_out_is_recognised_also_behind_other_errors():
    with pytest.raises(jax.errors.JaxRuntimeError) as raised:
        jax.numpy.zeros((1 << 20, 1 << 20, 1 << 10)).block_until_ready()
    of_a_gpu = jax.errors.JaxRuntimeError("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory")
    for error in (raised.value, of_a_gpu, MemoryError()):
        assert memory_ran_out(error)
        behind = RuntimeError("of a layer")
        behind.__context__ = error
        assert memory_ran_out(behind)
    assert not memory_ran_out(jax.errors.JaxRuntimeError("INTERNAL: something else"))
    assert not memory_ran_out(ValueError("out of memory"))


def test_what_is_compiled_for_each_length_meets_powers_of_two_alone():
    assert [room_for(length) for length in (1, 2, 3, 1000, 1024, 1025)] == [1, 2, 4, 1024, 1024, 2048]
