"""Answers of a part: complete, interleaved, with errors as results and the prompt's variables in
their place.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.evaluation.answering import answer_part, turns
from llmops.tasks.plugins.scorers import Case, Passage
from tests.evaluation.runs import arm, cases, evaluation_run, model, questions, results
from tests.openai_server import Answer, Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def test_every_case_arm_and_repeat_has_a_result_in_this_order(
    tmp_path: Path, service: Service
) -> None:
    part = answer_part(evaluation_run(tmp_path, service.base_url, repeats=3), 2, cases(7), Spent())
    found = results(part)
    assert [(one.case_id, one.arm, one.repeat) for one in found] == [
        (f"c{case}", name, repeat) for case in range(7) for name in "AB" for repeat in range(3)
    ]
    assert (part.number, part.cases, part.stopped, part.file.name) == (
        2,
        7,
        None,
        "answers-0002.parquet",
    )
    assert (part.spent.calls, part.spent.cached, len(service.requests)) == (42, 0, 42)
    assert found[0].answer == "Answer. What is 0?"
    assert (found[0].status, found[0].cached, found[0].attempts) == ("answered", False, 1)
    assert found[0].latency_ms > 0
    assert found[0].cost_usd == pytest.approx(
        (found[0].tokens_in * 1.0 + found[0].tokens_out * 2.0) / 1e6
    )
    assert part.spent.cost_usd == pytest.approx(sum(one.cost_usd for one in found))
    assert part.spent.tokens == sum(one.tokens_in + one.tokens_out for one in found)


def test_a_second_run_pays_nothing_and_has_the_same_results(
    tmp_path: Path, service: Service
) -> None:
    run = evaluation_run(tmp_path, service.base_url)
    first = answer_part(run, 1, cases(5), Spent())
    before = results(first)
    again = answer_part(run, 1, cases(5), Spent())
    assert again.spent == Spent(cached=10)
    assert results(again) == [
        one.model_copy(update={"cached": True}) for one in before
    ]  # cost and latency are those of the paid call
    assert len(service.requests) == 10


def test_what_was_spent_goes_on_from_part_to_part(tmp_path: Path, service: Service) -> None:
    run = evaluation_run(tmp_path, service.base_url)
    first = answer_part(run, 1, cases(5)[:3], Spent(calls=100, cost_usd=1.0))
    second = answer_part(run, 2, cases(5)[3:], first.spent)
    assert (first.spent.calls, second.spent.calls) == (106, 110)
    assert second.spent.cost_usd > first.spent.cost_usd > 1.0


@pytest.mark.slow
def test_arms_take_turns_case_by_case_and_none_is_always_the_first(
    tmp_path: Path, service: Service
) -> None:
    run = evaluation_run(
        tmp_path,
        service.base_url,
        prompts=("A {{question}}", "B {{question}}", "C {{question}}"),
        concurrency=1,
    )
    answer_part(run, 1, cases(60), Spent())
    asked = questions(service.requests)
    by_case = [asked[start : start + 3] for start in range(0, len(asked), 3)]
    assert all(
        sorted(turn) == [f"{name} What is {number}?" for name in "ABC"]
        for number, turn in enumerate(by_case)
    )
    firsts = [turn[0][0] for turn in by_case]
    assert all(10 <= firsts.count(name) <= 30 for name in "ABC")
    seconds = [turn[1][0] for turn in by_case if turn[0][0] == "A"]
    assert {"B", "C"} == set(seconds)


def test_the_order_does_not_depend_on_parts_or_runs(tmp_path: Path) -> None:
    run = evaluation_run(tmp_path, "http://127.0.0.1:9/v1", repeats=2)
    whole = [(turn.case.id, turn.arm.name, turn.repeat) for turn in turns(run, cases(20))]
    halves = [
        (turn.case.id, turn.arm.name, turn.repeat)
        for half in (cases(20)[:11], cases(20)[11:])
        for turn in turns(run, half)
    ]
    assert whole == halves


def test_a_call_that_fails_is_a_result_and_the_part_goes_on(
    tmp_path: Path, service: Service
) -> None:
    service.script = [None, Answer(400, b'{"error": {"message": "context too long"}}'), None]
    part = answer_part(
        evaluation_run(tmp_path, service.base_url, concurrency=1), 1, cases(3), Spent()
    )
    found = results(part)
    wrong = [one for one in found if one.status == "errored"]
    assert (len(found), len(wrong), part.cases, part.spent.calls) == (6, 1, 3, 6)
    assert "context too long" in wrong[0].error
    assert (wrong[0].answer, wrong[0].cost_usd, wrong[0].tokens_out) == ("", 0.0, 0)
    assert [one.error for one in found if one.status == "answered"] == [""] * 5
    mended = answer_part(evaluation_run(tmp_path, service.base_url), 1, cases(3), Spent())
    assert (mended.spent.calls, mended.spent.cached) == (1, 5)
    assert {one.status for one in results(mended)} == {"answered"}


def test_an_endpoint_that_refuses_the_key_ends_the_part(tmp_path: Path, service: Service) -> None:
    run = evaluation_run(tmp_path, service.base_url, concurrency=1)
    answer_part(run, 1, cases(4)[:2], Spent())
    service.key = "right"
    with pytest.raises(Unavailable, match="401"):
        answer_part(run, 2, cases(4), Spent())
    assert not (tmp_path / "parts" / "answers-0002.parquet").exists()
    service.key = ""
    assert answer_part(run, 2, cases(4), Spent()).spent.cached == 4


def test_the_end_of_the_budget_keeps_what_was_paid(tmp_path: Path, service: Service) -> None:
    run = evaluation_run(tmp_path, service.base_url, budget_calls=7)
    part = answer_part(run, 1, cases(20), Spent())
    found = results(part)
    assert (len(found), len(service.requests), part.spent.calls) == (7, 7, 7)
    assert part.stopped == "the budget of 7 calls is used up"
    assert part.cases == 3  # of the fourth one arm has its answer
    assert {one.case_id for one in found} == {"c0", "c1", "c2", "c3"}
    further = answer_part(run, 1, cases(20), Spent())
    assert (further.spent.calls, further.spent.cached, further.cases) == (7, 7, 7)


def test_a_budget_of_nothing_gives_a_part_without_results(tmp_path: Path, service: Service) -> None:
    part = answer_part(
        evaluation_run(tmp_path, service.base_url, budget_calls=0), 1, cases(2), Spent()
    )
    assert (results(part), part.cases, part.stopped) == ([], 0, "the budget of 0 calls is used up")
    assert service.requests == []


def test_only_what_a_prompt_names_is_given_and_what_is_missing_is_said(
    tmp_path: Path, service: Service
) -> None:
    run = evaluation_run(
        tmp_path, service.base_url, prompts=("{{question}} in {{tone}}", "{{question}}")
    )
    rich = [Case(id="c1", inputs={"question": "Why {{tone}}?", "tone": "blue", "unused": 1})]
    assert [one.answer for one in results(answer_part(run, 1, rich, Spent()))] == [
        "Why {{tone}}? in blue",
        "Why {{tone}}?",
    ]
    with pytest.raises(UsageError, match=r"case c2, arm A: .*missing tone"):
        answer_part(run, 2, [Case(id="c2", inputs={"question": "Why?"})], Spent())


def test_passages_of_a_case_are_shown_numbered_and_kept(tmp_path: Path, service: Service) -> None:
    run = evaluation_run(
        tmp_path, service.base_url, prompts=("{{passages}}\n\n{{question}}", "{{question}}")
    )
    given = [
        "one.",
        "",
        {"text": "two.\n", "title": "Two\nlines", "uri": "a/b.md"},
        {"text": "three.", "uri": "a/c.md"},
    ]
    open_book, closed_book = results(
        answer_part(run, 1, [Case(id="c", inputs={"question": "Q?", "passages": given})], Spent())
    )
    assert open_book.answer == "[1]\none.\n\n[2] Two lines\ntwo.\n\n[3] c.md\nthree.\n\nQ?"
    assert open_book.passages == (
        Passage(text="one."),
        Passage(text="two.\n", title="Two\nlines", uri="a/b.md"),
        Passage(text="three.", uri="a/c.md"),
    )
    assert (closed_book.answer, closed_book.passages) == ("Q?", ())


def test_half_a_letter_in_a_passage_spoils_no_file(tmp_path: Path, service: Service) -> None:
    run = evaluation_run(tmp_path, service.base_url, prompts=("{{passages}}",))
    [found] = results(
        answer_part(run, 1, [Case(id="c", inputs={"passages": ["a\ud800", "😀"]})], Spent())
    )
    assert [one.text for one in found.passages] == ["a\ufffd", "😀"]


def test_a_passage_that_is_a_text_stays_as_it_is(tmp_path: Path, service: Service) -> None:
    run = evaluation_run(tmp_path, service.base_url, prompts=("{{passages}}|{{question}}",))
    [found] = results(
        answer_part(
            run, 1, [Case(id="c", inputs={"question": "Q?", "passages": "plain  text "})], Spent()
        )
    )
    assert (found.answer, found.passages) == ("plain  text |Q?", (Passage(text="plain  text "),))
    with pytest.raises(
        UsageError, match=r"case d, arm A: a passage is a text or an object with a `text`, got 7"
    ):
        answer_part(run, 1, [Case(id="d", inputs={"question": "Q?", "passages": [7]})], Spent())


def test_answers_to_a_schema_are_parsed_and_others_are_answers_too(tmp_path: Path) -> None:
    said = {
        "Q1": '{"answer": "né", "n": [1, 2.5, null]}',
        "Q2": '```json\n{"answer": "b"}\n```',
        "Q3": "no JSON",
        "Q4": '{"answer": "\\ud800"}',
        "Q5": "[" * 5_000 + "]" * 5_000,
        "Q6": "NaN",
        "Q7": "null\0\ud800",
    }
    with serving(lambda messages: said[messages[-1]["content"]]) as service:
        schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
        run = evaluation_run(
            tmp_path,
            "",
            arms=[
                arm("A", "{{question}}", model(service.base_url, json_mode="off"), output=schema)
            ],
        )
        found = results(
            answer_part(
                run, 1, [Case(id=name, inputs={"question": name}) for name in said], Spent()
            )
        )
    assert [one.parsed for one in found] == [
        json.loads(said["Q1"]),
        {"answer": "b"},
        None,
        {"answer": "\ufffd"},
        None,
        None,
        None,
    ]
    assert {one.status for one in found} == {"answered"}
    assert (found[2].answer, found[6].answer) == ("no JSON", "null\ufffd\ufffd")


def test_without_a_schema_nothing_is_parsed(tmp_path: Path) -> None:
    with serving(lambda messages: '{"a": 1}') as service:
        [found] = results(
            answer_part(
                evaluation_run(tmp_path, service.base_url, prompts=("{{question}}",)),
                1,
                cases(1),
                Spent(),
            )
        )
    assert (found.answer, found.parsed) == ('{"a": 1}', None)
