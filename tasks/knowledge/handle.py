"""The handle of a knowledge base: where it lives and what it is called, and which versions it has.
A reference, safe to pass between tasks and processes.
"""

import re
import shutil
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, bindparam, select

from llmops.tasks.errors import Unpublished, UsageError, did_you_mean
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.lake import Lake, lake_of
from llmops.tasks.ledger import Ledger, existing_ledger
from llmops.tasks.ledger.leases import Lease, building_run, hold, holder
from llmops.tasks.ledger.tables import knowledge_bases, versions
from llmops.tasks.running import whereabouts

LARGEST = 2**63  # of a database's integers
GONE = {
    "damaged": "cannot be served any more: a part of it was lost from the store, which a "
    "repair found",
    "rejected": "did not go live: it was rejected",
    "aborted": "did not go live: it was aborted",
    "building": "is still being built",
    "expired": "is not kept any more: it is beyond `keep_versions`",
}


class Version(BaseModel):
    """One version as the ledger knows it. `snapshot` is the store's token; `config` the config that
    built it, without secrets; `gate` what its gate said. `ranking`: the number of the trained
    ranking that is live for the knowledge base, None for none; it is no part of what was built.
    `published_at` tells it from a version of the same number of a knowledge base that was dropped
    and built anew.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)
    kb: str
    version: int
    status: str
    parent: int | None
    collection: str
    snapshot: str | None
    weight: float | None
    documents: int | None
    chunks: int | None
    config: dict[str, Any]
    config_sha256: str | None = None
    gate: dict[str, Any] | None = None
    ranking: int | None = None
    published_at: datetime | None = None


def schema_of(version: Version) -> MetadataSchema:
    """The declared fields and access rule that a version was built with."""
    return MetadataSchema.model_validate(version.config.get("facts", {}))


def gone(version: Version) -> str:
    """Why nobody can have a version, as the end of a sentence."""
    return GONE.get(version.status, f"is not kept any more: it was {version.status}")


class Handle(BaseModel):
    """A knowledge base by home and name, whether there is one or not: asking creates nothing."""

    model_config = ConfigDict(frozen=True)
    home: Path
    name: str

    @property
    def ledger(self) -> Ledger:
        return existing_ledger(self.home)

    @property
    def lake(self) -> Lake:
        return lake_of(self.home)

    def run_files(self) -> list[str]:
        """What its builds passed among their tasks, by the paths in the lake."""
        mine = re.compile(rf"runs/{self.name}-\d+/.*")
        return [file.path for file in self.lake.files("runs") if mine.fullmatch(file.path)]

    def forget_runs(self) -> None:
        """Remove these files."""
        paths = self.run_files()
        for path in paths:
            self.lake.remove(path)
        self.lake.leave(sorted({path.rpartition("/")[0] for path in paths}))

    def forget_notes(self) -> None:
        """Remove what its builds note outside of ledger and lake, uris among it: what sources
        remember, the last plan, what was said of the last build.
        """
        (self.home / "plans" / f"{self.name}.json").unlink(missing_ok=True)
        for notes in ("sources", "builds"):
            shutil.rmtree(self.home / notes / self.name, ignore_errors=True)

    def live(self) -> Version | None:
        """The version that readers get; None before the first publish."""
        with self.ledger.read() as connection:
            return live_version(connection, self.name)

    def published(self) -> Version:
        """The live version. Raises Unpublished for an unknown or a never published knowledge base,
        naming the known ones.
        """
        live = self.live()
        if live is None:
            if building := self.building():
                raise Unpublished(
                    f"the first build of {self.name!r} is running: {building}",
                    hint=f"try again when it has ended; `llmops kb status {self.name}` says how "
                    f"far it is",
                    knowledge_base=self.name,
                    building=True,
                )
            if self.name in known(self.ledger):
                raise Unpublished(
                    f"the knowledge base {self.name!r} has no published version yet",
                    hint="build one: llmops index CONFIG",
                    knowledge_base=self.name,
                )
            names = live_names(self.ledger)
            close = did_you_mean(self.name, names)
            there = f"known: {', '.join(names)}" if names else "build one: llmops index CONFIG"
            raise Unpublished(
                f"no knowledge base {self.name!r} has been published in {self.ledger.where}",
                hint=" ".join(filter(None, (close, there))),
                knowledge_base=self.name,
            )
        return live

    def version(self, number: int) -> Version:
        """One version by number. Raises UsageError when there is none."""
        row = None
        if 0 < number < LARGEST:
            with self.ledger.read() as connection:
                row = numbered_version(connection, self.name, number)
        if row is None:
            raise UsageError(
                f"{self.name!r} has no version {number}",
                hint=f"`llmops kb log {self.name}` lists them",
            )
        return row

    def building(self) -> str | None:
        """Who is building now, how far, and where to watch it; None when nobody is."""
        who = holder(self.ledger, self.name)
        run = building_run(self.ledger, self.name)
        where = whereabouts(self.home, run) if run else ""
        return f"{who}: {where}" if who and where else who

    def hold(
        self, run_id: str | None = None, wait_seconds: float = 0
    ) -> AbstractContextManager[Lease]:
        """The lease, held with a heartbeat. Raises Blocked when another build holds it."""
        return hold(self.home, self.name, run_id, wait_seconds)


# statements of every search, which take longer to put together than to run
VERSION = select(versions, knowledge_bases.c.ranking).join(
    knowledge_bases, knowledge_bases.c.name == versions.c.kb
)
LIVE = VERSION.where(versions.c.kb == bindparam("kb"), versions.c.version == knowledge_bases.c.live)
NUMBERED = VERSION.where(
    versions.c.kb == bindparam("kb"), versions.c.version == bindparam("number")
)


def live_version(connection: Connection, kb: str) -> Version | None:
    """The version that readers get; None before the first publish."""
    row = connection.execute(LIVE, {"kb": kb}).one_or_none()
    return None if row is None else Version.model_validate(row)


def numbered_version(connection: Connection, kb: str, number: int) -> Version | None:
    """One version by number, whatever became of it; None where there is none."""
    row = connection.execute(NUMBERED, {"kb": kb, "number": number}).one_or_none()
    return None if row is None else Version.model_validate(row)


def known(ledger: Ledger) -> list[str]:
    """The names of all knowledge bases."""
    with ledger.read() as connection:
        return list(
            connection.scalars(select(knowledge_bases.c.name).order_by(knowledge_bases.c.name))
        )


def live_names(ledger: Ledger) -> list[str]:
    """The knowledge bases that have a live version."""
    with ledger.read() as connection:
        return list(
            connection.scalars(
                select(knowledge_bases.c.name)
                .where(knowledge_bases.c.live.is_not(None))
                .order_by(knowledge_bases.c.name)
            )
        )
