"""Structural similarity is scikit-image's, in both of its forms."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from skimage.metrics import structural_similarity

from colorgan.ssim import ssim


@pytest.mark.parametrize("size", [11, 17])
def test_both_forms_of_the_ssim_window_are_scikit_images(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(2).random((2, 1, size, size, 3)).astype(np.float32)
    expected = structural_similarity(
        x[0].astype(float), y[0].astype(float), channel_axis=-1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1.0,
    )  # fmt: skip
    planes = [list(ops.unstack(ops.convert_to_tensor(image), axis=-1)) for image in (x, y)]
    for devices in ([], ["gpu:0"]):
        monkeypatch.setattr(keras.distribution, "list_devices", lambda _, devices=devices: devices)
        assert float(ssim(*planes)[0]) == pytest.approx(expected, abs=1e-5)
