"""Builds knowledge bases step by step, without Prefect and MLflow around the steps: quick, on every
store that is at hand.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select, update

from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge import changes, planner, publish, transform
from llmops.tasks.knowledge import collect as collecting
from llmops.tasks.knowledge import embed as embedding
from llmops.tasks.knowledge import stage as staging
from llmops.tasks.knowledge import versions as numbers
from llmops.tasks.knowledge.build import Batch, Build, Specs
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.reading import collection_of, searcher
from llmops.tasks.knowledge.start import begin, start, totals
from llmops.tasks.ledger import Ledger, open_ledger
from llmops.tasks.ledger.leases import Lease
from llmops.tasks.ledger.tables import versions
from llmops.tasks.maintenance.verify import counts, verify
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.parsers import Parsed
from llmops.tasks.plugins.stores import Store, StoreCollection, rows_schema
from tests.ledgers import with_ledger

WEAVIATE = os.environ.get("WEAVIATE_URL", "")
STORES = [
    pytest.param(Spec(name="lancedb"), id="lancedb"),
    pytest.param(
        Spec(
            name="weaviate",
            options={
                "url": WEAVIATE or "http://127.0.0.1:8080",
                "timeout": 10,
                "grpc_port": int(os.environ.get("WEAVIATE_GRPC_PORT", "50051")),
            },
        ),
        id="weaviate",
        marks=[]
        if WEAVIATE
        else pytest.mark.skip(
            reason="needs a Weaviate server: set WEAVIATE_URL (and WEAVIATE_GRPC_PORT)"
        ),
    ),
]
TEXTS = {
    f"d{n}.txt": " ".join(
        f"Boat {n}{i} passes the lighthouse of harbour {n} with a cargo of lamps and salt."
        for i in range(4)
    )
    for n in range(6)
}
EDITED = TEXTS | {
    "d1.txt": "The lamp of the northern pier was lit by hand. Nobody counts the boats there now."
}


class Plainly:
    """Text as it is."""

    def parse(self, data: bytes, uri: str, media_type: str = "") -> Parsed:
        return Parsed(text=data.decode(), markup="plain", media_type="text/plain")


class Workshop:
    """One knowledge base on one store; `bill`: a line per text that the embedder was paid for."""

    def __init__(self, folder: Path, store: Spec, kb: str = "shop") -> None:
        self.home, self.kb, self.bill, self.folder = (
            with_ledger(folder / "home"),
            kb,
            folder / "bill.jsonl",
            folder,
        )
        self.bill.touch()
        self.store, self.chunker = store, Spec(name="sentence", options={"size": 20, "overlap": 0})
        self.facts = MetadataSchema.model_validate({"fields": {"year": "integer"}})
        self.cleaners, self.embedder = (
            [Spec(name="whitespace")],
            Spec(name="costly", options={"bill": str(self.bill)}),
        )

    @property
    def handle(self) -> Handle:
        return Handle(home=self.home, name=self.kb)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.home)

    @property
    def live(self) -> Version:
        return self.handle.published()

    @property
    def model(self) -> Embedder:
        return self.embedder.build(Embedder)

    def build(self, texts: Mapping[str, str], *, full: bool = False, keep: int = 10) -> int:
        """Bring the knowledge base to exactly these texts; returns the version that is live
        then.
        """
        begin(self.handle)
        with self.handle.hold() as lease:
            build = start(self.handle, self.specs(texts), full=full)
            numbers.clear_up(build, lease)
            found = planner.plan_build(build)
            staged = [changes.find_changes(build, batch) for batch in self._batches(build, found)]
            retired = [*found.vanished, *found.renamed]
            if staging.nothing_changes(build, found, staged):
                publish.settle(build, lease, found, staged)
            else:
                self._release(build, lease, found, staged, retired)
                numbers.tidy(build, lease, keep)
        return self.live.version

    def specs(self, texts: Mapping[str, str]) -> Specs:
        """What a config would say."""
        return Specs(
            sources=(Spec(name="memory", options={"documents": dict(texts)}),),
            clean=tuple(self.cleaners),
            chunk=self.chunker,
            embed=self.embedder,
            store=self.store,
            metadata_schema=self.facts,
            folder=self.folder,
        )

    def _batches(self, build: Build, found: Plan) -> list[Batch]:
        batches = []
        for part in planner.parts(build, found):
            source = planner.source_of(build, build.specs.source(part.source))
            batch = collecting.collect(build, source, Plainly(), part)
            batch = transform.clean(build, build.specs.cleaners(), batch)
            chunked = transform.chunk(build, build.specs.chunker(), self.model, batch)
            batches.append(embedding.embed(build, self.model, chunked))
        return batches

    def _release(
        self, build: Build, lease: Lease, found: Plan, staged: Sequence[Any], retired: Sequence[str]
    ) -> None:
        config = {
            "store": self.store.short(),
            "embed": self.embedder.short(),
            "facts": self.facts.model_dump(mode="json"),
        }
        numbers.open_version(
            self.handle,
            lease,
            {
                "version": build.version,
                "parent": build.live,
                "collection": build.collection,
                "config": config,
                "config_sha256": "c" * 64,
            },
        )
        staging.prepare(build)
        collection = staging.target(build)
        for part in staged:
            changes.write_changes(build, collection, self.model, part)
        gone = staging.retire(build, collection, self.model, retired)
        kept = 0 if build.fresh else totals(build).chunks
        total = (
            len(self._ids(build, staged))
            if build.fresh
            else kept + sum(part.added - part.retired for part in staged) - gone
        )
        publish.publish(
            build,
            lease,
            found,
            staged,
            retired,
            {"snapshot": staging.seal(build, collection, total), "weight": None},
        )

    @staticmethod
    def _ids(build: Build, staged: Sequence[Any]) -> set[str]:
        return {
            row["chunk_id"]
            for part in staged
            for row in part.changes.table(build.lake).to_pylist()
            if row["action"] != "retire"
        }

    def collection(self) -> StoreCollection:
        return collection_of(self.home, self.live)

    def open(self, name: str, dimension: int | None = None) -> StoreCollection:
        return self.store.build(Store).open(
            name, dimension or self.model.dimension, self.home, self.facts.fields
        )

    def verified(self, *, thorough: bool = False) -> dict[str, Any]:
        """`kb verify` with counts."""
        return counts(verify(self.handle, thorough=thorough))

    def sound(self) -> bool:
        """Whether every row, text and vector is right, and nothing else is there."""
        found = self.verified(thorough=True)
        return bool(found["ok"]) and found["unpublished"] == found["unbacked"] == 0

    def paid(self) -> int:
        return len(self.bill.read_text().splitlines())

    def rows(self) -> list[dict[str, Any]]:
        """All that a reader of the live version finds, in a fixed order, as plain values."""
        schema = rows_schema(self.facts.fields)
        reader = searcher(self.home, self.live).reader
        found = [
            row
            for part in reader.rows(schema.names)
            for row in pa.Table.from_pandas(part, schema=schema, preserve_index=False).to_pylist()
        ]
        return sorted(found, key=lambda row: str(row["chunk_id"]))

    def statuses(self) -> dict[int, str]:
        with self.ledger.read() as connection:
            return {
                row.version: row.status
                for row in connection.execute(select(versions).where(versions.c.kb == self.kb))
            }

    def recorded(self, number: int | None = None, **values: Any) -> None:
        """Let the ledger say something else of a version (default: the live one)."""
        with self.ledger.write() as connection:
            mine = (versions.c.kb == self.kb) & (
                versions.c.version == (number or self.live.version)
            )
            connection.execute(update(versions).where(mine).values(**values))

    def drop(self) -> None:
        """Remove all collections from the store."""
        with self.ledger.read() as connection:
            names = set(
                connection.scalars(select(versions.c.collection).where(versions.c.kb == self.kb))
            )
        for name in names:
            self.store.build(Store).drop(name, self.home)
