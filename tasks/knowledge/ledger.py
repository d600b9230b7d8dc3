"""The ledger: one SQL database that says what is live. SQLite in WAL mode by default, another by `LLMOPS_LEDGER_URL`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from tasks.errors import Damaged, LlmopsError, Unavailable, UsageError
from tasks.knowledge import tables

BUSY_SECONDS = 30.0
ROWS_PER_STATEMENT = 500


def now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Short transactions over the ledger's tables. Thread-safe; open one per process with `open_ledger`."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine, self.where = engine, where

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view: everything read inside is of one moment."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing. Writers wait for each other; after 30 s Unavailable is raised and nothing has changed."""
        with self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(llmops_write=True)
            with connection.begin():
                yield connection

    def create(self) -> None:
        """Create the tables where there are none. Where there are, nothing is written: a reader never waits for a writer."""
        found = self._schema()
        if found is None:
            with self.write() as connection:
                tables.metadata.create_all(connection)
                upsert(connection, tables.meta, [{"key": "schema", "value": str(tables.SCHEMA)}])
        elif found > tables.SCHEMA:
            raise LlmopsError(f"{self.where} was written by a newer version of llmops", hint="upgrade llmops-pipelines")

    def _schema(self) -> int | None:
        with self.read() as connection:
            if not inspect(connection).has_table(tables.meta.name):
                return None
            found = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.key == "schema"))
        return None if found is None else int(found)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise self._unavailable(str(error.orig)) from error
        except UnicodeEncodeError as error:
            raise UsageError(f"{error.object!r} is not valid text", hint="give names as UTF-8") from error
        except DatabaseError as error:
            if "malformed" in str(error) or "not a database" in str(error):
                raise Damaged(f"the ledger {self.where} is damaged: {error.orig}", hint="restore a backup") from error
            raise

    def _unavailable(self, reason: str) -> LlmopsError:
        if "locked" in reason:
            return Unavailable(
                f"the ledger {self.where} is locked by another process", hint="wait for it, or end the process that holds it"
            )
        if "full" in reason:
            return Unavailable(f"no space is left for the ledger {self.where}", hint="free some space and run again: finished work is kept")
        if "readonly" in reason or "unable to open" in reason:
            return Unavailable(
                f"the ledger {self.where} cannot be opened for writing: {reason}",
                hint="check the permissions of LLMOPS_HOME: its user must be able to write there, also to search",
            )
        if "disk I/O" in reason:
            return Unavailable(
                f"the disk does not take the ledger {self.where}: {reason}",
                hint="check its space and its limits, and run again: finished work is kept",
            )
        return Unavailable(f"the ledger {self.where} cannot be used: {reason}", hint="check LLMOPS_HOME and LLMOPS_LEDGER_URL")


def open_ledger(home: Path) -> Ledger:
    """The ledger of a home, its tables created when they are missing. Raises Unavailable, Damaged."""
    url = os.environ.get("LLMOPS_LEDGER_URL")
    if not url:
        make_folder(home)
    return _open(url or f"sqlite:///{home / 'ledger.db'}")


def make_folder(folder: Path) -> None:
    """Create a folder of LLMOPS_HOME, or say what stands in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Unavailable(
            "a file is in the way, a folder is wanted", where=str(folder), hint="set LLMOPS_HOME to a folder that can be written"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"the folder {folder} cannot be created: {error.strerror}", hint="set LLMOPS_HOME to a folder that can be written"
        ) from error


@cache
def _open(url: str) -> Ledger:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    ledger = Ledger(engine, engine.url.database or engine.url.render_as_string(hide_password=True))
    ledger.create()
    return ledger


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the begin event decides, not the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer can fail at once; a writer that says so at the start waits its turn.
    write = connection.get_execution_options().get("llmops_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def upsert(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, replacing those with the same primary key."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        part = [dict(row) for row in rows[start : start + ROWS_PER_STATEMENT]]
        statement = dialect.insert(table)
        keys = [column.name for column in table.primary_key]
        rest = {name: statement.excluded[name] for name in part[0] if name not in keys}
        connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=rest)
            if rest
            else statement.on_conflict_do_nothing(index_elements=keys),
            part,
        )


def live_at(table: Any, version: int) -> Any:
    """The rows of an interval table that belong to a version."""
    return (table.c.valid_from <= version) & (table.c.valid_to.is_(None) | (table.c.valid_to > version))
