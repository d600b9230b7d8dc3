"""The way back: a home from a backup, whole or not at all."""

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from llmops.tasks.audit import head
from llmops.tasks.audit.log import Entry, record
from llmops.tasks.errors import Blocked, Damaged, UsageError
from llmops.tasks.lake import VARIABLE, lake_of, write_atomically
from llmops.tasks.ledger import make_folder
from llmops.tasks.maintenance.backup.ledgers import (
    bases_in_use,
    copying,
    load_ledger,
    refuse_if_used,
    settle,
)
from llmops.tasks.maintenance.backup.sets import BackupFile, BackupSet
from llmops.tasks.maintenance.backup.staging import LEDGER
from llmops.tasks.maintenance.backup.vault import Vault, missing, object_path, trouble_of
from llmops.tasks.maintenance.portable import digest_of
from llmops.tasks.tracking.place import own_database

PARTIAL, MOVING = ".restoring", ".moving"
JOURNALS = tuple(f"{LEDGER}{end}" for end in ("-wal", "-shm", "-journal"))
"""What SQLite would read into a ledger that is put beside it."""
URIS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
"""Where MLflow's store says, absolutely, where files lie."""


class RestoredHome(BaseModel):
    """The object of `llmops restore`."""

    model_config = ConfigDict(frozen=True)
    id: str
    place: str
    home: str
    files: int
    bytes: int
    created_at: str
    knowledge_bases: dict[str, int | None]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]


def restore(home: Path, place: str, chosen: str | None = None) -> RestoredHome:
    """Make a home of a backup, the newest where none is chosen and one home alone keeps its backups
    there. Every file is compared with its
    hash before the first is put into place. Raises UsageError where the home is in use, Damaged,
    Unavailable; then nothing was restored.
    """
    vault = Vault(place)
    _refuse_to_guess(vault, chosen)
    wanted = vault.read(chosen)
    make_folder(home)
    with _alone(home):
        _take_back(home)
        _refuse_if_used(home, wanted)
        folder = home / PARTIAL
        try:
            _fetch(vault, wanted, folder)
            latest = settle(folder / LEDGER)
            _relocate(folder, Path(wanted.home), home)
            _with_modes(folder, wanted)
            if os.environ.get(VARIABLE, "").strip():
                _fill_lake(home, folder / "lake")
            _refuse_if_used(home, wanted)  # somebody may have begun in it meanwhile
            _put_into_place(home, folder)
        except OSError as error:
            raise trouble_of(error) from error
        finally:
            if not (folder / MOVING).exists():
                shutil.rmtree(folder, ignore_errors=True)
    if latest is not None:
        head.keep(home, latest)
    record(home, Entry(action="restore", subject="home", after=wanted.id, reason="llmops restore"))
    return RestoredHome(
        id=wanted.id,
        place=vault.where(),
        home=str(home),
        files=len(wanted.files),
        bytes=wanted.size,
        created_at=wanted.created_at.isoformat(),
        knowledge_bases=wanted.knowledge_bases,
        left_out=wanted.left_out,
        problems=wanted.problems,
    )


def verify(place: str, chosen: str | None = None) -> list[str]:
    """What is wrong with a backup: every file is read and compared with its hash."""
    vault, told = Vault(place), []
    wanted = vault.read(chosen)
    with _scratch() as target:
        for file in wanted.files:
            try:
                _checked(vault, file, target)
            except Damaged as error:
                told.append(error.message)
    return told


@contextmanager
def _scratch() -> Iterator[Path]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        yield Path(folder) / "file"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    lock = FileLock(home / ".restore.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Blocked("another restore into this home goes on", where=str(home)) from error
    try:
        yield
    finally:
        lock.release()


def _take_back(home: Path) -> None:
    """Undo a restore that was killed while it put files into place. One that had come to its ledger
    was done: what is there is a home in use.
    """
    folder = home / PARTIAL
    with suppress(FileNotFoundError):
        names = json.loads((folder / MOVING).read_text() or "[]")
        moved = [name for name in names if not (folder / name).exists()]
        if LEDGER not in moved and not _ledger_used(home):
            for name in moved:
                _remove(home / name)
    shutil.rmtree(folder, ignore_errors=True)


def _ledger_used(home: Path) -> bool:
    return bool(os.environ.get("LLMOPS_LEDGER_URL")) and bases_in_use(home) > 0


def _refuse_if_used(home: Path, wanted: BackupSet) -> None:
    mine = {file.path.partition("/")[0] for file in wanted.files} | {LEDGER, *JOURNALS}
    there = sorted(name for name in mine if (home / name).exists())
    if there:
        raise UsageError(
            f"the home {home} is in use: it has {', '.join(there[:3])}",
            hint="move it away, or set LLMOPS_HOME to a folder that is empty; nothing was restored",
        )
    if os.environ.get("LLMOPS_LEDGER_URL"):
        refuse_if_used(home)


def _refuse_to_guess(vault: Vault, chosen: str | None) -> None:
    homes = vault.homes() if chosen is None else []
    if len(homes) > 1:
        raise UsageError(
            f"{len(homes)} homes keep their backups at {vault.where()}: {', '.join(homes)}",
            hint="say which one: --backup ID, as `llmops backup DIR --list` shows them",
        )


def _fetch(vault: Vault, wanted: BackupSet, folder: Path) -> None:
    there = vault.objects()
    folder.mkdir(mode=0o700)
    for file in wanted.files:  # what is gone is found before anything is copied
        if there.get(file.sha256) != file.bytes:
            raise missing(vault, file)
    for file in wanted.files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        _checked(vault, file, target)


def _with_modes(folder: Path, wanted: BackupSet) -> None:
    """Who might read a file may read it again; its owner may, whatever was. Folders are as new ones
    are.
    """
    for file in wanted.files:
        if file.mode is not None:
            (folder / file.path).chmod(file.mode | stat.S_IRUSR)


def _checked(vault: Vault, file: BackupFile, target: Path) -> None:
    vault.fetch(file, target)
    if digest_of(target) != (file.sha256, file.bytes):
        raise Damaged(
            f"the backup is damaged: {file.path} is not what was written",
            where=vault.where(object_path(file.sha256)),
            hint="nothing was restored; try another one: --list shows them",
        )


def _relocate(folder: Path, before: Path, home: Path) -> None:
    """MLflow's store names its files absolutely: they lie in this home now."""
    database = folder / own_database(home).relative_to(home.expanduser().resolve())
    if not database.is_file():
        return
    old, new = (path.resolve().as_uri() + "/" for path in (before, home))
    with copying(database), closing(sqlite3.connect(database)) as connection, connection:
        tables = {
            name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
            for name, _ in URIS
        }
        for table, column in URIS:
            if column in tables[table]:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, len(old), old),
                )


def _fill_lake(home: Path, folder: Path) -> None:
    """A lake outside of the home: its files are named by their content, so what is there stays."""
    lake = lake_of(home)
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if lake.file(name) is None:
            lake.put(name, path)
    shutil.rmtree(folder, ignore_errors=True)


def _put_into_place(home: Path, folder: Path) -> None:
    """The ledger last: until it is there, the home is empty to everybody."""
    tops = sorted((each.name for each in folder.iterdir()), key=lambda name: name == LEDGER)
    write_atomically(folder / MOVING, json.dumps(tops).encode())
    for name in tops:
        if name == LEDGER and os.environ.get("LLMOPS_LEDGER_URL"):
            load_ledger(home, folder / name)
        else:
            (folder / name).replace(home / name)
    (folder / MOVING).unlink()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
