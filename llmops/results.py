"""What a `KnowledgeBase` returns: frozen models, whose fields are those of the commands' JSON.

`model_dump()` makes a dictionary of each, `model_dump_json()` a text.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Passage(Result):
    """A passage that a search found.

    `rank`: from 1. `score`: the higher the better; within [0, 1] for `hybrid`, a cosine for
    `vector`, BM25 for `text`. `start`, `end`: where `text` stands in the document's text, in
    characters. `page`: from 1; None for documents without pages. `headings`: above the passage,
    the topmost first. `ordinal`: its place among the document's passages, from 0. `source`: the id
    of the source; `metadata` and `labels` are of the document. `version`: which one was searched.
    """

    rank: int
    score: float
    uri: str
    title: str
    text: str
    start: int
    end: int
    page: int | None
    headings: tuple[str, ...]
    chunk_id: str
    doc_id: str
    ordinal: int
    source: str
    metadata: Mapping[str, object]
    labels: tuple[str, ...]
    knowledge_base: str
    version: int


class Document(Result):
    """A document of a version. `version`: the first that has it in this form; `chunks`: how many
    passages it has; `labels`: who may read it; `stale`: its source has a newer form, which could
    not be read.
    """

    doc_id: str
    uri: str
    title: str
    source: str
    version: int
    chunks: int
    media_type: str
    language: str | None
    metadata: Mapping[str, object]
    labels: tuple[str, ...]
    fetched_at: datetime
    stale: bool


class SourceStatus(Result):
    """A source as its last complete listing had it; `staleness_seconds`: how old that is."""

    source: str
    documents: int
    listed_at: datetime
    staleness_seconds: float


class Status(Result):
    """What is live, and how fresh it is. `quarantine`: how many documents could not be processed;
    `retryable`: how many of them the next build tries again; `stale`: uris of those that are served
    in an older form; `running`: who is building now, None when nobody is; `text_weight`: the share
    of the vectors in a hybrid search, None where it follows from the language; `ranking`: the
    number of the trained ranking that is live.
    """

    knowledge_base: str
    version: int
    documents: int
    chunks: int
    published_at: datetime
    store: str
    collection: str
    sources: tuple[SourceStatus, ...]
    quarantine: int
    retryable: int
    stale: tuple[str, ...]
    running: str | None
    text_weight: float | None
    ranking: int | None
    config_sha256: str | None
    mlflow_run_id: str | None
    prefect_run_id: str | None


class VersionOrigin(Result):
    """A version that has what was asked for, and the runs and the config that made it."""

    version: int
    status: str
    published_at: datetime
    prefect_run_id: str | None
    mlflow_run_id: str | None
    config_sha256: str | None


class Explanation(Result):
    """Where a passage or a document comes from, or why it is not there.

    `kind`: `absent` where no version has it; then `message` says why, `hint` what to do, and
    `versions` is empty. `live`: whether the live version has it. `details`: the whole object of
    `llmops explain --json`.
    """

    kind: Literal["chunk", "document", "absent"]
    id: str
    knowledge_base: str
    uri: str
    source: str
    live: bool = False
    versions: tuple[VersionOrigin, ...] = ()
    message: str = ""
    hint: str = ""
    details: Mapping[str, object]
