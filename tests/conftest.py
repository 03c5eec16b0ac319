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


@pytest.fixture(scope="session", autouse=True)
def _photo_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLORGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
