"""Databases with tables and nothing in them, kept once per machine: the migrations that make them
take seconds, a copy takes milliseconds.

They lie in the user's cache (`XDG_CACHE_HOME`, else `~/.cache`), one file each, whose name ends
with the hash of its bytes: what is cut short, altered or another's is not what the name says.
"""

import os
import re
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

from llmops.tasks.errors import LlmopsError
from llmops.tasks.user_cache import NEW, made_ready, user_cache

HASH_LENGTH = 32
REVISION = re.compile(r"^revision\b[^=\n]*=\s*(.+)$", re.MULTILINE)
BELOW = re.compile(r"^down_revision\b[^=\n]*=\s*(\([^)]*\)|.+)$", re.MULTILINE)
QUOTED = re.compile(r"""["'](\w+)["']""")


class UnusableCopy(LlmopsError):
    """A kept database is not what was kept, or cannot be kept."""


def newest_revision(folder: Path) -> str | None:
    """The revision at which Alembic's migrations in a folder end, read from their texts: Alembic
    itself imports every one. None where they do not end in a single one.
    """
    known, below = set[str](), set[str]()
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        known.update(name for said in REVISION.findall(text) for name in QUOTED.findall(said))
        below.update(name for said in BELOW.findall(text) for name in QUOTED.findall(said))
    ends = known - below
    return ends.pop() if len(ends) == 1 else None


def revision_of(database: Path) -> str | None:
    """The revision that Alembic has written into a SQLite database; None where there is none. The
    database is not changed.
    """
    if not database.exists():
        return None
    try:
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as opened:
            rows = opened.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return None
    return str(rows[0][0]) if len(rows) == 1 else None


def copy_kept(name: str, database: Path) -> bool:
    """Make a database from what is kept under a name, whole or not at all, for its owner alone.
    False where nothing is kept, or where the database, or a journal of it, is there. One process at
    a time may do so for a database.

    Raises UnusableCopy where what is kept is damaged (it is removed) or cannot be read, OSError
    where the database cannot be written.
    """
    # SQLite would write the journal of an earlier database into this one
    if any(database.parent.glob(f"{database.name}*")):
        return False
    try:
        file = next(iter(sorted(user_cache().glob(f"{name}-{'?' * HASH_LENGTH}.db"))), None)
        content = file.read_bytes() if file else b""
    except (OSError, RuntimeError) as error:
        raise UnusableCopy(f"the cache cannot be read: {error}") from error
    if file is None:
        return False
    if file.stem.rpartition("-")[2] != _hash(content):
        with suppress(OSError):
            file.unlink()
        raise UnusableCopy(f"{file} is damaged")
    partial = database.with_suffix(".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        copy.write(content)
        copy.flush()
        os.fsync(copy.fileno())
    partial.replace(database)
    return True


def keep_empty(
    name: str, database: Path, *, without: Sequence[str] = (), rows_in: Sequence[str] = ()
) -> None:
    """Keep the tables of a database that nobody has written a row into, for `copy_kept`. Several
    processes may do so at once.

    `without`: tables whose rows are left out, for they are made anew in each database; `rows_in`:
    tables that hold the same rows in all of them. Raises UnusableCopy where others hold rows, or
    where the cache or the database is of no use.
    """
    try:
        folder = made_ready(user_cache())
        with tempfile.TemporaryDirectory(dir=folder, prefix=NEW) as new:
            made = Path(new) / "empty.db"
            with closing(sqlite3.connect(database)) as opened:
                opened.execute("VACUUM INTO ?", (str(made),))
            made.chmod(0o600)
            with closing(sqlite3.connect(made, isolation_level=None)) as opened:
                for table in without:
                    opened.execute(f'DELETE FROM "{table}"')
                opened.execute("VACUUM")
                if filled := sorted({*_filled(opened)} - {*rows_in}):
                    raise UnusableCopy(f"rows are in {', '.join(filled)}")
            with made.open("rb") as file:
                os.fsync(file.fileno())
            made.replace(folder / f"{name}-{_hash(made.read_bytes())}.db")
    except (OSError, RuntimeError, sqlite3.Error) as error:
        raise UnusableCopy(f"it cannot be kept in the cache: {error}") from error


def _filled(opened: sqlite3.Connection) -> list[str]:
    """The tables that hold rows, other than Alembic's."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"
    names = [str(row[0]) for row in opened.execute(tables)]
    return [name for name in names if opened.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()]


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:HASH_LENGTH]
