"""Packages that a library imports and hardly ever uses: built when something of them is asked
for.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType

from pydantic import BaseModel, ConfigDict

BUILDING, DEFERRING = RLock(), RLock()
STARTED = "_llmops_started"


class OnDemand(ModuleType):
    """A package whose submodules can be imported, and whose own names are there once one of them is
    asked for. Another thread that asks meanwhile waits.
    """

    def __getattr__(self, name: str) -> object:
        with BUILDING:
            started = name.startswith("__") or STARTED in vars(self)
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


def postponed(package: str) -> None:
    """Let a package be built on demand. Nothing happens where it is imported, or not installed."""
    spec = None if package in sys.modules else _spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return
    module = OnDemand(package)
    module.__spec__, module.__loader__ = spec, spec.loader
    module.__file__, module.__package__ = spec.origin, package
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules.setdefault(package, module)
    parent, _, name = package.rpartition(".")
    if parent:  # as an import does
        vars(sys.modules[parent]).setdefault(name, sys.modules[package])


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
