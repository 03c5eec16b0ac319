import numpy as np
import pytest

from colorgan.color import split_photo
from colorgan.config import PrecisionConfig, parse_config
from colorgan.epoch import VALID_METRICS
from colorgan.photos import open_photos
from colorgan.validation import Validator


@pytest.fixture(scope="module")
def photos():
    return open_photos(
        parse_config({"data": {"size": 16}, "generator": {"depth": 2}, "discriminator": {"depth": 1}}).data
    )


def real(photos):
    return np.asarray(split_photo(photos)[1])


def gray(photos):
    return np.zeros((*photos.shape[:3], 2), np.float32)


def test_the_real_chroma_has_no_error(photos):
    metrics = Validator(batch_size=8, precision=PrecisionConfig()).measure(photos.valid[:16], real)
    assert metrics["valid/delta_e"] == pytest.approx(0.0, abs=0.02)
    assert metrics["valid/ssim"] == pytest.approx(1.0, abs=1e-4)
    assert metrics["valid/colorfulness_ratio"] == pytest.approx(1.0, abs=1e-3)


def test_each_photo_counts_once_whatever_the_batch_size(photos):
    results = [
        Validator(batch_size=size, precision=PrecisionConfig()).measure(photos.valid[:13], gray)
        for size in (1, 5, 13, 32)
    ]
    for key in (metric.key for metric in VALID_METRICS):
        assert [result[key] for result in results] == pytest.approx([results[0][key]] * 4, rel=1e-5, abs=1e-7)


def test_the_baselines_are_gray_and_the_mean_tint(photos):
    baselines = Validator(batch_size=32, precision=PrecisionConfig()).baselines(photos.train, photos.valid[:64])
    assert baselines["gray"]["valid/colorfulness"] == pytest.approx(0.0, abs=0.1)
    assert 0.0 < baselines["tint"]["valid/colorfulness_ratio"] < 0.5
    assert set(baselines["tint"]) == {metric.key for metric in VALID_METRICS}


def test_examples_show_gray_real_and_generated_of_the_same_photo(photos):
    sheets = Validator(batch_size=4, precision=PrecisionConfig()).examples(photos.valid, real, count=5)
    assert sheets.shape == (5, 16, 48, 3)
    shown, painted = sheets[:, :, 16:32].astype(int), sheets[:, :, 32:].astype(int)
    assert np.array_equal(shown[0], photos.valid[0])
    assert np.array_equal(shown[-1], photos.valid[-1])
    assert np.abs(shown - painted).max() <= 2  # rounding


def test_there_are_no_more_examples_than_photos(photos):
    assert len(Validator(batch_size=4, precision=PrecisionConfig()).examples(photos.valid[:2], gray, count=5)) == 2
