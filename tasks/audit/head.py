"""The last entry, remembered in a file beside the ledger: so that entries are missed which were
taken from the ledger together with its own word of the last one.
"""

import logging
import os
from pathlib import Path

from llmops.tasks.ledger import chain
from llmops.tasks.ledger.chain import Head

log = logging.getLogger(__name__)
LOCK_SECONDS = 10.0


def file_of(home: Path) -> Path:
    return home / chain.HEAD


def keep(home: Path, latest: Head) -> None:
    """Remember an entry that is in the ledger for good; one that is remembered already and is later
    stays. A file that cannot be written is told in the log, and fails nothing: the change is done.
    """
    from filelock import FileLock, Timeout

    file = file_of(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock", timeout=LOCK_SECONDS):
            if (before := remembered(home)) is None or before.number < latest.number:
                new = file.with_name(f"{file.name}.{os.getpid()}.new")
                new.write_text(f"{latest}\n")
                new.replace(file)
    except (OSError, Timeout) as error:
        log.warning("the head of the audit log cannot be kept in %s: %s", file, error)


def remembered(home: Path) -> Head | None:
    """What the file says; None where there is none that can be read."""
    try:
        return Head.parse(file_of(home).read_text())
    except (OSError, ValueError):
        return None
