"""What is wrong with a row: each fault is told where it is, and nowhere else."""

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from llmops.tasks.datasets.training.checks import RowRules, faults
from llmops.tasks.datasets.training.row import Message, Row
from tests.datasets.training.rows import call, chat, many, message, pair

QUESTION = "How do I change the address of an order?"
ANSWER = "Open the order and choose another address before it is packed."
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {"limit": {"type": "integer"}},
            "required": ["limit"],
        },
    },
}


def kinds(row: Row, rules: RowRules | None = None, count: bool = False) -> list[str]:
    found = faults(row, rules or RowRules(), characters if count else None)
    assert all(each.message for each in found)
    return sorted({each.kind for each in found})


def characters(messages: Sequence[Message], row: Row) -> int:
    return sum(len(one.content or "") for one in messages)


def conversation(*messages: Message, tools: bool = False) -> Row:
    return Row(id="r", group="g", messages=messages, tools=(SEARCH,) if tools else ())


ASKED = message("user", QUESTION)
ANSWERED = message("assistant", ANSWER)
CALLED = message("assistant", None, tool_calls=(call('{"limit": 3}'),))
TOLD = message("tool", "three orders", tool_call_id="c1")


@pytest.mark.parametrize(
    "row",
    [
        chat(QUESTION, ANSWER),
        chat("Yes", "Yes.", "No", "No, then I shall leave it."),
        conversation(message("system", "Be kind."), ASKED, ANSWERED),
        conversation(ASKED, CALLED, TOLD, ANSWERED, tools=True),
        conversation(ASKED, CALLED, tools=True),
        pair(QUESTION, ANSWER, "That cannot be changed, whatever you try."),
        chat("Read: « " + ANSWER + " » What must I choose?", "Another address."),
        chat("چطور؟", "سلام\u200f، می\u200cروم."),
        chat("Which flags?", "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ and - = \t more"),
        chat("ใคร", "เขา\u200bไป"),
        *many(200),
    ],
)
def test_a_good_row_has_no_fault(row: Row) -> None:
    assert kinds(row, RowRules(most_tokens=1000), count=True) == []


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (conversation(), "empty"),
        (chat(QUESTION), "roles"),
        (conversation(ANSWERED), "roles"),
        (conversation(ASKED, message("system", "Be kind."), ANSWERED), "roles"),
        (chat(QUESTION, ANSWER).model_copy(update={"chosen": (ANSWERED,)}), "roles"),
        (
            pair(QUESTION, ANSWER, "No.").model_copy(update={"messages": (ASKED, ANSWERED)}),
            "alternation roles",
        ),
        (pair(QUESTION, ANSWER, "No.").model_copy(update={"rejected": ()}), "roles"),
        (conversation(ASKED, ASKED, ANSWERED), "alternation"),
        (conversation(ASKED, ANSWERED, ANSWERED), "alternation"),
        (conversation(ASKED, CALLED, TOLD, ASKED, ANSWERED, tools=True), "alternation"),
        (conversation(ASKED, CALLED, ANSWERED, tools=True), "alternation tool_calls"),
        (conversation(ASKED, TOLD, ANSWERED), "tool_calls"),
        (
            conversation(
                ASKED, CALLED, message("tool", "x", tool_call_id="c9"), ANSWERED, tools=True
            ),
            "tool_calls",
        ),
        (
            conversation(
                ASKED, message("assistant", "", tool_calls=(call("{}", name="buy"),)), tools=True
            ),
            "tool_calls",
        ),
        (
            conversation(ASKED, message("assistant", "", tool_calls=(call("{}"), call("{}")))),
            "tool_calls",
        ),
        (conversation(ASKED, message("assistant", "", tool_calls=(call('{"a": 1'),))), "arguments"),
        (conversation(ASKED, message("assistant", "", tool_calls=(call("[1]"),))), "arguments"),
        (
            conversation(
                ASKED, message("assistant", "", tool_calls=(call('{"limit": "3"}'),)), tools=True
            ),
            "arguments",
        ),
        (chat(QUESTION, " \n"), "empty"),
        (chat("", ANSWER), "empty"),
        (chat(QUESTION, QUESTION.upper()), "copied"),
        (chat(QUESTION, ANSWER, "And the name?", ANSWER), "copied"),
        (chat(QUESTION, "I'm sorry, but I can't help with that."), "refusal"),
        (chat(QUESTION, "Es tut mir leid, dabei kann ich nicht helfen."), "refusal"),
        (chat(QUESTION, "Open the order\u200b and go on."), "invisible"),
        (chat(QUESTION, "Open the order\u202e and go on."), "invisible"),
        (chat(QUESTION, "Open the order\x00 and go on."), "invisible"),
        (chat(QUESTION + "\U000e0041\U000e0042", ANSWER), "invisible"),
        (chat(QUESTION, ANSWER, cut=True), "cut"),
        (chat(QUESTION, ANSWER, lineage={"finish_reason": "length"}), "cut"),
        (pair(QUESTION, ANSWER, ANSWER.replace(" ", "  ").lower()), "identical_pair"),
        (pair(QUESTION, ANSWER + " Then save it.", ANSWER), "length_pair"),
        (pair(QUESTION, ANSWER, ANSWER[:30]), "length_pair"),
    ],
)
def test_a_planted_fault_is_found(row: Row, kind: str) -> None:
    assert kinds(row) == kind.split()


def test_the_language_of_the_answer_counts_where_languages_are_named() -> None:
    german = chat(QUESTION, "Öffnen Sie die Bestellung und wählen Sie eine andere Anschrift.")
    assert kinds(german, RowRules(languages=("en",))) == ["language"]
    assert kinds(german, RowRules(languages=("en", "de"))) == []
    assert kinds(chat(QUESTION, "42"), RowRules(languages=("en",))) == []


def test_the_longer_conversation_of_a_pair_must_fit() -> None:
    row = pair("a" * 50, "b" * 20, "c" * 60)
    (fault,) = faults(row, RowRules(most_tokens=100), characters)
    assert (fault.kind, fault.message) == ("length", "it has 110 tokens; at most 100 fit")
    assert faults(row, RowRules(most_tokens=110), characters) == []
    assert faults(row, RowRules(most_tokens=1)) == []


@pytest.mark.parametrize(
    ("row", "rules"),
    [
        (chat(QUESTION, "I don't know."), RowRules(refusals=True)),
        (chat(QUESTION, "a\u200bb"), RowRules(invisible=True)),
        (pair(QUESTION, ANSWER + " Then save it.", ANSWER), RowRules(length_pairs=True)),
    ],
)
def test_what_the_rules_allow_is_no_fault(row: Row, rules: RowRules) -> None:
    assert kinds(row) != []
    assert kinds(row, rules) == []


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(ValidationError, match="most_token"):
        RowRules.model_validate({"most_token": 5})
