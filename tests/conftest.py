"""One thread a process as in a worker, no GPU, a quiet backend, and one cache of packed photos for all tests."""

import os
import signal
from collections.abc import Iterator

import pytest

from colorgan.backend_choice import thread_variables

os.environ.update(
    thread_variables("tensorflow", 1) | thread_variables("jax", 1)
)  # with the next ones read when they are imported
os.environ.update({"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; what tests start would not heed it
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = (  # files that take half a minute and more: first, so that no process is left with one of them at the end
    "test_engines.py",
    "test_run.py",
    "test_ray.py",
    "test_on_jax.py",
    "test_fused_study.py",
    "test_promote.py",
    "test_chaos.py",
    "test_stops.py",
    "test_without_tensorflow.py",
    "test_memory.py",
    "test_local.py",
    "test_postgres.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first, wherever they lie."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def _photo_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLORGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
