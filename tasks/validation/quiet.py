"""Importing Great Expectations without what it says, and sends, on the way."""

import os
import warnings
from functools import cache
from types import ModuleType


@cache
def great_expectations() -> ModuleType:
    """The library, imported at the first call: some three seconds of CPU. Its analytics are off."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of a module of the standard library that it still uses
        import great_expectations

    return great_expectations
