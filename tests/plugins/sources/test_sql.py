"""The source `sql`: rows as documents, read-only, on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, text

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    TransientDocumentError,
    Unavailable,
    UsageError,
)
from llmops.tasks.plugins.sources import Item, Problem, content_hash_of
from llmops.tasks.plugins.sources._spool import forget
from llmops.tasks.plugins.sources.sql import SqlSource
from tests.postgres import fresh_database

ROWS = [
    ("a", "Title A", "Text of a, ä: 50 % 'quoted'", "2024-01-01"),
    ("b", None, "Text of b", "2024-01-02"),
    ("c", "", "Text of c", None),
]
QUERY = (
    "SELECT id AS key, title, body AS text, changed FROM pages WHERE body NOT LIKE '%:no%' -- "
    "a comment"
)


class Table:
    """A database with a table `pages`."""

    def __init__(self, url: str) -> None:
        self.url, self.engine = url, create_engine(url)
        self.run(
            "CREATE TABLE pages (id VARCHAR(100), title TEXT, body TEXT, changed TEXT, "
            "year NUMERIC(10, 2))"
        )
        for row in ROWS:
            self.run(
                "INSERT INTO pages (id, title, body, changed) VALUES (:a, :b, :c, :d)",
                **dict(zip("abcd", row, strict=True)),
            )

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def source(self, **options: Any) -> SqlSource:
        return SqlSource(**{"url": self.url, "query": QUERY, "title": "title", **options})


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    url = (
        f"sqlite:///{tmp_path}/pages.db"
        if request.param == "sqlite"
        else fresh_database(request.getfixturevalue("postgres"))
    )
    found = Table(url)
    yield found
    found.engine.dispose()


def by_uri(source: SqlSource) -> dict[str, Item]:
    return {item.uri: item for item in source.list().items}


@pytest.mark.parametrize("updated", [None, "changed"])
def test_rows_are_documents(table: Table, updated: str | None) -> None:
    source = table.source(updated=updated)
    source.check()
    listing = source.list()
    raws = {item.uri: source.read(item) for item in listing.items}
    assert {uri: (raw.data.decode(), raw.title, raw.media_type) for uri, raw in raws.items()} == {
        "a": (ROWS[0][2], "Title A", "text/plain"),
        "b": ("Text of b", None, "text/plain"),
        "c": ("Text of c", None, "text/plain"),
    }
    assert listing.complete
    assert all(
        abs(item.size - len(raws[item.uri].data)) <= 1 for item in listing.items
    )  # SQLite counts characters
    assert [source.content_hash(item) for item in listing.items] == [
        None if updated else content_hash_of(raws[item.uri]) for item in listing.items
    ]


def test_with_updated_only_that_column_tells_of_a_change(table: Table) -> None:
    before = by_uri(table.source(updated="changed"))
    assert before["c"].revision == ""  # NULL: nobody knows, so it is read each time
    table.run("UPDATE pages SET body = 'Text of B' WHERE id = 'b'")
    assert by_uri(table.source(updated="changed"))["b"] == before["b"]
    table.run("UPDATE pages SET changed = '2024-02-01' WHERE id = 'b'")
    after = by_uri(table.source(updated="changed"))
    assert {uri for uri in after if after[uri].revision != before[uri].revision} == {"b"}
    other = by_uri(table.source(updated="changed", metadata=["title"]))
    assert other["a"].revision != after["a"].revision  # another config is another document


def test_without_updated_text_title_and_metadata_tell(table: Table) -> None:
    before = by_uri(table.source())
    table.run("UPDATE pages SET title = 'New' WHERE id = 'b'")
    table.run("UPDATE pages SET changed = 'whenever' WHERE id = 'a'")
    after = by_uri(table.source())
    assert {uri for uri in after if after[uri].revision != before[uri].revision} == {"b"}


def test_a_listing_and_its_texts_are_one_state_of_the_data(table: Table) -> None:
    source = table.source()
    items = by_uri(source)
    table.run("UPDATE pages SET body = 'changed meanwhile'")
    assert source.read(items["b"]).data == b"Text of b"
    assert (
        source.read(items["b"]).data == b"changed meanwhile"
    )  # taken once: the second time the database is asked
    forget(source._keeper)
    table.run("DELETE FROM pages WHERE id = 'c'")
    with pytest.raises(TransientDocumentError, match="gone now"):
        source.read(items["c"])


def test_rows_without_key_or_text_and_keys_that_come_twice(table: Table) -> None:
    table.run(
        "INSERT INTO pages (id, body, changed) VALUES (NULL, 'x', '1'), ('n', NULL, '1'), "
        "('e', '  ', '1'), ('a', 'second a', '1')"
    )
    query = "SELECT id AS key, title, body AS text, changed FROM pages"
    plain, cheap = table.source(query=query).list(), table.source(query=query, updated="changed")
    listed = cheap.list()
    assert {problem.uri.split("#")[0] for problem in plain.problems} == {"(no key)", "n", "e", "a"}
    assert {problem.uri.split("#")[0] for problem in listed.problems} == {"(no key)", "n", "a"}
    assert "WHERE" in next(problem for problem in plain.problems if problem.uri == "n").reason
    with pytest.raises(DocumentError, match="several rows"):
        cheap.read({item.uri: item for item in listed.items}["a"])
    with pytest.raises(DocumentError, match="is empty"):
        cheap.read({item.uri: item for item in listed.items}["e"])
    assert plain.complete
    assert listed.complete


def test_nothing_is_ever_written(table: Table) -> None:
    with pytest.raises(ValidationError, match="begins with SELECT"):
        table.source(query="DELETE FROM pages")
    with pytest.raises(ValidationError, match="one query"):
        table.source(query="SELECT 1; DELETE FROM pages")
    if table.engine.dialect.name == "postgresql":
        table.run(
            "CREATE FUNCTION drop_it() RETURNS text AS $$ BEGIN DELETE FROM pages; RETURN "
            "'x'; END $$ LANGUAGE plpgsql"
        )
        with pytest.raises((Blocked, UsageError), match="read-only transaction"):
            table.source(query="SELECT 'k' AS key, drop_it() AS text", title=None).list()
    with table.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pages")).scalar() == 3


def test_mistakes_and_what_has_gone(table: Table) -> None:
    with pytest.raises(
        UsageError, match="no column 'titel' for title: it has key, title, text, changed"
    ):
        table.source(title="titel").check()
    with pytest.raises(UsageError, match="nowhere"):
        table.source(query="SELECT * FROM nowhere").check()
    table.source(query=QUERY.replace("AS key", 'AS "Key"')).check()  # found whatever its case
    table.run("ALTER TABLE pages RENAME TO other")
    with pytest.raises(Blocked, match="pages"):
        table.source().list()


def test_large_texts_are_problems(table: Table) -> None:
    for updated in (None, "changed"):
        listing = table.source(updated=updated, max_bytes=20).list()
        assert [problem.uri for problem in listing.problems] == ["a"]
        assert "max_bytes" in listing.problems[0].reason


@pytest.mark.slow
def test_types_of_postgresql(postgres: str) -> None:
    url = fresh_database(postgres)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE t (id uuid, n bigint, at timestamptz, price numeric, tags "
                "text[], extra jsonb, file bytea)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO t VALUES ('00000000-0000-0000-0000-000000000007', 9, "
                "'2024-05-01T12:00:00Z', 3.0, "
                "'{x,y}', '{\"a\": [1]}', '\\x255044462d')"
            )
        )
    engine.dispose()
    options: dict[str, Any] = {
        "text": "file",
        "metadata": ["n", "at", "price", "tags", "extra"],
        "updated": "at",
    }
    for key, query in (("id", "SELECT * FROM t"), ("n", "SELECT * FROM t ORDER BY n;")):
        source = SqlSource(url=url, query=query, key=key, **options)
        (item,) = source.list().items
        raw = source.read(item)
        assert (raw.data, raw.media_type) == (b"%PDF-", "")
        assert {**raw.metadata, "at": raw.metadata["at"][:10]} == {
            "n": 9,
            "at": "2024-05-01",
            "price": 3,
            "tags": ["x", "y"],
            "extra": {"a": [1]},
        }


@pytest.mark.slow
def test_a_cursor_that_breaks_makes_the_listing_incomplete(postgres: str) -> None:
    url = fresh_database(postgres)
    engine: Engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "CREATE TABLE t AS SELECT n AS key, repeat('word ', 2000) AS text FROM "
                "generate_series(1, 3000) n"
            )
        )
        heard: list[Item | Problem] = []

        def found(entry: Item | Problem) -> None:
            heard.append(entry)
            if len(heard) == 50:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

        why = SqlSource(url=url, query="SELECT * FROM t", batch=20).scan(found)
        assert why.startswith("the database ended the listing after ")
        assert 50 <= len(heard) < 3000
    engine.dispose()


@pytest.mark.slow
def test_secrets_are_in_no_message(postgres: str) -> None:
    wrong = SqlSource(
        url="postgresql://joe:s3cret%40pass@127.0.0.1:1/x", query="SELECT 1 AS key, 'x' AS text"
    )
    with pytest.raises(Unavailable) as caught:
        wrong.check()
    assert "s3cret" not in str(caught.value) + repr(wrong) + wrong.model_dump_json()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense-s3cret", "no database URL"),
        ("oracel://joe:s3cret@x/y", "no database that"),
        ("mssql+pymssql://joe:s3cret@x/y", "pip install"),
    ],
)
def test_urls_are_checked_at_load_and_never_repeated(url: str, said: str) -> None:
    from llmops.configs.mistakes import explain

    with pytest.raises(ValidationError) as caught:
        SqlSource(url=url, query="SELECT 1")
    (mistake,) = explain(caught.value, SqlSource, "lab.yaml: sources[0].", raw={"url": url})
    assert said in str(mistake)
    assert "s3cret" not in str(mistake)


def test_a_missing_file_is_told_and_not_made(tmp_path: Path) -> None:
    source = SqlSource(url="sqlite:///missing.db", query="SELECT 1 AS key, 'x' AS text").at(
        tmp_path
    )
    with pytest.raises(UsageError, match=r"missing\.db is gone"):
        source.check()
    with pytest.raises(Blocked):
        source.list()
    assert list(tmp_path.glob("*.db")) == []
