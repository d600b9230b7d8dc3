"""LanceDB, imported without what it does not need here: half of what the import costs.

LanceDB needs the data classes of `lance_namespace_urllib3_client`, and the package that holds them
builds a client with several hundred checked methods first. Here the package is built when something
of it beside its submodules is asked for, which neither LanceDB nor we do; and a data class gets its
validator when it is first used, which `pydantic` knows as `defer_build`.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TypeVar

from llmops.tasks.postponed import deferred_models, postponed

CLIENT = "lance_namespace_urllib3_client"
T = TypeVar("T")


def import_lancedb() -> None:
    """To be called before the first `import lancedb`."""
    if "lancedb" in sys.modules:
        return
    postponed(CLIENT)
    with deferred_models(), unchecked_overrides():
        import lancedb  # noqa: F401


@contextmanager
def unchecked_overrides() -> Iterator[None]:
    """Up to Python 3.11 LanceDB has each method compared with the one that it overrides, at every
    import. From 3.12 on it does without; so it does here.
    """
    if sys.version_info >= (3, 12) or find_spec("overrides") is None:
        yield
        return
    import overrides

    checks = {name: getattr(overrides, name, None) for name in ("override", "EnforceOverrides")}
    vars(overrides).update(override=_as_it_is, EnforceOverrides=object)
    try:
        yield
    finally:
        vars(overrides).update(checks)


def _as_it_is(method: Callable[..., T]) -> Callable[..., T]:
    return method
