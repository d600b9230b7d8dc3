"""A PostgreSQL server of the tests' own, from the distribution's binaries; tests that need one are
skipped where there are none.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from llmops.tasks.ledger import BUSY_SECONDS, Ledger
from llmops.tasks.ledger.databases import open_engine

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "unix_socket_permissions": "0700",
}
SECONDS_TO_START = 60.0


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: of the variable POSTGRES_BIN, of the path, or where
    distributions put them.
    """
    named = [Path(os.environ["POSTGRES_BIN"])] if "POSTGRES_BIN" in os.environ else []
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    usual = [
        place
        for pattern in PLACES
        for place in sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
    ]
    return next(
        (
            place
            for place in [*named, *on_path, *usual]
            if (place / "initdb").exists() and (place / "postgres").exists()
        ),
        None,
    )


@contextmanager
def postgres_server(port: int | None = None, password: str = "") -> Iterator[str]:
    """Start a server, yield the SQLAlchemy URL of its first database, stop it and remove its data.

    It listens on a Unix socket in a folder of its own, and with a `port` on the loopback interface
    as well. With a `password` it asks everybody for it. Skips the test where there is nothing to
    start.
    """
    programs = binaries()
    if programs is None:
        pytest.skip(
            "PostgreSQL is not installed: no initdb found; install the distribution's "
            "postgresql, or set POSTGRES_BIN"
        )
    pytest.importorskip(
        "psycopg",
        reason="the PostgreSQL driver is not installed: pip install 'llmops-pipelines[postgres]'",
    )
    folder = Path(
        tempfile.mkdtemp(prefix="pg-")
    )  # short: the path of a socket may have some 100 bytes
    try:
        user = _unprivileged(folder)
        _run(programs / "initdb", folder, user, password)
        with _serving(programs / "postgres", folder, user, port, password) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(url: str, template: str = "template1") -> str:
    """The URL of a new database on the server of another URL, empty unless a template is named."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def fresh_ledger(url: str) -> str:
    """The URL of a new database, on the server of another URL, with an empty ledger: a copy."""
    return fresh_database(url, template=_ledger(url))


@cache
def _ledger(url: str) -> str:
    made = fresh_database(url)
    ledger = Ledger(open_engine(made, BUSY_SECONDS), made)
    ledger.create()
    ledger.close()  # nobody may be connected to what is copied
    return str(make_url(made).database)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """As whom the server runs: it refuses to be root, who then lends it to `postgres` or
    `nobody`.
    """
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    chosen = names.get("postgres") or names.get("nobody")
    if chosen is None:
        pytest.skip(
            "PostgreSQL does not run as root, and there is no user postgres or nobody to run it"
        )
    os.chown(folder, chosen.pw_uid, chosen.pw_gid)
    return {"user": chosen.pw_uid, "group": chosen.pw_gid, "extra_groups": []}


def _run(initdb: Path, folder: Path, user: dict[str, Any], password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o644)  # the folder is the server's own
    words: list[str | Path] = [
        initdb,
        "-D",
        folder / "data",
        "-U",
        "tester",
        *(("-A", "scram-sha-256", "--pwfile", secret) if password else ("-A", "trust")),
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False, **user)
    if done.returncode:
        pytest.skip(f"PostgreSQL cannot make a database here: {done.stderr.strip()[-300:]}")


@contextmanager
def _serving(
    program: Path, folder: Path, user: dict[str, Any], port: int | None, password: str
) -> Iterator[str]:
    chosen = {**SETTINGS, "unix_socket_directories": str(folder)}
    if port:
        chosen |= {"listen_addresses": "127.0.0.1", "port": str(port)}
    settings = [word for key, value in chosen.items() for word in ("-c", f"{key}={value}")]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-D", folder / "data", *settings], stdout=out, stderr=out, cwd=folder, **user
        )
    known = f":{password}" if password else ""
    at = f"&port={port}" if port else ""
    url = f"postgresql+psycopg://tester{known}@/postgres?host={folder}{at}"
    try:
        _wait(process, url, log)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown: clients are sent away
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    until = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            engine.connect().close()
            return
        except OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(
                    f"PostgreSQL does not start: {log.read_text()[-500:]}"
                ) from None
            time.sleep(0.05)
