"""The databases that a ledger is kept in: migrations, damage, and what a user is told."""

import importlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert, select, text

from llmops.tasks import ledger
from llmops.tasks.errors import Damaged, LlmopsError, Unavailable, UsageError
from llmops.tasks.ledger import alerting, application, migrations, open_ledger, review, tables
from tests.postgres import fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    local = f"sqlite:///{tmp_path / 'ledger.db'}"
    made = (
        local if request.param == "sqlite" else fresh_database(request.getfixturevalue("postgres"))
    )
    monkeypatch.setenv("LLMOPS_LEDGER_URL", made)
    yield made
    ledger.close_ledgers()


def first_release(url: str) -> None:
    """A ledger as it was before migrations: the tables of the first revision, and no word of a
    revision.
    """
    from alembic.operations import Operations

    engine = create_engine(url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            importlib.import_module("llmops.tasks.ledger.migrations.versions.r0001_first").upgrade()
        connection.execute(
            insert(tables.knowledge_bases).values(
                name="old", next_version=4, created_at=ledger.now()
            )
        )
    engine.dispose()


@pytest.mark.slow
def test_the_migrations_lead_to_the_tables(url: str, tmp_path: Path) -> None:
    with open_ledger(tmp_path).read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrations.VERSION_TABLE}
        )
        for table in (application.audit, review.reviews, alerting.alerts):
            assert table.metadata is tables.metadata
        assert compare_metadata(context, tables.metadata) == []
        assert migrations.found(connection) == migrations.LATEST


def test_a_ledger_of_the_first_release_is_migrated_and_loses_nothing(
    url: str, tmp_path: Path
) -> None:
    first_release(url)
    with open_ledger(tmp_path).read() as connection:
        assert list(
            connection.execute(
                select(tables.knowledge_bases.c.name, tables.knowledge_bases.c.next_version)
            )
        ) == [("old", 4)]
        assert list(connection.execute(select(tables.chunks.c.shard))) == []
        assert migrations.found(connection) == migrations.LATEST


def test_the_latest_revision_is_the_one_that_is_checked_for() -> None:
    files = sorted(Path(migrations.HERE / "versions").glob("r*.py"))
    assert max(file.name[1:5] for file in files) == migrations.LATEST
    assert all(migrations.known(file.name[1:5]) for file in files)


def test_a_ledger_of_a_newer_release_is_not_touched(url: str, tmp_path: Path) -> None:
    with open_ledger(tmp_path).write() as connection:
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))
    ledger.close_ledgers()
    with pytest.raises(LlmopsError, match="newer version"):
        open_ledger(tmp_path)


def test_a_locked_ledger_says_so(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.2)
    ledger.close_ledgers()
    book = open_ledger(tmp_path)
    ledger.OPENED.clear()
    other = open_ledger(tmp_path)
    with book.write(), pytest.raises(Unavailable, match="locked by another process"), other.write():
        pass
    with other.write():
        pass
    book.close()


def test_garbage_is_not_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database at all, " * 100)
    with pytest.raises(Damaged, match="damaged"):
        open_ledger(tmp_path)


def test_sqlite_locked_from_outside_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.2)
    book = open_ledger(tmp_path / "locked")
    other = sqlite3.connect(tmp_path / "locked" / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(Unavailable, match="locked by another process"), book.write():
            pass
    finally:
        other.close()


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        "mysql://u:secret@localhost/x",
        "oracle://u:secret@localhost/x",
        "http://localhost",
    ],
)
def test_a_url_that_is_none_says_what_is_allowed(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_LEDGER_URL", wrong)
    with pytest.raises(UsageError, match="allowed: sqlite") as caught:
        open_ledger(tmp_path)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_away_says_so_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("LLMOPS_LEDGER_URL", "postgresql://me:secret@127.0.0.1:1/books")
    with pytest.raises(Unavailable, match="the ledger books cannot be used") as caught:
        open_ledger(tmp_path)
    assert "secret" not in str(caught.value)


def test_a_user_who_may_not_make_tables_is_told_so(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fresh_database(postgres)
    engine = create_engine(made, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guest"))
        connection.execute(text("CREATE ROLE guest LOGIN"))
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    engine.dispose()
    monkeypatch.setenv("LLMOPS_LEDGER_URL", made.replace("tester@", "guest@"))
    with pytest.raises(Unavailable, match="does not let its user"):
        open_ledger(tmp_path)
    ledger.close_ledgers()


def test_asking_creates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    from llmops.tasks.knowledge.views import overview

    assert overview(ledger.existing_ledger(tmp_path / "home")) == []
    assert not (tmp_path / "home").exists()
    open_ledger(tmp_path / "home")
    assert ledger.existing_ledger(tmp_path / "home") is open_ledger(tmp_path / "home")
    ledger.close_ledgers()


def test_named_rows_are_found_by_their_names(tmp_path: Path) -> None:
    """Not by going through all that have not ended, or all that began before."""
    named = tables.chunks.c.chunk_id.in_(["a", "b"])
    since = tables.chunks.c.valid_from > 3
    asked = (
        (ledger.still_open(tables.chunks) & named, "chunk_id=?"),
        (ledger.live_at(tables.chunks, 3) & named, "chunk_id=?"),
        (ledger.live_at(tables.chunks, 3) & tables.chunks.c.doc_id.in_(["a", "b"]), "doc_id=?"),
        (since, "valid_from>?"),
    )
    with open_ledger(tmp_path).read() as connection:
        for condition, by in asked:
            query = select(tables.chunks).where(tables.chunks.c.kb == "kb", condition)
            words = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
            steps = connection.execute(text(f"EXPLAIN QUERY PLAN {words}")).all()
            assert [by in row.detail for row in steps] == [True], steps
