"""Rows beside each other: ids, contradictions, the bias for length."""

import pytest

from llmops.tasks.datasets.training.conflicts import conflicts, length_bias
from tests.datasets.training.rows import chat, many, message, pair


def found(rows: list) -> list[tuple[int, str]]:  # type: ignore[type-arg]
    return [(each.number, each.fault.kind) for each in conflicts(rows)]


def test_rows_that_agree_have_no_conflict() -> None:
    rows = [
        *many(300),
        pair("Who?", "Ada", "Bob", id="a"),
        pair("Who?", "Ada", "Bob", id="b"),
        pair("Who?", "Ada", "Eve", id="c"),
        pair("Whom?", "Bob", "Ada", id="d"),
        chat("Who?", "Ada", score=1, id="e"),
        chat("Who?", "Eve", score=0, id="f"),
    ]
    assert conflicts(rows) == []


def test_all_but_the_first_row_of_an_id_are_told() -> None:
    rows = [*many(3), chat("Again?", "Yes.", id="row-1"), chat("And again?", "Yes.", id="row-1")]
    assert found(rows) == [(3, "repeated_id"), (4, "repeated_id")]
    assert "row 2" in conflicts(rows)[0].fault.message


def test_pairs_the_other_way_round_contradict_each_other_whatever_the_spelling() -> None:
    system = message("system", "Be kind.")
    other = pair("WHO?", "bob", "ada", id="b")
    other = other.model_copy(update={"messages": (system, *other.messages)})
    rows = [*many(50), pair("Who?", "Ada", "Bob", id="a"), other, pair("Who?", "Ada", "B", id="c")]
    assert found(rows) == [(50, "contradiction"), (51, "contradiction")]
    assert "'b'" in conflicts(rows)[0].fault.message


def test_one_answer_that_is_good_and_bad_is_a_contradiction() -> None:
    rows = [chat("Who?", "Ada", score=0.9, id="a"), chat("Who?", "ADA", score=0.2, id="b")]
    assert found(rows) == [(0, "contradiction"), (1, "contradiction")]


def test_length_bias_is_reported_as_a_figure() -> None:
    long = [pair("Q?", "word " * 20, "word", id=str(n)) for n in range(40)]
    short = [pair("Q?", "word", "word " * 20, id=str(n)) for n in range(40)]
    biased = length_bias(long + short[:4])
    assert biased.pairs == 44
    assert biased.longer == pytest.approx(40 / 44)
    assert biased.biased
    even = length_bias(long + short)
    assert (even.longer, even.biased) == (0.5, False)
    assert even.low is not None
    assert 0.38 < even.low < 0.42
    assert length_bias(many(3)).longer is None
