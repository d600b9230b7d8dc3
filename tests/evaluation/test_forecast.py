"""What `--plan` says of arms and judges: calls that are remembered are told from those to pay."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.budget import Spent
from llmops.tasks.evaluation.answering import answer_part
from llmops.tasks.evaluation.forecast import forecast
from llmops.tasks.evaluation.run import EvaluationRun
from llmops.tasks.evaluation.scoring import score_part
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case
from tests.evaluation.runs import cases, evaluation_run, model
from tests.openai_server import Service, serving


def reply(messages: list[dict[str, Any]]) -> str:
    """The answers of the arms differ; judges find the grade 1, and the first answer better."""
    text = messages[-1]["content"]
    if "[" not in text:
        return f"about: {text}"
    better = {"better": "first"} if "first answer" in text else {"grade": "1"}
    return json.dumps({"reason": "because"} | better)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(reply) as running:
        yield running


def judged_run(folder: Path, service: Service, **changes: Any) -> EvaluationRun:
    llm = model(service.base_url).short()
    judge = Spec(
        name="judge",
        options={"llm": llm, "rubric": "Is it right?", "scale": "binary", "repeats": 3},
    )
    pairs = Spec(name="pairwise_judge", options={"llm": llm, "rubric": "Right is better."})
    return evaluation_run(folder, service.base_url, scorers=(judge, pairs), **changes)


def planned(run: EvaluationRun, asked: Sequence[Case]) -> dict[str, tuple[int, int]]:
    """(calls to pay, calls that are remembered) by arm and judge."""
    return {row["name"]: (row["calls"], row["remembered"]) for row in forecast(run, asked)["calls"]}


def evaluate(run: EvaluationRun, asked: Sequence[Case]) -> None:
    score_part(run, answer_part(run, 1, asked, Spent()), asked)


def test_what_a_judge_was_asked_is_remembered(tmp_path: Path, service: Service) -> None:
    run, asked = judged_run(tmp_path, service), cases(4)
    assert planned(run, asked) == {
        "A": (4, 0),
        "B": (4, 0),
        "judge": (24, 0),
        "pairwise_judge": (8, 0),
    }
    evaluate(run, asked)
    paid = len(service.requests)
    assert paid == 4 + 4 + 24 + 8
    after = forecast(run, asked)["calls"]
    assert [(row["calls"], row["remembered"], row["cost_usd"]) for row in after] == [
        (0, 4, 0.0),
        (0, 4, 0.0),
        (0, 24, 0.0),
        (0, 8, 0.0),
    ]
    assert len(service.requests) == paid


def test_a_plan_after_a_change_is_what_the_run_then_pays(tmp_path: Path, service: Service) -> None:
    asked = cases(5)
    evaluate(judged_run(tmp_path, service), asked[:3])
    changed = judged_run(
        tmp_path, service, prompts=("Answer. {{question}}", "Another. {{question}}")
    )
    told = planned(changed, asked)
    assert told == {"A": (2, 3), "B": (5, 0), "judge": (21, 9), "pairwise_judge": (10, 0)}
    before = len(service.requests)
    evaluate(changed, asked)
    assert len(service.requests) - before == sum(calls for calls, _ in told.values())


def test_what_was_judged_half_is_half_remembered(tmp_path: Path, service: Service) -> None:
    asked = cases(4)
    whole = judged_run(tmp_path, service)
    evaluate(whole.model_copy(update={"budget_calls": 8 + 7}), asked)
    told = planned(whole, asked)
    judges = [told["judge"], told["pairwise_judge"]]
    assert sum(remembered for _, remembered in judges) == 7
    assert sum(calls for calls, _ in judges) == 24 + 8 - 7


def test_a_case_that_a_judge_cannot_judge_is_not_counted(tmp_path: Path, service: Service) -> None:
    llm = model(service.base_url).short()
    judge = Spec(
        name="judge",
        options={"llm": llm, "rubric": "Is it right?", "sees": ["expected"], "optional": True},
    )
    run = evaluation_run(tmp_path, service.base_url, scorers=(judge,))
    with_answer = Case(id="known", inputs={"question": "What?"}, expected={"answer": "that"})
    assert planned(run, [with_answer, *cases(2)])["judge"] == (2, 0)
