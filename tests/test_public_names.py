"""What `import colorgan` and `import search` offer."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import colorgan
import search

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", [colorgan, search])
def test_every_public_name_is_there_and_said_what_it_is(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name).__doc__
    assert set(dir(package)) == set(package.__all__)


@pytest.mark.parametrize("package", [colorgan, search])
def test_another_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nosuch'"):
        _ = package.nosuch


def test_only_the_trainer_imports_tensorflow() -> None:
    code = (
        "import sys, colorgan, search\n"
        "print(len(sys.modules) < 100, 'pydantic' in sys.modules)\n"
        "names = [getattr(search, name) for name in search.__all__]\n"
        "names += [getattr(colorgan, name) for name in colorgan.__all__ if name != 'Trainer']\n"
        "print({'keras', 'tensorflow'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "True False\nset()\n"
