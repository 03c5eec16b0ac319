"""What only TensorFlow can tell."""

import errno

import numpy as np
import pytest
import tensorflow as tf

from colorgan.backend import keep_to_share, memory_ran_out


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


@pytest.fixture
def bounds(monkeypatch, tmp_path):
    """The bounds that are set on a GPU, which here is TensorFlow's word for nothing."""
    found = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"a {kind}"])
    monkeypatch.setattr(tf.config, "set_logical_device_configuration", lambda *given: found.append(given))
    monkeypatch.setenv("PATH", str(tmp_path))
    return found


def nvidia_smi(folder, says):
    (folder / "nvidia-smi").write_text(f'#!/bin/sh\necho "$@" >"{folder}/asked"\n{says}\n')
    (folder / "nvidia-smi").chmod(0o755)


def test_a_process_is_kept_to_its_share_of_its_gpu(bounds, monkeypatch, tmp_path):
    nvidia_smi(tmp_path, "echo 81559")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    keep_to_share()
    assert bounds == []
    monkeypatch.setenv("COLORGAN_GPU_SHARE", "0.3")
    keep_to_share()
    ((gpu, (bound,)),) = bounds
    assert (gpu, bound.memory_limit) == ("a GPU", 24467)
    assert "--id=3" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("says", [None, "exit 9", "echo '[N/A]'"])
def test_without_a_word_of_how_much_there_is_nothing_is_bounded(bounds, monkeypatch, tmp_path, says):
    monkeypatch.setenv("COLORGAN_GPU_SHARE", "0.3")
    if says is not None:
        nvidia_smi(tmp_path, says)
    keep_to_share()
    assert bounds == []
