"""Scorers and judges of the MLflow that is installed, by import path."""

import os
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.evaluation.judging import marks
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Scorer
from tests.plugins.scorers.samples import sample

OWN = "mlflow.genai.scorers"
HERE = "tests.plugins.scorers.others"
SAMPLE = sample(
    "please: 42", {"answer": ["42", "6 x 7"], "uris": ["a.md"]}, {"a.md": "It is 42."}, "What?"
)


def built(path: str, **options: Any) -> Scorer:
    return Spec(name="mlflow", options={"path": path, "options": options}).build(Scorer)


@pytest.mark.parametrize(
    ("name", "options", "value", "reason"),
    [
        ("RegexMatch", {"pattern": r"\d+$"}, 1.0, r"Output matches pattern '\\d+$'"),
        ("RegexMatch", {"pattern": "^no"}, 0.0, "Output does not match pattern '^no'"),
        ("ResponseLength", {"max_length": 3}, 0.0, "exceeds the maximum"),
        ("PIIDetection", {}, 1.0, "No PII detected"),
    ],
)
def test_scorers_of_its_own(name: str, options: dict[str, Any], value: float, reason: str) -> None:
    score = built(f"{OWN}:{name}", **options).score(SAMPLE)
    assert score.value == value
    assert reason in score.reason


def test_a_decorated_function_gets_expectations_in_mlflow_s_names() -> None:
    score = built(f"{HERE}:polite").score(SAMPLE)
    assert (score.value, score.reason) == (1.0, "it says please")


def test_a_trace_holds_the_passages() -> None:
    score = built(f"{HERE}:searched").score(SAMPLE)
    assert score.parts == {"first": 1.0, "passages": 1.0}


def test_the_trace_is_what_mlflow_s_scorers_of_retrieval_read() -> None:
    from mlflow.genai.utils.trace_utils import (
        extract_request_from_trace,
        extract_response_from_trace,
        extract_retrieval_context_from_trace,
    )

    from llmops.tasks.plugins.scorers._trace import trace_of

    trace = trace_of(SAMPLE)
    (contexts,) = extract_retrieval_context_from_trace(trace).values()
    assert contexts == [{"content": "It is 42.", "doc_uri": "a.md"}]
    assert "What?" in str(extract_request_from_trace(trace))
    assert extract_response_from_trace(trace) == "please: 42"
    assert trace.info.trace_id == trace_of(SAMPLE).info.trace_id


def test_feedback_that_is_an_error_has_failed() -> None:
    score = built(f"{HERE}:fails").score(SAMPLE)
    assert score.failed
    assert score.reason == "the scorer failed: no reply about please: 42"


def test_a_judge_is_made_and_its_model_is_its_own_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    judge = built(
        "mlflow.genai.judges:make_judge",
        name="polite",
        instructions="Is {{ outputs }} polite? Answer yes or no.",
        model="openai:/gpt-4o-mini",
        base_url="nowhere://",  # one that refuses would be asked for minutes
    )
    (score,) = marks(judge, [SAMPLE])
    assert score.failed


@pytest.mark.parametrize("name", ["Correctness", "RetrievalSufficiency"])
def test_what_its_scorers_compare_with_is_asked_before(name: str) -> None:
    scorer = built(f"{OWN}:{name}")
    assert scorer.missing(sample("x").case) == "expected.answer is missing"
    assert scorer.missing(SAMPLE.case) is None
    assert scorer.missing(sample("x", {"expected_facts": ["a"]}).case) is None


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        (f"{OWN}:RegexMach", {}, "did you mean RegexMatch?"),
        (f"{OWN}:RegexMatch", {"pattern": "("}, "invalid regex pattern"),
        (f"{OWN}:RegexMatch", {"patern": "x"}, "it takes name"),
        (f"{OWN}:UserFrustration", {}, "judges a whole conversation"),
        ("builtins:dict", {}, "gives dict, which is no scorer of MLflow"),
        (f"{HERE}:polite", {"a": 1}, "is a scorer already: it takes no options"),
    ],
)
def test_mistakes_are_told_when_the_config_is_read(
    path: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        built(path, **options)
    assert says in str(caught.value)


def test_nothing_is_told_to_its_makers() -> None:
    _ = built(f"{OWN}:PIIDetection")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
