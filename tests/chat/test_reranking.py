"""An application whose passages are reranked: their order, its step in the trace, what it costs,
and answers that are given although the reranker fails.
"""

from typing import Any

import pytest

from llmops.tasks.calls.budget import Budget, BudgetReached
from llmops.tasks.chat.turn import Turn
from tests.chat.apps import TALL, Record, Towers
from tests.deployments.app.apps import application
from tests.openai_server import Answer, Service

ASKED = "What leans towards the south in Italy?"


def rerank(service: Service, **options: Any) -> dict[str, Any]:
    plain = {"base_url": service.base_url, "retries": 0, "price_per_search": 0.5}
    return {"retrieve": {"k": 1, "rerank": {"name": "endpoint", **plain, **options}}}


def test_the_passages_are_those_of_the_reranker(towers: Towers) -> None:
    record = Record()
    towers.ask(ASKED, record, retrieve={"k": 1, "rerank": "overlap"})
    assert record.names[2:4] == ["retrieve", "rerank"]
    step: Any = record["rerank"]
    assert step.kind == "RERANKER"
    assert step.inputs["passages"] == 6
    assert step.outputs["said"] == ""
    documents: Any = record["retrieve"].attributes["gen_ai.retrieval.documents"]
    assert [each["id"] for each in documents] == step.outputs["order"][:1]
    assert documents[0]["score"] > 0


def test_what_it_costs_is_the_turn_s_and_leaves_no_text(towers: Towers, service: Service) -> None:
    record = Record()
    answer = towers.ask(TALL, record, **rerank(service))
    assert answer.usage.cost_usd == pytest.approx(0.5)
    assert record["rerank"].paid is not None
    assert record["rerank"].paid[3] == pytest.approx(0.5)
    [(owner, cost)] = [(owner, cost) for owner, _, cost in towers.paid() if cost]
    assert owner == record.id.removeprefix("tr-")
    assert cost == pytest.approx(0.5)
    with pytest.raises(BudgetReached):
        towers.run(
            lambda engine: engine.answer(Turn(question=TALL), Record(2), Budget(usd=0.1)),
            **rerank(service),
        )


@pytest.mark.parametrize("status", [503, 401, 422])
def test_a_reranker_that_fails_leaves_the_plain_order(
    towers: Towers, service: Service, status: int
) -> None:
    record = Record()
    service.script = [Answer(status, b'{"message": "no"}')]
    answer = towers.ask(TALL, record, **rerank(service))
    assert answer.citations[0].uri == "eiffel.txt"
    outputs: Any = record["rerank"].outputs
    assert f"answered {status}" in outputs["said"]


def test_a_reply_that_scores_nothing_leaves_the_plain_order(
    towers: Towers, service: Service
) -> None:
    llm = {"name": "openai", "model": "small", "base_url": service.base_url, "json_mode": "off"}
    record = Record()  # the service answers in words, not in a ranking
    answer = towers.ask(TALL, record, retrieve={"k": 1, "rerank": {"name": "llm", "llm": llm}})
    assert answer.citations[0].uri == "eiffel.txt"
    outputs: Any = record["rerank"].outputs
    assert "its reply cannot be used" in outputs["said"]


def test_a_search_over_http_is_reranked_and_says_where_it_is_not(
    towers: Towers, service: Service
) -> None:
    with application(towers, **rerank(service)) as app:
        said = app.search("leans south", k=1).json()
        assert said["hits"][0]["uri"] == "pisa.txt"
        assert "said" not in said
        assert service.requests[0][1]["query"] == "leans south"
        service.script = [Answer(503, b"{}")]
        assert app.search(k=1).json()["said"].startswith("not reranked by endpoint: ")


def test_a_limit_in_dollars_wants_a_price(towers: Towers, service: Service) -> None:
    limits = {"usd_per_month": 5.0}
    free = rerank(service, price_per_search=None)
    [mistake] = towers.config(limits=limits, **free).conflicts("app.yaml")
    assert mistake.where == "app.yaml: retrieve.rerank"
    assert towers.config(limits=limits, **rerank(service)).conflicts("app.yaml") == []
