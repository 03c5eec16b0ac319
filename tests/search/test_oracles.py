"""KerasTuner without Keras."""

import subprocess
import sys


def test_the_driver_proposes_without_keras_and_leaves_the_real_one_to_others() -> None:
    code = """
import sys
sys.modules |= dict.fromkeys(["sklearn", "scipy", "pandas"])  # they are of no use here, and take seconds
from search.oracles import keras_tuner
library = keras_tuner()
space = library.HyperParameters()
space.Choice("a", [1, 2])
with space.conditional_scope("a", [2]):
    space.Float("b", 0.0, 1.0)
assert [hp.name for hp in space.copy().space] == ["a", "b"] and space.copy().values == {"a": 1}
print(sorted({name.partition(".")[0] for name in sys.modules} & {"keras", "keras_tuner", "tensorflow"}))
import importlib.util
print(importlib.util.find_spec("keras").origin.endswith("__init__.py"), keras_tuner() is library)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\nTrue True\n", "")
