"""Which backend a process computes with, and what is said where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from colorgan import backend_choice
from colorgan.backend_choice import BackendError, check_imported, use_any_backend, use_backend
from colorgan.programs import clean_programs, programs_bytes, programs_folder, trim_programs


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "COLORGAN_CACHE": str(tmp_path)})
    monkeypatch.delitem(sys.modules, "keras", raising=False)


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    monkeypatch.setattr(backend_choice, "is_installed", lambda backend: backend not in missing)


def test_a_backend_that_is_not_installed_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "jax")
    with pytest.raises(BackendError, match=r"backend: jax: it is not installed; make setup EXTRAS=jax"):
        use_backend("jax")
    without(monkeypatch, "tensorflow")
    with pytest.raises(BackendError, match=r"backend: tensorflow: it is not installed; .*`backend: jax`"):
        use_backend("tensorflow")
    with pytest.raises(BackendError, match="KERAS_BACKEND is 'torch'; allowed are tensorflow, jax"):
        use_backend("torch")


def test_what_only_uses_a_model_takes_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    os.environ.pop("KERAS_BACKEND", None)
    without(monkeypatch, "tensorflow")
    use_any_backend(threads=3)
    assert (os.environ["KERAS_BACKEND"], os.environ["PJRT_NPROC"]) == ("jax", "3")
    assert Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).parent == programs_folder()
    without(monkeypatch, "jax")
    os.environ["KERAS_BACKEND"] = "jax"  # and was asked for
    with pytest.raises(BackendError, match="not installed"):
        use_any_backend()


def test_keras_keeps_the_backend_that_it_was_imported_with() -> None:
    program = """
import keras
from colorgan.backend_choice import BackendError, use_backend
try:
    use_backend("jax")
except BackendError as error:
    print(error)
"""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "already imported in this process, with tensorflow; set KERAS_BACKEND=jax" in said.stdout
    check_imported("jax")  # here it is not


def test_compiled_programs_are_counted_and_removed() -> None:
    folder = programs_folder() / "x86_64-0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jit_step").write_bytes(bytes(1000))
    assert programs_bytes() >= 1000
    assert clean_programs() >= 1000
    assert (programs_bytes(), programs_folder().exists()) == (0, False)


def test_the_programs_used_longest_ago_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORGAN_CACHE", str(tmp_path))
    assert trim_programs() == 0  # there is no folder yet
    folder = programs_folder() / "x86_64-0"
    folder.mkdir(parents=True)
    for age, name in enumerate("abcd"):
        (folder / name).write_bytes(bytes(100))
        os.utime(folder / name, (1000 - age, 1000 - age))
    os.utime(folder / "d", (2000, 1))  # written first of all, and used last
    assert trim_programs(400) == 0
    assert trim_programs(250) == 200
    assert sorted(path.name for path in folder.iterdir()) == ["a", "d"]
