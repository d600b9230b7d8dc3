"""The tables of a home's own Prefect server: made once per machine, brought up to date, and never
in the way of a start.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from llmops.flows import server
from llmops.tasks.empty_databases import keep_empty, newest_revision, revision_of
from tests import forks

pytestmark = pytest.mark.slow

MIGRATIONS = """
from alembic.script import ScriptDirectory
from prefect.server.database import provide_database_interface
from prefect.server.database.alembic_commands import alembic_config
folder = provide_database_interface().orm.versions_dir
config = alembic_config()
config.set_main_option("version_locations", str(folder))
print(folder, *ScriptDirectory.from_config(config).get_heads())
"""
SERVER = """
import asyncio, os
from pathlib import Path
from llmops.flows.server import daemon, tables
os.environ.update(daemon.settings(Path.cwd(), 45999))
from prefect.logging.configuration import setup_logging
from prefect.server.database import provide_database_interface
setup_logging()
"""
"""A server of the current folder before it starts."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "llmops-pipelines"


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Path]]:
    folders = [tmp_path / "first", tmp_path / "second"]
    yield folders
    for folder in folders:
        server.stop(folder)


def done(step: str, folder: Path) -> str:
    """What a server logs that does a step there."""
    line = [sys.executable, "-c", f"{SERVER}asyncio.run({step})"]
    here = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    run = subprocess.run(
        line, cwd=folder, env=here, capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout == ""
    return run.stderr


def made(folder: Path) -> str:
    return done("tables.made(Path('prefect.db'))", folder)


def schema(file: Path) -> dict[tuple[str, str], set[tuple[object, ...]]]:
    """Kind and name of what there is, with the columns of tables: name, type, whether they may be
    empty. Each run of the migrations writes constraints in another order.
    """
    with closing(sqlite3.connect(file)) as database:
        known = database.execute("SELECT type, name FROM sqlite_master").fetchall()
        columns = 'SELECT name, type, "notnull" FROM pragma_table_info(?)'
        return {(kind, name): set(database.execute(columns, (name,))) for kind, name in known}


def marked(file: Path, number: int | None = None) -> int:
    """A number in the header of a database, which no migration writes."""
    with closing(sqlite3.connect(file)) as database:
        if number is not None:
            database.execute(f"PRAGMA user_version = {number}")
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def block_types(found: server.Server) -> set[str]:
    request = urllib.request.Request(
        f"{found.url}/block_types/filter", b"{}", {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return {block["slug"] for block in json.load(response)}


def test_the_second_home_of_a_machine_begins_with_a_copy_and_lacks_nothing(
    homes: list[Path], cache: Path
) -> None:
    first, second = homes
    blocks = block_types(server.ensure(first))
    (kept,) = cache.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(kept)) as database:
        tables = [name for kind, name in schema(kept) if kind == "table"]
        counted = {t: database.execute(f'SELECT count(*) FROM "{t}"').fetchone()[0] for t in tables}
    assert {table for table, rows in counted.items() if rows} == {"alembic_version"}
    assert len(counted) > 30
    marked(kept, 42)
    name = kept.stem.rpartition("-")[0]
    shutil.copy(kept, other := kept.parent.parent / "other.db")
    kept.unlink()
    keep_empty(name, other)
    assert block_types(server.ensure(second)) == blocks
    assert {"webhook", "slack-webhook", "custom-webhook"} <= blocks
    databases = [home / "prefect" / "prefect.db" for home in homes]
    assert [marked(database) for database in databases] == [0, 42]
    assert schema(databases[0]) == schema(databases[1])
    assert revision_of(databases[1]) == revision_of(databases[0]) is not None
    assert [(home / "prefect" / "server.log").read_text() for home in homes] == ["", ""]


def test_prefect_agrees_about_its_newest_revision() -> None:
    output, errors = forks.start("-c", MIGRATIONS).communicate(timeout=120)
    folder, *heads = output.split()
    assert [newest_revision(Path(folder))] == heads, errors


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("damaged", "the tables are made anew: .* is damaged"),
        ("no folder", "other homes will make their tables anew: .*Not a directory"),
    ],
)
def test_where_the_copy_is_of_no_use_the_tables_are_made_and_the_log_says_so(
    tmp_path: Path,
    cache: Path,
    prefect_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
    says: str,
) -> None:
    newest = revision_of(prefect_database)
    if wrong == "damaged":
        cache.mkdir(parents=True)
        (cache / f"prefect-{version('prefect')}-{newest}-{'0' * 32}.db").write_bytes(b"half of it")
    else:
        (tmp_path / "file").touch()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "new").mkdir()
    logged = made(tmp_path / "new")
    database = tmp_path / "new" / "prefect.db"
    assert revision_of(database) == newest
    assert schema(database) == schema(prefect_database)
    assert re.search(rf"WARNING \| prefect.server.tables - {says}", " ".join(logged.split()))


def test_the_tables_of_an_earlier_release_are_brought_up_to_date(
    tmp_path: Path, cache: Path, prefect_database: Path
) -> None:
    newest = revision_of(prefect_database)
    database = Path(shutil.copy(prefect_database, tmp_path / "prefect.db"))
    marked(database, 42)
    assert done("provide_database_interface().run_migrations_downgrade()", tmp_path) == ""
    assert revision_of(database) not in (None, newest)
    assert made(tmp_path) == ""
    assert revision_of(database) == newest
    assert schema(database) == schema(prefect_database)
    assert marked(database) == 42
    assert not cache.exists()  # it holds what people did
