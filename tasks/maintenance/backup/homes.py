"""What tells a home from others that keep their backups at the same place."""

import secrets
from pathlib import Path

from filelock import FileLock

from llmops.tasks.lake import write_atomically

NAME = "home.id"
LOCK_SECONDS = 30.0


def id_of(home: Path) -> str:
    """It is in every backup, so that a home keeps it through a restore; a copy of the folder has
    it too, until the file is removed there.
    """
    path = home / NAME
    if not path.is_file():
        with FileLock(home / f".{NAME}.lock", timeout=LOCK_SECONDS):
            if not path.is_file():
                write_atomically(path, f"{secrets.token_hex(16)}\n".encode())
    return path.read_text(encoding="utf-8").strip()
