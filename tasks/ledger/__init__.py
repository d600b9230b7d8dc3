"""The ledger: one SQL database that says what is live. SQLite in WAL mode by default, another by
`LLMOPS_LEDGER_URL`.
"""

import atexit
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Table
from sqlalchemy.exc import DatabaseError, OperationalError

from llmops.tasks.errors import Damaged, LlmopsError, Unavailable, UsageError
from llmops.tasks.ledger import chain, migrations
from llmops.tasks.ledger.databases import open_engine, storable, trouble

BUSY_SECONDS = 30.0
OPENED: "dict[str, Ledger]" = {}
OPENING = Lock()
ROWS_PER_STATEMENT = 500
AFTER = "llmops_after_commit"


def now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Short transactions over the ledger's tables. Thread-safe; open one per process with
    `open_ledger`.
    """

    def __init__(self, engine: Engine, where: str, home: Path | None = None) -> None:
        self._engine, self.where, self.home = engine, where, home

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view: everything read inside is of one moment."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing. Writers wait for each other; after 30 s Unavailable is raised and nothing
        has changed.
        """
        with self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(llmops_write=True, llmops_home=self.home)
            connection.info[AFTER] = steps = list[Callable[[], None]]()
            with connection.begin():
                yield connection
        for step in steps:
            step()

    def close(self) -> None:
        self._engine.dispose()

    def create(self) -> None:
        """Create or migrate the tables. Where they are up to date, nothing is written: a reader
        never waits for a writer.
        """
        with self.read() as connection:
            at = migrations.found(connection)
        if at == migrations.LATEST:
            return
        if at is not None and not migrations.known(at):
            raise LlmopsError(
                f"{self.where} was written by a newer version of llmops",
                hint="upgrade llmops-pipelines",
            )
        with self.write() as connection:
            migrations.upgrade(connection)
            if self.home is not None:
                chain.begin(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise trouble(self.where, str(error.orig).strip()) from error
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{error.object!r} is not valid text", hint="give names as UTF-8"
            ) from error
        except DatabaseError as error:
            if "malformed" in str(error) or "not a database" in str(error):
                raise Damaged(
                    f"the ledger {self.where} is damaged: {error.orig}", hint="restore a backup"
                ) from error
            if "permission denied" in str(error):
                raise trouble(self.where, str(error.orig).strip().splitlines()[0]) from error
            raise


def open_ledger(home: Path) -> Ledger:
    """The ledger of a home, its tables created when they are missing. Raises Unavailable,
    Damaged.
    """
    url = os.environ.get("LLMOPS_LEDGER_URL")
    if not url:
        make_folder(home)
    return _open(url or f"sqlite:///{home / 'ledger.db'}", home)


def existing_ledger(home: Path) -> Ledger:
    """The ledger of a home for those who only ask; where there is none, an empty one in memory:
    nothing is created.
    """
    if (
        os.environ.get("LLMOPS_LEDGER_URL")
        or (home / "ledger.db").exists()
        or (home.exists() and not home.is_dir())
    ):
        return open_ledger(home)
    with OPENING:  # alembic migrates one database of a process at a time
        nothing = f"nothing in {home}"
        if nothing not in OPENED:
            ledger = Ledger(open_engine("sqlite://", BUSY_SECONDS), str(home / "ledger.db"))
            ledger.create()
            OPENED[nothing] = ledger
        return OPENED[nothing]


def make_folder(folder: Path) -> None:
    """Create a folder of LLMOPS_HOME, or say what stands in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Unavailable(
            "a file is in the way, a folder is wanted",
            where=str(folder),
            hint="set LLMOPS_HOME to a folder that can be written",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"the folder {folder} cannot be created: {error.strerror}",
            hint="set LLMOPS_HOME to a folder that can be written",
        ) from error


def after_commit(connection: Connection, step: Callable[[], None]) -> None:
    """Do something once what a connection of `Ledger.write` writes is there for good; not at all
    where it is undone.
    """
    connection.info[AFTER].append(step)


def home_of(connection: Connection) -> Path | None:
    """The home whose ledger a connection writes; None for one in memory."""
    home = connection.get_execution_options().get("llmops_home")
    return home if isinstance(home, Path) else None


def _open(url: str, home: Path) -> Ledger:
    with OPENING:
        if url not in OPENED:
            engine = open_engine(url, BUSY_SECONDS)
            where = engine.url.database or engine.url.render_as_string(hide_password=True)
            ledger = Ledger(engine, where, home)
            try:
                ledger.create()
            except BaseException:
                ledger.close()
                raise
            OPENED[url] = ledger
        return OPENED[url]


@atexit.register
def close_ledgers() -> None:
    """Close every connection; the next `open_ledger` opens new ones."""
    with OPENING:
        for ledger in OPENED.values():
            ledger.close()
        OPENED.clear()


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, replacing those with the same primary key."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        part = [
            {name: storable(value) for name, value in row.items()}
            for row in rows[start : start + ROWS_PER_STATEMENT]
        ]
        statement = dialect.insert(table)
        keys = [column.name for column in table.primary_key]
        rest = {name: statement.excluded[name] for name in part[0] if name not in keys}
        connection.execute(
            statement.on_conflict_do_update(index_elements=keys, set_=rest)
            if rest
            else statement.on_conflict_do_nothing(index_elements=keys),
            part,
        )


def live_at(table: FromClause, version: int) -> ColumnElement[bool]:
    """The rows of an interval table that belong to a version."""
    # nearly all rows began before it: the sum keeps a database from using an index for that
    return ((table.c.valid_from + 0) <= version) & (
        table.c.valid_to.is_(None) | (table.c.valid_to > version)
    )


def still_open(table: FromClause) -> ColumnElement[bool]:
    """The rows of an interval table that have not ended, where some of them are named: nearly all
    have not, and the sum keeps a database from going through those.
    """
    return (table.c.valid_to + 0).is_(None)
