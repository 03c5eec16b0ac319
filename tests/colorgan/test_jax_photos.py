"""Photos that stay on the device; `test_on_jax.py` runs it in a process of its own."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("of a process on JAX", allow_module_level=True)

import jax

from colorgan import jax_photos as room
from colorgan.batches import Batch
from colorgan.jax_photos import load_batch, load_batches

RANDOM = np.random.default_rng(5)
CROPS, OTHERS, THIRD = (RANDOM.integers(0, 256, (9, 4, 6, 3), dtype=np.uint8) for _ in range(3))


def batch(crops=CROPS, chosen=(3, 0, 8), mirrored=(True, False, True)):
    return Batch(crops, np.array(chosen), np.array(mirrored))


@pytest.fixture
def device(monkeypatch):
    """A device whose memory just has room for such crops, and what has been sent to it."""
    sent = []
    monkeypatch.setattr(room, "_kept", {})
    monkeypatch.setattr(room, "_device_bytes", lambda: CROPS.nbytes / room.SHARE)
    put = jax.device_put
    monkeypatch.setattr(room.jax, "device_put", lambda crops: sent.append(crops) or put(crops))
    return sent


def test_crops_are_sent_once_and_taken_there_as_they_would_be_here(device):
    for given in (batch(), batch(chosen=(1, 1, 2), mirrored=(False, True, True))):
        loaded = load_batch(given)
        assert isinstance(loaded, jax.Array)
        np.testing.assert_array_equal(loaded, given.array())
    assert len(device) == 1


def test_batches_of_the_same_crops_are_taken_together(device):
    given = {0: batch(), 2: batch(chosen=(1, 1, 2), mirrored=(False, True, True))}
    loaded = load_batches(given, 4)
    assert isinstance(loaded, jax.Array)
    assert loaded.shape == (4, 3, 4, 6, 3)
    for place, one in given.items():
        np.testing.assert_array_equal(loaded[place], one.array())
    assert len(device) == 1


def test_batches_of_other_crops_are_put_together_here(device):
    given = {0: batch(), 1: batch(OTHERS)}
    loaded = load_batches(given, 2)
    assert (type(loaded), device) == (np.ndarray, [])
    for place, one in given.items():
        np.testing.assert_array_equal(loaded[place], one.array())


def test_crops_that_do_not_fit_stay_here(device):
    more = np.concatenate([CROPS, OTHERS])
    np.testing.assert_array_equal(load_batch(batch(more)), batch(more).array())
    assert type(load_batch(batch(more))) is np.ndarray
    assert device == []


def test_crops_of_long_ago_make_room_and_others_at_the_same_place_are_not_mistaken_for_them(device):
    for crops in (CROPS, OTHERS, THIRD, OTHERS):
        np.testing.assert_array_equal(load_batch(batch(crops)), batch(crops).array())
    assert [crops is one for crops, one in zip(device, (CROPS, OTHERS, THIRD), strict=True)] == [True] * 3
    assert len(room._kept) == room.KEPT
    for start in (0, 1, 2):  # windows of one array, as renewals make them
        part = CROPS[start : start + 4]
        np.testing.assert_array_equal(
            load_batch(batch(part, chosen=(3, 0), mirrored=(True, False))),
            batch(part, chosen=(3, 0), mirrored=(True, False)).array(),
        )


def test_on_a_cpu_nothing_is_kept():
    assert type(load_batch(batch())) is np.ndarray
