"""Documents in the rows of a query."""

import json
from pathlib import Path

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    LlmopsError,
    TransientDocumentError,
    UsageError,
)
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.sources import Item, Problem, Raw, Report, Source, content_hash_of
from llmops.tasks.plugins.sources._local import too_large
from llmops.tasks.plugins.sources._plain import plain
from llmops.tasks.plugins.sources._spool import forget, keep, taken
from llmops.tasks.plugins.sources.sql import database as databases
from llmops.tasks.plugins.sources.sql.database import Columns, around, one_select


class SqlSource(Source):
    """One document per row of `query`, a SELECT. `key`, `text`, `title`, `updated` and `metadata`
    name its columns.

    `url` is one of SQLAlchemy's, with the password from the environment. Nothing is ever written:
    the transaction is read-only. With `updated`, a column that changes with the row (a time, a
    version), listings fetch no texts, and only rows that changed are read, by key: the key should
    have an index. Without it, each listing reads all texts, in one state of the data. A text may be
    bytes, such as a PDF. `batch`: rows in memory at a time.
    """

    url: SecretStr
    query: str = Field(min_length=1)
    key: str = Field(default="key", min_length=1)
    text: str = Field(default="text", min_length=1)
    title: str | None = None
    updated: str | None = None
    metadata: list[str] = Field(default_factory=list)
    media_type: str | None = None
    """Of the texts; by default they are plain text, and bytes tell their type themselves."""
    batch: int = Field(default=500, gt=0)
    max_bytes: int = Field(default=100_000_000, gt=0)
    """A longer text is a problem, not an item."""
    _owner: str = PrivateAttr("")
    _database: databases.Database | None = PrivateAttr(None)

    @field_validator("query")
    @classmethod
    def _reads(cls, query: str) -> str:
        return one_select(query)

    @model_validator(mode="after")
    def _known(self) -> "SqlSource":
        """Of the model as a whole, so that no message repeats the URL."""
        try:
            databases.parsed(self.url.get_secret_value())
        except ValueError as error:
            raise ValueError(f"url: {error}") from None
        return self

    def at(self, folder: Path) -> "SqlSource":
        url = databases.parsed(self.url.get_secret_value())
        file = databases.file_of(url)
        if file is None:
            return self
        own = url.set(database=str(folder / file.expanduser())).render_as_string(
            hide_password=False
        )
        return self.model_copy(update={"url": SecretStr(own)})

    def remembering(self, memory: Path) -> "SqlSource":
        copy = self.model_copy()
        copy._owner = str(memory)
        return copy

    def check(self) -> None:
        """Raise UsageError when there is no such database, table or column, Unavailable when nobody
        answers.
        """
        try:
            with self._data.reading() as connection:
                self._columns(connection)
        except Blocked as error:
            raise UsageError(error.message, where="sources: sql", hint=error.hint) from error

    def scan(self, report: Report) -> str:
        """Report every row. Incomplete when the rows end early. Raises Blocked when the query no
        longer works, Unavailable.
        """
        forget(self._keeper)
        count = 0
        try:
            with self._data.reading() as connection:
                columns = self._columns(connection)
                query = around(
                    self.query, columns.listing() if self.updated else columns.everything()
                )
                for row in self._data.rows(connection, query, self.batch):
                    report(
                        self._listed(*row) if self.updated else self._read(row._mapping, columns)
                    )
                    count += 1
        except SQLAlchemyError as error:
            return f"the database ended the listing after {count:,} rows: {self._data.told(error)}"
        return ""

    def read(self, item: Item) -> Raw:
        """The row of an item as it is now, or as it was listed where the listing had its text.
        Raises DocumentError, Transient…
        """
        kept = None if self.updated else taken(self._keeper, item)
        if kept is not None:
            return kept
        try:
            with self._data.reading() as connection:
                columns = self._columns(connection)
                query = around(
                    self.query, columns.everything(), f"WHERE {columns.quoted('key')} = :wanted_key"
                )
                rows = connection.execute(
                    query, {"wanted_key": json.loads(item.locator)}
                ).fetchmany(2)
        except SQLAlchemyError as error:
            raise TransientDocumentError(
                f"the row could not be read: {self._data.told(error)}"
            ) from error
        except LlmopsError as error:
            raise TransientDocumentError(f"the row could not be read: {error.message}") from error
        if not rows:
            raise TransientDocumentError(
                "the row was there when the source was listed, but is gone now"
            )
        if len(rows) > 1:
            raise DocumentError(
                "several rows have this key; choose a key that names one row, or make the "
                "query give one"
            )
        return self._raw(rows[0]._mapping, columns)

    def content_hash(self, item: Item) -> str | None:
        """The hash that the listing has where it read the texts."""
        return None if self.updated else item.revision

    @property
    def _data(self) -> databases.Database:
        if self._database is None:
            self._database = databases.Database(databases.parsed(self.url.get_secret_value()))
        return self._database

    @property
    def _keeper(self) -> str:
        return self._owner or digest(self.url.get_secret_value(), self.model_dump_json())

    def _columns(self, connection: Connection) -> Columns:
        try:
            given = list(connection.execute(around(self.query, "*", "WHERE 1 = 0")).keys())
        except SQLAlchemyError as error:
            raise self._data.failed(error) from error
        roles = {
            role: name
            for role in ("key", "text", "title", "updated")
            if (name := getattr(self, role))
        }
        return Columns(given, roles, self.metadata, connection.dialect)

    def _listed(self, key: object, updated: object, size: int | None) -> Item | Problem:
        """The item of a row whose text stayed in the database. Its revision also tells of another
        query or other columns.
        """
        uri = _uri(key)
        if not uri:
            return _nameless()
        if size is None:
            return Problem(
                uri=uri,
                reason=f"its {self.text} is NULL; leave such rows out with WHERE, or give them a "
                f"text",
            )
        if size > self.max_bytes:
            return Problem(
                uri=uri, reason=too_large(size, self.max_bytes).replace("the file", "the text")
            )
        asked = digest(
            self.query, canonical([self.key, self.text, self.title, self.metadata, self.media_type])
        )[:8]
        revision = "" if updated is None else f"{plain(updated)}-{size}-{asked}"
        return Item(uri=uri, revision=revision, size=size, locator=json.dumps(_parameter(key)))

    def _read(self, row: RowMapping, columns: Columns) -> Item | Problem:
        key = row[columns.roles["key"]]
        uri = _uri(key)
        if not uri:
            return _nameless()
        try:
            raw = self._raw(row, columns)
        except DocumentError as error:
            return Problem(uri=uri, reason=error.reason)
        keep(self._keeper, uri, raw)
        return Item(
            uri=uri,
            revision=content_hash_of(raw),
            size=len(raw.data),
            locator=json.dumps(_parameter(key)),
        )

    def _raw(self, row: RowMapping, columns: Columns) -> Raw:
        text = row[columns.roles["text"]]
        if text is None:
            raise DocumentError(
                f"its {self.text} is NULL; leave such rows out with WHERE, or give them a text"
            )
        if not isinstance(text, str | bytes | memoryview | bytearray):
            raise DocumentError(
                f"its {self.text} is of the type {type(text).__name__}; a text or bytes "
                f"are wanted: CAST it in the query"
            )
        data = text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)
        if not data.strip():
            raise DocumentError(
                f"its {self.text} is empty; leave such rows out with WHERE, or give them a text"
            )
        if len(data) > self.max_bytes:
            raise DocumentError(
                too_large(len(data), self.max_bytes).replace("the file", "the text")
            )
        title = str(row[columns.roles["title"]] or "").strip() if self.title else ""
        media_type = self.media_type or ("text/plain" if isinstance(text, str) else "")
        kept = {name: plain(row[column]) for name, column in columns.metadata.items()}
        return Raw(data=data, media_type=media_type, title=plain(title) or None, metadata=kept)


def _parameter(key: object) -> int | str:
    return key if isinstance(key, int | str) else str(plain(key))


def _uri(key: object) -> str:
    return "" if key is None else str(plain(key)).strip()


def _nameless() -> Problem:
    return Problem(
        uri="(no key)",
        reason="a row has no key (NULL or empty); leave such rows out with WHERE, or give them one",
    )
