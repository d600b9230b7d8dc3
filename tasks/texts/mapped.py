"""Arrays that take long to make, kept in the user's cache and mapped into memory: what nobody looks
at is never read, and processes share what they look at.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from llmops.tasks.user_cache import NEW, made_ready, user_cache

LOG = logging.getLogger(__name__)
Arrays = Mapping[str, NDArray[Any]]
NAMES = "names"
"""The file that is written last and says which arrays there are."""


def mapped(key: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays of a key, which are made and kept where they are not there yet or are damaged;
    where they cannot be kept, they are made each time. `key`: names all that they are made of, and
    is a folder of `$XDG_CACHE_HOME/llmops-pipelines` (else of `~/.cache`).
    """
    with suppress(OSError, EOFError, ValueError, RuntimeError):
        return _read(user_cache() / key)
    made = make()
    try:
        _keep(made, key)
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        LOG.debug("%s is not kept: %s", key, error)
    return made


def _read(folder: Path) -> Arrays:
    """Raises OSError, EOFError, ValueError where one is missing, or is not what its line says.
    Values are not compared: to read them all is what this saves.
    """
    arrays: dict[str, NDArray[Any]] = {}
    lines = (folder / NAMES).read_text("utf-8").splitlines()
    for line in lines[1:]:
        name, *_ = line.split()
        arrays[name] = np.asarray(open_memmap(folder / f"{name}.npy", mode="r"))
        if _line(name, arrays[name]) != line:
            raise ValueError(f"{name} is not what was kept")
    if lines[:1] != [str(len(arrays))]:
        raise ValueError(f"of {lines[:1]} arrays there are {len(arrays)}")
    return arrays


def _line(name: str, array: NDArray[Any]) -> str:
    return f"{name} {array.dtype.str} {'x'.join(map(str, array.shape))}"


def _keep(arrays: Arrays, key: str) -> None:
    """A kill leaves none or all of them; each is on the disk before it has its name."""
    folder = made_ready(user_cache() / key)
    for name, array in arrays.items():
        _write(folder / f"{name}.npy", partial(np.save, arr=array))
    listed = "\n".join([str(len(arrays)), *(_line(*each) for each in arrays.items())]).encode()
    _write(folder / NAMES, lambda file: file.write(listed))


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=NEW, delete=False) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    try:
        Path(file.name).replace(path)
    except OSError:
        Path(file.name).unlink()
        raise
