"""What SciPy imports and never uses."""

import subprocess
import sys

import pytest

IMPORTED = """
import sys
import llmops.tasks.statistics.power
import scipy.special
print("numpy.f2py.f2py2e" in sys.modules)
import numpy
print(numpy.f2py.get_include.__module__, "numpy.f2py.f2py2e" in sys.modules)
"""


@pytest.mark.slow
def test_the_compiler_of_numpy_is_built_when_it_is_asked_for() -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False
    )
    assert run.stdout.splitlines() == ["False", "numpy.f2py True"], run.stderr
