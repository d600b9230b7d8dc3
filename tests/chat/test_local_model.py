"""A real model of a file behind the served application: in pieces, whole, and as a reranker."""

import json
from typing import Any

import pytest

from llmops.flows.demo.model import packaged
from llmops.tasks.errors import Unavailable
from tests.chat.apps import TALL, Record, Towers
from tests.deployments.app.apps import application
from tests.local_model import NEEDS_MODEL

pytestmark = [pytest.mark.slow, NEEDS_MODEL]


def small(**options: Any) -> dict[str, Any]:
    given = {"path": str(packaged()), "context": 1024, "threads": 1, "timeout": 300}
    return {"name": "llama_cpp", **given, **options}


def test_an_answer_comes_in_pieces_over_http(towers: Towers) -> None:
    with application(towers, llm=small()) as app:
        streamed = app.ask(stream=True, max_tokens=16).text
        events = [json.loads(line[6:]) for line in streamed.splitlines() if "data: {" in line]
        pieces = [each["delta"].get("content") for event in events for each in event["choices"]]
        text = "".join(filter(None, pieces))
        assert len([piece for piece in pieces if piece]) > 3
        whole = app.ask(max_tokens=16).json()
    assert whole["choices"][0]["message"]["content"] == text != ""
    assert whole["usage"]["completion_tokens"] <= 16
    assert whole["usage"]["prompt_tokens"] > 100
    assert {cost for _, _, cost in towers.paid()} == {0.0}


def test_a_conversation_that_is_longer_than_the_context_is_told(towers: Towers) -> None:
    with pytest.raises(Unavailable, match=r"holds 100 with the reply; raise `context`"):
        towers.ask(TALL, llm=small(context=100))


def test_it_orders_passages_by_schema(towers: Towers) -> None:
    record = Record()
    llm = small(max_tokens=60)
    towers.ask(TALL, record, retrieve={"k": 1, "rerank": {"name": "llm", "llm": llm}})
    step: Any = record["rerank"]
    assert step.paid is not None
    said = step.outputs["said"]  # so small a model may name passages that are not there
    assert said == "" or "its reply cannot be used" in said
