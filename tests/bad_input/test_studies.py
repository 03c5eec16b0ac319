"""Broken and hostile study files: each is refused with one message that says what and where, and nothing begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from search.__main__ import app

SECTIONS = {
    "name": "name: sky",
    "train": "train: {data: {size: 32}, generator: {depth: 3}, discriminator: {depth: 2}}",
    "space": "space:\n  losses.l1_weight: {type: float, low: 1, high: 300, log: true}",
    "objective": "objective: {metric: valid/delta_e}",
    "search": "search: {trials: 2, workers: 1}",
}
MAX_MESSAGE = 20_000  # characters


def study(**changed: str) -> str:
    return "\n".join((SECTIONS | changed).values()) + "\n"


def train(section: str) -> str:
    return study(train=f"train: {section}")


def one(body: str, path: str = "losses.l1_weight") -> str:
    return study(space=f"space:\n  {path}: {body}")


def several(*parameters: str) -> str:
    return study(space="\n  ".join(["space:", *parameters]))


def pruner(body: str) -> str:
    return study(search=f"search: {{pruner: {body}}}")


def sampler(body: str) -> str:
    return study(search=f"search: {{sampler: {body}}}")


def bomb() -> str:
    levels = [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 30)]
    return "\n".join(["x0: &x0 [lol]", *levels, study()])


def nested(depth: int) -> str:
    return "\n".join("  " * level + "a:" for level in range(depth))


def chain(length: int) -> str:
    """Parameters each of which is a factor of the next: their ends have 2 ** length combinations."""
    fields = [f"{net}.{field}" for net in ("generator", "discriminator") for field in ("leak", "filters", "kernel")]
    fields += ["losses.l1_weight", "losses.l2_weight", "losses.adversarial_weight", "losses.label_smoothing"]
    fields += [f"optimizer.{field}" for field in ("generator_beta_1", "discriminator_beta_1", "beta_2", "epsilon")]
    parents = [*fields[1:length], "schedule.batch_size"]
    both = zip(fields[:length], parents, strict=True)
    lines = [f"{field}: {{type: float, low: 0.5, high: 0.9, factor_of: {parent}}}" for field, parent in both]
    return several(*lines)


def choices(count: int, path: str) -> str:
    return f"{path}: {{type: categorical, choices: [{', '.join(map(str, range(1, count + 1)))}]}}"


NAMES = {
    "climbs": "../sky",
    "climbs-in-the-middle": "a/../../sky",
    "absolute": "/home/sky",
    "folders": "a/b",
    "backslash": "a\\b",
    "dot": ".",
    "dots": "..",
    "hidden": ".sky",
    "option": "-rf",
    "home": "~",
    "blank": " ",
    "spaces": "my sky",
    "empty": "",
    "tab": "a\tb",
    "line-break": "sky\n",
    "null-byte": "sky\0",
    "escape": "\x1b[2Jsky",
    "right-to-left": "sky\u202egpj",
    "not-ascii": "himmel-\u00e4",
    "look-alike": "sk\u0443",
    "long": "x" * 65,
    "very-long": "x" * 100_000,
    "device": "con",
    "device-in-capitals": "NUL.txt",
    "folder-of-runs-by-hand": "runs",
    "folder-of-runs-in-capitals": "Runs",
    "ends-with-a-dot": "sky.",
    "shell": "$(id)",
    "url": "file:sky",
    "wildcard": "*",
}

BROKEN = {  # what is wrong -> the file, where the message says it is, and words of the message
    # YAML
    "empty": ("", ":1", "must be a mapping"),
    "only-a-comment": ("# later\n", ":1", "must be a mapping"),
    "text": ("hello", ":1", "must be a mapping", "'hello'"),
    "list": ("- name: sky\n", ":1", "must be a mapping", "a list"),
    "number": ("42", ":1", "must be a mapping", "42"),
    "configuration-instead": ("data: {}\nseed: 1\n", ":1", "a configuration for training", "make train CONFIG="),
    "unfinished-list": (study(objective="objective: [a"), ":", "not YAML", "','"),
    "tabs": ("name: sky\ntrain:\n\tdata: {}\n", ":3:1", "not YAML", "cannot start any token"),
    "json-with-a-trailing-quote": ('{"name": "sky"', ":1:", "not YAML"),
    "several-documents": (f"{study()}---\n{study()}", ":7:1", "not YAML", "single document"),
    "alias": (study(objective="a: &a {}\nb: *a"), ":6", "aliases (*a) are not allowed"),
    "billion-laughs": (bomb(), ":2", "aliases (*x0) are not allowed"),
    "alias-to-itself": ("name: &a [*a]", ":1", "aliases (*a) are not allowed"),
    "merge-key": (study(name="<<: {name: sky}"), ":1", "<<: unknown key"),
    "merge-key-with-alias": ("base: &b {name: sky}\n<<: *b\n", ":2", "aliases (*b) are not allowed"),
    "python-object": (study(name="name: !!python/object/apply:os.system [ls]"), ":1", "os.system", "is not allowed"),
    "python-name-as-key": ("!!python/name:os.system name: sky", ":1:1", "name: a key must be plain text"),
    "own-tag": (study(name="name: !sky x"), ":1", "tag !sky is not allowed"),
    "own-tag-prefix": (f"%TAG ! tag:yaml.org,2002:python/\n---\n{study(name='name: !str x')}", ":3", "is not allowed"),
    "binary": (study(name="name: !!binary c2t5"), ":1", "binary is not allowed"),
    "set": (study(search="search: !!set {trials}"), ":6", "set is not allowed"),
    "false-tag": (train("{data: {flip: !!bool maybe}}"), ":2", "'maybe' is no bool"),
    "false-null": (train("{data: {train_limit: !!null 5}}"), ":2", "'5' is no null"),
    "false-number": (train("{seed: !!int six}"), ":2", "'six' is no int"),
    "yaml-2": (f"%YAML 2.0\n---\n{study()}", ":1", "not YAML", "incompatible"),
    "key-is-a-list": (f"? [a]\n: 1\n{study()}", ":1:3", "a key must be text"),
    "key-is-a-mapping": ("{a: 1}: 2", ":1", "a key must be text"),
    "duplicate-key": (study(objective="name: sea"), ":5:1", "name: the same key stands in line 1; remove one"),
    "duplicate-key-inside": (train("{seed: 1, seed: 2}"), ":2:18", "the same key stands in line 2"),
    "nested-too-deep": (nested(40), ":33", "nested deeper than 32 levels"),
    "nested-lists": ("[" * 5_000, ":1", "nested deeper"),
    "nested-dashes": ("- " * 5_000, ":1", "nested deeper"),
    "many-values": (train(f"[{'1,' * 200_000}]"), ":2", "more than 10000 keys and values"),
    "many-keys": ("\n".join(f"k{i}: 1" for i in range(50_000)), ":5000", "more than 10000 keys and values"),
    "many-documents": ("---\na\n" * 60_000, ":", "more than 10000 keys and values"),
    "large": (f"{study()}#{'x' * 1_000_000}", "", "larger than 1000000 bytes"),
    "digits": (train(f"{{seed: {'9' * 5_000}}}"), ":2", "a number of 5000 digits"),
    "long-key": (f"{'x' * 900}: 1", ":1", "xxx...: unknown key"),
    "long-quoted-key": (f'? "{"x" * 500_000}"\n: 1', ":1", "xxx...: unknown key"),
    "bell": (study(name="name: sky\a"), ":1", "character #x0007 is not allowed"),
    "null-byte": (study(search="search: {}\0"), ":6", "character #x0000 is not allowed"),
    "byte-order-mark-inside": (study(name="name: \ufeffsky"), ":1", "name: must be a file name"),
    "half-a-character": (train(r'{data: {photos: "\ud800"}}'), ":2", "half a character"),
    "beyond-unicode": (train(r'{data: {photos: "\U00110000"}}'), "", "not YAML"),
    "far-beyond-unicode": (train(r'{data: {photos: "\Uffffffff"}}'), "", "not YAML"),
    "utf-16": (study().encode("utf-16"), ":1", "not UTF-8", "save it as UTF-8"),
    "utf-16-without-mark": (study().encode("utf-16-le"), ":1", "character #x0000 is not allowed"),
    "utf-32": (study().encode("utf-32"), ":1", "not UTF-8"),
    "latin-1": (study(name="name: h\u00e4user").encode("latin-1"), ":1", "not UTF-8 text (byte 7)"),
    "zip": (b"PK\x03\x04" + bytes(range(256)), ":", "not UTF-8"),
    "zeros": (bytes(1000), ":1", "character #x0000 is not allowed"),
    # keys
    "name-in-capitals": (study(name="Name: sky"), ":1", "Name: unknown key; did you mean name?"),
    "section-in-capitals": (study(search="SEARCH: {}"), ":6", "SEARCH: unknown key", "search"),
    "field-in-capitals": (one("{type: float, low: 1, high: 2}", "losses.L1_weight"), ":4", "mean losses.l1_weight?"),
    "two-that-differ-in-case": (study(objective="Search: {}"), ":5", "Search: unknown key; did you mean search?"),
    "empty-key": (train('{"": 1}'), ":2", "train.: unknown key"),
    "key-of-dots": (one("{type: float, low: 1, high: 2}", '".."'), ":4", "space...: no such field"),
    "key-that-clears-the-screen": (train(r'{"\e[2J\e]0;x\a": 1}'), ":2", r"train.\x1b[2J\x1b]0;x\x07: unknown key"),
    "key-of-several-lines": (train(r'{"a\nERROR b": 1}'), ":2", "train.a ERROR b: unknown key"),
    "attribute-of-the-model": (train("{model_config: {}, __class__: 1}"), ":2", "train.__class__: unknown key"),
    "thousands-of-unknown-keys": (
        train(f"{{{', '.join(f'loses{i}: 1' for i in range(4_000))}}}"),
        ":1",
        "3950 more mistakes are not named",
    ),
    "thousands-of-duplicates": (train(f"{{{'seed: 1, ' * 4_000}}}"), "", "and 3949 more mistakes"),
    # train
    "train-is-null": (study(train="train:"), ":2", "train: must be a mapping"),
    "not-a-number": (train("{losses: {l1_weight: .nan}}"), ":2", "train.losses.l1_weight: must be a finite number"),
    "infinite": (train("{losses: {l1_weight: -.inf}}"), ":2", "must be a finite number; received -inf"),
    "huge-float": (train("{losses: {l1_weight: 1e400}}"), ":2", "must be a finite number"),
    "huge-whole-number": (train(f"{{seed: {'9' * 300}}}"), ":2", "train.seed: must be less than 2147483648", "999..."),
    "photos-of-null-bytes": (train(r'{data: {photos: "a\0b", size: 33}}'), ":2", "must be a multiple of 32"),
    "photos-path-too-long": (train(f"{{data: {{photos: {'x' * 5_000}}}}}"), ":2", "at most 4096 characters"),
    "photos-is-a-list": (train("{data: {photos: [a, b]}}"), ":2", "must be text; received a list"),
    "many-scales": (train(f"{{data: {{crop_scales: [{'1.0, ' * 99}]}}}}"), ":2", "has 99 entries; at most 16"),
    # space
    "space-is-a-list": (study(space="space: [losses.l1_weight]"), ":3", "space: must be a mapping"),
    "low-is-not-a-number": (one("{type: float, low: .nan, high: 1}"), ":4", "low: must be a finite number"),
    "high-is-infinite": (one("{type: float, low: 1, high: .inf}"), ":4", "high: must be a finite number"),
    "range-beyond-floats": (one("{type: float, low: -1.7e+308, high: 1.7e+308}"), ":4", "refuses 1.7e+308"),
    "step-of-nothing": (one("{type: float, low: 0, high: 1, step: 1.0e-30}"), ":4", "more than 1000000 steps of 1e-30"),
    "denormal-step": (one("{type: float, low: 0, high: 1, step: 5.0e-324}"), ":4", "more than 1000000 steps"),
    "huge-ends": (one(f"{{type: int, low: -{'9' * 200}, high: {'9' * 200}, step: 7}}"), ":4", "at least -9007199254"),
    "infinite-factor": (
        one("{type: float, low: 1, high: 1.0e+308, factor_of: generator.filters}", "discriminator.filters"),
        ":4",
        "a factor of 1e+308 of generator.filters 64 is no finite number",
    ),
    "factor-of-nothing": (
        study(
            train="train: {data: {train_limit: 9}, schedule: {steps_per_epoch: 5}}",
            space="space:\n  data.train_limit: {type: categorical, choices: [9, null]}\n"
            "  schedule.steps_per_epoch: {type: float, low: 0.5, high: 1.0, factor_of: data.train_limit}",
        ),
        ":4",
        "refuses null: schedule.steps_per_epoch: a factor of 0.5555555555555556 of data.train_limit null is no finite",
    ),
    "factor-of-text": (
        several(
            "generator.filters: {type: categorical, choices: [8, many]}",
            "discriminator.filters: {type: int, low: 1, high: 1000000000, factor_of: generator.filters}",
        ),
        ":4",
        "space.generator.filters.choices.1",
    ),
    "factor-of-itself": (one("{type: float, low: 0, high: 1, factor_of: losses.l1_weight}"), ":4", "in a circle"),
    "factor-that-clears-the-screen": (one(r'{type: float, low: 0, high: 1, factor_of: "\e[2J"}'), ":4", r"\x1b[2J: no"),
    "type-is-a-list": (one("{type: [float], low: 0, high: 1}"), ":4", "unknown `type`", "received a list"),
    "type-is-code": (one("{type: __import__, low: 0, high: 1}"), ":4", "unknown `type`", "'__import__'"),
    "condition-is-a-list": (one("{type: float, low: 0, high: 1, when: [a]}"), ":4", "when: must be a mapping"),
    "choices-of-mappings": (one("{type: categorical, choices: [{a: 1}]}"), ":4", "received a mapping"),
    "not-a-number-as-choice": (one("{type: categorical, choices: [1, .nan]}"), ":4", "choices.1: must be finite"),
    "many-choices": (several(choices(5_000, "generator.filters")), ":4", "has 5000 entries; at most 100 are allowed"),
    "chain-of-factors": (chain(14), ":", "the configuration refuses"),
    "endless-conditions": (
        study(
            space="space:\n  generator.filters: {type: int, low: 1, high: 500}\n"
            "  discriminator.filters: {type: int, low: 1, high: 500}\n"
            "  generator.leak: {type: float, low: 0, high: 0.5, step: 0.1, when: {generator.filters: 1, "
            "discriminator.filters: 1}}",
            search="search: {sampler: {name: brute_force}}",
        ),
        ":3",
        "space: more than 100000 combinations of what `when` names are too many",
    ),
    # objective and search
    "metric-that-climbs": (study(objective="objective: {metric: ../../etc}"), ":5", "unknown metric '../../etc'"),
    "epochs-beyond-the-trial": (
        study(objective=f"objective: {{smooth_epochs: {'9' * 250}}}"),
        ":5",
        "is more than the",
    ),
    "trials-true": (study(search="search: {trials: true}"), ":6", "search.trials: must be a whole number"),
    "trials-in-millions": (study(search="search: {trials: 1000001}"), ":6", "must be at most 1000000"),
    "workers-in-millions": (study(search="search: {workers: 10000000}"), ":6", "at least 1 and at most 1024"),
    "timeout-not-a-number": (study(search="search: {trial_timeout_seconds: .nan}"), ":6", "must be a finite number"),
    "timeout-beyond-clocks": (
        study(search="search: {trial_timeout_seconds: 1e300}"),
        ":6",
        "must be at most 1000000000",
    ),
    "sampler-is-a-function": (sampler("{name: __init__}"), ":6", "unknown sampler '__init__'"),
    "candidates-in-trillions": (sampler("{name: tpe, n_ei_candidates: 1000000000000}"), ":6", "at most 1000000"),
    "no-candidates": (sampler("{name: tpe, n_ei_candidates: 0}"), ":6", "must be at least 1; received 0"),
    "chance-not-a-number": (sampler("{name: nsgaii, swapping_prob: .nan}"), ":6", "must be a finite number"),
    "threshold-not-a-number": (pruner("{name: threshold, lower: .nan}"), ":6", "must be a finite number"),
    "threshold-infinite": (pruner("{name: threshold, upper: .inf}"), ":6", "must be a finite number"),
    "margin-not-a-number": (pruner("{name: patient, patience: 1, min_delta: .nan}"), ":6", "must be a finite number"),
    "bracket-upside-down": (
        pruner("{name: hyperband, min_resource: 5, max_resource: 2}"),
        ":6",
        "max_resource: must be at least min_resource, which is 5; received 2",
    ),
    "power-of-a-million": (
        pruner("{name: successive_halving, min_early_stopping_rate: 1000000, reduction_factor: 1000000}"),
        ":6",
        "it would never prune",
    ),
    "power-of-a-billion": (
        pruner("{name: successive_halving, min_early_stopping_rate: 1000000000}"),
        ":6",
        "must be at most 1000000",
    ),
    "patience-in-patience": (
        pruner("{name: patient, patience: 1, wrapped: " * 20 + "{name: medan}" + "}" * 20),
        ":6",
        "unknown pruner 'medan'; did you mean median?",
    ),
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("study.yaml")


def assert_refused(*words: str, command: str = "run", there: int = 1) -> str:
    """Checks that a study is refused as it should be, and returns the message."""
    result = CliRunner().invoke(app, [command, "study.yaml"])
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, "")
    assert 0 < len(result.stderr) < MAX_MESSAGE
    assert "Traceback" not in result.stderr
    assert all(char.isprintable() for char in result.stderr.replace("\n", "")), "it could steer the terminal"
    assert all(word in result.stderr for word in words), result.stderr
    assert len(list(Path().iterdir())) == there, "something was written"
    return result.stderr


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_name_that_is_no_folder_below_the_results_is_refused(file: Path, name: str) -> None:
    escaped = "".join(char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in name)
    file.write_text(study(name=f'name: "{escaped}"'), encoding="utf-8")
    assert_refused("study.yaml:1: name: ")


@pytest.mark.parametrize(("content", "where", "words"), [(a, b, c) for a, b, *c in BROKEN.values()], ids=BROKEN.keys())
def test_a_broken_study_file_is_refused_where_it_is_broken(
    file: Path, content: str | bytes, where: str, words: list[str]
) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = assert_refused(*words)
    assert f"study.yaml{where}" in message, message


@pytest.mark.parametrize("command", ["check", "status", "tensorboard", "promote", "compare", "dashboard"])
def test_every_command_refuses_a_broken_study_alike(file: Path, command: str) -> None:
    file.write_text(study(name="name: ../sky"))
    assert_refused("study.yaml:1: name: must be a file name", command=command)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no such file"),
        ("empty", "must be a mapping"),
        ("folder", "not a regular file, but a folder; give a YAML file"),
        ("pipe", "not a regular file"),
        ("dangling link", "a symbolic link that leads to no file"),
        ("link to itself", "a symbolic link that leads to no file"),
        ("link to a device", "not a regular file"),
        ("link to a folder", "not a regular file, but a folder"),
        ("unreadable", "cannot be read: Permission denied"),
    ],
)
def test_what_is_no_readable_file_is_refused_at_once(file: Path, kind: str, words: str) -> None:
    make = {
        "empty": file.touch,
        "folder": file.mkdir,
        "pipe": lambda: os.mkfifo(file),
        "dangling link": lambda: file.symlink_to("nowhere"),
        "link to itself": lambda: file.symlink_to(file),
        "link to a device": lambda: file.symlink_to("/dev/zero"),
        "link to a folder": lambda: file.symlink_to("."),
        "unreadable": lambda: file.touch(mode=0),
    }
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    if kind in make:
        make[kind]()
    assert_refused(words, there=int(kind in make))


def test_a_study_of_many_choices_is_read_in_time(file: Path) -> None:
    fields = ["generator.filters", "discriminator.filters", "schedule.batch_size", "losses.l1_weight"]
    file.write_text(several(*(choices(100, field) for field in fields)))
    result = CliRunner().invoke(app, ["check", "study.yaml"])
    assert (result.exit_code, result.stderr) == (0, "")
