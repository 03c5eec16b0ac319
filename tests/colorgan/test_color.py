"""Colour is what scikit-image says it is, in float32, over the whole RGB cube, there and back."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray
from PIL import Image
from skimage.color import hsv2rgb, lab2rgb, rgb2hsv, rgb2lab

import colorgan
from colorgan.color import hsv_to_srgb, join_photo, lab_chroma, lab_to_srgb, split_photo, srgb_to_hsv, srgb_to_lab

LAB_TOLERANCE = 1e-4


@pytest.fixture
def cube() -> NDArray[np.float64]:
    """The RGB cube in 33 steps a side, and just around the bends of both curves: (count, 3)."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 33)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    dark = np.stack(np.meshgrid(*[np.linspace(0, 0.12, 25)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.concatenate([grid, dark])


@pytest.fixture
def photos() -> NDArray[np.uint8]:
    folder = Path(colorgan.__file__).parent / "sample_photos"
    files = sorted(folder.glob("*.jpg"))[::30]
    return np.stack([np.asarray(Image.open(file).convert("RGB").resize((48, 48))) for file in files])


def to_numpy(tensor: object) -> NDArray[np.float32]:
    return np.asarray(ops.convert_to_numpy(tensor))


def test_lab_is_that_of_scikit_image_over_the_rgb_cube(cube: NDArray[np.float64]) -> None:
    rgb = cube.astype(np.float32)
    np.testing.assert_allclose(to_numpy(srgb_to_lab(rgb)), rgb2lab(rgb.astype(np.float64)), atol=LAB_TOLERANCE)


def test_lab_of_8_bit_photos_is_that_of_scikit_image() -> None:
    values = np.arange(0, 256, 5, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(values, values, values, indexing="ij"), axis=-1)
    np.testing.assert_allclose(to_numpy(srgb_to_lab(rgb)), rgb2lab(rgb), atol=LAB_TOLERANCE)


def test_all_256_grays_have_no_chroma_and_the_lightness_of_scikit_image() -> None:
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    np.testing.assert_allclose(to_numpy(srgb_to_lab(grays)), rgb2lab(grays), atol=LAB_TOLERANCE)
    lightness, chroma = split_photo(grays)
    np.testing.assert_allclose(to_numpy(chroma), 0.0, atol=1e-4)  # scikit-image's own rounded white gives 4e-5
    np.testing.assert_allclose(to_numpy(lightness)[[0, 255], 0], [-1.0, 1.0], atol=1e-6)


def test_every_colour_of_the_cube_survives_the_way_to_lab_and_back(cube: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(to_numpy(lab_to_srgb(srgb_to_lab(cube))), cube, atol=1e-5)


def test_colours_that_no_screen_shows_are_clipped_as_scikit_image_clips_them() -> None:
    axes = [np.linspace(0, 100, 11), np.linspace(-110, 110, 23), np.linspace(-110, 110, 23)]
    lab = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    with pytest.warns(UserWarning, match="negative Z"):
        expected = lab2rgb(lab)
    rgb = to_numpy(lab_to_srgb(lab))
    np.testing.assert_allclose(rgb, expected, atol=1e-4)
    assert rgb.min() == 0.0
    assert 0.9999 < rgb.max() <= 1.0


def test_a_photo_splits_into_values_within_one_and_joins_to_itself(photos: NDArray[np.uint8]) -> None:
    lightness, chroma = split_photo(photos)
    assert lightness.shape == (*photos.shape[:3], 1)
    assert chroma.shape == (*photos.shape[:3], 2)
    assert np.abs(to_numpy(lightness)).max() <= 1.0 + 1e-6
    assert np.abs(to_numpy(chroma)).max() <= 1.0
    np.testing.assert_array_equal(np.round(to_numpy(join_photo(lightness, chroma)) * 255), photos)


def test_bytes_and_floats_of_the_same_photo_split_alike(photos: NDArray[np.uint8]) -> None:
    for of_bytes, of_floats in zip(split_photo(photos), split_photo(photos / np.float32(255)), strict=True):
        np.testing.assert_allclose(to_numpy(of_bytes), to_numpy(of_floats), atol=2e-6)


def test_chroma_of_a_network_in_16_bit_is_joined_in_32_bit(photos: NDArray[np.uint8]) -> None:
    lightness, chroma = split_photo(photos)
    joined = join_photo(lightness, ops.cast(chroma, "bfloat16"))
    assert keras.backend.standardize_dtype(joined.dtype) == "float32"
    assert np.abs(to_numpy(joined) * 255 - photos).mean() < 1.0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients are asked of the backend")
def test_no_gradient_is_nan_even_at_black_and_beyond_the_screen() -> None:
    import tensorflow as tf

    lab = tf.constant([[0.0, 0.0, 0.0], [0.0, 110.0, 110.0], [100.0, -110.0, 110.0], [50.0, 0.0, 0.0]])
    rgb = tf.constant([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5], [1.0, 1.0, 1.0]])
    hsv = tf.constant([[0.0, 0.0, 0.0], [0.3, 0.0, 0.5], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.5, 1.0, 1.0]])
    black = tf.zeros((1, 1), tf.float32) - 1.0
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([lab, rgb, hsv, black])
        shown, measured = lab_to_srgb(lab), srgb_to_lab(rgb)
        turned, back = srgb_to_hsv(rgb), hsv_to_srgb(hsv)
        moved = lab_chroma(black, tf.concat([black, black], axis=-1), (black + 1.0) * tf.ones((1, 3)), "hsv")
    for result, of in ((shown, lab), (measured, rgb), (turned, rgb), (back, hsv), (moved, black)):
        assert np.isfinite(to_numpy(tape.gradient(result, of))).all()


def test_hsv_is_that_of_scikit_image_over_the_rgb_cube(cube: NDArray[np.float64]) -> None:
    rgb = cube.astype(np.float32)
    expected = rgb2hsv(rgb.astype(np.float64))
    found = to_numpy(srgb_to_hsv(rgb))
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], atol=1e-6)
    turns = np.abs(found[:, 0] - expected[:, 0])
    assert np.minimum(turns, 1.0 - turns).max() < 1e-6
    np.testing.assert_allclose(to_numpy(hsv_to_srgb(expected)), hsv2rgb(expected), atol=1e-6)


def test_every_colour_of_the_cube_survives_the_way_to_hsv_and_back(cube: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(to_numpy(hsv_to_srgb(srgb_to_hsv(cube))), cube, atol=1e-6)


def test_grays_and_black_have_hue_and_saturation_0() -> None:
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    value, chroma = split_photo(grays, "hsv")
    np.testing.assert_array_equal(to_numpy(chroma), -1.0)
    np.testing.assert_allclose(to_numpy(value)[[0, 255], 0], [-1.0, 1.0], atol=1e-6)


def test_a_hue_once_around_is_the_same_colour_again() -> None:
    circle = np.stack([np.linspace(0, 1, 97), np.full(97, 0.8), np.full(97, 0.6)], axis=-1)
    for turn in (-1.0, 1.0):
        np.testing.assert_allclose(to_numpy(hsv_to_srgb(circle + np.array([turn, 0, 0]))), hsv2rgb(circle), atol=2e-6)


def test_a_photo_splits_into_hsv_within_one_and_the_chroma_found_right_is_the_photos_own(
    photos: NDArray[np.uint8],
) -> None:
    value, chroma = (to_numpy(part) for part in split_photo(photos, "hsv"))
    assert value.shape == (*photos.shape[:3], 1)
    assert chroma.shape == (*photos.shape[:3], 2)
    assert max(np.abs(value).max(), np.abs(chroma).max()) <= 1.0 + 1e-6
    np.testing.assert_allclose(value[..., 0], photos.max(axis=-1) / 127.5 - 1, atol=1e-6)
    _, own = split_photo(photos)
    np.testing.assert_allclose(to_numpy(lab_chroma(value, chroma, photos, "hsv")), to_numpy(own), atol=2e-5)
    assert lab_chroma(value, own, photos, "lab") is own


def test_the_true_hue_and_saturation_give_a_gray_photo_its_colours_back(photos: NDArray[np.uint8]) -> None:
    """Under the gray's own lightness; with the gray as HSV's value the photo becomes darker than it was."""
    lightness, own = split_photo(photos)
    gray = to_numpy(join_photo(lightness, ops.zeros_like(own)))
    _, chroma = split_photo(photos, "hsv")
    value, _ = split_photo(gray, "hsv")
    painted = join_photo(lightness, lab_chroma(value, chroma, gray, "hsv"))
    unchanged = hsv_to_srgb((ops.concatenate([chroma, value], axis=-1) + 1.0) * 0.5)
    real = to_numpy(srgb_to_lab(photos))
    errors = [np.linalg.norm(to_numpy(srgb_to_lab(rgb)) - real, axis=-1).mean() for rgb in (painted, unchanged)]
    assert errors[0] < 1.5
    assert errors[1] > 3 * errors[0]
