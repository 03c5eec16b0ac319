"""Photos are split by content and seed, or by the folder's own split, never one photo on two sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from colorgan.config import DataConfig
from colorgan.folder import PhotoFile, PhotosError
from colorgan.split import PARTS, HashedPhoto, find_split_file, hash_photo, read_split, split_photos


def hashed(*contents: int, seed: int = 0) -> list[HashedPhoto]:
    return [hash_photo(PhotoFile(f"{i}.png", f"{i}.png", 1, 0), str(i).encode(), seed) for i in contents]


def names(parts: dict) -> dict[str, set[str]]:
    return {part: {photo.file.name for photo in parts[part]} for part in PARTS}


@pytest.fixture
def split_file(tmp_path: Path) -> Path:
    return tmp_path / "split.csv"


def test_parts_have_the_fractions_asked_for_and_share_no_photo() -> None:
    config = DataConfig(valid_fraction=0.2, confirm_fraction=0.1)
    parts = split_photos(hashed(*range(4000)), None, config)
    assert sum(len(photos) for photos in parts.values()) == 4000 == len(set.union(*names(parts).values()))
    assert len(parts["valid"]) == pytest.approx(800, abs=80)
    assert len(parts["confirm"]) == pytest.approx(400, abs=60)


def test_adding_photos_moves_none_to_another_part() -> None:
    config = DataConfig()
    few, many = (names(split_photos(hashed(*range(count)), None, config)) for count in (200, 400))
    for part in PARTS:
        assert few[part] < many[part]


def test_the_seed_changes_the_split_and_the_order_of_listing_does_not() -> None:
    config = DataConfig()
    first = split_photos(hashed(*range(200)), None, config)
    assert first == split_photos(hashed(*reversed(range(200))), None, config)
    assert names(first) != names(split_photos(hashed(*range(200), seed=1), None, config))


@pytest.mark.parametrize("seed", range(20))
def test_a_small_folder_still_has_every_part(seed: int) -> None:
    counts = [len(photos) for photos in split_photos(hashed(1, 2, 3, seed=seed), None, DataConfig()).values()]
    assert counts == [1, 1, 1]
    counts = [len(photos) for photos in split_photos(hashed(1, 2, seed=seed), None, DataConfig()).values()]
    assert counts == [1, 1, 0]


def test_a_fraction_of_zero_gives_an_empty_part() -> None:
    parts = split_photos(hashed(*range(50)), None, DataConfig(valid_fraction=0.0, confirm_fraction=0.0))
    assert [len(parts[part]) for part in PARTS] == [50, 0, 0]


def test_identical_files_count_once() -> None:
    copies = [hash_photo(PhotoFile(name, name, 1, 0), b"same", 0) for name in ("b.png", "a.png")]
    parts = split_photos([*copies, *hashed(1, 2, 3)], None, DataConfig())
    assert sum(len(photos) for photos in parts.values()) == 4


def test_a_folders_own_split_is_followed(split_file: Path) -> None:
    split_file.write_text("file,group,split\n0.png,x,valid\n./1.png,y,train\n2.png,y,train\n3.png,,confirm\n")
    listed = read_split(split_file)
    parts = split_photos(hashed(0, 1, 2, 3), listed, DataConfig())
    assert names(parts) == {"train": {"1.png", "2.png"}, "valid": {"0.png"}, "confirm": {"3.png"}}


def test_identical_files_in_two_parts_of_a_folders_own_split_are_an_error() -> None:
    copies = [hash_photo(PhotoFile(name, name, 1, 0), b"same", 0) for name in ("a.png", "b.png")]
    with pytest.raises(PhotosError, match=r"a\.png \(train\) and b\.png \(valid\) are the same photo"):
        split_photos(copies, {"a.png": "train", "b.png": "valid"}, DataConfig())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\na.png,train\n", "no column file"),
        ("", "no column file and split"),
        ("file,split\na.png,train\nb.png,val\n", r"split.csv:3: split is 'val'; allowed are train, valid, confirm"),
        ("file,split\na.png\n", r"split.csv:2: split is None"),
        ("file,split\n,train\n", r"split.csv:2: no file is named"),
        ("file,split\na.png,train\na.png,valid\n", r"split.csv:3: a.png is listed twice"),
        ("file,split,group\na.png,train,g\nb.png,valid,g\n", r"group g is in train \(line 2\), valid \(line 3\)"),
        ('file,split\n"a.png,train\n', "not a CSV file"),
    ],
)
def test_a_malformed_split_names_file_line_and_mistake(split_file: Path, text: str, message: str) -> None:
    split_file.write_text(text)
    with pytest.raises(PhotosError, match=message):
        read_split(split_file)


def test_all_mistakes_of_a_split_are_named_at_once(split_file: Path) -> None:
    split_file.write_text("file,split\na.png,one\nb.png,two\n")
    with pytest.raises(PhotosError, match=r"(?s):2:.*:3:"):
        read_split(split_file)


def test_a_split_that_is_no_text_is_an_error(split_file: Path) -> None:
    split_file.write_bytes(b"file,split\n\xff\xfe,train\n")
    with pytest.raises(PhotosError, match="UTF-8"):
        read_split(split_file)


def test_an_attribution_without_a_split_is_no_split_and_split_csv_comes_first(tmp_path: Path) -> None:
    assert find_split_file(tmp_path) is None
    attribution = tmp_path / "ATTRIBUTION.csv"
    attribution.write_text("file,author\na.png,me\n")
    assert find_split_file(tmp_path) is None
    attribution.write_text("file,author,split\na.png,me,train\n")
    assert find_split_file(tmp_path) == attribution
    attribution.write_bytes("file;author\nx.jpg;M\u00fcller\n".encode("latin-1"))
    assert find_split_file(tmp_path) is None
    attribution.write_bytes("file,split,author\nx.jpg,train,M\u00fcller\n".encode("latin-1"))
    with pytest.raises(PhotosError, match="not a CSV file in UTF-8"):
        find_split_file(tmp_path)
    (tmp_path / "split.csv").write_text("file,split\n")
    assert find_split_file(tmp_path) == tmp_path / "split.csv"
