"""The search for passages, as a step of the trace."""

import logging
from typing import NamedTuple

from llmops.tasks.chat.knowledge import Hit, OpenVersion
from llmops.tasks.chat.recording import Recorder
from llmops.tasks.chat.reranking import RerankStep
from llmops.tasks.retrieval.hybrid import Mode, Vector
from llmops.tasks.traces import names

log = logging.getLogger(__name__)


class SearchStep(NamedTuple):
    """`labels`: what whoever asks holds. `vector`: of the question, where it is made already.
    `order`: what puts the passages into another order.
    """

    query: str
    k: int
    mode: Mode
    where: str
    labels: frozenset[str]
    vector: Vector | None = None
    order: RerankStep | None = None


async def found(
    opened: OpenVersion, search: SearchStep, recorder: Recorder, step: str
) -> tuple[Hit, ...]:
    """The passages, best first; `step` is what the trace calls it. Raises Unavailable."""
    asked = {
        "query": search.query,
        "k": search.k,
        "mode": search.mode,
        "labels": sorted(search.labels),
    }
    with recorder.span(step, "RETRIEVER", asked) as span:
        result = await opened.search(
            *(search.query, search.k, search.mode, search.where),
            labels=search.labels,
            vector=search.vector,
            order=search.order,
        )
        if result.said:
            log.warning("%s", result.said)
        span.outputs = [_document(hit) for hit in result.hits]
        span.attributes |= names.retrieval(
            search.query,
            f"{opened.name}@{opened.number}",
            [(hit.chunk_id, hit.score) for hit in result.hits],
        )
    return tuple(result.hits)


def _document(hit: Hit) -> dict[str, object]:
    """A passage as MLflow shows the outputs of a retriever."""
    metadata = hit.model_dump(mode="json", exclude={"text"})
    return {"page_content": hit.text, "metadata": metadata, "id": hit.chunk_id}
