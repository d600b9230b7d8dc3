"""One pseudonym for one value, through a whole row; nothing is left, nothing else is touched."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.datasets.training.row import Message, Row
from llmops.tasks.datasets.training.scrubbing import Scrubbed, scrub
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan
from llmops.tasks.plugins.scrubbers import Scrubber
from tests.datasets.training.rows import call, chat, many, message, pair

NAMES = {"name": "listed", "values": ["Ada Lovelace"]}


def scrubbed(row: Row, **options: Any) -> Scrubbed:
    return scrub(row, Spec(name="patterns", options={"names": NAMES, **options}).build(Scrubber))


def contents(messages: tuple[Message, ...] | None) -> list[str | None]:
    return [one.content for one in messages or ()]


def test_a_value_has_one_pseudonym_through_question_better_and_worse_answer() -> None:
    row = pair(
        "I am Ada Lovelace, ada@corp.org or Bob@corp.org",
        "Dear Ada  Lovelace, we write to ADA@corp.org.",
        "We write to bob@corp.org, not to ada@corp.org.",
    )
    done = scrubbed(row)
    assert contents(done.row.messages) == ["I am <PERSON_1>, <EMAIL_1> or <EMAIL_2>"]
    assert contents(done.row.chosen) == ["Dear <PERSON_1>, we write to <EMAIL_1>."]
    assert contents(done.row.rejected) == ["We write to <EMAIL_2>, not to <EMAIL_1>."]
    assert (done.replaced, done.left) == ({"email": 5, "person": 2}, ())


def test_what_is_found_in_one_place_is_replaced_in_all() -> None:
    done = scrubbed(chat("My SSN is 536 90 4399", "I have noted 536 90 4399."))
    assert contents(done.row.messages) == ["My SSN is <SSN_1>", "I have noted <SSN_1>."]


def test_arguments_of_tools_stay_json_and_hide_nothing() -> None:
    arguments = '{"card": 4111111111111111, "to": "ada\\u0040corp.org", "password": "hunter2!xq9"}'
    kept = '{"b":  1.50, "a": "é\\u00e9"}'
    row = Row(
        id="r",
        group="g",
        messages=(
            message("user", "Pay.", name="ada@corp.org"),
            message("assistant", None, tool_calls=(call(arguments), call(kept, id="c2"))),
            message("tool", "paid by ada@corp.org", tool_call_id="c1"),
            message("tool", "fine", tool_call_id="c2"),
            message("assistant", "Paid with hunter2!xq9."),
        ),
        tools=({"type": "function", "function": {"name": "f", "description": "of ada@corp.org"}},),
    )
    done = scrubbed(row)
    first, second = (each.function.arguments for each in done.row.messages[1].tool_calls)
    assert json.loads(first) == {
        "card": "<CREDIT_CARD_1>",
        "to": "<EMAIL_1>",
        "password": "<SECRET_1>",
    }
    assert second == kept
    assert done.row.messages[0].name == "EMAIL_1"
    assert done.row.messages[2].content == "paid by <EMAIL_1>"
    assert done.row.messages[4].content == "Paid with <SECRET_1>."
    assert done.row.tools[0]["function"]["description"] == "of <EMAIL_1>"
    assert done.left == ()


def test_a_row_without_personal_data_is_the_row_itself() -> None:
    for row in [*many(50), chat("- a\t=\n", "🙂 \u200f سلام")]:
        assert scrubbed(row).row is row


def test_identity_and_lineage_stay() -> None:
    row = chat("ada@corp.org", "ok", id="ada@corp.org", group="ada@corp.org", score=0.5)
    row = row.model_copy(update={"lineage": {"uri": "ada@corp.org"}})
    done = scrubbed(row).row
    assert (done.id, done.group, done.lineage, done.score) == (
        "ada@corp.org",
        "ada@corp.org",
        {"uri": "ada@corp.org"},
        0.5,
    )


class RestlessScrubber(Scrubber):
    """Finds what pseudonyms themselves say."""

    def places(self, text: str) -> list[EntitySpan]:
        start = text.find("E")
        return [] if start < 0 else [EntitySpan(start, start + 1, "e")]


def test_what_a_second_scan_finds_is_told() -> None:
    assert scrub(chat("an E", "ok"), RestlessScrubber()).left == ("e",)


VALUES = ["ada@corp.org", "4111 1111 1111 1111", "529.982.247-25", "8.8.4.17", "Ada Lovelace"]
TEXTS = st.lists(st.sampled_from([*VALUES, " ", ", ", "x", "\n", '"', "{", "1"]), max_size=8).map(
    "".join
)


@settings(max_examples=80, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_nothing_is_left(asked: str, answer: str, argument: str) -> None:
    called = message("assistant", answer, tool_calls=(call(json.dumps({"a": [argument]})),))
    row = Row(id="r", group="g", messages=(message("user", asked), called))
    done = scrubbed(row)
    assert done.left == ()
    assert scrubbed(done.row).row is done.row
    json.loads(done.row.messages[1].tool_calls[0].function.arguments)
