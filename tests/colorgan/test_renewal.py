"""Windows over a part's photos: whole photos, in order, all of them in turn, as many at a time as the limit says."""

import itertools

import numpy as np
import pytest

from colorgan.renewal import Pool


@pytest.mark.parametrize(("photos", "limit"), list(itertools.product((1, 2, 5, 6), (1, 2, 3, 5, 9))))
def test_windows_hold_the_limits_number_of_photos_and_all_photos_have_their_turn(photos, limit):
    counts = [1 + i % 3 for i in range(photos)]
    crops = np.repeat(np.arange(photos), counts)  # each crop is its photo's number
    pool = Pool(crops, counts, limit)
    assert pool.photos == min(limit, photos)
    around = -(-photos // limit)
    windows = [pool.window(number).tolist() for number in range(2 * around)]
    assert windows[0] == crops[crops < limit].tolist()
    assert windows[:around] == windows[around:]
    assert {photo for window in windows for photo in window} == set(range(photos))
    for window in windows:
        used = sorted(set(window))
        assert used == list(range(used[0], used[0] + pool.photos))
        assert window == crops[(crops >= used[0]) & (crops <= used[-1])].tolist()


@pytest.mark.parametrize(("photos", "limit"), [(6, 2), (6, 3), (7, 3)])
def test_no_photo_comes_back_while_there_are_others(photos, limit):
    pool = Pool(np.arange(photos), [1] * photos, limit)
    whole = [set(pool.window(number).tolist()) for number in range(photos // limit)]
    assert not any(a & b for a, b in itertools.combinations(whole, 2))


def test_a_window_is_a_view_and_copies_nothing():
    crops = np.zeros((8, 4, 4, 3), np.uint8)
    assert np.shares_memory(Pool(crops, [2] * 4, 2).window(1), crops)
