"""Each metric is scikit-image's on real photos, and says the obvious about obvious photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_cie76, deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

import colorgan
from colorgan import metrics
from colorgan.color import CHROMA_LIMIT, join_photo, split_photo
from colorgan.epoch import VALID_METRICS
from colorgan.metrics import REAL_COLORFULNESS, average_metrics, delta_e_2000, mean_chroma, measure_photos

Photos = NDArray[np.uint8]
Chroma = NDArray[np.float32]
PER_PHOTO = {metric.key for metric in VALID_METRICS} - {"valid/colorfulness_ratio"} | {REAL_COLORFULNESS}
# Sharma, Wu and Dalal 2005, table 1: Lab, Lab, CIEDE2000. They cross the seams of the hue angle.
SHARMA_PAIRS = """
50.0000   2.6772 -79.7751  50.0000   0.0000 -82.7485   2.0425
50.0000   3.1571 -77.2803  50.0000   0.0000 -82.7485   2.8615
50.0000   2.8361 -74.0200  50.0000   0.0000 -82.7485   3.4412
50.0000  -1.3802 -84.2814  50.0000   0.0000 -82.7485   1.0000
50.0000  -1.1848 -84.8006  50.0000   0.0000 -82.7485   1.0000
50.0000  -0.9009 -85.5211  50.0000   0.0000 -82.7485   1.0000
50.0000   0.0000   0.0000  50.0000  -1.0000   2.0000   2.3669
50.0000  -1.0000   2.0000  50.0000   0.0000   0.0000   2.3669
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0009   7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0010   7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0011   7.2195
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0012   7.2195
50.0000  -0.0010   2.4900  50.0000   0.0009  -2.4900   4.8045
50.0000  -0.0010   2.4900  50.0000   0.0010  -2.4900   4.8045
50.0000  -0.0010   2.4900  50.0000   0.0011  -2.4900   4.7461
50.0000   2.5000   0.0000  50.0000   0.0000  -2.5000   4.3065
50.0000   2.5000   0.0000  73.0000  25.0000 -18.0000  27.1492
50.0000   2.5000   0.0000  61.0000  -5.0000  29.0000  22.8977
50.0000   2.5000   0.0000  56.0000 -27.0000  -3.0000  31.9030
50.0000   2.5000   0.0000  58.0000  24.0000  15.0000  19.4535
50.0000   2.5000   0.0000  50.0000   3.1736   0.5854   1.0000
50.0000   2.5000   0.0000  50.0000   3.2972   0.0000   1.0000
50.0000   2.5000   0.0000  50.0000   1.8634   0.5757   1.0000
50.0000   2.5000   0.0000  50.0000   3.2592   0.3350   1.0000
60.2574 -34.0099  36.2677  60.4626 -34.1751  39.4387   1.2644
63.0109 -31.0961  -5.8663  62.8187 -29.7946  -4.0864   1.2630
61.2901   3.7196  -5.3901  61.4292   2.2480  -4.9620   1.8731
35.0831 -44.1164   3.7933  35.0232 -40.0716   1.5901   1.8645
22.7233  20.0904 -46.6940  23.0331  14.9730 -42.5619   2.0373
36.4612  47.8580  18.3852  36.2715  50.5065  21.2231   1.4146
90.8027  -2.0831   1.4410  91.1528  -1.6435   0.0447   1.4441
90.9257  -0.5406  -0.9208  88.6381  -0.8985  -0.7239   1.5381
 6.7747  -0.2908  -2.4247   5.8714  -0.0985  -2.2286   0.6377
 2.0776   0.0795  -1.1350   0.9033  -0.0636  -0.5514   0.9082
"""


@pytest.fixture(scope="module")
def photos() -> Photos:
    """Eight bundled photos, (8, 64, 64, 3)."""
    files = sorted((Path(colorgan.__file__).parent / "sample_photos").glob("*.jpg"))[::16]
    return np.stack([np.asarray(Image.open(file).convert("RGB").resize((64, 64))) for file in files])


@pytest.fixture(scope="module")
def generated(photos: Photos) -> Chroma:
    """Bad chroma of many kinds, partly beyond what a screen shows: faded, tinted, swapped, too strong, noise, gray."""
    chroma = np.asarray(ops.convert_to_numpy(split_photo(photos)[1])).copy()
    random = np.random.default_rng(0)
    chroma[0] *= 0.5
    chroma[1] += (0.05, 0.1)
    chroma[2] = chroma[2, ..., ::-1]
    chroma[3] *= 3.0
    chroma[4] += random.normal(0, 0.1, chroma[4].shape)
    chroma[5] = 0.0
    chroma[6] = chroma[6] @ np.array([[-0.5, 0.75], [-0.75, -0.5]], np.float32)  # to the hue 124 degrees away
    return chroma


@pytest.fixture(scope="module")
def measured(photos: Photos, generated: Chroma) -> dict[str, NDArray[np.float32]]:
    return measure(photos, generated)


def measure(photos: Photos, generated: Chroma) -> dict[str, NDArray[np.float32]]:
    lightness, real = split_photo(photos)
    return {key: ops.convert_to_numpy(value) for key, value in measure_photos(lightness, real, generated).items()}


def shown(photos: Photos, generated: Chroma) -> NDArray[np.float64]:
    """What a screen shows of the generated chroma, by scikit-image in float64."""
    lab = rgb2lab(photos)
    lab[..., 1:] = generated.astype(np.float64) * CHROMA_LIMIT
    return np.asarray(lab2rgb(lab))


def own_colorfulness(rgb: NDArray[np.float64]) -> float:
    red, green, blue = np.moveaxis(rgb * 255.0, -1, 0)
    first, second = red - green, (red + green) / 2 - blue
    return float(np.hypot(first.std(), second.std()) + 0.3 * np.hypot(first.mean(), second.mean()))


def own_kl(real: Chroma, generated: Chroma) -> float:
    edges = (np.arange(66) - 32.5) / 32
    edges[[0, -1]] = -np.inf, np.inf
    shares = [[np.histogram(c[..., i], edges)[0] / c[..., i].size for i in (0, 1)] for c in (real, generated)]
    p, q = (np.array(share) + 1e-4 for share in shares)
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    return float((p * np.log10(p / q)).sum(1).mean())


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB:UserWarning")  # colours that no screen shows
def test_every_metric_is_scikit_images_photo_by_photo(
    photos: Photos, generated: Chroma, measured: dict[str, NDArray[np.float32]]
) -> None:
    real, fake = photos / 255.0, shown(photos, generated)
    real_chroma = ops.convert_to_numpy(split_photo(photos)[1])
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    assert measured.keys() == PER_PHOTO
    for i, (x, y) in enumerate(zip(real, fake, strict=True)):
        expected = {
            "valid/delta_e": deltaE_cie76(rgb2lab(x), rgb2lab(y)).mean(),
            "valid/delta_e_2000": deltaE_ciede2000(rgb2lab(x), rgb2lab(y)).mean(),
            "valid/l1": np.abs(real_chroma[i] - generated[i]).mean(),
            "valid/ssim": structural_similarity(x, y, channel_axis=-1, **settings),
            "valid/chroma_kl": own_kl(real_chroma[i], generated[i]),
            "valid/colorfulness": own_colorfulness(y),
            REAL_COLORFULNESS: own_colorfulness(x),
        }
        if i < 7:  # the last photo is its own copy: float32's error is all there is
            expected["valid/mse"] = mean_squared_error(x, y)
            expected["valid/psnr_db"] = peak_signal_noise_ratio(x, y, data_range=1.0)
        for key, value in expected.items():
            assert measured[key][i] == pytest.approx(value, rel=2e-5, abs=2e-4), (key, i)


def test_equal_photos_have_no_error(measured: dict[str, NDArray[np.float32]]) -> None:
    last = {key: float(values[-1]) for key, values in measured.items()}
    assert last["valid/psnr_db"] == pytest.approx(100.0)
    assert last["valid/ssim"] == pytest.approx(1.0)
    assert last["valid/l1"] == last["valid/mse"] == last["valid/chroma_kl"] == 0.0
    assert last["valid/delta_e"] < 1e-3
    assert last["valid/delta_e_2000"] < 1e-3
    assert last["valid/colorfulness"] == last[REAL_COLORFULNESS]


def test_a_photos_numbers_do_not_depend_on_its_batch(
    photos: Photos, generated: Chroma, measured: dict[str, NDArray[np.float32]]
) -> None:
    for i in (0, 3):
        alone = measure(photos[i : i + 1], generated[i : i + 1])
        for key, values in alone.items():
            assert values.shape == (1,)
            np.testing.assert_allclose(values[0], measured[key][i], rtol=1e-6, err_msg=key)
    backwards = measure(photos[::-1], generated[::-1])
    for key, values in backwards.items():
        np.testing.assert_allclose(values[::-1], measured[key], rtol=1e-6, atol=1e-7, err_msg=key)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_gray_photos_give_finite_numbers(level: int) -> None:
    gray = np.full((1, 16, 16, 3), level, np.uint8)
    for chroma in (0.0, 0.5):
        per_photo = measure(gray, np.full((1, 16, 16, 2), chroma, np.float32))
        assert all(np.isfinite(values).all() for values in per_photo.values())
        assert np.isfinite(list(average_metrics(per_photo).values())).all()
    assert measure(gray, np.zeros((1, 16, 16, 2), np.float32))["valid/chroma_kl"] == 0.0


def test_a_diverged_generator_is_seen_in_its_own_photo_alone(photos: Photos, generated: Chroma) -> None:
    broken = generated.copy()
    broken[2] = np.nan
    found, whole = measure(photos, broken), measure(photos, generated)
    assert np.isnan(found["valid/l1"][2])
    others = np.arange(len(photos)) != 2
    for key in PER_PHOTO:
        np.testing.assert_array_equal(found[key][others], whole[key][others])


def test_psnr_of_a_known_error_is_known() -> None:
    mse = ops.convert_to_tensor([1.0, 0.1, 1e-3, 0.0])
    np.testing.assert_allclose(ops.convert_to_numpy(metrics.psnr_db(mse)), [0.0, 10.0, 30.0, 100.0], atol=1e-5)


def test_delta_e_2000_of_the_published_pairs_is_the_published_one() -> None:
    table = np.array([line.split() for line in SHARMA_PAIRS.split("\n") if line], dtype=np.float32)
    first, second = (
        [ops.convert_to_tensor(table[:, i, None, None]) for i in columns] for columns in ((0, 1, 2), (3, 4, 5))
    )
    for pair in ((first, second), (second, first)):
        np.testing.assert_allclose(ops.convert_to_numpy(delta_e_2000(*pair)), table[:, 6], atol=2e-4)


def test_delta_e_2000_is_scikit_images_all_over_lab() -> None:
    random = np.random.default_rng(1)
    low, high = (0, -100, -100), (100, 100, 100)
    for spread in (200.0, 5.0):
        a = random.uniform(low, high, (4000, 3)).astype(np.float32)
        b = np.clip(a + random.uniform(-spread, spread, a.shape), low, high).astype(np.float32)
        planes = [[ops.convert_to_tensor(lab[:, i, None, None]) for i in range(3)] for lab in (a, b)]
        expected = deltaE_ciede2000(a.astype(np.float64), b.astype(np.float64))
        np.testing.assert_allclose(ops.convert_to_numpy(delta_e_2000(*planes)), expected, rtol=2e-4, atol=1e-3)


def test_ssim_of_tiny_photos_uses_the_window_that_fits() -> None:
    for size in (1, 2, 8):
        photo = np.random.default_rng(3).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
        chroma = ops.convert_to_numpy(split_photo(photo)[1])
        assert measure(photo, chroma)["valid/ssim"][0] == pytest.approx(1.0)
        assert measure(photo, chroma * 0)["valid/ssim"][0] < 1.0


def test_averages_are_means_over_photos_and_the_ratio_is_that_of_the_means(
    measured: dict[str, NDArray[np.float32]],
) -> None:
    means = average_metrics(measured)
    assert means.keys() == {metric.key for metric in VALID_METRICS}
    assert means["valid/psnr_db"] == pytest.approx(measured["valid/psnr_db"].mean(), rel=1e-6)
    ratio = measured["valid/colorfulness"].mean() / measured[REAL_COLORFULNESS].mean()
    assert means["valid/colorfulness_ratio"] == pytest.approx(ratio, rel=1e-6)


def test_the_mean_chroma_is_the_best_constant_in_the_least_squares_sense(photos: Photos) -> None:
    chroma = ops.convert_to_numpy(split_photo(photos)[1])
    mean = mean_chroma(photos)
    assert mean.shape == (2,)
    np.testing.assert_allclose(mean, chroma.mean(axis=(0, 1, 2)), atol=1e-6)
    errors = [np.square(chroma - constant).mean() for constant in (mean, mean + 0.01, mean - 0.01)]
    assert min(errors) == errors[0]


def test_the_mean_chroma_of_many_photos_reads_evenly_spaced_ones(tmp_path: Path) -> None:
    # From red to blue: any other choice than an even one would lean to one of them.
    many = np.zeros((1001, 2, 2, 3), np.uint8)
    many[:500, ..., 0] = many[501:, ..., 2] = 255
    np.save(tmp_path / "many.npy", many)
    mapped = np.load(tmp_path / "many.npy", mmap_mode="r")
    ends = ops.convert_to_numpy(split_photo(many[[0, -1], :1, :1])[1]).reshape(2, 2)
    np.testing.assert_allclose(mean_chroma(mapped), ends.mean(axis=0), atol=0.01)
    assert mean_chroma(mapped[:1]) == pytest.approx(ends[0], abs=1e-6)


def test_a_viewer_sees_what_is_measured(photos: Photos, generated: Chroma) -> None:
    lightness, _ = split_photo(photos)
    seen = ops.convert_to_numpy(join_photo(lightness, generated))
    expected = np.square(seen - photos / 255.0).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(measure(photos, generated)["valid/mse"], expected, rtol=1e-4, atol=1e-9)
