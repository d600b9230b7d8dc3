"""Which MLflow records go to, and where a browser shows them: what the user names, else the home's
own store. Nothing here imports MLflow.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from llmops.tasks.hashing import sha256

VARIABLES = ("LLMOPS_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI")
"""The first is for records of ours alone; the other is the one that every tool reads."""
INTERFACE = "http://127.0.0.1:5000"
SERVED = "served-at"
FIRST_PORT, PORTS = 20_000, 5_000


class Place(NamedTuple):
    """`source`: the variable that names it, empty for the home's own."""

    uri: str
    source: str

    @property
    def own(self) -> bool:
        return not self.source


def place_of(home: Path) -> Place:
    """What a variable names, else the home's own SQLite store."""
    for variable in VARIABLES:
        if uri := os.environ.get(variable):
            return Place(uri, variable)
    return Place(f"sqlite:///{own_database(home)}", "")


def own_database(home: Path) -> Path:
    return home.expanduser().resolve() / "mlflow" / "mlflow.db"


def named_by(uri: str) -> str:
    """The variable that names a store, else the store, for messages."""
    naming = (variable for variable in VARIABLES if os.environ.get(variable) == uri)
    return next(naming, without_login(uri))


def without_login(uri: str) -> str:
    """An address that may be shown: user and password are left out."""
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def pages(uri: str) -> str:
    """Where a browser finds the interface: LLMOPS_MLFLOW_URL, else the server, else where the
    home's store was served last or will be, else the port of `mlflow ui`.
    """
    if given := os.environ.get("LLMOPS_MLFLOW_URL"):
        return given.rstrip("/")
    if uri.startswith(("http://", "https://")):
        return without_login(uri).rstrip("/")
    named = any(os.environ.get(variable) == uri for variable in VARIABLES)
    database = Path(uri.removeprefix("sqlite:///"))
    last = database.with_name(SERVED)
    if last.is_file():
        return last.read_text(encoding="utf-8").strip()
    return INTERFACE if named else f"http://127.0.0.1:{_usual_port(database)}"


def own_port(home: Path) -> int:
    """Where the home's own store was served last, else will be: links lead there that were made
    when nobody served it.
    """
    database = own_database(home)
    last = database.with_name(SERVED)
    address = last.read_text(encoding="utf-8").strip() if last.is_file() else ""
    return urlsplit(address).port or _usual_port(database)


def _usual_port(database: Path) -> int:
    """Each store has its own, below those that systems give to outgoing connections."""
    return FIRST_PORT + int(sha256(str(database))[:8], 16) % PORTS


def served_at(home: Path, url: str) -> None:
    """Remember where the home's own store is served: links lead there, whoever makes them."""
    own_database(home).with_name(SERVED).write_text(f"{url}\n", encoding="utf-8")


def shared(home: Path, run_page: str, files: Mapping[str, str]) -> dict[str, str]:
    """Links to files of a run that colleagues on other machines can follow, by their names; none
    where no server is known, so that the files of this machine are all there is.
    """
    server = place_of(home).uri.startswith(("http://", "https://"))
    if not (server or os.environ.get("LLMOPS_MLFLOW_URL")):
        return {}
    return {name: f"{run_page}/artifacts/{quote(path)}" for name, path in files.items()}
