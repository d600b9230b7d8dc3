"""Homes that begin with an empty ledger: its tables are copied, since making them is a tenth of
what a test of a small knowledge base takes.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from llmops.tasks.ledger import BUSY_SECONDS, Ledger
from llmops.tasks.ledger.databases import open_engine


def with_ledger(home: Path) -> Path:
    """The home, made if it is not there; a ledger that it has already stays."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "ledger.db").exists():
        (home / "ledger.db").write_bytes(_empty())
    return home


@cache
def _empty() -> bytes:
    """The file as `open_ledger` leaves it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        ledger = Ledger(open_engine(f"sqlite:///{file}", BUSY_SECONDS), str(file))
        ledger.create()
        ledger.close()
        return file.read_bytes()
