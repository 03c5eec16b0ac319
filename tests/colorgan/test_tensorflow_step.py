import keras
import numpy as np
from keras import ops

from colorgan.step import INITIAL_LOSS_SCALE
from colorgan.tensorflow_step import Adam, LossScale


def test_adam_equals_keras_own():
    random = np.random.default_rng(0)
    ours, theirs = (keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2))
    adam = Adam([ours], name="test")
    reference = keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
    for _ in range(20):
        gradient = ops.convert_to_tensor(random.normal(size=(3, 2)).astype(np.float32))
        adam.apply([gradient], rate=0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3)
        reference.apply([gradient], [theirs])
    assert np.allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), atol=1e-6)


def test_a_loss_scale_skips_steps_that_overflow_and_shrinks():
    scale, updates = LossScale(name="test"), []
    scale.scale.assign(INITIAL_LOSS_SCALE)
    scale.apply([ops.convert_to_tensor(np.array([1.0, np.inf], np.float32))], updates.append)
    assert updates == [] or float(scale.scale.value) == INITIAL_LOSS_SCALE / 2
    assert float(scale.scale.value) == INITIAL_LOSS_SCALE / 2


def test_a_loss_scale_hands_on_unscaled_gradients_and_grows_in_the_end():
    scale, updates = LossScale(name="test"), []
    scale.scale.assign(4.0)
    scale.good_steps.assign(1999.0)
    scale.apply([ops.convert_to_tensor(np.array([8.0], np.float32))], updates.append)
    assert np.asarray(updates[-1][0]).tolist() == [2.0]
    assert float(scale.scale.value) == 8.0
