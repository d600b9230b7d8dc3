"""How alembic brings a ledger up to date: revisions are in versions/, oldest first."""

from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect

# Prefect and MLflow keep theirs as `alembic_version`, perhaps in the same database
VERSION_TABLE = "llmops_version"
FIRST = "0001"
LATEST = "0014"
HERE = Path(__file__).parent


def found(connection: Connection) -> str | None:
    """The revision that a database is at; None where there is no ledger yet."""
    from sqlalchemy import text

    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
        return None if revision is None else str(revision)
    return (
        FIRST if {"meta", "knowledge_bases"} <= tables else None
    )  # written before migrations were


def known(revision: str) -> bool:
    """Whether this release can read a database at that revision."""
    return revision in _revisions()


def upgrade(connection: Connection) -> None:
    """Bring the database to the latest revision, inside the caller's transaction."""
    from alembic import command

    config, at = _config(), found(connection)
    config.attributes["connection"] = connection
    if at == FIRST and VERSION_TABLE not in inspect(connection).get_table_names():
        command.stamp(config, FIRST)
    command.upgrade(config, "head")


@cache
def _revisions() -> frozenset[str]:
    from alembic.script import ScriptDirectory

    return frozenset(
        script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()
    )


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _escaped(HERE))
    config.set_main_option("version_locations", _escaped(HERE / "versions"))
    config.set_main_option("path_separator", "newline")
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
