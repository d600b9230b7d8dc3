"""Refusals in many languages, and answers that only look like one."""

import json
import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins.scorers import refusal
from llmops.tasks.plugins.scorers.refusal import RefusalScorer, refuses
from tests.plugins.scorers.refusals import ANSWERS, FURTHER, OVERLOOKED, REFUSALS
from tests.plugins.scorers.samples import sample


@pytest.mark.parametrize("answer", [*REFUSALS, *FURTHER])
def test_refusals(answer: str) -> None:
    assert refuses(answer)


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers(answer: str) -> None:
    assert not refuses(answer)


def test_there_are_enough_of_them_to_mean_something() -> None:
    assert len({*REFUSALS, *FURTHER}) > 200
    assert not any(map(refuses, OVERLOOKED))  # move those that are recognised by now
    assert len(ANSWERS) > 40


def test_each_line_of_the_file_is_one_alternative() -> None:
    """Else what is put together with others would mean something else. And what is not looked for
    in a sentence of ASCII cannot stand in one."""
    lines = Path(refusal.__file__).with_name("refusals.txt").read_text("utf-8").splitlines()
    patterns = [line.split("\t") for line in lines if "\t" in line and line[0] != "#"]
    for kind, pattern in patterns:
        if kind not in refusal.SPECIAL:
            flat = re.sub(r"\[[^\]]*\]", "", re.sub(r"\\.", "", pattern))
            while "(" in flat:
                flat = re.sub(r"\([^()]*\)", "", flat)
            assert "|" not in flat, pattern
        if kind in refusal.OTHER_LETTERS:
            assert not pattern.isascii()
    assert {kind for kind, _ in patterns} > set(refusal.OTHER_LETTERS)


@pytest.mark.skipif(
    "LLMOPS_BENCH_DATA" not in os.environ,
    reason="LLMOPS_BENCH_DATA names the folder of public corpora",
)
def test_no_answer_of_clapnq_is_taken_for_a_refusal() -> None:
    """Ten of its answers are NA, which is one."""
    lines = (
        Path(
            os.environ["LLMOPS_BENCH_DATA"], "clapnq/annotated_data/dev/clapnq_dev_answerable.jsonl"
        )
        .read_text("utf-8")
        .splitlines()
    )
    answers = [one["answer"] for line in lines for one in json.loads(line)["output"]]
    assert len(answers) > 300
    assert {answer for answer in answers if refuses(answer)} == {"NA"}


@pytest.mark.parametrize(
    ("expected", "answer", "value"),
    [
        ({"answerable": False}, "I don't know.", 1.0),
        ({"answerable": False}, "Paris.", 0.0),
        ({"answerable": True}, "I don't know.", 0.0),
        ({"answerable": True}, "Paris.", 1.0),
        ({"refuse": True}, "Sorry, I can't help with that.", 1.0),
        ({"refuse": False}, "Paris.", 1.0),
        ({"answer": "Paris"}, "I don't know.", 0.0),
        ({"uris": ["a"]}, "Paris", 1.0),
        ({"answerable": False}, "", 0.0),
        ({"answerable": True}, " ", 0.0),
    ],
)
def test_values(expected: dict[str, object], answer: str, value: float) -> None:
    assert RefusalScorer().score(sample(answer, expected)).value == value


def test_a_structured_answer_says_so_itself() -> None:
    expected = {"answerable": False}
    assert (
        RefusalScorer()
        .score(sample('{"refused": true}', expected, parsed={"refused": True, "text": "Paris"}))
        .value
        == 1.0
    )
    assert (
        RefusalScorer().score(sample("I don't know", expected, parsed={"answerable": True})).value
        == 0.0
    )
    assert (
        RefusalScorer().score(sample("I don't know", expected, parsed={"answerable": "no"})).value
        == 1.0
    )


def test_phrases_of_the_prompt() -> None:
    one = sample("[[not in docs]]", {"answerable": False})
    assert RefusalScorer().score(one).value == 0.0
    assert RefusalScorer(phrases=("NOT IN DOCS",)).score(one).value == 1.0
    with pytest.raises(ValidationError, match="a phrase without a letter or digit"):
        RefusalScorer(phrases=("…",))


def test_the_reason_and_what_a_case_lacks() -> None:
    assert (
        RefusalScorer().score(sample("Paris.", {"answerable": False})).reason
        == "answers a case that is unanswerable"
    )
    assert (
        RefusalScorer().score(sample("I don't know.", {"answerable": True})).reason
        == "refuses a case that is answerable"
    )
    assert RefusalScorer().missing(sample().case) == "expected.answerable is missing"
    assert (
        RefusalScorer().missing(sample(expected={"answerable": "no"}).case)
        == "expected.answerable is neither true nor false"
    )
