"""The query of a `sql` source, and the queries around it: what it gives, the listing, one row."""

import re
from collections.abc import Mapping, Sequence

from sqlalchemy import Dialect, TextClause, text

from llmops.tasks.errors import UsageError

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
        found = exact or [column for column in self._given if column.lower() == name.lower()]
        if len(found) != 1:
            wrong = (
                "two such columns; give one of them another name with AS"
                if found
                else f"it has {', '.join(self._given)}"
            )
            raise UsageError(
                f"the query has {'not one' if found else 'no'} column {name!r} for {role}: {wrong}",
                where="sources: sql: query",
                hint=f"name it in the query (… AS {name}), or name another with `{role}`",
            )
        return found[0]

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
