"""Passages from a pinned version: searched once, under the arm's own labels, and known in the
ledger by the calls that showed them.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.errors import UsageError
from llmops.tasks.evaluation.answering import Retrieved, Retriever, answer_part
from llmops.tasks.evaluation.run import EvaluationRun, Retrieval
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.reading import allowed, searcher
from llmops.tasks.ledger.tables import shown
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case, Passage
from tests.evaluation.runs import arm, cases, evaluation_run, model, results
from tests.openai_server import Service, serving
from tests.workshop import EDITED, TEXTS, Workshop

QUESTION = "Which boat passes the lighthouse of harbour 3?"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.build(TEXTS)
    return made


def settings(shop: Workshop, **changes: Any) -> Retrieval:
    return Retrieval.model_validate(
        {"knowledge_base": shop.kb, "version": shop.live.version, "k": 3, "mode": "hybrid"}
        | changes
    )


def found(shop: Workshop, *wanted: tuple[Retrieval, str]) -> list[tuple[Passage, ...]]:
    return [each.passages for each in retrieved(shop, *wanted)[0]]


def retrieved(
    shop: Workshop, *wanted: tuple[Retrieval, str], usd: float | None = None
) -> tuple[list[Retrieved], Spent]:
    """What is found, and what that cost."""

    async def run() -> tuple[list[Retrieved], Spent]:
        payer = Payer("evaluate", "try")
        async with Gateway(shop.home, Budget(usd=usd), payer=payer) as gateway:
            retriever = Retriever(shop.home, gateway)
            try:
                found = await asyncio.gather(*(retriever.passages(*one) for one in wanted))
            finally:
                await retriever.close()
        return found, gateway.spent

    return asyncio.run(run())


def embedded(shop: Workshop) -> list[str]:
    return [json.loads(line) for line in shop.bill.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_the_passages_are_those_of_a_search(shop: Workshop, mode: Any) -> None:
    [passages] = found(shop, (settings(shop, mode=mode), QUESTION))
    rows = (
        searcher(shop.home, shop.live, where=allowed(shop.live, "", ()))
        .search(QUESTION, 3, mode)
        .to_dict("records")
    )
    assert [(one.text, one.uri, one.doc_id, one.chunk_id) for one in passages] == [
        (row["text"], row["uri"], row["doc_id"], row["chunk_id"]) for row in rows
    ]
    assert len(passages) == 3
    assert passages[0].title == passages[0].uri == "d3.txt"


def test_what_several_arms_want_is_searched_once_and_embedded_together(shop: Workshop) -> None:
    shop.bill.write_text("")
    wide, narrow = settings(shop, k=4), settings(shop)
    answers = found(
        shop,
        (wide, QUESTION),
        (narrow, QUESTION),
        (wide, QUESTION),
        (wide, "Who counts lamps?"),
        (narrow, " "),
    )
    assert answers[0] == answers[2] != answers[3]
    assert answers[0][:3] == answers[1]
    assert answers[4] == ()
    assert sorted(embedded(shop)) == sorted(
        [QUESTION, QUESTION, "Who counts lamps?"]
    )  # once for each setting


@pytest.mark.slow
def test_a_version_stays_what_it_was_when_another_is_published(shop: Workshop) -> None:
    pinned = settings(shop, mode="text")
    before = found(shop, (pinned, "harbour 1"))
    shop.build(EDITED)
    assert found(shop, (pinned, "harbour 1")) == before
    assert (
        found(shop, (settings(shop, mode="text"), "Who counts the boats there now?"))[0][0].uri
        == "d1.txt"
    )


def test_conditions_and_labels_hold(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.facts = MetadataSchema.model_validate({"access": {"default": ["staff"]}})
    shop.build(TEXTS)
    nobody, staff = settings(shop, k=6), settings(shop, k=6, labels=("staff",))
    narrow = settings(shop, k=6, labels=("staff",), where='uri = "d2.txt"')
    seen = found(shop, (nobody, QUESTION), (staff, QUESTION), (narrow, QUESTION))
    assert [{one.uri for one in passages} for passages in (seen[0], seen[2])] == [set(), {"d2.txt"}]
    assert len(seen[1]) == 6


def test_a_version_that_is_gone_is_said(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="'shop' has no version 77"):
        found(shop, (settings(shop, version=77), QUESTION))


def retrieving_run(
    shop: Workshop,
    service: Service,
    texts: Sequence[str] = ("{{passages}} {{question}}", "{{question}}"),
) -> EvaluationRun:
    arms = [
        arm(chr(65 + number), text, model(service.base_url), retrieve=settings(shop))
        for number, text in enumerate(texts)
    ]
    return evaluation_run(shop.folder, service.base_url, arms=arms)


def test_a_prompt_is_given_the_passages_and_the_ledger_knows_whose_they_are(shop: Workshop) -> None:
    with serving() as service:
        open_book, closed_book = results(
            answer_part(
                retrieving_run(shop, service),
                1,
                [Case(id="c", inputs={"question": QUESTION})],
                Spent(),
            )
        )
    blocks = open_book.answer.removesuffix(f" {QUESTION}").split("\n\n")
    assert blocks == [
        f"[{number}] {one.title}\n{one.text}" for number, one in enumerate(open_book.passages, 1)
    ]
    assert closed_book.answer == QUESTION
    assert closed_book.passages == open_book.passages  # for the metrics of retrieval
    with shop.ledger.read() as connection:
        rows = {tuple(row) for row in connection.execute(select(shown.c.kb, shown.c.doc_id))}
        assert (
            len(set(connection.scalars(select(shown.c.key)))) == 1
        )  # the call of the arm that shows them
    assert rows == {("shop", one.doc_id) for one in open_book.passages}


def test_passages_of_the_case_give_way_to_retrieval(shop: Workshop) -> None:
    with serving() as service:
        [one, _] = results(
            answer_part(
                retrieving_run(shop, service),
                1,
                [Case(id="c", inputs={"question": QUESTION, "passages": "mine"})],
                Spent(),
            )
        )
    assert "mine" not in one.answer
    assert one.passages[0].uri == "d3.txt"


def test_each_case_is_searched_once_for_all_arms_and_repeats(shop: Workshop) -> None:
    shop.bill.write_text("")
    with serving() as service:
        answer_part(
            retrieving_run(shop, service).model_copy(update={"repeats": 2}), 1, cases(12), Spent()
        )
    assert sorted(embedded(shop)) == sorted(case.inputs["question"] for case in cases(12))
