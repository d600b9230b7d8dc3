"""What the ledger needs to know of the two databases that it runs on: SQLite and PostgreSQL."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from llmops.tasks.errors import LlmopsError, Unavailable, UsageError

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
ALLOWED = "allowed: sqlite:////folder/ledger.db, postgresql://user:password@host:5432/database"
# the advisory lock that makes PostgreSQL's writers wait for each other, as SQLite's do
WRITERS = 5_563_010
LOCKED = ("locked", "lock timeout")
REASONS = {
    "full": (
        "no space is left for the ledger {where}",
        "free some space and run again: finished work is kept",
    ),
    "readonly": (
        "the ledger {where} cannot be opened for writing: {reason}",
        "check the permissions of LLMOPS_HOME: its user must be able to write there, also "
        "to search",
    ),
    "disk I/O": (
        "the disk does not take the ledger {where}: {reason}",
        "check its space and its limits, and run again: finished work is kept",
    ),
    "permission denied": (
        "the database {where} does not let its user make or change tables: {reason}",
        "GRANT CREATE, USAGE ON SCHEMA public, or use a database of its own",
    ),
    "authentication failed": (
        "the database {where} refused the ledger's user",
        "check user and password in LLMOPS_LEDGER_URL",
    ),
}
REASONS["unable to open"] = REASONS["readonly"]
REASONS["No space left"] = REASONS["full"]


def open_engine(url: str, busy_seconds: float) -> Engine:
    """The engine of a ledger. Raises UsageError for a URL that is none, or of a database that a
    ledger cannot be kept in.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address, connect_args={"timeout": busy_seconds})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        address, pool_pre_ping=True, connect_args={"connect_timeout": max(2, round(busy_seconds))}
    )
    event.listen(engine, "begin", _begin_postgres(busy_seconds))
    return engine


def _address(url: str) -> URL:
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1))
        if (backend := address.get_backend_name()) not in DRIVERS:
            raise UsageError(f"got a URL of {backend}", where="LLMOPS_LEDGER_URL", hint=ALLOWED)
        address = address.set(drivername=DRIVERS[backend])
        address.get_dialect().import_dbapi()
    except ModuleNotFoundError as error:
        raise UsageError(
            "a ledger on PostgreSQL needs a library that is not installed",
            where="LLMOPS_LEDGER_URL",
            hint="pip install 'llmops-pipelines[postgres]'",
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(
            "this is no database URL that a ledger can be kept in",
            where="LLMOPS_LEDGER_URL",
            hint=ALLOWED,
        ) from error
    return address


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the begin event decides, not the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("llmops_write"))


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer can fail at once; a writer that says so at the start waits its
    # turn.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")


def _begin_postgres(busy_seconds: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        if _writes(connection):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{round(busy_seconds * 1000)}ms'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    return begin


def trouble(where: str, reason: str) -> LlmopsError:
    """What to tell a user of a database that did not do what it was asked."""
    if any(sign in reason for sign in LOCKED):
        return Unavailable(
            f"the ledger {where} is locked by another process",
            hint="wait for it, or end the process that holds it",
        )
    for sign, (message, hint) in REASONS.items():
        if sign in reason:
            return Unavailable(message.format(where=where, reason=reason), hint=hint)
    return Unavailable(
        f"the ledger {where} cannot be used: {reason}",
        hint="check LLMOPS_HOME and LLMOPS_LEDGER_URL",
    )


def storable(value: object) -> object:
    """PostgreSQL's texts hold no NUL; a document's title or the reason of a failure may."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
