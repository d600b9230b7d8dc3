"""The tables of a home's own Prefect server. Prefect's migrations take longer than the rest of a
start: they run once per machine and version of Prefect, and other homes begin with a copy of the
empty database that they made.
"""

import logging
from importlib.metadata import version
from pathlib import Path

from llmops.tasks.empty_databases import (
    UnusableCopy,
    copy_kept,
    keep_empty,
    newest_revision,
    revision_of,
)

SETTINGS = {"PREFECT_API_DATABASE_MIGRATE_ON_START": "false"}
"""`made` does it: Prefect would import all of its migrations at each start, to find none to do."""
logger = logging.getLogger("prefect.server.tables")  # Prefect sends this branch to server.log


async def made(database: Path) -> None:
    """Bring the tables to where Prefect wants them, also those of an earlier release. To be called
    after Prefect's app is made, and before it starts. Only one process at a time may do so.

    Raises what the migrations raise, which is logged, and OSError where nothing can be written.
    """
    from prefect.server.database import provide_database_interface

    interface = provide_database_interface()
    newest = newest_revision(Path(interface.orm.versions_dir))
    name = f"prefect-{version('prefect')}-{newest}"
    new = not database.exists()
    if newest and ((new and _copied(name, database)) or revision_of(database) == newest):
        return
    try:
        await interface.create_db()
    except Exception:
        logger.exception("the tables cannot be brought up to date")
        raise
    if new and newest and revision_of(database) == newest:
        _keep(name, database)


def _copied(name: str, database: Path) -> bool:
    try:
        return copy_kept(name, database)
    except UnusableCopy as error:
        logger.warning("the tables are made anew: %s", error)
        return False


def _keep(name: str, database: Path) -> None:
    try:
        keep_empty(name, database)
    except UnusableCopy as error:
        logger.warning("other homes will make their tables anew: %s", error)
