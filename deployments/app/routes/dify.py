"""`/retrieval`: Dify's External Knowledge API, so that an application of Dify's can use our
knowledge bases as they are.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from llmops.deployments.app.dify_conditions import DifyConditions, WrongCondition, translated
from llmops.deployments.app.documents import SEARCHING, DifyProblem, described
from llmops.deployments.app.problems import DIFY, DIFY_BASE, HttpProblem, json_response
from llmops.deployments.app.searching import PassageSearch, pinned, searched
from llmops.deployments.app.services import services_of
from llmops.deployments.app.visit import visit_of
from llmops.tasks.chat.knowledge import Hit, OpenVersion, in_pool
from llmops.tasks.filters import Where
from llmops.tasks.knowledge.handle import schema_of

router = APIRouter(tags=["dify"])
MOST = 1_000
MOST_DISTINCT = 100_000
MOST_COLUMNS = 64


class RetrievalSetting(BaseModel):
    top_k: int = Field(ge=1, le=MOST)
    score_threshold: float = Field(default=0.0, ge=0, le=1)


class RetrievalRequest(BaseModel):
    knowledge_id: str = Field(max_length=200)
    query: str = Field(min_length=1, max_length=10_000, pattern=r"\S")
    retrieval_setting: RetrievalSetting
    metadata_condition: DifyConditions | None = None


class RetrievalRecord(BaseModel):
    content: str
    score: float
    title: str
    metadata: dict[str, str | int | float | list[str] | None]


class RetrievalReply(BaseModel):
    records: list[RetrievalRecord]


@router.post(DIFY, **described(RetrievalReply, *SEARCHING, problem=DifyProblem))
async def retrieval(request: Request, body: RetrievalRequest) -> Response:
    """Passages for Dify: `knowledge_id` is a knowledge base of this application. Scores lie
    between 0 and 1; those below the threshold are left out.
    """
    services, setting = services_of(request), body.retrieval_setting
    if body.knowledge_id not in services.config.knowledge_bases:
        told = "The knowledge base does not exist."
        raise HttpProblem(404, told, code="knowledge_base_not_found", dify=DIFY_BASE)
    opened = await pinned(services, body.knowledge_id)
    where = await in_pool(opened.pool, lambda: _where(opened, body.metadata_condition))
    search = PassageSearch(body.query, setting.top_k, "hybrid", where)
    found = await searched(services, visit_of(request), opened, search)
    records = [_record(hit) for hit in found.hits]
    kept = [each for each in records if each.score >= setting.score_threshold]
    return json_response(RetrievalReply(records=kept).model_dump())


def _record(hit: Hit) -> RetrievalRecord:
    told = hit.model_dump(mode="json", exclude={"rank", "score", "title", "text", "ordinal"})
    return RetrievalRecord(
        content=hit.text,
        score=min(1.0, max(0.0, hit.score)),
        title=hit.title,
        metadata={"path": hit.uri, **told},
    )


def _where(opened: OpenVersion, given: DifyConditions | None) -> Where | None:
    if given is None:
        return None
    declared = schema_of(opened.version).fields
    try:
        return translated(given, declared, lambda column: VALUES.of(opened, column))
    except WrongCondition as error:
        raise HttpProblem(400, str(error), code="invalid_condition") from error


class ColumnValues:
    """What columns of texts hold in the versions that are read; of each version read once."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], Collection[str]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, opened: OpenVersion, column: str) -> Collection[str]:
        """Raises WrongCondition where there are more than anybody asks parts of."""
        version = opened.version
        key = (version.collection, str(version.snapshot), column)
        with self._lock:
            if key not in self._known:
                self._known[key] = _values(opened, column)
                if len(self._known) > MOST_COLUMNS:
                    self._known.popitem(last=False)
            return self._known[key]


VALUES = ColumnValues()


def _values(opened: OpenVersion, column: str) -> Collection[str]:
    found: set[str] = set()
    for frame in opened.searcher.reader.rows([column]):
        for value in frame[column].tolist():
            if isinstance(value, str):
                found.add(value)
            elif isinstance(value, Iterable):
                found.update(map(str, value))
        if len(found) > MOST_DISTINCT:
            told = f"it has more than {MOST_DISTINCT:,} values: use `is` or `in`"
            raise WrongCondition(told)
    return frozenset(found)
