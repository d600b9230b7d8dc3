"""Questions and answers from chunks: what the model says is taken only with a quote."""

import json

import pytest

from llmops.tasks.plugins.collectors.documents import grounded
from tests.plugins.collectors.context import GivenContext, chunk, collected, rows_of, skipped

TEXT = "A password expires after ninety days. It is reset on the page of the account."
MODEL = {"name": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key": "k"}


def said(*pairs: tuple[str, str, str]) -> str:
    names = ("question", "answer", "quote")
    return json.dumps({"pairs": [dict(zip(names, each, strict=True)) for each in pairs]})


def test_a_pair_needs_a_quote_that_stands_in_its_chunk() -> None:
    context = GivenContext(
        found=[chunk(TEXT)],
        replies=[
            said(
                ("When does it expire?", "After ninety days.", "expires after\n ninety days."),
                ("Who knows it?", "Nobody.", "Nobody knows it."),
            )
        ],
    )
    found = collected("documents", context, knowledge_base="kb", llm=MODEL, least=10)
    [row] = rows_of(found)
    assert row.messages[-1].content == "After ninety days."
    assert row.lineage["licence"] == "CC-BY-4.0"
    assert (row.group, row.lineage["uri"], row.lineage["version"]) == ("a.md", "a.md", 3)
    assert "does not stand in its chunk" in skipped(found)[0].reason
    assert TEXT in context.asked[0].messages[-1].content


@pytest.mark.parametrize("reply", ["no json", "[]", '{"pairs": [{"question": "", "answer": "x"}]}'])
def test_a_useless_reply_is_told_and_stops_nothing(reply: str) -> None:
    good = said(("When?", "After ninety days.", "ninety days"))
    context = GivenContext(found=[chunk(TEXT), chunk(TEXT, uri="b.md")], replies=[reply, good])
    found = collected("documents", context, knowledge_base="kb", llm=MODEL, least=10)
    assert len(skipped(found)) == 1
    assert [row.group for row in rows_of(found)] == ["b.md"]


def test_without_a_model_headings_ask() -> None:
    chunks = [
        chunk(TEXT, "Accounts", "How do I reset it?"),
        chunk(TEXT, "Accounts", "Passwords"),
        chunk(TEXT),
        chunk("too short", "Heading"),
    ]
    found = rows_of(
        collected("documents", GivenContext(found=chunks), knowledge_base="kb", least=20)
    )
    assert [row.messages[0].content for row in found] == [
        "How do I reset it?",
        "Accounts: Passwords",
    ]
    assert {row.messages[1].content for row in found} == {TEXT}


@pytest.mark.parametrize(
    ("quote", "stands"),
    [("ninety  days.\nIt is", True), ("Ninety days", False), ("", False), ("  ", False)],
)
def test_a_quote_stands_but_for_white_space(quote: str, stands: bool) -> None:
    assert grounded(quote, TEXT) is stands
