"""From an answer back to its passages, as they were in the version that was searched."""

from llmops.tasks.maintenance.erase import erase
from llmops.tasks.maintenance.explain_trace import explain_trace
from llmops.tasks.traces import index, names
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.trace import Trace
from tests.traces.made import recorder
from tests.workshop import TEXTS, Workshop


def asked(shop: Workshop, version: int, chunk: str) -> Trace:
    made = recorder("Where is the harbour?")
    with made.span("retrieve", "RETRIEVER", {"query": "harbour"}) as span:
        span.attributes |= names.retrieval("harbour", f"shop@{version}", [(chunk, 0.5)])
    trace = made.finish("In the south [1].")
    index.enter(shop.home, [trace])
    TraceSpool(shop.home, "helpdesk", 10**9).put(trace)
    return trace


def test_an_answer_leads_to_the_document_as_it_was(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    lance_shop.recorded(mlflow_run_id="m1", prefect_run_id="p1")
    row = next(row for row in lance_shop.rows() if row["uri"] == "d1.txt")
    trace = asked(lance_shop, 1, str(row["chunk_id"]))
    before = explain_trace(lance_shop.home, trace.id)
    lance_shop.build({**TEXTS, "d1.txt": "Another text."})
    after = explain_trace(lance_shop.home, trace.id)
    assert (after["question"], after["answer"]) == ("Where is the harbour?", "In the south [1].")
    assert after["stored"] is False
    (passage,) = after["passages"]
    assert (passage["knowledge_base"], passage["version"], passage["score"]) == ("shop", 1, 0.5)
    assert (passage["document"]["uri"], passage["source"]) == ("d1.txt", "memory")
    assert (passage["prefect_run_id"], passage["mlflow_run_id"]) == ("p1", "m1")
    assert passage["config_sha256"] == "c" * 64
    assert (before["passages"][0]["live"], passage["live"]) == (True, False)
    assert before["passages"][0]["document"]["content_hash"] == passage["document"]["content_hash"]


def test_a_passage_that_was_erased_says_so(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    row = next(row for row in lance_shop.rows() if row["uri"] == "d1.txt")
    trace = asked(lance_shop, 1, str(row["chunk_id"]))
    erase(lance_shop.handle, "d1.txt")
    (passage,) = explain_trace(lance_shop.home, trace.id)["passages"]
    assert "no chunk and no document" in passage["error"]
    assert passage["document"] == {}
