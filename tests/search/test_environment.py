"""What workers are told of their backend and their device; no GPU is needed for that."""

import pytest

from search.engines.environment import worker_environment
from search.engines.local import LocalEngine


def test_without_a_gpu_a_worker_has_one_thread_of_its_backend() -> None:
    assert worker_environment("tensorflow") | {"TF_CPP_MIN_LOG_LEVEL": ""} == {
        "KERAS_BACKEND": "tensorflow",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "",
    }
    settings = worker_environment("jax")
    assert (settings["KERAS_BACKEND"], settings["PJRT_NPROC"], settings["OMP_NUM_THREADS"]) == ("jax", "1", "1")


def test_workers_that_share_a_gpu_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, shared = (worker_environment("jax", gpu_share=share) for share in (1.0, 1 / 3))
    assert alone["XLA_PYTHON_CLIENT_PREALLOCATE"] == shared["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert "XLA_CLIENT_MEM_FRACTION" not in alone
    assert shared["XLA_CLIENT_MEM_FRACTION"] == "0.300"
    alone, shared = (worker_environment("tensorflow", gpu_share=share) for share in (1.0, 1 / 3))
    assert alone["TF_FORCE_GPU_ALLOW_GROWTH"] == shared["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert (alone.get("COLORGAN_GPU_SHARE"), shared["COLORGAN_GPU_SHARE"]) == (None, "0.300")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.1")  # the user's own; JAX refuses both
    assert "XLA_CLIENT_MEM_FRACTION" not in worker_environment("jax", gpu_share=1 / 3)


def test_each_gpu_has_as_many_workers_as_the_study_says(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    engine = LocalEngine(workers=None, logs=tmp_path, backend="jax", workers_per_gpu=2)
    assert engine.count == 4
    settings = [engine._settings(number) for number in range(4)]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in settings] == ["3", "5", "3", "5"]
    assert {one["XLA_CLIENT_MEM_FRACTION"] for one in settings} == {"0.450"}
    three = LocalEngine(workers=3, logs=tmp_path, backend="jax")
    assert [three._settings(n).get("XLA_CLIENT_MEM_FRACTION") for n in range(3)] == ["0.450", None, "0.450"]
