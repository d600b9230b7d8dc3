"""From an import path to a reader's class, with messages for whatever is wrong with it."""

import importlib
import inspect
from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from llmops.tasks.errors import did_you_mean

OWN = "llama_index.readers."


def reader_class(path: str) -> type[Any]:
    """The class behind `module.Class`. Raises ValueError for what is no reader, or not
    installed.
    """
    module, _, name = path.replace(":", ".").rpartition(".")
    if not module or not all(part.isidentifier() for part in [*module.split("."), name]):
        raise ValueError("an import path is wanted, such as llama_index.core.SimpleDirectoryReader")
    try:
        there = find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        there = False
    if not there:
        raise ValueError(f"there is no module {module}; {_how(module)}")
    reader = getattr(_imported(module), name, None)
    if reader is None:
        close = did_you_mean(name, [each for each in dir(_imported(module)) if each[:1].isupper()])
        raise ValueError(f"{module} has no {name}" + (f"; {close}" if close else ""))
    if not (inspect.isclass(reader) and callable(getattr(reader, "load_data", None))):
        raise ValueError(f"{name} is no reader: a class with the method load_data is wanted")
    return reader


def refusal(reader: type[Any], options: Mapping[str, Any]) -> str:
    """Why a reader cannot be made with these options, "" when it can as far as its signature
    tells.
    """
    if inspect.isabstract(reader):
        return f"{reader.__name__} is abstract; name one of its subclasses"
    try:
        signature = inspect.signature(reader)
    except (TypeError, ValueError):  # made of C, or too clever
        return ""
    try:
        signature.bind(**options)
    except TypeError as error:
        return (
            f"{reader.__name__} does not take these options: {error}; it takes "
            f"{', '.join(signature.parameters) or 'none'}"
        )
    return ""


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"{module} cannot be imported: {error}; install what it needs") from error


def _how(module: str) -> str:
    if module.startswith(OWN):
        return (
            f"install it: pip install "
            f"llama-index-readers-{module.removeprefix(OWN).split('.')[0].replace('_', '-')}"
        )
    top = module.split(".")[0]
    return (
        "check the spelling"
        if find_spec(top)
        else f"install it: pip install {top.replace('_', '-')}, or check the spelling"
    )
