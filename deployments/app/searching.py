"""One search, for every route that searches: what it may see, and its trace."""

from typing import NamedTuple

from llmops.deployments.app.asking import budget_told, known_base, person_of
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit
from llmops.tasks.chat.knowledge import Hit, OpenVersion, SearchResult
from llmops.tasks.chat.models import Calling, UsageCount
from llmops.tasks.filters import Where
from llmops.tasks.retrieval.hybrid import Mode, Vector
from llmops.tasks.traces import names
from llmops.tasks.traces.trace import SEARCHED, TraceRecorder


class PassageSearch(NamedTuple):
    """`where`: a condition as text, or as a tree."""

    query: str
    k: int
    mode: Mode
    where: str | Where | None = None
    user: str = ""


async def pinned(services: Services, name: str | None) -> OpenVersion:
    """The live version of a knowledge base (None: of the first one). Raises HttpProblem for one
    that is not the application's.
    """
    return await services.knowledge.pinned(known_base(services, name))


async def searched(
    services: Services, visit: AppVisit, opened: OpenVersion, search: PassageSearch
) -> SearchResult:
    """What the key's holder may see of it. Raises UsageError for a wrong condition."""
    recorder = TraceRecorder(
        services.app,
        search.query,
        person=await person_of(services, visit, search.user),
        key_id=visit.key_id,
        name="search",
        tags={"request": visit.request_id},
    )
    visit.trace_id = recorder.id
    labels = visit.labels | set(services.config.retrieve.labels)
    status = "error"
    try:
        vector = await _vector(services, visit, opened, search, recorder)
        rerank, budget = services.engine.rerank, services.budgets.of(visit.key)
        calling = Calling(recorder, UsageCount(), budget)
        order = rerank.asked_by(calling) if rerank else None
        with recorder.span("retrieve", "RETRIEVER", inputs=search.query) as span:
            with budget_told():
                found = await opened.search(
                    search.query, search.k, search.mode, search.where or "", labels, vector, order
                )
            documents = [(hit.chunk_id, hit.score) for hit in found.hits]
            source = f"{opened.name}@{opened.number}"
            span.attributes.update(names.retrieval(search.query, source, documents))
            span.outputs = [_shown(hit) for hit in found.hits]
        recorder.root.outputs = {"passages": [hit.uri for hit in found.hits]}
        status = SEARCHED
        return found
    finally:
        services.traces.put(recorder.finish("", status))


async def _vector(
    services: Services,
    visit: AppVisit,
    opened: OpenVersion,
    search: PassageSearch,
    recorder: TraceRecorder,
) -> Vector | None:
    """Where the embedder takes money, within the budgets of the key and of the application."""
    if search.mode == "text":
        return None
    with budget_told():
        budget = services.budgets.of(visit.key)
        return await services.engine.vectors.of_search(opened, search.query, recorder, budget)


def _shown(hit: Hit) -> dict[str, object]:
    """A passage as MLflow's page of a trace shows one."""
    metadata = hit.model_dump(include={"chunk_id", "doc_id", "uri", "score", "page"})
    return {"page_content": hit.text, "metadata": metadata, "id": hit.chunk_id}
