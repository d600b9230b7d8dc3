"""The /rerank form against a real HTTP server, asked as a run asks it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.reranking import Rerankable, Reranked, Rerankings
from llmops.tasks.errors import TransientDocumentError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import Reranker
from tests.calls.gateways import through
from tests.openai_server import Answer, Service, serving

TEXTS = ["The lamp burns.", "", "The harbour lamp is out."]


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def endpoint(service: Service, **options: Any) -> Reranker:
    plain = {"name": "endpoint", "base_url": service.base_url, "model": "small", "retries": 1}
    return Spec.model_validate(plain | options).build(Reranker)


def scored(home: Path, reranker: Reranker) -> Reranked:
    async def ask(gateway: Gateway) -> Reranked:
        passages = [Rerankable(text) for text in TEXTS]
        return await Rerankings(gateway).scores(reranker, "harbour lamp", passages)

    return through(home, ask)[0]


def answer(body: object) -> Answer:
    return Answer(200, json.dumps(body).encode())


def test_scores_are_in_the_order_of_the_passages(tmp_path: Path, service: Service) -> None:
    made = scored(tmp_path, endpoint(service, api_key="secret-1", parameters={"truncate": True}))
    assert made.scores == pytest.approx([0.0375, 0, 0.1])
    assert made.order(3) == [2, 0, 1]
    [(path, body, key)] = service.requests
    assert (path, key) == ("/v1/rerank", "Bearer secret-1")
    assert body == {
        "model": "small",
        "query": "harbour lamp",
        "documents": ["The lamp burns.", " ", "The harbour lamp is out."],
        "truncate": True,
    }


def test_the_form_of_text_embeddings_inference(tmp_path: Path, service: Service) -> None:
    made = scored(tmp_path, endpoint(service, model="", documents="texts", batch=2))
    assert made.scores == pytest.approx([0.0375, 0, 0.1])
    assert [len(body["texts"]) for _, body, _ in service.requests] == [2, 1]
    assert all("model" not in body for _, body, _ in service.requests)


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ({"price_per_million": 1e6 / 8}, 1.0),
        ({"price_per_search": 0.002}, 0.002),
        ({"price_per_search": 0.002, "price_per_million": 1e6 / 8}, 1.002),
        ({}, 0.0),
    ],
)
def test_what_it_costs(
    tmp_path: Path, service: Service, prices: dict[str, float], cost: float
) -> None:
    assert scored(tmp_path, endpoint(service, **prices)).cost_usd == pytest.approx(cost)


def test_a_busy_service_is_asked_again_and_a_wrong_one_is_named(
    tmp_path: Path, service: Service
) -> None:
    service.script = [Answer(503, b"{}"), None]
    assert scored(tmp_path, endpoint(service)).scores is not None
    service.script = [Answer(401, b'{"message": "no key"}')]
    with pytest.raises(Unavailable, match=r"answered 401: .*no key.*check api_key"):
        scored(tmp_path, endpoint(service, model="other"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"results": [{"index": 0, "relevance_score": 1}]},
        {"results": [{"index": n, "relevance_score": None} for n in range(3)]},
        {"results": [{"index": n, "relevance_score": float("nan")} for n in range(3)]},
        {"results": [{"index": n + 1, "relevance_score": 1} for n in range(3)]},
        {"results": [{"index": float("inf"), "relevance_score": 1} for n in range(3)]},
        {"results": [{"index": n, "relevance_score": 10**400} for n in range(3)]},
    ],
)
def test_an_answer_without_a_score_for_each_is_no_answer(
    tmp_path: Path, service: Service, body: object
) -> None:
    service.script = [answer(body), answer(body)]
    with pytest.raises((Unavailable, TransientDocumentError), match="without a score for each"):
        scored(tmp_path, endpoint(service))


def test_other_services_spell_it_otherwise(tmp_path: Path, service: Service) -> None:
    rows = [{"index": n, "relevance_score": n / 2} for n in (2, 0, 1)]
    voyage = {"object": "list", "data": rows, "usage": {"total_tokens": 7}}
    cohere = {"results": rows, "meta": {"tokens": {"input_tokens": 7}}}
    service.script = [answer(voyage), answer(cohere)]
    for number in range(2):
        made = scored(tmp_path, endpoint(service, model=f"m{number}", price_per_million=1e6))
        assert made.scores == (0.0, 0.5, 1.0)
        assert made.cost_usd == pytest.approx(7)


def test_no_option_that_no_score_depends_on_changes_what_was_paid(service: Service) -> None:
    plain = endpoint(service).fingerprint()
    same = {"candidates": 9, "seconds": 1, "batch": 3, "api_key": "x", "timeout": 3, "retries": 0}
    assert {endpoint(service, **{name: each}).fingerprint() for name, each in same.items()} == {
        plain
    }
    others = endpoint(service, model="o"), endpoint(service, parameters={"truncate": True})
    assert len({plain, *(each.fingerprint() for each in others)}) == 3
