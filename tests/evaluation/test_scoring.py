"""Scores of a part: every answer with every scorer and judge, nothing paid twice, nothing lost
without a word.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.evaluation.results import Result, RunPart, read_results, write_results
from llmops.tasks.evaluation.run import EvaluationRun, Retrieval
from llmops.tasks.evaluation.scoring import BLOCK, blocks, score_part
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import shown
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case, Passage
from tests.evaluation.runs import arm, evaluation_run, model
from tests.openai_server import Answer, Service, serving

RUBRIC = {"rubric": "Right is what says right.", "scale": "binary"}
Body = dict[str, Any]


def verdict(messages: list[Body]) -> str | Body:
    """A judge that grades by the word right, prefers the answer that has it, and does not reply
    usably about `odd` answers.
    """
    text = messages[1]["content"]
    if "odd" in text:
        return {"role": "assistant", "content": "I would rather not."}
    if "first answer" in text:
        first, second = (
            "right" in text.split(f"{name} answer]\n")[1].split("\n")[0]
            for name in ("first", "second")
        )
        better = "tie" if first == second else "first" if first else "second"
        return json.dumps({"reason": "because", "better": better})
    return json.dumps({"reason": "because", "grade": str(int("right" in text))})


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(verdict) as found:
        yield found


def judge(service: Service, name: str = "judge", **options: Any) -> Spec:
    rubric = RUBRIC if name == "judge" else {"rubric": "Right is better."}
    return Spec(name=name, options={"llm": model(service.base_url).short(), **rubric, **options})


def settled(folder: Path, service: Service, *scorers: Spec, **changes: Any) -> EvaluationRun:
    return evaluation_run(folder, service.base_url, scorers=scorers, **changes)


def cases(*ids: str, **expected: Any) -> list[Case]:
    return [
        Case(id=one, inputs={"question": f"Is it {one}?"}, expected={"answer": "right", **expected})
        for one in ids
    ]


def result(case: str, name: str, answer: str, **changes: Any) -> Result:
    return Result(case_id=case, arm=name, answer=answer, latency_ms=12.0, cost_usd=0.5, **changes)


def scored(
    run: EvaluationRun, answers: list[Result], asked: list[Case], **changes: Any
) -> tuple[RunPart, dict[tuple[str, str, int], Result]]:
    file = run.folder / "answers-0001.parquet"
    write_results(file, answers)
    part = score_part(
        run,
        RunPart.model_validate(
            {"number": 1, "file": file, "cases": len(asked), "spent": Spent(), **changes}
        ),
        asked,
    )
    found = list(read_results(part.file))
    assert [(one.case_id, one.arm, one.repeat) for one in found] == [
        (one.case_id, one.arm, one.repeat) for one in answers
    ]
    return part, {(one.case_id, one.arm, one.repeat): one for one in found}


def test_every_answer_gets_every_score_in_the_order_of_the_config(
    tmp_path: Path, service: Service
) -> None:
    usd = Spec(name="cost", options={"id": "usd"})
    run = settled(
        tmp_path, service, Spec(name="exact_match"), judge(service), Spec(name="latency"), usd
    )
    part, found = scored(run, [result("c1", "A", "right"), result("c1", "B", "wrong")], cases("c1"))
    assert (part.number, part.file.name, part.cases, part.stopped) == (
        1,
        "scored-0001.parquet",
        1,
        None,
    )
    values = {name: score.value for name, score in found["c1", "A", 0].scores.items()}
    assert values == {"exact_match": 1, "judge": 1, "latency": 12, "usd": 0.5}
    assert list(found["c1", "B", 0].scores) == ["exact_match", "judge", "latency", "usd"]
    assert found["c1", "B", 0].scores["judge"].reason == "because"
    assert (found["c1", "A", 0].answer, found["c1", "A", 0].latency_ms) == ("right", 12.0)
    assert (part.spent.calls, len(service.requests)) == (2, 2)


def test_errored_results_get_no_scores_and_are_kept(tmp_path: Path, service: Service) -> None:
    run = settled(tmp_path, service, Spec(name="latency"), judge(service))
    gone = result("c1", "B", "", status="errored", error="the model refused")
    _, found = scored(run, [result("c1", "A", "right"), gone], cases("c1"))
    assert found["c1", "B", 0] == gone
    assert len(service.requests) == 1


def test_a_judge_that_cannot_be_understood_has_failed_and_the_answer_has_not(
    tmp_path: Path, service: Service
) -> None:
    run = settled(tmp_path, service, judge(service))
    _, found = scored(run, [result("c1", "A", "odd"), result("c1", "B", "right")], cases("c1"))
    broken = found["c1", "A", 0]
    assert (broken.status, broken.scores["judge"].value, broken.scores["judge"].failed) == (
        "answered",
        None,
        True,
    )
    assert found["c1", "B", 0].scores["judge"].value == 1
    assert len(service.requests) == 3


def test_a_judge_whose_request_is_refused_has_failed(tmp_path: Path, service: Service) -> None:
    service.script = [Answer(400, b'{"error": {"message": "too long for this model"}}')]
    run = settled(tmp_path, service, judge(service), concurrency=1)
    _, found = scored(
        run, [result("c1", "A", "right"), result("c1", "B", "all right")], cases("c1")
    )
    assert (
        found["c1", "A", 0].scores["judge"].value,
        found["c1", "A", 0].scores["judge"].failed,
    ) == (None, True)
    assert "too long for this model" in found["c1", "A", 0].scores["judge"].reason
    assert found["c1", "B", 0].scores["judge"].value == 1


def test_a_wrong_key_ends_the_run_before_many_requests(tmp_path: Path, service: Service) -> None:
    service.key = "another"
    names = [f"c{n}" for n in range(50)]
    run = settled(tmp_path, service, judge(service), concurrency=4)
    with pytest.raises(Unavailable, match="401"):
        scored(run, [result(one, "A", "right") for one in names], cases(*names))
    assert len(service.requests) <= 8
    assert not (run.folder / "scored-0001.parquet").exists()


def test_pairs_are_judged_against_the_baseline_of_the_same_repeat(
    tmp_path: Path, service: Service
) -> None:
    run = settled(
        tmp_path, service, judge(service, "pairwise_judge"), prompts=("A", "B", "C"), repeats=2
    )
    answers = [
        result("c1", name, answer, repeat=repeat)
        for name, both in (
            ("A", ("wrong", "right")),
            ("B", ("right", "bad")),
            ("C", ("bad", "right")),
        )
        for repeat, answer in enumerate(both)
    ]
    _, found = scored(run, answers, cases("c1"))
    values = {
        key[1:]: one.scores["pairwise_judge"].value for key, one in found.items() if one.scores
    }
    assert values == {("B", 0): 1, ("B", 1): 0, ("C", 0): 0.5, ("C", 1): 0.5}
    assert found["c1", "B", 0].scores["pairwise_judge"].parts == {"disagreement": 0, "first": 0}
    assert len(service.requests) == 6  # equal answers are not asked about


def test_a_candidate_without_a_counterpart_says_so(tmp_path: Path, service: Service) -> None:
    run = settled(tmp_path, service, judge(service, "pairwise_judge"))
    _, found = scored(
        run,
        [result("c1", "A", "", status="errored", error="refused"), result("c1", "B", "right")],
        cases("c1"),
    )
    score = found["c1", "B", 0].scores["pairwise_judge"]
    assert (score.value, score.failed, score.reason) == (
        None,
        False,
        "the baseline has no answer to this case",
    )


def test_the_repeats_of_a_judge_are_calls_of_their_own_and_remembered(
    tmp_path: Path, service: Service
) -> None:
    run = settled(tmp_path, service, judge(service, repeats=3))
    answers = [result("c1", "A", "right"), result("c1", "B", "wrong")]
    first, _ = scored(run, answers, cases("c1"))
    again, found = scored(run, answers, cases("c1"))
    assert (first.spent.calls, again.spent.calls, again.spent.cached, len(service.requests)) == (
        6,
        0,
        6,
        6,
    )
    assert found["c1", "A", 0].scores["judge"].value == 1


def test_when_the_budget_ends_what_is_judged_is_kept_and_the_rest_says_why(
    tmp_path: Path, service: Service
) -> None:
    names = [f"c{n}" for n in range(10)]
    run = settled(
        tmp_path, service, judge(service), Spec(name="latency"), budget_calls=4, concurrency=2
    )
    answers = [result(one, "A", f"right {one}") for one in names]
    part, found = scored(run, answers, cases(*names))
    values = Counter(one.scores["judge"].value for one in found.values())
    assert values == {1.0: 4, None: 6}
    assert len(service.requests) == part.spent.calls == 4
    assert "budget of 4 calls" in (part.stopped or "")
    unjudged = next(one for one in found.values() if one.scores["judge"].value is None).scores
    assert (
        unjudged["judge"].failed,
        "budget" in unjudged["judge"].reason,
        unjudged["latency"].value,
    ) == (False, True, 12)
    again, found = scored(run, answers, cases(*names))  # remembered calls need no budget
    assert (again.spent.calls, again.spent.cached) == (4, 4)
    assert Counter(one.scores["judge"].value for one in found.values()) == {1.0: 8, None: 2}


def test_a_part_that_was_stopped_before_stays_so(tmp_path: Path, service: Service) -> None:
    part, _ = scored(
        settled(tmp_path, service, Spec(name="latency")),
        [result("c1", "A", "x")],
        cases("c1"),
        stopped="the budget ended",
        spent=Spent(calls=7),
    )
    assert (part.stopped, part.spent, service.requests) == ("the budget ended", Spent(calls=7), [])


def test_what_a_judge_said_of_an_answer_is_known_by_the_documents_behind_it(
    tmp_path: Path, service: Service
) -> None:
    retrieve = Retrieval(knowledge_base="handbook", version=1, k=2, mode="text")
    arms = [
        arm(name, "{{question}} {{passages}}", model(service.base_url), retrieve=retrieve)
        for name in "AB"
    ]
    run = settled(tmp_path, service, judge(service), arms=arms)
    passages = (Passage(text="t", uri="u", doc_id="d1"), Passage(text="t", uri="v", doc_id="d2"))
    scored(run, [result("c1", "A", "right", passages=passages)], cases("c1"))
    with open_ledger(run.home).read() as connection:
        rows = {(row.kb, row.doc_id) for row in connection.execute(shown.select())}
    assert rows == {("handbook", "d1"), ("handbook", "d2")}


def test_keys_of_judges_are_not_written_down(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-very-secret")
    service.key = "sk-very-secret"
    spec = Spec(
        name="judge",
        options={**RUBRIC, "llm": {**model(service.base_url).short(), "api_key": "${JUDGE_KEY}"}},
    )
    part, found = scored(
        settled(tmp_path, service, spec), [result("c1", "A", "right")], cases("c1")
    )
    assert found["c1", "A", 0].scores["judge"].value == 1
    assert b"sk-very-secret" not in part.file.read_bytes()
    assert all(
        b"sk-very-secret" not in file.read_bytes()
        for file in (tmp_path / "home").glob("ledger.db*")
    )


def test_an_answer_to_a_case_that_the_part_does_not_have_is_damage(
    tmp_path: Path, service: Service
) -> None:
    with pytest.raises(Damaged, match="'c2'"):
        scored(
            settled(tmp_path, service, Spec(name="latency")), [result("c2", "A", "x")], cases("c1")
        )


def test_a_part_without_results_has_a_file_without_rows(tmp_path: Path, service: Service) -> None:
    _, found = scored(
        settled(tmp_path, service, Spec(name="latency"), judge(service)), [], cases("c1")
    )
    assert found == {}


def test_results_come_in_blocks_of_whole_cases() -> None:
    rows = [
        result(f"c{case}", name, "x", repeat=repeat)
        for case in range(150)
        for name in "AB"
        for repeat in range(3)
    ]
    found = list(blocks(iter(rows)))
    assert [one for block in found for one in block] == rows
    assert all(BLOCK <= len(block) < BLOCK + 6 for block in found[:-1])
    borders = [(block[-1].case_id, after[0].case_id) for block, after in pairwise(found)]
    assert borders
    assert all(last != first for last, first in borders)


@pytest.mark.slow
def test_many_answers_are_judged_at_the_width_of_the_run(tmp_path: Path, service: Service) -> None:
    names = [f"c{n}" for n in range(120)]
    service.latency = 0.02
    run = settled(
        tmp_path,
        service,
        judge(service),
        judge(service, "pairwise_judge"),
        Spec(name="exact_match"),
        concurrency=16,
    )
    answers = [
        result(one, name, f"{word} {one}")
        for one in names
        for name, word in (("A", "wrong"), ("B", "right"))
    ]
    _, found = scored(run, answers, cases(*names))
    assert all(one.scores["judge"].value == (one.arm == "B") for one in found.values())
    assert all(one.scores["pairwise_judge"].value == 1 for one in found.values() if one.arm == "B")
    assert len(service.requests) == 480
    assert 8 < service.most <= 16
