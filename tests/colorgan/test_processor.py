"""The processor is known by what Linux says of it, and by its kind elsewhere."""

import platform
from pathlib import Path

import pytest

from colorgan import processor

CPUINFO = "processor\t: {n}\nmodel name\t: Some CPU @ 2 GHz\ncpu MHz\t\t: 2{n}00.0\nflags\t\t: fpu avx2 avx512_bf16\n\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO.format(n=0) + CPUINFO.format(n=1))
    monkeypatch.setattr(processor, "CPUINFO", path)
    return path


def test_name_and_features_are_what_linux_says(cpuinfo: Path) -> None:
    assert processor.processor_name() == "Some CPU @ 2 GHz"
    assert processor.processor_features() == {"fpu", "avx2", "avx512_bf16"}


def test_a_kind_is_shared_by_equal_processors_of_any_number_and_speed_and_by_no_others(cpuinfo: Path) -> None:
    kind = processor.processor_kind()
    cpuinfo.write_text(CPUINFO.format(n=7))
    assert processor.processor_kind() == kind
    cpuinfo.write_text(CPUINFO.format(n=7).replace(" avx2", ""))
    assert processor.processor_kind() != kind


def test_elsewhere_it_is_known_by_its_machine_alone(cpuinfo: Path) -> None:
    cpuinfo.unlink()
    assert processor.processor_name() == (platform.processor() or platform.machine())
    assert processor.processor_features() == frozenset()
    assert processor.processor_kind().startswith(f"{platform.machine()}-")
