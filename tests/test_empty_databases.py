"""Empty databases kept in the user's cache: copied whole, or not at all."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from llmops.tasks.empty_databases import (
    UnusableCopy,
    copy_kept,
    keep_empty,
    newest_revision,
    revision_of,
)
from llmops.tasks.user_cache import user_cache


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "llmops-pipelines"


def made(file: Path, *statements: str) -> Path:
    """A database as migrations leave it, in the mode that Prefect writes in."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('b2')")
        database.execute("CREATE TABLE run (id TEXT PRIMARY KEY, name TEXT)")
        for statement in statements:
            database.execute(statement)
        database.commit()
    return file


def schema(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return [str(row[0]) for row in database.execute("SELECT sql FROM sqlite_master")]


def test_a_kept_database_is_copied_for_its_owner_alone(tmp_path: Path, cache: Path) -> None:
    first, second = made(tmp_path / "first.db"), tmp_path / "second.db"
    assert not copy_kept("it", second)
    assert not second.exists()
    keep_empty("it", first)
    assert copy_kept("it", second)
    assert (schema(second), revision_of(second)) == (schema(first), "b2")
    assert [file.stat().st_mode & 0o777 for file in (second, *cache.iterdir())] == [0o600, 0o600]
    assert not copy_kept("it", second)  # it is there
    assert not copy_kept("another", tmp_path / "third.db")


@pytest.mark.parametrize("kept", [0, 5_000, 8_192])
def test_what_was_cut_short_is_not_used_and_does_not_stay(
    tmp_path: Path, cache: Path, kept: int
) -> None:
    keep_empty("it", made(tmp_path / "first.db"))
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UnusableCopy, match="is damaged"):
        copy_kept("it", tmp_path / "second.db")
    assert list(cache.iterdir()) == []
    assert list(tmp_path.glob("second*")) == []


def test_another_s_database_is_not_used(tmp_path: Path, cache: Path) -> None:
    keep_empty("it", made(tmp_path / "first.db"))
    (file,) = cache.iterdir()
    file.unlink()
    made(file, "INSERT INTO run VALUES ('1', 'secret')")
    with pytest.raises(UnusableCopy, match="is damaged"):
        copy_kept("it", tmp_path / "second.db")


def test_the_journal_of_an_earlier_database_is_not_written_into_a_copy(tmp_path: Path) -> None:
    keep_empty("it", made(tmp_path / "first.db"))
    (tmp_path / "second.db-wal").write_bytes(b"of another")
    assert not copy_kept("it", tmp_path / "second.db")


def test_a_copy_that_a_kill_has_cut_is_made_again(tmp_path: Path) -> None:
    keep_empty("it", made(tmp_path / "first.db"))
    (tmp_path / "second.new").write_bytes(b"half of")
    assert copy_kept("it", tmp_path / "second.db")
    assert revision_of(tmp_path / "second.db") == "b2"


def test_rows_are_not_kept(tmp_path: Path, cache: Path) -> None:
    filled = made(tmp_path / "filled.db", "INSERT INTO run VALUES ('1', 'secret')")
    with pytest.raises(UnusableCopy, match="rows are in run"):
        keep_empty("it", filled)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UnusableCopy, match="cannot be kept in the cache"):
        keep_empty("it", made(tmp_path / "first.db"))
    assert not copy_kept("it", tmp_path / "second.db")


def test_a_user_without_a_home_has_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(UnusableCopy, match="home directory"):
        copy_kept("it", tmp_path / "second.db")
    with pytest.raises(UnusableCopy, match="home directory"):
        keep_empty("it", made(tmp_path / "first.db"))


def test_many_may_keep_and_copy_at_once(tmp_path: Path) -> None:
    def work(number: int) -> bool:
        keep_empty("it", made(tmp_path / f"{number}.db"))
        return copy_kept("it", tmp_path / f"copy-{number}.db")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(24)))
    assert {revision_of(tmp_path / f"copy-{number}.db") for number in range(24)} == {"b2"}
    assert [file.suffix for file in user_cache().iterdir()] == [".db"]  # nothing half made


def test_the_newest_revision_is_read_from_the_texts_of_migrations(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('revision = "a1"\ndown_revision = None\n')
    (tmp_path / "b.py").write_text("revision: str = 'b2'\ndown_revision: str | None = 'a1'\n")
    assert newest_revision(tmp_path) == "b2"
    (tmp_path / "c.py").write_text('revision = "c3"\ndown_revision = "a1"\n')
    assert newest_revision(tmp_path) is None
    (tmp_path / "d.py").write_text('revision = "d4"\ndown_revision = (\n    "b2",\n    "c3",\n)\n')
    assert newest_revision(tmp_path) == "d4"
    assert newest_revision(tmp_path / "nowhere") is None


def test_what_is_no_database_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database")
    with closing(sqlite3.connect(tmp_path / "empty.db")) as database:
        database.execute("CREATE TABLE run (id TEXT)")
    names = ("text.db", "empty.db", "nowhere.db")
    assert [revision_of(tmp_path / name) for name in names] == [None, None, None]
    assert not (tmp_path / "nowhere.db").exists()


def test_rows_that_are_made_anew_are_left_out_and_known_ones_stay(
    tmp_path: Path, cache: Path
) -> None:
    first = made(
        tmp_path / "first.db",
        "CREATE TABLE place (path TEXT)",
        f"INSERT INTO place VALUES ('{tmp_path}')",
        "CREATE TABLE kind (name TEXT)",
        "INSERT INTO kind VALUES ('default')",
    )
    with pytest.raises(UnusableCopy, match="rows are in kind, place"):
        keep_empty("it", first)
    keep_empty("it", first, without=["place"], rows_in=["kind"])
    (kept,) = cache.iterdir()
    assert str(tmp_path).encode() not in kept.read_bytes()
    assert copy_kept("it", tmp_path / "second.db")
    with closing(sqlite3.connect(tmp_path / "second.db")) as database:
        assert database.execute("SELECT name FROM kind").fetchall() == [("default",)]
        assert database.execute("SELECT count(*) FROM place").fetchone() == (0,)
