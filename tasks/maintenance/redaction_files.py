"""Blacking out what quotes a document in the files of LLMOPS_HOME that are not the ledger's, the
lake's or the store's: records in Prefect's and MLflow's databases, their artifacts and logs, Data
Docs, plans."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmops.tasks.errors import Unavailable
from llmops.tasks.maintenance.redaction import Quotes
from llmops.tasks.schemas import write_atomically

OWN = ("lake", "lancedb", "ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal")
BESIDE = ("-wal", "-shm", "-journal", ".lock")
MAGIC = b"SQLite format 3\x00"
PARQUET = b"PAR1"
# what these hold is in force: schedules, blocks, settings. It is the user's, like a config file.
SETTINGS = {
    "deployment",
    "deployment_schedule",
    "block_document",
    "block_schema",
    "block_type",
    "configuration",
    "variable",
    "automation",
    "work_pool",
    "work_queue",
    "alembic_version",
}
BUSY_SECONDS = 30.0


def sweep(home: Path, quotes: Quotes) -> tuple[int, list[str]]:
    """Returns (how many records and files were changed, files that quote the document and cannot be
    changed).
    """
    changed, left = 0, list[str]()
    for file in sorted(home.rglob("*")):
        inside = file.relative_to(home)
        if (
            inside.parts[0] in OWN
            or file.name.endswith(BESIDE)
            or file.is_symlink()
            or not file.is_file()
        ):
            continue
        with file.open("rb") as head:
            database = head.read(16) == MAGIC
        done = _database(file, quotes) if database else _file(file, quotes)
        changed += max(done, 0)
        left += [str(inside)] * (done < 0)
    return changed, left


def _file(path: Path, quotes: Quotes) -> int:
    """1: changed, 0: nothing to change, -1: it quotes the document, but is no text."""
    content = path.read_bytes()
    if content.startswith(PARQUET):
        return _parquet(path, quotes)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return -int(quotes.found(content.decode(errors="ignore")))
    if not quotes.found(text):
        return 0
    if path.suffix == ".log":
        _overwrite(path, quotes.black_out(text, keep_length=True).encode())
    else:
        write_atomically(path, _cleaned(path, text, quotes).encode())
    return 1


def _parquet(path: Path, quotes: Quotes) -> int:
    """A table, such as the results of an evaluation: its texts are cleaned cell by cell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    changed, partial = False, path.with_name(f".{path.name}.new")
    with pq.ParquetFile(path) as file, pq.ParquetWriter(partial, file.schema_arrow) as writer:
        for batch in file.iter_batches():
            rows = batch.to_pylist()
            clean = [quotes.cleaned(row) for row in rows]
            changed |= clean != rows
            writer.write_table(pa.Table.from_pylist(clean, file.schema_arrow))
    if changed:
        partial.replace(path)
    partial.unlink(missing_ok=True)
    return int(changed)


def _cleaned(path: Path, text: str, quotes: Quotes) -> str:
    with contextlib.suppress(ValueError):
        if path.suffix == ".json":
            return json.dumps(quotes.cleaned(json.loads(text)), ensure_ascii=False, indent=2)
    return quotes.black_out(text)


def _overwrite(path: Path, content: bytes) -> None:
    """In place: a server holds its log open, and goes on at its end."""
    with path.open("r+b") as file:
        file.write(content)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that overwrites what it deletes. Raises Unavailable where another process keeps
    the database to itself.
    """
    with contextlib.closing(
        sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    ) as connection:
        try:
            connection.execute("PRAGMA secure_delete=ON")
            yield connection
        except sqlite3.OperationalError as error:
            raise Unavailable(
                f"the database {path} cannot be cleaned: {error}",
                hint="end the process that uses it, and run this again",
            ) from error


def compact(connection: sqlite3.Connection) -> None:
    """Leave no page behind that is free or only in the write-ahead log."""
    for statement in (
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "VACUUM",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ):
        connection.execute(statement).fetchall()


def _database(path: Path, quotes: Quotes) -> int:
    with opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            changed = sum(_table(connection, name, quotes) for name in _tables(connection))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        compact(connection)
    return changed


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return [name for (name,) in rows if name not in SETTINGS]


def _table(connection: sqlite3.Connection, table: str, quotes: Quotes) -> int:
    keys = {
        name
        for _, name, _, _, _, key in connection.execute(f"PRAGMA table_info({_name(table)})")
        if key
    }
    columns = [
        name
        for _, name, *_ in connection.execute(f"PRAGMA table_info({_name(table)})")
        if name not in keys
    ]
    changed = 0
    for column in columns:
        query = (
            f"SELECT DISTINCT {_name(column)} FROM {_name(table)} WHERE "
            f"typeof({_name(column)}) IN ('text', 'blob')"
        )
        for value in [value for (value,) in connection.execute(query) if _found(value, quotes)]:
            update = f"UPDATE {_name(table)} SET {_name(column)} = ? WHERE {_name(column)} = ?"
            changed += connection.execute(update, (_new(value, quotes), value)).rowcount
    return changed


def _found(value: Any, quotes: Quotes) -> bool:
    return quotes.found(value.decode(errors="ignore") if isinstance(value, bytes) else value)


def _new(value: Any, quotes: Quotes) -> Any:
    if isinstance(value, str):
        return quotes.cleaned(value)
    try:
        return str(quotes.cleaned(value.decode())).encode()
    except UnicodeDecodeError:
        return b""


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
