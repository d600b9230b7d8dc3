"""What deleting leaves behind in the home's own MLflow store: pages of a SQLite file that are free,
and still hold what stood there.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from llmops.tasks.errors import Unavailable
from llmops.tasks.tracking.place import place_of
from llmops.tasks.tracking.store import sqlite_file

BUSY_SECONDS = 30.0


def compact_store(home: Path) -> str:
    """Leave no free page behind. Returns what is to be said where that is another's affair, else
    "". Raises Unavailable where another process keeps the file to itself.
    """
    database = sqlite_file(place_of(home).uri)
    if database is None:
        return (
            "MLflow is on a server: its database's dead rows go with its next VACUUM, and with its "
            "backups"
        )
    if database.exists():
        compact_file(database)
    return ""


def compact_file(database: Path) -> None:
    """Rewrite a SQLite file without its free pages. Raises Unavailable."""
    connection = sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)
    with contextlib.closing(connection):
        try:
            for statement in ("wal_checkpoint(TRUNCATE)", "", "wal_checkpoint(TRUNCATE)"):
                connection.execute(f"PRAGMA {statement}" if statement else "VACUUM").fetchall()
        except sqlite3.OperationalError as error:
            raise Unavailable(
                f"the database {database} cannot be cleaned: {error}",
                hint="end the process that uses it, or wait for it, and run this again",
            ) from error


def spare_bytes(database: Path) -> int:
    """How much of a SQLite file is free pages, which later rows fill; 0 where there is no file."""
    if not database.is_file():
        return 0
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    with contextlib.closing(connection):
        try:
            pages, size = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("freelist_count", "page_size")
            )
        except sqlite3.Error as error:
            raise Unavailable(f"the database {database} cannot be read: {error}") from error
    return pages * size


def files_holding(home: Path, texts: Sequence[bytes]) -> list[Path]:
    """The files of the home's own store that hold one of the texts, as bytes."""
    database = sqlite_file(place_of(home).uri)
    if database is None:
        return []
    files = [database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-journal")]
    return [path for path in files if path.is_file() and holds(path, texts)]


def holds(path: Path, texts: Sequence[bytes]) -> bool:
    """Whether a file holds one of the texts, read in pieces that overlap."""
    longest = max(map(len, texts), default=0)
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            if any(text in tail + piece for text in texts):
                return True
            tail = piece[-longest:] if longest else b""
    return False
