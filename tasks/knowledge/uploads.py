"""Files that people upload for a knowledge base: into one folder, under names that are safe
everywhere.
"""

import os
import re
import secrets
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.errors import UsageError, disk_trouble

LONGEST = 120
"""Bytes of a name: file systems take 255, and some add to it."""
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
UNSAFE = re.compile(r'[<>:"/\\|?*]')
JOINER = "\u200c"
"""Zero-width non-joiner: Persian words are written with it."""
PARTIAL = ".part-"


class Upload(NamedTuple):
    """`name`: as the browser gives it."""

    name: str
    data: bytes


class UploadedFile(NamedTuple):
    name: str
    bytes: int


class Kept(NamedTuple):
    """What became of an upload. `replaced`: a file of that name was there before."""

    name: str
    replaced: bool


def safe_name(given: str) -> str:
    """The last part of a name, without what a file system or a reader could take for something
    else: separators, control characters, marks that turn the direction of writing, a dot at its
    beginning. Letters of every script stay. Raises UsageError where nothing is left.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C" or c == JOINER)
    plain = UNSAFE.sub("-", " ".join(plain.split())).lstrip(".-~ ").rstrip(". ")
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, ending = plain, ""
    room = LONGEST - len(ending.encode()) - len(dot)
    stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    name = f"{stem}.{ending}" if ending else stem
    if not re.search(r"\w", stem):
        raise UsageError(f"{given[:80]!r} is no name of a file", hint="give it letters or digits")
    return f"_{name}" if RESERVED.fullmatch(name) else name


def uploaded(folder: Path) -> list[UploadedFile]:
    """The files of a folder, by name; none where there is no folder."""
    if not folder.is_dir():
        return []
    files = [each for each in os.scandir(folder) if each.is_file(follow_symlinks=False)]
    own = [each for each in files if not each.name.startswith(".")]
    return sorted(UploadedFile(each.name, each.stat().st_size) for each in own)


def keep(root: Path, folder: Path, uploads: Iterable[Upload], most: int) -> list[Kept]:
    """Write files into a folder inside of `root`, each whole or not at all; one of a name that is
    there takes its place. Two of one name in one go get two names. `most`: how many files the
    folder may hold. Raises UsageError before anything is written.
    """
    _inside(root, folder)
    given = list(uploads)
    there = {each.name for each in uploaded(folder)}
    names = _told_apart([safe_name(each.name) for each in given])
    if len(there | set(names)) > most:
        raise UsageError(
            f"the folder would hold {len(there | set(names)):,} files, {most:,} are allowed",
            hint="remove some, or raise `build.files` in the application's config",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _inside(root, folder)
        for name, upload in zip(names, given, strict=True):
            _write(folder, name, upload.data)
    except OSError as error:
        raise (disk_trouble(error) or _unwritable(folder, error)) from error
    return [Kept(name, name in there) for name in names]


def remove(root: Path, folder: Path, name: str) -> None:
    """Take an uploaded file away. Raises UsageError for one that is not there."""
    _inside(root, folder)
    if name not in {each.name for each in uploaded(folder)}:
        raise UsageError("there is no such file", where=name[:200])
    try:
        (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _inside(root: Path, folder: Path) -> None:
    """A link on the way must not lead out of the root."""
    if not folder.resolve().is_relative_to(root.resolve()) or folder.is_symlink():
        raise UsageError("the folder of uploads is not inside of the project", where=str(folder))


def _told_apart(names: list[str]) -> list[str]:
    """File systems differ in whether case counts."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        key = name.casefold()
        seen[key] = seen.get(key, 0) + 1
        stem, dot, ending = name.rpartition(".")
        more = f"-{seen[key]}"
        apart = f"{stem}{more}.{ending}" if dot else f"{name}{more}"
        found.append(name if seen[key] == 1 else apart)
    return found if len({each.casefold() for each in found}) == len(found) else _told_apart(found)


def _write(folder: Path, name: str, data: bytes) -> None:
    """Also where a link of that name lies there: the link goes, what it leads to stays."""
    partial = folder / f"{PARTIAL}{secrets.token_hex(8)}"
    try:
        with partial.open("xb") as file:
            file.write(data)
        partial.replace(folder / name)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the folder cannot be written: {error.strerror or type(error).__name__}",
        where=str(folder),
        hint="check its permissions",
    )
