"""From an import path in a config to what stands there."""

from importlib import import_module
from typing import Any, TypeAlias

from llmops.tasks.errors import did_you_mean

Foreign: TypeAlias = Any
"""A class, a function or an object of a library that need not be installed: of its type nothing is
known here.
"""


def imported(path: str, where: str = "path") -> object:
    """What stands at `package.module:name` or `package.module.name`; after the colon also a part of
    it, as in `module:Class.member`. Raises ValueError saying what there is instead.
    """
    module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not (module and name):
        raise ValueError(
            f"{where}: got {path!r}; an import path is wanted, such as package.module:name"
        )
    try:
        held: object = import_module(module)
    except (ImportError, ValueError) as error:
        raise ValueError(
            f"{where}: {module} cannot be imported: {error}; "
            "install it, or put the folder that holds it on PYTHONPATH"
        ) from error
    for part in name.split("."):
        if not hasattr(held, part):
            close = did_you_mean(part, [each for each in dir(held) if not each.startswith("_")])
            raise ValueError(f"{where}: {module} has no {name}" + (f"; {close}" if close else ""))
        held = getattr(held, part)
    return held
