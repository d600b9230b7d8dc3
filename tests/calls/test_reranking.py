"""Scores are paid once for each question with a passage, and the plain order stands where there are
none in time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from llmops.tasks.calls.budget import Budget, BudgetReached, Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.reranking import Rerankable, Reranked, Rerankings
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls, shown
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import LocalReranker, Reranker
from llmops.tasks.plugins.rerankers.overlap import OverlapReranker
from tests.calls.gateways import through
from tests.openai_server import Answer, Service, serving

QUESTION = "harbour lamp"
TEXTS = [f"lamp {n}" for n in range(4)] + ["the harbour lamp"]


class CountedReranker(LocalReranker):
    """`overlap`, counting what it scores, so many seconds for each text."""

    slow: float = 0.0

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        SCORED.extend(texts)
        time.sleep(self.slow * len(texts))
        return OverlapReranker().scores(question, texts)


SCORED: list[str] = []


@pytest.fixture
def service() -> Iterator[Service]:
    SCORED.clear()
    with serving() as found:
        yield found


def endpoint(service: Service, **options: Any) -> Reranker:
    plain = {"name": "endpoint", "base_url": service.base_url, "retries": 0}
    return Spec.model_validate(plain | {"price_per_search": 1.0} | options).build(Reranker)


def passages(texts: Sequence[str] = TEXTS) -> list[Rerankable]:
    return [Rerankable(text, (("kb", text),)) for text in texts]


def run(home: Path, work: Callable[[Rerankings], Awaitable[Any]]) -> tuple[Any, Spent]:
    return through(home, lambda gateway: work(Rerankings(gateway)))


def scores(home: Path, reranker: Reranker, texts: Sequence[str] = TEXTS) -> tuple[Reranked, Spent]:
    return run(home, lambda made: made.scores(reranker, QUESTION, passages(texts)))


def test_a_question_with_a_passage_is_paid_once(tmp_path: Path, service: Service) -> None:
    first, spent = scores(tmp_path, endpoint(service), TEXTS[:2])
    assert spent.calls == 1
    assert first.cost_usd == pytest.approx(1.0)
    both, spent = scores(tmp_path, endpoint(service, candidates=7, batch=9), TEXTS[::-1])
    assert [body["documents"] for _, body, _ in service.requests] == [TEXTS[:2], TEXTS[:1:-1]]
    assert both.scores == pytest.approx([each / 10 for each in direct(TEXTS[::-1])])
    assert both.cost_usd == pytest.approx(2.0)
    again, spent = scores(tmp_path, endpoint(service))
    assert again.cost_usd == pytest.approx(2.0)
    assert (spent.calls, len(service.requests)) == (0, 2)


def direct(texts: Sequence[str]) -> list[float]:
    return OverlapReranker().scores(QUESTION, texts)


def test_texts_that_stand_there_twice_are_one(tmp_path: Path, service: Service) -> None:
    twice, _ = scores(tmp_path, endpoint(service), ["lamp", "pier", "lamp"])
    assert service.requests[0][1]["documents"] == ["lamp", "pier"]
    assert twice.order(3) == [0, 2, 1]


def test_the_same_at_the_same_time_is_paid_once(tmp_path: Path, service: Service) -> None:
    async def both(made: Rerankings) -> list[Reranked]:
        asked = (made.scores(endpoint(service), QUESTION, passages()) for _ in range(2))
        return list(await asyncio.gather(*asked))

    (first, second), spent = run(tmp_path, both)
    assert first == second
    assert (spent.calls, len(service.requests)) == (1, 1)


def test_scores_of_a_model_of_this_process_are_remembered_too(
    tmp_path: Path, service: Service
) -> None:
    first, _ = scores(tmp_path, CountedReranker())
    assert scores(tmp_path, CountedReranker(candidates=9))[0] == first
    assert (first.scores, SCORED) == (tuple(direct(TEXTS)), TEXTS)


def test_they_go_with_the_documents_that_they_are_of(tmp_path: Path, service: Service) -> None:
    scores(tmp_path, endpoint(service))
    with open_ledger(tmp_path).read() as connection:
        rows = connection.execute(select(shown.c.kb, shown.c.doc_id)).all()
        assert {tuple(row) for row in rows} == {("kb", text) for text in TEXTS}
        assert connection.scalar(select(func.count()).select_from(calls)) == len(TEXTS)


def test_the_budget_holds(tmp_path: Path, service: Service) -> None:
    async def both() -> None:
        payer = Payer("evaluate", "try")
        async with Gateway(tmp_path, Budget(usd=1.5), payer=payer) as gateway:
            made = Rerankings(gateway)
            await made.scores(endpoint(service), QUESTION, passages(TEXTS[:2]))
            await made.in_time(endpoint(service), QUESTION, passages())

    with pytest.raises(BudgetReached):
        asyncio.run(both())
    assert len(service.requests) == 1


def test_after_its_seconds_the_plain_order_stands_and_says_so(
    tmp_path: Path, service: Service
) -> None:
    late = CountedReranker(slow=0.2, seconds=0.3)
    many = [f"lamp {n}" for n in range(100)]
    waited, _ = run(tmp_path, lambda made: made.in_time(late, QUESTION, passages(many)))
    assert waited.scores is None
    assert waited.order(3) == [0, 1, 2]
    assert waited.said.endswith("it gave no scores within 0.3 s; the plain order stands")
    assert len(SCORED) < len(many)


@pytest.mark.parametrize("status", [503, 401, 400])
def test_a_service_that_fails_leaves_the_plain_order(
    tmp_path: Path, service: Service, status: int
) -> None:
    service.script = [Answer(status, b'{"message": "no"}')]
    asked = run(tmp_path, lambda made: made.in_time(endpoint(service), QUESTION, passages()))
    assert asked[0].scores is None
    assert f"not reranked by endpoint: {service.base_url}" in asked[0].said
    assert f"answered {status}" in asked[0].said


def test_nothing_to_order_asks_nobody(tmp_path: Path, service: Service) -> None:
    assert scores(tmp_path, endpoint(service), [])[0].scores == ()
    blank = run(tmp_path, lambda made: made.scores(endpoint(service), " ", passages(TEXTS[:2])))
    assert blank[0].order(2) == [0, 1]
    assert service.requests == []
