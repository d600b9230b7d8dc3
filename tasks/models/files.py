"""The files of models that lie in the home: named relative to it, and never loaded where they are
not what was trained.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeGuard

from llmops.tasks.errors import Damaged
from llmops.tasks.models.version import RegisteredModel
from llmops.tasks.plugins import Spec

HOME = "home:/"
SECRETS = ("api_key",)


def portable(home: Path, spec: Mapping[str, object]) -> Spec:
    """How configs name a model, with paths below the home written so that the home may move, and
    without what is secret.
    """
    options = {
        name: _portable(home, value)
        for name, value in spec.items()
        if name != "name" and name not in SECRETS
    }
    return Spec(name=str(spec["name"]), options=options)


def placed(home: Path, spec: Spec) -> Spec:
    """The same with the paths as they are in this home."""
    options = {
        name: str(home / value.removeprefix(HOME)) if _in_home(value) else value
        for name, value in spec.options.items()
    }
    return Spec(name=spec.name, options=options)


def hashes(home: Path, spec: Spec) -> dict[str, str]:
    """Path below the home -> SHA-256 of every file that a spec names there. Raises Damaged where
    there is none.
    """
    found: dict[str, str] = {}
    for value in spec.options.values():
        if _in_home(value):
            place = home / value.removeprefix(HOME)
            files = sorted(place.rglob("*")) if place.is_dir() else [place]
            mine = [each for each in files if each.is_file()]
            if not mine:
                raise Damaged("the trained model has no file", where=str(place))
            found |= {each.relative_to(home).as_posix(): _hash(each) for each in mine}
    return found


def verify(home: Path, model: RegisteredModel) -> None:
    """Raises Damaged for a file that is gone or is not what was trained. What was looked at once in
    this process and has not changed since is not read again.
    """
    hint = f"train it again (llmops train CONFIG), or: llmops models rollback {model.name}"
    for name, wanted in model.files.items():
        path = home / name
        if not path.is_file():
            said = f"a file of {model.uri} is gone"
        elif _hash(path) != wanted:
            said = f"a file of {model.uri} is not what was trained"
        else:
            continue
        raise Damaged(said, where=str(path), hint=hint)


def _portable(home: Path, value: object) -> object:
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str) and Path(value).is_absolute() and Path(value).is_relative_to(home):
        return HOME + Path(value).relative_to(home).as_posix()
    return value


def _in_home(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith(HOME)


def _hash(path: Path) -> str:
    facts = path.stat()
    return _hash_of(str(path), facts.st_mtime_ns, facts.st_size, facts.st_ino)


@lru_cache(maxsize=4096)
def _hash_of(path: str, changed: int, size: int, inode: int) -> str:
    del changed, size, inode
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
