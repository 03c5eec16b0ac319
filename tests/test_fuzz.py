"""Whatever bytes a study or a photo is made of, it is read or refused by its own error, never anything else.

The short form is the same in every run. `FUZZ_EXAMPLES=20000 python -m pytest tests/test_fuzz.py` tries so many others.
"""

from __future__ import annotations

import copy
import os
import re
import struct
import warnings
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from colorgan.config import ConfigError, DataConfig
from colorgan.decode import PhotoError, decode_photo, read_crops
from colorgan.deep_png import write_deep_png
from colorgan.errors import BadInputError
from colorgan.folder import SAMPLE_FOLDER
from colorgan.photo_file import read_photo
from colorgan.strict_yaml import YamlError, parse_yaml, write_yaml
from search.methods import make_pruner, make_sampler
from search.space import Space
from search.study import StudySpec, read_study

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
pytestmark = pytest.mark.timeout(0 if EXAMPLES else 300)
CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
fuzz = settings(
    max_examples=EXAMPLES or 100,
    derandomize=not EXAMPLES,
    print_blob=bool(EXAMPLES),
    database=None,
    deadline=None,
    suppress_health_check=CHECKS,
)
TEXT = """\
name: sky
train: {data: {size: 32}, generator: {depth: 3}, discriminator: {depth: 2}, schedule: {epochs: 9}}
space:
  optimizer.generator_learning_rate: {type: float, low: 1.0e-4, high: 5.0e-3, log: true}
  optimizer.discriminator_learning_rate:
    {type: categorical, choices: [1.0, 0.1], factor_of: optimizer.generator_learning_rate}
  generator.normalization: {type: categorical, choices: [batch, none]}
  generator.filters: {type: int, low: 4, high: 8, step: 2}
  generator.dropout: {type: float, low: 0.0, high: 0.5, step: 0.1, when: {generator.normalization: batch}}
objective: {metric: valid/delta_e, direction: minimize, smooth_epochs: 3}
search: {trials: 4, sampler: {name: tpe, n_startup_trials: 0}, pruner: {name: median, warmup_epochs: 3}, workers: 1}
"""
TREE = yaml.safe_load(TEXT)
WORDS = [  # that mean something to YAML, to a study or to a reader of numbers
    *"[]{}:,-?|>&*!%@`#'\"\\\n\t\0~",
    *("---\n", "...\n", "<<: ", "&a ", "*a", "!!int ", "!!python/object:os.system ", "\ufeff", "\x1b[2J", "\\ud800"),
    *(".nan", ".inf", "-.inf", "1e400", "1e-400", "5e-324", "9" * 40, "0", "-1", "0x10", "1_000", "null", "true", "no"),
    *("tpe", "grid", "brute_force", "nsgaii", "qmc", "hyperband", "successive_halving", "patient", "threshold"),
    *("wrapped: ", "factor_of: ", "when: ", "step: ", "seed: ", "losses.l1_weight: ", "generator.filters"),
]
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 2**53, 2**63, 10**30, 1e308, 5e-324, 1e-30]))
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.sampled_from(WORDS))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
CONFIG = DataConfig(size=16, crop_scales=(1.0, 2.0))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "study.yaml"


def assert_study_or_error(file: Path, content: bytes) -> StudySpec | None:
    """Reads a study; checks that it can be written and can begin, or that the error says something."""
    file.write_bytes(content)
    try:
        spec = read_study(file)
    except BadInputError as error:
        message = str(error)
        assert message
        assert not STEERING.search(message), "it could steer the terminal"
        return None
    file.write_text(spec.to_yaml(), encoding="utf-8")
    assert read_study(file) == spec
    begin(spec)
    return spec


def begin(spec: StudySpec) -> None:
    """Asks for two trials, as a driver does."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = Space(spec.space, spec.train)
    space.to_config(space.default_params()[0], seed=0)
    space.hparams()
    space.limit(spec)
    study = optuna.create_study(
        sampler=make_sampler(spec, space), pruner=make_pruner(spec), direction=spec.objective.direction
    )
    for _ in range(2):
        trial = study.ask()
        params = space.suggest(trial)
        space.shown(params)
        with suppress(ConfigError):  # what only a trial's own failure can say
            space.to_config(params, seed=0)
        for epoch in range(1, 4):
            trial.report(float(epoch), epoch)
            trial.should_prune()
        study.tell(trial, 1.0)


@fuzz
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe")
def test_any_bytes_are_a_study_or_a_mistake(file: Path, content: bytes) -> None:
    assert_study_or_error(file, content)


@st.composite
def changed_texts(draw: st.DrawFn) -> str:
    text = TEXT
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        new = draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=4), st.just(""), st.just(text[start : end + 40])))
        text = text[:start] + new + text[end:]
    return text


@fuzz
@given(changed_texts())
@example(TEXT)
def test_a_study_with_slips_of_the_pen_is_a_study_or_a_mistake(file: Path, text: str) -> None:
    assert_study_or_error(file, text.encode("utf-8", "surrogatepass"))


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


PLACES = places(TREE)[1:]


@st.composite
def changed_trees(draw: st.DrawFn) -> Any:
    tree = copy.deepcopy(TREE)
    for place in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        with suppress(KeyError, IndexError, TypeError):  # an earlier change has put something else there
            node = at(tree, place[:-1])
            other = at(TREE, draw(st.sampled_from(PLACES)))
            node[place[-1]] = draw(st.one_of(LEAVES, TREES, st.just(copy.deepcopy(other))))
    return tree


def at(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


@fuzz
@given(changed_trees())
@example(TREE)
def test_a_study_with_other_values_is_a_study_or_a_mistake(file: Path, tree: Any) -> None:
    assert_study_or_error(file, write_yaml(tree).encode("utf-8", "surrogatepass"))


@fuzz
@given(TREES)
@example(["a\x85b", "c\u2028d", "e\u2029f", "g\ud800h"])
def test_what_is_written_as_yaml_is_read_back_equal(tree: Any) -> None:
    text = write_yaml(tree)
    try:
        value = parse_yaml(text, Path("any.yaml")).value
    except YamlError:
        assert "\\u" in ascii(text) or "9" * 300 in text or "\\U" in text, text
        return
    assert write_yaml(value) == text


def photo_files() -> list[bytes]:
    """The same bundled photo in all formats, small, with EXIF data and a profile."""
    with Image.open(SAMPLE_FOLDER / "py-china.jpg") as bundled:
        image, exif = bundled.convert("RGB").resize((48, 32)), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "sky"
    metadata = {"exif": exif, "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    alpha = image.convert("RGBA")
    alpha.putalpha(128)
    kinds: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("JPEG", image, {}),
        ("JPEG", image, {"progressive": True}),
        ("JPEG", image.convert("CMYK"), {}),
        ("PNG", image, {}),
        ("PNG", alpha, {}),
        ("PNG", image.quantize(16), {"transparency": 3}),
        ("PNG", image, {"save_all": True, "append_images": [image.rotate(180)]}),
        ("WEBP", image, {}),
        ("WEBP", alpha, {"lossless": True}),
    ]
    files = []
    for kind, picture, options in kinds:
        stream = BytesIO()
        picture.save(stream, kind, **options, **metadata)
        files.append(stream.getvalue())
    stream = BytesIO()
    write_deep_png(stream, np.asarray(image).astype(np.uint16) * 257, exif=exif.tobytes(), dpi=(300, 300))
    return [*files, stream.getvalue()]


FILES = photo_files()
PIECES = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xd8",
    b"\xff\xda",
    b"\xff\xd9",
    b"IDAT",
    b"IEND",
]


@st.composite
def changed_photos(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 6))):
        early = draw(st.booleans())  # where the headers are
        start = draw(st.integers(0, min(200, len(data)) if early else len(data)))
        new = draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(PIECES), st.just(data[start:][:99])))
        end = start + draw(st.sampled_from([0, len(new), len(new), 9, len(data)]))
        data = data[:start] + new + data[end:]
    return with_checksums(data) if draw(st.booleans()) else data


def with_checksums(data: bytes) -> bytes:
    """Mends the checksums of a PNG file's chunks, without which its reader looks no further."""
    place, mended = 8, bytearray(data)
    while data.startswith(b"\x89PNG") and place + 12 <= len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        end = place + 8 + size
        if end + 4 > len(data):
            break
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(mended)


def assert_photo_or_error(file: Path, data: bytes) -> None:
    with warnings.catch_warnings(action="ignore"):  # Pillow's, of broken metadata
        with suppress(PhotoError):
            crops = read_crops(data, CONFIG)
            assert (crops.shape[1:], crops.dtype) == ((16, 16, 3), np.uint8)
            assert len(crops) > 0
        with suppress(PhotoError):
            assert decode_photo(data).mode == "RGB"
        file.write_bytes(data)
        with suppress(PhotoError):
            photo = read_photo(file)
            assert photo.pixels.shape == (*photo.pixels.shape[:2], 3)
            assert photo.pixels.dtype in (np.uint8, np.uint16)
            assert photo.alpha is None or photo.alpha.shape == photo.pixels.shape[:2]


@fuzz
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x64\0\0\0WEBP"]), st.binary(max_size=200))
def test_any_bytes_are_a_photo_or_an_error(file: Path, start: bytes, rest: bytes) -> None:
    assert_photo_or_error(file, start + rest)


@fuzz
@given(changed_photos())
def test_a_damaged_photo_is_a_photo_or_an_error(file: Path, data: bytes) -> None:
    assert_photo_or_error(file, data)


@pytest.mark.parametrize("data", FILES)
def test_the_photos_that_are_damaged_here_are_whole_at_first(data: bytes) -> None:
    assert len(read_crops(with_checksums(data), CONFIG)) > 0
