"""Packages that a library imports and hardly ever uses: built when something of them is asked
for.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import MappingProxyType, ModuleType

from pydantic import BaseModel, ConfigDict

BUILDING, DEFERRING = RLock(), RLock()
STARTED = "_llmops_started"
OWN = ("__all__", "__version__")
"""Names with underscores that a package says itself; the others are Python's."""
NONE: Mapping[str, str] = MappingProxyType({})


class OnDemand(ModuleType):
    """A package whose submodules can be imported, and whose own names are there once one of them is
    asked for. Another thread that asks meanwhile waits.
    """

    _llmops_names: Mapping[str, str]

    def __getattr__(self, name: str) -> object:
        if (part := vars(self).get("_llmops_names", NONE).get(name)) is not None:
            with suppress(ModuleNotFoundError):  # a release may have it elsewhere
                taken = vars(import_module(f"{self.__name__}.{part}"))
                if name in taken:
                    return taken[name]
        with BUILDING:
            started = (name.startswith("__") and name not in OWN) or STARTED in vars(self)
            if started or not isinstance(self, OnDemand):
                return ModuleType.__getattribute__(self, name)
            vars(self)[STARTED] = True
            try:
                assert self.__spec__ is not None
                assert self.__spec__.loader is not None
                self.__spec__.loader.exec_module(self)
                self.__class__ = ModuleType  # type: ignore[assignment]
            finally:
                del vars(self)[STARTED]
        value: object = getattr(self, name)
        return value


def postponed(package: str, names: Mapping[str, str] = NONE) -> None:
    """Let a package be built on demand. Nothing happens where it is imported, or not installed.
    `names`: those that it takes from a submodule, with the submodule's name; they are had from
    there without building the package.
    """
    spec = None if package in sys.modules else _spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return
    module = OnDemand(package)
    module.__spec__, module.__loader__ = spec, spec.loader
    module.__file__, module.__package__ = spec.origin, package
    module.__path__ = list(spec.submodule_search_locations)
    module._llmops_names = names
    sys.modules.setdefault(package, module)
    parent, _, name = package.rpartition(".")
    if parent:  # as an import does
        vars(sys.modules[parent]).setdefault(name, sys.modules[package])


def postpone_fastapi() -> None:
    """Prefect takes an encoder of FastAPI, and MLflow a class of errors; whole it is a seventh of
    what the import of MLflow costs.
    """
    postponed("fastapi", {"HTTPException": "exceptions"})


def _spec(package: str) -> ModuleSpec | None:
    try:
        return find_spec(package)
    except ModuleNotFoundError:  # what it is a part of is not installed
        return None


@contextmanager
def deferred_models() -> Iterator[None]:
    """Models of pydantic that are made meanwhile get their validators when they are first used,
    unless they say otherwise; also those of another thread. By one thread at a time.
    """
    with DEFERRING:
        before = BaseModel.model_config
        BaseModel.model_config = before | ConfigDict(defer_build=True)
        try:
            yield
        finally:
            BaseModel.model_config = before
