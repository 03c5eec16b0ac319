"""What only TensorFlow can tell."""

import errno

import numpy as np
import pytest
import tensorflow as tf

from colorgan.backend import memory_ran_out


def errors():
    """Errors of memory that ran out, as they are met."""
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(1 << 60, dtype=np.uint8)
    with pytest.raises(tf.errors.ResourceExhaustedError) as of_tensorflow:
        tf.zeros((1 << 20, 1 << 20, 1 << 10))
    of_the_system = OSError(errno.ENOMEM, "Cannot allocate memory")
    of_a_gpu = tf.errors.InternalError(None, None, "failed to allocate: CUDA_ERROR_OUT_OF_MEMORY: out of memory")
    return [of_numpy.value, of_tensorflow.value, of_the_system, of_a_gpu]


def test_memory_that_ran_out_is_recognised_also_behind_other_errors():
    for error in errors():
        assert memory_ran_out(error)
        with pytest.raises(RuntimeError) as wrapped:
            try:
                raise error
            except type(error):
                raise RuntimeError("of a layer") from None
        assert memory_ran_out(wrapped.value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.InternalError(None, None, "an unknown error"),
    ],
)
def test_other_errors_are_not_taken_for_it(error):
    assert not memory_ran_out(error)
