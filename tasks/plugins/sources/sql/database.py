"""A database that is only read: read-only transactions, rows in batches, messages without
secrets.
"""

import os
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    Row,
    TextClause,
    create_engine,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from llmops.tasks.errors import Blocked, LlmopsError, Unavailable, UsageError
from llmops.tasks.plugins.sources._plain import discreet

DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
INSTALL = {"psycopg": "pip install 'llmops-pipelines[postgres]'"}
SNAPSHOT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
}
BEFORE = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}
PATIENCE = {
    "postgresql": {"connect_timeout": 15},
    "mysql": {"connect_timeout": 15},
    "mariadb": {"connect_timeout": 15},
}
INERT = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL
)
READS = re.compile(r"\s*\(*\s*(select|with|values|table)\b", re.I)
BYTES = {
    "postgresql": "octet_length",
    "sqlite": "length",
    "mysql": "octet_length",
    "mariadb": "octet_length",
    "duckdb": "length",
}
"""What tells the size of a text without sending it."""


def parsed(url: str) -> URL:
    """The URL with the driver that this project knows. Raises ValueError, which never repeats the
    URL.
    """
    scheme, colon, rest = url.partition("://")
    try:
        address = make_url(DRIVERS.get(scheme, scheme) + colon + rest)
        address.get_dialect().import_dbapi()
    except ImportError as error:
        module = (error.name or "its driver").split(".")[0]
        raise ValueError(
            f"the database needs {module}, which is not installed: "
            f"{INSTALL.get(module, f'pip install {module}')}"
        ) from error
    except NoSuchModuleError as error:
        raise ValueError(
            f"{scheme} is no database that SQLAlchemy knows here; it may need a package of its own"
        ) from error
    except (ArgumentError, ValueError) as error:
        raise ValueError(
            "no database URL, such as postgresql://user:${PASSWORD}@host/name or sqlite:///file.db"
        ) from error
    return address


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database, None for any other."""
    is_file = (
        url.get_backend_name() == "sqlite"
        and url.database
        and url.database != ":memory:"
        and not url.database.startswith("file:")
    )
    return Path(str(url.database)) if is_file else None


class Database:
    """Connections to one database, closed with this object."""

    def __init__(self, url: URL) -> None:
        self._url, self.name = url, url.get_backend_name()
        self._engine: Engine | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a read-only transaction that sees one state of the data, where the
        database can. Raises Unavailable, Blocked.
        """
        file = file_of(self._url)
        if file is not None and not file.is_file():
            raise Blocked(
                f"the database {file} is gone", hint="put it back, or change the source's url"
            )
        try:
            connection = self._ready().connect()
        except SQLAlchemyError as error:
            raise Unavailable(
                f"the database does not answer: {self.told(error)}",
                hint="check the url, the credentials and the network",
            ) from error
        with connection:
            if self.name in BEFORE:
                connection.exec_driver_sql(BEFORE[self.name])
            yield connection

    def rows(self, connection: Connection, query: TextClause, batch: int) -> Iterator[Row[Any]]:
        """The rows of a query as they come. Raises what `failed` says when it does not even
        begin.
        """
        streaming = connection.execution_options(stream_results=True, yield_per=batch)
        try:
            result = streaming.execute(query)
        except SQLAlchemyError as error:
            raise self.failed(error) from error
        with closing(result):
            yield from result

    def failed(self, error: SQLAlchemyError) -> LlmopsError:
        """What an error of a query means: the database went, or it has something against the
        query.
        """
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return Unavailable(
                f"the database ended the connection: {self.told(error)}",
                hint="run again when it is back",
            )
        return Blocked(
            f"the database refuses the query: {self.told(error)}",
            hint="run the query by hand with the same user",
        )

    def told(self, error: SQLAlchemyError) -> str:
        """The driver's own words, without the statement, its values and the password."""
        said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        return discreet(
            said, [str(self._url.password or ""), self._url.render_as_string(hide_password=False)]
        )

    def _ready(self) -> Engine:
        if self._engine is None:
            url, file = self._url, file_of(self._url)
            if (
                file is not None
            ):  # opened for reading alone: a misspelt path makes no empty database
                url = url.set(
                    database=f"file:{quote(os.fspath(file.absolute()))}"
                ).update_query_dict({"mode": "ro", "uri": "true"})
            self._engine = create_engine(
                url,
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=3,
                pool_pre_ping=True,
                connect_args=PATIENCE.get(self.name, {}),
                execution_options=SNAPSHOT.get(self.name, {}),
            )
            weakref.finalize(self, self._engine.dispose)
        return self._engine


def one_select(query: str) -> str:
    """The query without a final semicolon. Raises ValueError for what is not exactly one query that
    reads.
    """
    bare = query.strip().rstrip(";").rstrip()
    code = INERT.sub(" '' ", bare)
    if not READS.match(code):
        raise ValueError("a query begins with SELECT or WITH; nothing else is run")
    if ";" in code:
        raise ValueError("one query is wanted, without a ; between statements")
    return bare


def around(query: str, columns: str, where: str = "") -> TextClause:
    """A query of a query. Colons of the inner one mean themselves."""
    inner = query.replace(":", "\\:")
    return text(f"SELECT {columns} FROM (\n{inner}\n) documents {where}".rstrip())


class Columns:
    """Which of a query's columns has which role. Names are found as written, else whatever their
    case.
    """

    def __init__(
        self,
        given: Sequence[str],
        roles: Mapping[str, str],
        metadata: Sequence[str],
        dialect: Dialect,
    ) -> None:
        self._given, self._dialect = given, dialect
        self.roles = {role: self._find(name, role) for role, name in roles.items()}
        self.metadata = {name: self._find(name, "metadata") for name in metadata}

    def _find(self, name: str, role: str) -> str:
        exact = [column for column in self._given if column == name]
        columns = exact or [column for column in self._given if column.lower() == name.lower()]
        if len(columns) != 1:
            wrong = (
                "two such columns; give one of them another name with AS"
                if columns
                else f"it has {', '.join(self._given)}"
            )
            raise UsageError(
                f"the query has {'not one' if columns else 'no'} column {name!r} for {role}: "
                f"{wrong}",
                where="sources: sql: query",
                hint=f"name it in the query (… AS {name}), or name another with `{role}`",
            )
        return columns[0]

    def quoted(self, role: str) -> str:
        """A column as SQL writes it."""
        return self._dialect.identifier_preparer.quote(self.roles[role])

    def listing(self) -> str:
        """The columns of a listing that needs no texts: key, update, size (null where the text
        is).
        """
        size = BYTES.get(self._dialect.name)
        text = (
            f"{size}({self.quoted('text')})"
            if size
            else f"CASE WHEN {self.quoted('text')} IS NULL THEN NULL ELSE 0 END"
        )
        return f"{self.quoted('key')}, {self.quoted('updated')}, {text}"

    def everything(self) -> str:
        """The columns that a document is made of."""
        names = {self.roles[role] for role in ("key", "text", "title") if role in self.roles} | set(
            self.metadata.values()
        )
        return ", ".join(self._dialect.identifier_preparer.quote(name) for name in sorted(names))
