"""A copy of the home at one moment, on its own disk, while builds, evaluations and requests go on.

The order makes it consistent. First the ledger, which says what is live; then traces that wait for
MLflow, then MLflow's database, so that a trace is in one of the two; last the files that the ledger
names. They are never changed, only removed: where one is gone meanwhile, all is copied again.
"""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from sqlalchemy import select

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.knowledge.handle import Version
from llmops.tasks.knowledge.reading import collection_of, store_of
from llmops.tasks.lake import Lake, lake_of
from llmops.tasks.ledger import Ledger, chain, make_folder, migrations
from llmops.tasks.ledger.tables import (
    chunks,
    documents,
    knowledge_bases,
    parsed,
    rankings,
    versions,
)
from llmops.tasks.maintenance.backup.homes import id_of
from llmops.tasks.maintenance.backup.ledgers import copy_ledger, copy_sqlite, file_ledger
from llmops.tasks.tracking.place import own_database, place_of, without_login

PREFIX = ".backup-"
LEDGER = "ledger.db"
ROUNDS = 8
ELSEWHERE = ("ledger.db", "mlflow", "lake", "lancedb", "spool", chain.HEAD)
"""What is copied in a way of its own."""
PASSING = ("prefect", "logs", "plans", "up.json")
"""What only what runs now needs, and Prefect's history of runs."""
WRITING = re.compile(r"(.*\.lock)|(.*\.new)|(\..*\.\d+\.\d+)", re.DOTALL)
"""The names of locks, and of what a writer is at."""
WITHOUT_PREFECT = (
    "the history of runs in Prefect's own database: what they came to is in ledger and MLflow"
)


class HomeCopy(NamedTuple):
    """`folder`: laid out as a home."""

    folder: Path
    revision: str
    live: dict[str, int | None]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]


@contextmanager
def staged(home: Path) -> Iterator[HomeCopy]:
    """Raises UsageError where there is nothing to keep, Unavailable, Damaged."""
    if not (home / LEDGER).is_file() and not os.environ.get("LLMOPS_LEDGER_URL"):
        raise UsageError(
            f"there is no ledger in {home}: nothing to back up", hint="set LLMOPS_HOME to the home"
        )
    make_folder(home)
    _tidy(home)
    folder = home / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    lock = FileLock(f"{folder}.lock")
    with lock:
        try:
            for number in range(ROUNDS):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(mode=0o700)
                made = _copied(home, folder)
                if not made.problems or number == ROUNDS - 1:
                    break
            yield made
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _tidy(home: Path) -> None:
    """Remove what a backup left that was killed: nobody holds its lock. Numbers of processes prove
    nothing where containers share a home.
    """
    for folder in [each for each in home.glob(f"{PREFIX}*") if each.is_dir()]:
        lock = FileLock(f"{folder}.lock")
        with suppress(Timeout), lock.acquire(timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _copied(home: Path, folder: Path) -> HomeCopy:
    id_of(home)  # it is to be in the first backup, too
    copy_ledger(home, folder / LEDGER)
    _same_mode(home / LEDGER, folder / LEDGER)
    left_out = [WITHOUT_PREFECT, *_tree(home / "spool", folder / "spool", shutil.copy2)]
    left_out += _mlflow(home, folder)
    for top in sorted(home.iterdir()):
        if top.name not in (*ELSEWHERE, *PASSING) and not top.name.startswith("."):
            left_out += _tree(top, folder / top.name, shutil.copy2)
    with file_ledger(folder / LEDGER) as ledger:
        problems = _lake(ledger, lake_of(home), folder / "lake")
        _tables(home / "lancedb", folder / "lancedb")
        kept = _published(ledger)
        elsewhere = {each.kb for each in kept if store_of(each).folder(folder) is None}
        left_out += [
            f"what the store of {kb!r} holds: `llmops kb repair {kb}` makes it again from the "
            "backup, without embedding anything"
            for kb in sorted(elsewhere)
        ]
        for each in kept:
            problems += [] if each.kb in elsewhere else _unread(folder, each)
        with ledger.read() as connection:
            query = select(knowledge_bases.c.name, knowledge_bases.c.live)
            live = {row.name: row.live for row in connection.execute(query)}
            revision = migrations.found(connection) or migrations.FIRST
    return HomeCopy(folder, revision, live, tuple(left_out), tuple(problems))


def _mlflow(home: Path, folder: Path) -> list[str]:
    """Runs, prompts, traces and their files; returns what is elsewhere."""
    place, database, left_out = place_of(home), own_database(home), list[str]()
    if database.is_file():
        (folder / "mlflow").mkdir()
        copy_sqlite(database, folder / "mlflow" / database.name)
        _same_mode(database, folder / "mlflow" / database.name)
        artifacts = database.parent / "artifacts"
        left_out += _tree(artifacts, folder / "mlflow" / "artifacts", shutil.copy2)
    if place.own:
        return left_out
    return [
        *left_out,
        f"runs, prompts and traces in MLflow at {without_login(place.uri)}: back it up there",
    ]


def _lake(ledger: Ledger, lake: Lake, target: Path) -> list[str]:
    """The files that the ledger names; returns which are gone."""
    named = ((documents, "shard"), (chunks, "shard"), (parsed, "shard"), (rankings, "model"))
    with ledger.read() as connection:
        paths = {
            path
            for table, column in named
            for path in connection.scalars(select(table.c[column]).distinct())
            if path
        }
    gone = []
    for path in sorted(paths):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        try:
            _taken(lake, path, target / path)
        except FileNotFoundError:
            gone.append(path)
    told = f"{len(gone)} files are not in the lake that the ledger names, such as {gone[:1]}"
    return [told] if gone else []


def _taken(lake: Lake, path: str, target: Path) -> None:
    source = lake.parquet(path)
    if isinstance(source, Path):
        _linked(source, target)
    else:
        lake.fetch(path, target)


def _tables(source: Path, target: Path) -> None:
    """LanceDB's tables: what names files before the files, so that nothing is named that is not
    there.
    """
    for table in sorted(source.glob("*.lance")):
        for first in ("_refs", "_versions"):
            _tree(table / first, target / table.name / first, _linked)
        _tree(table, target / table.name, _linked)


def _tree(source: Path, target: Path, copy: Callable[[Path, Path], object]) -> list[str]:
    """A file, or all files below a folder, without locks and what a writer is at; what is gone
    meanwhile is left out, and so is what a backup cannot hold: that is returned.
    """
    odd = []
    for path in _files(source):
        mine = target / path.relative_to(source)
        if WRITING.fullmatch(path.name) or mine.exists():
            continue
        if why := _odd(path, source.parent):
            odd.append(f"{str(path).encode(errors='replace').decode()!r}: {why}")
            continue
        mine.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            copy(path, mine)
    return odd


def _files(source: Path) -> Iterator[Path]:
    """Also behind links to folders, but never round in a circle."""
    if not source.is_dir():
        yield source
        return
    ways: dict[Path, tuple[str, ...]] = {source: (os.path.realpath(source),)}
    for at, folders, names in os.walk(source, followlinks=True):
        here = Path(at)
        mine = ways.pop(here)
        ahead = {name: os.path.realpath(here / name) for name in folders}
        folders[:] = [
            name for name in folders if ahead[name] not in mine and not name.startswith(PREFIX)
        ]
        ways |= {here / name: (*mine, ahead[name]) for name in folders}
        yield from (here / name for name in names)


def _odd(path: Path, top: Path) -> str:
    """Why a backup cannot hold a file."""
    name = str(path.relative_to(top))
    try:
        name.encode()
        kind = path.stat().st_mode
    except UnicodeEncodeError:
        return "its name is not valid UTF-8"
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a link to itself"
        raise
    if "\\" in name:
        return "its name has a backslash"
    return "" if stat.S_ISREG(kind) else "it is no file, but a pipe, a socket or a device"


def _same_mode(source: Path, target: Path) -> None:
    """A database is written anew, for whom it was for; none where it is on a server."""
    with suppress(FileNotFoundError):
        shutil.copymode(source, target)


def _linked(source: Path, target: Path) -> None:
    """A second name for a file that nobody changes; a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)


def _published(ledger: Ledger) -> list[Version]:
    kept = (versions.c.status == "published") & versions.c.cleared.is_(False)
    with ledger.read() as connection:
        query = (
            select(versions, knowledge_bases.c.ranking)
            .join(knowledge_bases, knowledge_bases.c.name == versions.c.kb)
            .where(kept)
        )
        return [Version.model_validate(row) for row in connection.execute(query)]


def _unread(folder: Path, version: Version) -> Iterator[str]:
    """Whether a version can be read from the copy, row by row."""
    name = f"version {version.version} of {version.kb!r}"
    try:
        reader = collection_of(folder, version).at(version.snapshot or "")
        rows = sum(len(frame) for frame in reader.rows(["chunk_id"]))
    except Damaged as error:
        yield f"{name} cannot be read from the store: {error.message}"
        return
    if rows != version.chunks:
        yield f"{name} has {rows} chunks in the store, and {version.chunks} by the ledger"
