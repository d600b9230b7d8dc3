"""Reading a published version: with the store, the embedder and the weight that built it."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.filters import Where, both, visible
from llmops.tasks.filters.grammar import parse
from llmops.tasks.knowledge.handle import Handle, Version, schema_of
from llmops.tasks.knowledge.naming import may_be_of
from llmops.tasks.knowledge.rankings import ranked
from llmops.tasks.plugins import Spec, find
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store
from llmops.tasks.plugins.stores import StoreCollection as Stored
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.schemas import Record, records


def store_of(version: Version) -> Store:
    return Spec.model_validate(version.config["store"]).build(Store)


def embedder_of(version: Version) -> Embedder:
    return Spec.model_validate(version.config["embed"]).build(Embedder)


def collection_of(home: Path, version: Version) -> Stored:
    """Raises UsageError where the version was embedded by a model in a folder that is gone."""
    try:
        dimension = embedder_of(version).dimension
    except UsageError as error:
        raise UsageError(
            f"version {version.version} of {version.kb!r} cannot be opened without its model: "
            f"{error.message}",
            hint="put the model back, build with another one, or go back to a version of another "
            f"one: llmops kb rollback {version.kb} --to VERSION",
        ) from error
    fields = schema_of(version).fields
    return store_of(version).open(version.collection, dimension, home, fields)


def searcher(home: Path, version: Version, where: Where | None = None) -> Searcher:
    """A searcher pinned to a version: what is built meanwhile does not change its answers. Without
    `where` it sees everything. It ranks as the live ranking says, where that fits the embedder.
    """
    kb = Handle(home=home, name=version.kb)
    return ranked(kb, version.ranking, unranked(home, version, where))


def unranked(home: Path, version: Version, where: Where | None = None) -> Searcher:
    """The same without a trained ranking."""
    if version.snapshot is None:
        raise Damaged(
            f"version {version.version} of {version.kb!r} was never sealed",
            hint="roll back to a published one",
        )
    return Searcher(
        reader=collection_of(home, version).at(version.snapshot),
        embedder=embedder_of(version),
        weight=version.weight,
        where=where,
        warning=_another_model(version),
    )


def _another_model(version: Version) -> str:
    """What to say where the files of the model are others by now; "" where they are not, or the
    embedder has none. Its vectors have the same width, so a store would compare them.
    """
    spec = Spec.model_validate(version.config["embed"])
    paths = find("embedders", spec.name).paths
    named = next((str(spec.options[key]) for key in paths if key in spec.options), "")
    if not named:
        return ""
    model, store = embedder_of(version).fingerprint(), store_of(version)
    if may_be_of(version.collection, model, store, schema_of(version)):
        return ""
    return (
        f"the model in {named} is not the one that version {version.version} was embedded with, "
        "so what its vectors find means nothing: put that model back, or build again"
    )


def allowed(version: Version, condition: str, labels: Collection[str]) -> Where:
    """What a user who holds these access labels may see, narrowed by a condition ("": none). Raises
    UsageError for a wrong one.
    """
    given = parse(condition, schema_of(version).fields) if condition.strip() else None
    where = both(visible(frozenset(labels)), given)
    assert where is not None
    return where


HIT = ("chunk_id", "doc_id", "ordinal", "text", "start", "end", "page")
HIT_COLUMNS = (*HIT, "uri", "title", "headings")
"""What `hits` needs of a search."""


def hits(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a search in the shape of `llmops search`, best first."""
    return passages(records(frame))


def passages(rows: Sequence[Record]) -> list[dict[str, Any]]:
    """The same of rows that are plain values already."""
    return [
        {
            "rank": rank,
            "score": round(float(row["score"]), 6),
            "uri": row["uri"],
            "title": str(row["title"] or str(row["uri"]).rpartition("/")[2]),
            **{name: row[name] for name in HIT},
            "headings": list(row["headings"]),
        }
        for rank, row in enumerate(rows, 1)
    ]
