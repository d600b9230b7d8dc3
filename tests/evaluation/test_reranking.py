"""Arms whose passages are reranked: what they are shown, what it costs, what fails, and what a plan
says of it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.configs.evaluate import EvaluateConfig
from llmops.tasks.calls.budget import Budget, BudgetReached, Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.evaluation.answering import Retrieved, Retriever, answer_part
from llmops.tasks.evaluation.forecast import forecast
from llmops.tasks.evaluation.run import EvaluationRun, Retrieval
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case
from tests.evaluation.runs import arm, evaluation_run, model, results
from tests.openai_server import Answer, Service, serving
from tests.workshop import Workshop

WORDS = ("The crane", "The salt", "The pier") * 12
TEXTS = {
    "loud.txt": "Beacon, beacon, beacon, beacon.",
    "best.txt": "Crane, salt, pier.",
    **{f"other{n}.txt": f"{word} and rope number {n}." for n, word in enumerate(WORDS)},
}
QUESTION = "beacon crane salt pier"
CASE = Case(id="c1", inputs={"question": QUESTION})


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda messages: "an answer") as found:
        yield found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("arms"), Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    made.build(TEXTS)
    return made


def settings(shop: Workshop, rerank: Spec | None, **changes: Any) -> Retrieval:
    plain = {"knowledge_base": shop.kb, "version": shop.live.version, "k": 1, "mode": "text"}
    return Retrieval.model_validate(
        {**plain, "rerank": rerank, "rerank_price": (0.0, 1e6), **changes}
    )


def endpoint(service: Service, **options: Any) -> Spec:
    return Spec(name="endpoint", options={"base_url": service.base_url, "retries": 0, **options})


def retrieved(
    shop: Workshop, *wanted: Retrieval, usd: float | None = None
) -> tuple[list[Retrieved], Spent]:
    async def run() -> tuple[list[Retrieved], Spent]:
        payer = Payer("evaluate", "try")
        async with Gateway(shop.home, Budget(usd=usd), payer=payer) as gateway:
            retriever = Retriever(shop.home, gateway)
            try:
                asked = (retriever.passages(each, QUESTION) for each in wanted)
                found = await asyncio.gather(*asked)
            finally:
                await retriever.close()
        return found, gateway.spent

    return asyncio.run(run())


def test_the_best_of_the_candidates_are_shown(shop: Workshop) -> None:
    plain, reranked = settings(shop, None), settings(shop, Spec(name="overlap"))
    found, _ = retrieved(shop, plain, reranked)
    assert [each.passages[0].uri for each in found] == ["loud.txt", "best.txt"]
    assert len(found[1].passages) == 1


def test_arms_share_what_is_paid_for(shop: Workshop, service: Service) -> None:
    first, second = (settings(shop, endpoint(service, model="a"), k=k) for k in (1, 2))
    found, spent = retrieved(shop, first, second)
    assert [each.cost_usd for each in found] == [1.0, 1.0]
    assert (spent.calls, spent.cost_usd, len(service.requests)) == (1, 1.0, 1)


def test_the_budget_of_the_evaluation_holds(shop: Workshop, service: Service) -> None:
    with pytest.raises(BudgetReached):
        retrieved(shop, settings(shop, endpoint(service, model="b")), usd=0.5)
    assert service.requests == []


def run_of(folder: Path, shop: Workshop, service: Service, rerank: Spec) -> EvaluationRun:
    text, llm = "{{passages}} {{question}}", model(service.base_url)
    arms = [
        arm("plain", text, llm, price=(0.0, 0.0), retrieve=settings(shop, None)),
        arm("reranked", text, llm, price=(0.0, 0.0), retrieve=settings(shop, rerank)),
    ]
    run = evaluation_run(folder, service.base_url, arms=arms)
    return run.model_copy(update={"home": shop.home})


def test_what_reranking_costs_is_the_arm_s(
    tmp_path: Path, shop: Workshop, service: Service
) -> None:
    run = run_of(tmp_path, shop, service, endpoint(service, model="c"))
    planned = {row["name"]: (row["kind"], row["calls"]) for row in forecast(run, [CASE])["calls"]}
    assert planned["endpoint"] == ("reranker", 1)
    assert service.requests == []
    plain, reranked = results(answer_part(run, 1, [CASE], Spent()))
    assert (plain.cost_usd, reranked.cost_usd) == (0.0, 1.0)
    assert (plain.passages[0].uri, reranked.passages[0].uri) == ("loud.txt", "best.txt")
    assert "endpoint" not in {row["name"] for row in forecast(run, [CASE])["calls"]}


def test_a_case_that_could_not_be_reranked_is_no_answer(
    tmp_path: Path, shop: Workshop, service: Service
) -> None:
    service.script = [Answer(422, b'{"message": "too long"}')]
    run = run_of(tmp_path, shop, service, endpoint(service, model="d"))
    run = run.model_copy(update={"arms": run.arms[1:]})
    [failed] = results(answer_part(run, 1, [CASE], Spent()))
    assert failed.status == "errored"
    assert "answered 422" in failed.error


def config(**rerank: Any) -> dict[str, Any]:
    retrieve = {"knowledge_base": "docs", "rerank": rerank or None}
    plain = {"prompt": "p.yaml", "llm": "extractive", "retrieve": retrieve}
    return {
        "flow": "evaluate",
        "name": "try",
        "cases": "c.jsonl",
        "arms": {"baseline": {**plain, "retrieve": None}, "candidate": plain},
        "scorers": ["token_f1"],
        "decide": {"metric": "token_f1"},
    }


def test_a_decision_s_settings_name_the_reranker() -> None:
    read = EvaluateConfig.model_validate(config(name="overlap", candidates=30))
    recorded = read.recorded()["config"]["arms"]["candidate"]["retrieve"]
    assert recorded["rerank"] == {"name": "overlap", "candidates": 30}
    plain = EvaluateConfig.model_validate(config()).recorded()["config"]["arms"]["candidate"]
    assert "rerank" not in plain["retrieve"]
    with pytest.raises(ValidationError):
        EvaluateConfig.model_validate(config(candidates=30))
