"""LanceDB, imported without the client of its REST catalogue: a third of what the import costs.

LanceDB needs the data classes of `lance_namespace_urllib3_client`, and the package that holds them
builds a client with several hundred checked methods first. Here the package is built when something
of it beside its submodules is asked for, which neither LanceDB nor we do.
"""

import sys
from importlib.util import find_spec
from threading import RLock
from types import ModuleType

CLIENT = "lance_namespace_urllib3_client"
BUILDING = RLock()


class OnDemand(ModuleType):
    """A package whose submodules can be imported, and whose own names are there once one of them is
    asked for.
    """

    def __getattr__(self, name: str) -> object:
        with BUILDING:
            if name.startswith("__") or not isinstance(self, OnDemand):
                return super().__getattribute__(name)
            self.__class__ = ModuleType  # type: ignore[assignment]
            try:
                assert self.__spec__ is not None
                assert self.__spec__.loader is not None
                self.__spec__.loader.exec_module(self)
            except BaseException:
                self.__class__ = OnDemand
                raise
        value: object = getattr(self, name)
        return value


def postponed(package: str) -> None:
    """Let a package be built on demand. Nothing happens where it is imported, or not installed."""
    spec = None if package in sys.modules else find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return
    module = OnDemand(package)
    module.__spec__, module.__loader__ = spec, spec.loader
    module.__file__, module.__package__ = spec.origin, package
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules.setdefault(package, module)


def postpone_client() -> None:
    """To be called before the first import of `lancedb`."""
    postponed(CLIENT)
