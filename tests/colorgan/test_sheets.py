import numpy as np
import pytest
from PIL import Image

from colorgan.sheets import GAP, LINE, MIN_SIDE, make_sheet, write_sheet

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def examples(count, side=16):
    """Rows of a red, a green and a blue photo."""
    row = np.concatenate([np.full((side, side, 3), colour, np.uint8) for colour in (RED, GREEN, BLUE)], axis=1)
    return np.stack([row] * count)


@pytest.mark.parametrize(("side", "shown"), [(16, 128), (100, 200), (200, 200)])
def test_small_photos_are_enlarged_by_a_whole_number(side, shown):
    assert shown >= MIN_SIDE
    assert make_sheet(examples(2, side)).size == (3 * (shown + GAP) - GAP, LINE + 2 * (shown + GAP) - GAP)


def test_each_photo_stands_in_its_column_and_row():
    sheet = np.asarray(make_sheet(examples(2, 128)))
    for column, colour in enumerate((RED, GREEN, BLUE)):
        for row in range(2):
            left, top = column * (128 + GAP), LINE + row * (128 + GAP)
            assert (sheet[top : top + 128, left : left + 128] == colour).all()


def test_captions_stand_under_their_rows_and_leave_the_photos_alone():
    sheet = np.asarray(make_sheet(examples(2, 128), captions=["first.jpg", ""]))
    assert sheet.shape[0] == LINE + 2 * (128 + GAP + LINE) - GAP
    under = [sheet[top : top + LINE - 1] for top in (LINE + 128, 2 * LINE + 2 * 128 + GAP)]
    assert under[0].min() < 128  # ink
    assert under[1].min() == 255
    assert (sheet[LINE : LINE + 128, :128] == RED).all()


def test_the_columns_can_be_others():
    assert make_sheet(examples(1, 128), columns=["only"]).size == (3 * 128, LINE + 128)


@pytest.mark.parametrize("wrong", [{"columns": ["a", "b"]}, {"captions": ["only one"]}])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match=r"have no 2 columns|1 captions for 3 rows"):
        make_sheet(examples(3, 15), **wrong)


def test_a_sheet_is_written_as_png_in_place_of_an_older_one(tmp_path):
    write_sheet(tmp_path / "sheet.png", examples(1))
    write_sheet(tmp_path / "sheet.png", examples(2))
    with Image.open(tmp_path / "sheet.png") as image:
        assert (image.format, image.size) == ("PNG", make_sheet(examples(2)).size)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
