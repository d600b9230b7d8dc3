"""Rows that give an evaluation away: every planted one is found, in every way and script."""

import json
from pathlib import Path

import pytest

from llmops.tasks.datasets.training.contamination import contaminated
from llmops.tasks.datasets.training.held_out import Held, held_out
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.errors import ConfigError
from tests.datasets.training.rows import chat, many, message, pair

LONG = (
    "How many days after the delivery of a parcel may a customer abroad send it back without "
    "giving any reason, and who pays?"
)
ANSWER = "Within fourteen days after delivery, and the customer pays the postage of the parcel."
SHORT = "How do I reset my password?"
WORD = "Refunds?"
CHINESE = "客户收到包裹之后多少天之内可以不说明理由就把商品退回并且由谁来承担运费呢"
JAPANESE = "商品の返品は到着後何日以内ですか"
HELD = [
    Held("golden.jsonl", "q1", "question", LONG),
    Held("golden.jsonl", "q1", "answer", ANSWER),
    Held("golden.jsonl", "q2", "question", SHORT),
    Held("golden.jsonl", "q2", "answer", "Yes."),
    Held("golden.jsonl", "q3", "question", WORD),
    Held("cases.jsonl", "c1", "question", CHINESE),
    Held("cases.jsonl", "c2", "question", JAPANESE),
]
OTHER = "The invoice is in the parcel."


def told(row: Row, ngram: int = 13) -> tuple[str, str, str] | None:
    found = list(contaminated([*many(20), row], HELD, ngram))
    assert len(found) <= 1
    return (found[0].held.id, found[0].held.part, found[0].how) if found else None


@pytest.mark.parametrize(
    ("row", "how"),
    [
        (chat(LONG.upper(), OTHER), ("q1", "question", "equal")),
        (chat(f"Hello! {LONG[4:-6]} Thanks", OTHER), ("q1", "question", "ngram")),
        (chat("What holds?", f"Well: {ANSWER}"), ("q1", "answer", "ngram")),
        (chat("What holds?", ANSWER.replace(" ", "\n")), ("q1", "answer", "equal")),
        (chat(f"Is this right: {ANSWER}", OTHER), ("q1", "answer", "ngram")),
        (chat("First of all?", OTHER, LONG, OTHER), ("q1", "question", "equal")),
        (chat("Write a question.", f"For example: {SHORT}"), ("q2", "question", "contained")),
        (chat("how do I reset my password", OTHER), ("q2", "question", "equal")),
        (chat("Do I reset my password?", OTHER), ("q2", "question", "contained")),
        (chat("ｒｅｆｕｎｄｓ", OTHER), ("q3", "question", "equal")),
        (chat(f"您好，{CHINESE}？谢谢", OTHER), ("c1", "question", "ngram")),
        (chat(CHINESE[5:30], OTHER), ("c1", "question", "ngram")),
        (chat(f"教えてください。{JAPANESE}？", OTHER), ("c2", "question", "contained")),
        (chat(JAPANESE[:10], OTHER), ("c2", "question", "contained")),
        (pair("What holds?", OTHER, ANSWER), ("q1", "answer", "equal")),
        (
            chat("?", OTHER).model_copy(
                update={
                    "messages": (
                        message("system", f"Such as: {LONG}"),
                        message("user", "a"),
                        message("assistant", "b"),
                    )
                }
            ),
            ("q1", "question", "ngram"),
        ),
    ],
)
def test_a_planted_text_is_found(row: Row, how: tuple[str, str, str]) -> None:
    assert told(row) == how


@pytest.mark.parametrize(
    "row",
    [
        chat("How do I reset the printer?", "Yes."),
        chat("Why refunds, and when?", "Refunds?"),
        chat("After the delivery of a parcel may a customer complain?", OTHER),
        chat("reset my password", OTHER),
        chat("客户收到包裹之后可以退货吗", OTHER),
        chat("", "…"),
        chat("?", OTHER).model_copy(
            update={"messages": (message("system", ANSWER), *chat("a", "b").messages)}
        ),
    ],
)
def test_what_only_resembles_an_evaluation_stays(row: Row) -> None:
    assert told(row) is None


def test_all_planted_rows_of_many_are_found_and_no_other() -> None:
    held = [
        each
        for row in many(400, seed=5)
        for each in (
            Held("golden.jsonl", row.id, "question", row.messages[0].content or ""),
            Held("golden.jsonl", row.id, "answer", "ok"),
        )
    ]
    rows = many(3000, seed=6)
    for place, one in enumerate(held[::2]):
        spoken = ("So: " + one.text + " Is it?", "x") if place % 2 else (one.text, "y")
        rows[place * 7] = chat(*spoken, id=f"planted-{place}")
    found = list(contaminated(rows, held))
    assert [each.number for each in found] == [place * 7 for place in range(400)]
    assert {each.id for each in found} == {f"planted-{place}" for place in range(400)}


def test_a_shorter_ngram_finds_more() -> None:
    row = chat("After the delivery of a parcel may a customer complain?", OTHER)
    assert told(row, ngram=6) == ("q1", "question", "ngram")
    with pytest.raises(ValueError, match="ngram is a number of words from 1, got 0"):
        list(contaminated([row], HELD, 0))


def test_golden_sets_and_cases_are_told_apart(tmp_path: Path) -> None:
    golden, cases, empty = (
        tmp_path / name for name in ("golden.jsonl", "cases.jsonl", "none.jsonl")
    )
    question = {"id": "q1", "question": LONG, "relevant": [{"uri": "a.md"}], "answer": ANSWER}
    golden.write_text(json.dumps(question) + "\n")
    case = {
        "id": "c1",
        "inputs": {"question": SHORT, "passages": [{"text": "A passage."}]},
        "expected": {"answer": ["One.", "Two."]},
    }
    cases.write_text("\n" + json.dumps(case) + "\n")
    empty.write_text("")
    assert held_out([golden, cases, empty]) == [
        Held("golden.jsonl", "q1", "question", LONG),
        Held("golden.jsonl", "q1", "answer", ANSWER),
        Held("cases.jsonl", "c1", "question", SHORT),
        Held("cases.jsonl", "c1", "answer", "One."),
        Held("cases.jsonl", "c1", "answer", "Two."),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"{nonsense", "not valid JSON"), (b'{"id": "x"}', "question")],
)
def test_a_file_that_is_neither_is_refused(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "golden.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        held_out([path])
