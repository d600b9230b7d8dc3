"""A copy of the ledger at one moment, always as a SQLite file, and back into whatever database it
is kept in.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select

from llmops.tasks.errors import Damaged, Unavailable, UsageError
from llmops.tasks.ledger import BUSY_SECONDS, Ledger, chain, open_ledger
from llmops.tasks.ledger.databases import open_engine, storable
from llmops.tasks.ledger.tables import knowledge_bases, leases, slots
from llmops.tasks.ledger.whole import every_table

ROWS = 5_000


def copy_ledger(home: Path, target: Path) -> None:
    """While others write. Raises Unavailable, Damaged."""
    with open_ledger(home).read() as connection:
        if connection.dialect.name == "sqlite":
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            with copying(target), closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
            return
        with file_ledger(target) as ledger:
            ledger.create()
            with ledger.write() as copied:
                _copy_rows(connection, copied)


def copy_sqlite(source: Path, target: Path) -> None:
    """Another database of the home, while others write."""
    with (
        copying(source),
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as a,
        closing(sqlite3.connect(target)) as b,
    ):
        a.backup(b)


@contextmanager
def copying(path: Path) -> Iterator[None]:
    """What SQLite says of a database that is copied or changed, as an error of ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(
            f"the database {path} cannot be copied: {error}",
            hint="look at the space on the disk of the home, and run again",
        ) from error
    except sqlite3.DatabaseError as error:
        raise Damaged(
            f"the database {path} is damaged: {error}", hint="restore a backup"
        ) from error


@contextmanager
def file_ledger(path: Path) -> Iterator[Ledger]:
    """A ledger that is a file somewhere, closed afterwards."""
    ledger = Ledger(open_engine(f"sqlite:///{path}", BUSY_SECONDS), str(path))
    try:
        yield ledger
    finally:
        ledger.close()


def settle(path: Path) -> chain.Head | None:
    """Make a copy fit to begin anew: brought up to this release, without the leases of processes
    that are no more. Returns the head of its audit log. Raises LlmopsError where a newer release
    wrote it.
    """
    with file_ledger(path) as ledger:
        ledger.create()
        with ledger.write() as connection:
            for table in (leases, slots):
                connection.execute(delete(table))
            return chain.head_of(connection)


def bases_in_use(home: Path) -> int:
    """How many knowledge bases the database that `LLMOPS_LEDGER_URL` names holds."""
    with open_ledger(home).read() as connection:
        return connection.scalar(select(func.count()).select_from(knowledge_bases)) or 0


def refuse_if_used(home: Path) -> None:
    """Raises UsageError where `LLMOPS_LEDGER_URL` names a database that holds a ledger in use."""
    if used := bases_in_use(home):
        raise UsageError(
            f"the ledger {open_ledger(home).where} holds {used} knowledge bases already",
            where="LLMOPS_LEDGER_URL",
            hint="name an empty database, or drop its tables first: nothing was restored",
        )


def load_ledger(home: Path, path: Path) -> None:
    """Into the database that `LLMOPS_LEDGER_URL` names: all of it or nothing."""
    with (
        file_ledger(path) as ledger,
        ledger.read() as source,
        open_ledger(home).write() as target,
    ):
        _copy_rows(source, target)


def _copy_rows(source: Connection, target: Connection) -> None:
    """All rows of all tables, in place of those that a new ledger begins with."""
    for table in reversed(every_table()):
        target.execute(delete(table))
    for table in every_table():
        rows = source.execution_options(yield_per=ROWS).execute(select(table)).mappings()
        for part in rows.partitions(ROWS):
            target.execute(
                insert(table),
                [{name: storable(value) for name, value in row.items()} for row in part],
            )
