"""Great Expectations itself, imported once and quietly."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from llmops.tasks.postponed import postponed

UNUSED = ("altair", "scipy.stats", "boto3")
"""For one expectation about distributions, which is there when it is asked for, and for files in
S3: more than a third of what the import costs."""


@contextmanager
def quietly() -> Iterator[None]:
    """While parts of it are imported: it still uses a module of the standard library that is going;
    and where Google's libraries are installed it imports them, which warn of this Python and of a
    grpcio that is not theirs.
    """
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, ImportWarning):
            warnings.simplefilter("ignore", kind)
        yield


@cache
def great_expectations() -> ModuleType:
    """The library, imported at the first call: some two seconds of CPU. Its analytics are off."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    for package in UNUSED:
        postponed(package)
    with quietly():
        import great_expectations

    # sets its own level, so that each of its folders would be a line in a notebook
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    return great_expectations
