"""A copy of the home that release 0.1.0 left: see tests/fixtures/home-0.1/README.md."""

import hashlib
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

FIXTURE = Path(__file__).parent / "fixtures" / "home-0.1"
NAMES = ("library", "pages", "talk")
ORDERS = {
    "parsed": "parser, content_hash",
    "embeddings": "model, text_hash",
    "calls": "key",
}


def restore(folder: Path) -> tuple[Path, Path]:
    """Project and home in an empty folder. Every time of change and every inode is a new one, as
    after a checkout.
    """
    project, home = folder / "project", folder / "home"
    shutil.copytree(FIXTURE / "project", project, copy_function=shutil.copyfile)
    with tarfile.open(FIXTURE / "home" / "stores.tar.xz") as archive:
        archive.extractall(home, filter="data")
    (home / "decisions").mkdir()
    for file in (FIXTURE / "home" / "decisions").glob("*.json"):
        (home / "decisions" / file.name).write_text(_placed(file, project, home))
    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        ledger.executescript(_placed(FIXTURE / "home" / "ledger.sql", project, home))
    return project, home


def _placed(file: Path, project: Path, home: Path) -> str:
    return file.read_text().replace("@PROJECT@", str(project)).replace("@HOME@", str(home))


def ledger_rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query says of the ledger as it is on the disk."""
    with closing(sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True)) as ledger:
        return ledger.execute(query).fetchall()


def paid(home: Path) -> dict[str, tuple[int, str]]:
    """Rows and hash of each table of what was paid for: a row that is written anew shows too."""
    tables = {
        table: ledger_rows(home, f"SELECT * FROM {table} ORDER BY {order}")
        for table, order in ORDERS.items()
    }
    return {
        table: (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()[:12])
        for table, rows in tables.items()
    }


def waiting(home: Path) -> dict[str, tuple[str, int]]:
    """The quarantine: error and attempts of each uri."""
    rows = ledger_rows(home, "SELECT uri, error, attempts FROM quarantine")
    return {uri: (error, attempts) for uri, error, attempts in rows}
