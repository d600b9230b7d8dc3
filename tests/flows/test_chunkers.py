"""The chunkers in real builds: what a reader gets, and what is paid, counted on the bill of the
embedder and the model's server.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from tests.flows.test_incremental import prose
from tests.laboratory import Laboratory
from tests.openai_server import Answer, Service, serving

pytestmark = pytest.mark.slow
PARENTS = {"name": "parent_child", "size": 30, "parent_size": 150, "overlap": 0}
SEMANTIC = {"name": "semantic", "size": 60}


def edited(text: str, word: str = "zebra") -> str:
    place = text.index(" ", len(text) // 2)
    return f"{text[:place]} {word}{text[place:]}"


def test_an_edit_pays_for_a_child_and_a_search_gives_its_parent_once(lab: Laboratory) -> None:
    text = prose(1, 60)
    lab.write("a.txt", text)
    first = lab.build(chunk=PARENTS)
    assert (first.status, first.embeddings["computed"], lab.verified()) == (
        "published",
        lab.paid(),
        True,
    )
    lab.write("a.txt", edited(text))
    second = lab.build(chunk=PARENTS)
    assert second.status == "published"
    assert 1 <= second.embeddings["computed"] <= 3
    found = lab.search("zebra", 5)
    assert len(found) == len(set(found)) > 1
    assert sum("zebra" in one for one in found) == 1
    assert all(len(one.split()) > 40 for one in found[:1])


def test_sentences_are_paid_once_and_counted(lab: Laboratory) -> None:
    text = prose(2, 80)
    lab.write("a.txt", text)
    first = lab.build(chunk=SEMANTIC)
    paid = lab.paid()
    assert (
        first.embeddings["computed"] == paid == len(set(lab.bills())) > first.chunks["total"] + 70
    )
    assert first.tokens > 2 * 0.8 * sum(len(one.split()) for one in [text])
    assert first.cost_usd == pytest.approx(first.tokens * 2.0 / 1e6)
    again = lab.build(chunk=SEMANTIC, full=True)
    assert lab.paid() == paid
    assert again.embeddings["computed"] == 0
    lab.write("a.txt", edited(text))
    second = lab.build(chunk=SEMANTIC)
    assert 2 <= second.embeddings["computed"] <= 8
    assert lab.paid() == paid + second.embeddings["computed"]


def test_sentences_paid_before_a_crash_are_not_paid_again(lab: Laboratory) -> None:
    from tests.flows.test_killed import kill

    lab.write("a.txt", prose(3, 100))
    lab.config(chunk=SEMANTIC)
    config = lab.config
    lab.config = lambda **changes: config(chunk=SEMANTIC, **changes)  # type: ignore[method-assign]
    kill(lab, "llmops.tasks.knowledge.caches:save_embeddings", "after", 1)
    assert lab.paid() == 64
    assert lab.build().status == "published"
    assert len(lab.bills()) == len(set(lab.bills())) > 100


def asking(messages: list[dict[str, Any]]) -> str:
    words = messages[1]["content"].partition("<passage>")[2].split()
    return json.dumps({"questions": [f"What is said about {word}?" for word in words[:2]]})


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(asking) as found:
        yield found


def qa(service: Service, **options: Any) -> dict[str, Any]:
    llm = {
        "name": "openai",
        "model": "small",
        "base_url": service.base_url,
        "api_key": "sesame",
        "price_in": 1.0,
        "price_out": 10.0,
    }
    llm |= options
    return {"name": "qa", "size": 40, "overlap": 0, "questions": 2, "llm": llm}


def remembered(home: Path) -> list[Any]:
    with open_ledger(home).read() as connection:
        return list(connection.execute(select(calls)))


def test_questions_find_their_passage_and_are_asked_once(lab: Laboratory, service: Service) -> None:
    text = prose(4, 20)
    lab.write("a.txt", text)
    lab.write("b.txt", text)
    first = lab.build(chunk=qa(service))
    asked = len(service.requests)
    passages = {body["messages"][1]["content"] for _, body, _ in service.requests}
    assert first.status == "published"
    assert asked == len(passages) == len(remembered(lab.home))
    assert first.chunks["total"] == 2 * 3 * asked
    assert {len(row.owner) for row in remembered(lab.home)} == {32}
    spent = sum(row.cost_usd for row in remembered(lab.home))
    assert first.cost_usd == pytest.approx(
        spent + (first.tokens - sum(row.tokens for row in remembered(lab.home))) * 2.0 / 1e6
    )
    found = lab.search(f"What is said about {text.split()[0]}?", 40)
    assert (
        len(found) == 2 * len(set(found)) == 2 * asked
    )  # each passage of both documents once, though it has three rows
    lab.build(chunk=qa(service, api_key="other"), full=True)
    assert len(service.requests) == asked
    lab.write("a.txt", edited(text))
    second = lab.build(chunk=qa(service))
    assert 1 <= len(service.requests) - asked <= 3
    assert second.status == "published"


def test_malformed_replies_are_asked_for_again_then_the_document_waits(
    lab: Laboratory, service: Service
) -> None:
    lab.write("a.txt", "The river is wide. " * 3)
    bad = Answer(
        200,
        json.dumps(
            {
                "choices": [{"message": {"content": "Sure! Here they are."}}],
                "usage": {"prompt_tokens": 7},
            }
        ).encode(),
    )
    service.script = [bad, bad]
    mended = lab.build(chunk=qa(service))
    assert (mended.status, len(service.requests), len(remembered(lab.home))) == ("published", 3, 1)
    assert "Not valid: a JSON object" in service.requests[2][1]["messages"][-1]["content"]
    lab.write("b.txt", "The stone is old. " * 3)
    service.script = [bad, bad, bad]
    second = lab.build(chunk=qa(service), limits={"failure_budget": 0.6})
    (held,) = items(open_ledger(lab.home), lab.kb)
    assert (held["stage"], held["uri"], second.documents["quarantined"]) == ("chunk", "b.txt", 1)
    assert "3 replies that cannot be used" in held["reason"]


def test_a_model_that_is_down_ends_the_run_and_keeps_what_was_answered(
    lab: Laboratory, service: Service
) -> None:
    from llmops.tasks.errors import Unavailable

    lab.write("a.txt", prose(5, 30))
    service.script = [None, None, Answer(401)]
    with pytest.raises(Unavailable, match="answered 401"):
        lab.build(chunk=qa(service))
    assert len(remembered(lab.home)) == 2
    outcome = lab.build(chunk=qa(service))
    assert outcome.status == "published"
    assert len(service.requests) == 1 + len(remembered(lab.home))


def test_a_table_is_found_by_its_questions(lab: Laboratory) -> None:
    rows = [
        "question,answer,topic",
        "How long may I return a lamp?,Thirty days.,returns",
        "Who pays the harbour fee?,You do.,fees",
    ]
    lab.write("faq.csv", "\n".join(rows))
    outcome = lab.build(chunk={"name": "qa"})
    assert (outcome.status, outcome.chunks["total"]) == ("published", 2)
    assert lab.bills() == ["How long may I return a lamp?", "Who pays the harbour fee?"]
    assert lab.search("Who pays the harbour fee?", 1) == [
        "question: Who pays the harbour fee?; answer: You do.; topic: fees"
    ]
