"""Finding and blacking out what quotes a document, wherever it was written down: in a text, and in
the files of LLMOPS_HOME that are not the ledger's, the lake's or the store's: records in Prefect's
and MLflow's databases, their artifacts and logs, Data Docs, plans.

Letters and digits are compared and nothing else, so that white space, markup, HTML entities and the
escapes of JSON or Markdown do not hide a quotation. What is blacked out may begin a few letters
late: short words prove nothing.
"""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from llmops.tasks.errors import Unavailable
from llmops.tasks.lake import write_atomically
from llmops.tasks.traces.spool import standing_still

Plain = TypeVar("Plain")
ERASED = "[erased]"
SIGNS = re.compile(r"&#?\w{1,8};|\\[nrtbf]|[\W_]+")
# letters and digits in a row that make a quotation; the short one where a sign is about a word
LONG, SHORT = 24, 12
LEAST = 8  # a document of fewer is nothing that could be recognised
IDEOGRAPHS, SAMPLE = "\u2e80", 2_000
STEP = 8
MOST_WINDOWS = 300_000
# what the writer of artifacts puts behind signs, so that nobody reads them as markup
GLUE = "\u2060?"
BRIDGE = 40  # characters between two quoted places that go with them

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
TRACES = ("spool", "mlflow")
"""Where answers are that were under way during an erasure."""


class Redactor:
    """Knows a document's own words: its texts, in all their versions, and its uris where they stand
    as words of their own.
    """

    def __init__(self, texts: Iterable[str], *uris: str) -> None:
        given = list(texts)
        in_json = [json.dumps(text) for text in given if not text.isascii()]
        plain = {SIGNS.sub("", text) for text in (*given, *in_json)} - {""}
        dense = 2 * sum(sign > IDEOGRAPHS for text in given for sign in text[:SAMPLE]) > sum(
            len(text[:SAMPLE]) for text in given
        )
        self._size = max(LEAST, min(SHORT if dense else LONG, max(map(len, plain), default=LONG)))
        self._step = 1 + sum(map(len, plain)) // MOST_WINDOWS
        self._windows = {
            text[n : n + self._size]
            for text in plain
            for n in range(0, len(text) - self._size + 1, self._step)
        }
        spelt = "|".join(
            GLUE.join(map(re.escape, uri)) for uri in sorted(uris, key=len, reverse=True) if uri
        )
        self._uri = re.compile(rf"(?<![\w./-])(?:{spelt})(?![\w/-])") if spelt else None

    def quoted_in(self, text: str) -> bool:
        """Whether a text quotes the document or names it."""
        return self._quotes(text) or bool(self._uri and self._uri.search(text))

    def _quotes(self, text: str) -> bool:
        plain = SIGNS.sub("", text)
        step = STEP if self._step == 1 and self._size == LONG else 1
        last = len(plain) - self._size
        places = (*range(0, last + 1, step), last) if last >= 0 else ()
        return any(plain[n : n + self._size] in self._windows for n in places)

    def black_out(self, text: str, *, keep_length: bool = False) -> str:
        """The text with every quotation replaced by `[erased]`; `keep_length`: by as many bytes of
        `x`.
        """
        spans = [*self._spans(text)] if self._quotes(text) else []
        for start, end in reversed(spans):
            text = (
                text[:start]
                + ("x" * len(text[start:end].encode()) if keep_length else ERASED)
                + text[end:]
            )
        if self._uri is None:
            return text
        return self._uri.sub(
            lambda match: "x" * len(match[0].encode()) if keep_length else ERASED, text
        )

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Quoted places, in order and apart."""
        places, plain = _places(text), SIGNS.sub("", text)
        span: tuple[int, int] | None = None
        for n in range(len(plain) - self._size + 1):
            if plain[n : n + self._size] not in self._windows:
                continue
            start, end = places[n], places[n + self._size - 1] + 1
            if span and start - span[1] <= BRIDGE and "<" not in text[span[1] : start]:
                span = (span[0], end)
                continue
            if span:
                yield span
            span = (max(start, span[1]) if span else start, end)
        if span:
            yield span

    def redacted(self, value: Plain) -> Plain:
        """Plain data of the same shape with its texts blacked out; a text that is JSON stays JSON.
        The keys of objects stay.
        """
        return cast(Plain, self._redacted(value))

    def _redacted(self, value: object) -> object:
        if isinstance(value, dict):
            return {key: self._redacted(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        if not isinstance(value, str) or not self.quoted_in(value):
            return value
        if value.lstrip()[:1] in ("{", "[", '"'):
            with contextlib.suppress(ValueError):
                return json.dumps(self._redacted(json.loads(value)), ensure_ascii=False)
        return self.black_out(value)


def _places(text: str) -> list[int]:
    """Where in the text each of its letters and digits stands."""
    places, last = list[int](), 0
    for match in SIGNS.finditer(text):
        places += range(last, match.start())
        last = match.end()
    return [*places, *range(last, len(text))]


def redact_files(
    home: Path, redactor: Redactor, folders: Iterable[str] = ("",)
) -> tuple[int, list[str]]:
    """Returns (how many records and files were changed, files that quote the document and cannot be
    changed). `folders` of the home; by default all. No trace moves from the spool to MLflow
    meanwhile. Raises Unavailable where that cannot be had.
    """
    with standing_still(home):
        return _redact_files(home, redactor, folders)


def _redact_files(home: Path, redactor: Redactor, folders: Iterable[str]) -> tuple[int, list[str]]:
    changed, left = 0, list[str]()
    for file in sorted(file for folder in folders for file in (home / folder).rglob("*")):
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
        done = _database(file, redactor) if database else _file(file, redactor)
        changed += max(done, 0)
        left += [str(inside)] * (done < 0)
    return changed, left


def _file(path: Path, redactor: Redactor) -> int:
    """1: changed, 0: nothing to change, -1: it quotes the document, but is no text."""
    content = path.read_bytes()
    if content.startswith(PARQUET):
        return _parquet(path, redactor)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return -int(redactor.quoted_in(content.decode(errors="ignore")))
    if not redactor.quoted_in(text):
        return 0
    if path.suffix == ".log":
        with path.open("r+b") as log:  # in place: a server holds its log open, goes on at its end
            log.write(redactor.black_out(text, keep_length=True).encode())
    else:
        write_atomically(path, _redacted_file(path, text, redactor).encode())
    return 1


def _parquet(path: Path, redactor: Redactor) -> int:
    """A table, such as the results of an evaluation: its texts are cleaned cell by cell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    changed, partial = False, path.with_name(f".{path.name}.new")
    with pq.ParquetFile(path) as file, pq.ParquetWriter(partial, file.schema_arrow) as writer:
        for batch in file.iter_batches():
            rows = batch.to_pylist()
            clean = [redactor.redacted(row) for row in rows]
            changed |= clean != rows
            writer.write_table(pa.Table.from_pylist(clean, file.schema_arrow))
    if changed:
        partial.replace(path)
    partial.unlink(missing_ok=True)
    return int(changed)


def _redacted_file(path: Path, text: str, redactor: Redactor) -> str:
    with contextlib.suppress(ValueError):
        if path.suffix == ".json":
            return json.dumps(redactor.redacted(json.loads(text)), ensure_ascii=False, indent=2)
    return redactor.black_out(text)


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


def _database(path: Path, redactor: Redactor) -> int:
    with opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            changed = sum(
                _table(connection, name, redactor) for (name,) in tables if name not in SETTINGS
            )
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        compact(connection)
    return changed


def _table(connection: sqlite3.Connection, table: str, redactor: Redactor) -> int:
    """Clean every column but the keys; returns how many rows were changed."""
    infos = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    changed = 0
    for column in [_quoted(name) for _, name, _, _, _, key in infos if not key]:
        query = (
            f"SELECT DISTINCT {column} FROM {_quoted(table)} "
            f"WHERE typeof({column}) IN ('text', 'blob')"
        )
        values = [value for (value,) in connection.execute(query)]
        for value in values:
            text = value.decode(errors="ignore") if isinstance(value, bytes) else value
            if redactor.quoted_in(text):
                changed += connection.execute(
                    f"UPDATE {_quoted(table)} SET {column} = ? WHERE {column} = ?",
                    (_redacted_cell(value, redactor), value),
                ).rowcount
    return changed


def _redacted_cell(value: str | bytes, redactor: Redactor) -> object:
    """Bytes that are no text cannot be cleaned: nothing of them is kept."""
    if isinstance(value, str):
        return redactor.redacted(value)
    try:
        return str(redactor.redacted(value.decode())).encode()
    except UnicodeDecodeError:
        return b""


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
