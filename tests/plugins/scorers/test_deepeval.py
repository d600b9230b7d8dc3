"""Metrics of the DeepEval that is installed, by import path: with our model in the place of its
own.
"""

import asyncio
import os
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Judge, Scorer
from tests.plugins.scorers.judges import LLM, Model
from tests.plugins.scorers.samples import sample

pytestmark = [
    pytest.mark.slow,  # it takes ten seconds to import
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(find_spec("deepeval") is None, reason="deepeval is not installed"),
]
OWN = "deepeval.metrics"
SAMPLE = sample("Paris is it", {"answer": ["London", "Paris is it"]}, ["Paris is it."], "Which?")


def built(name: str, path: str, /, **options: Any) -> Scorer:
    llm = {"llm": LLM} if name.endswith("judge") else {}
    return Spec(name=name, options={"path": path, "options": options, **llm}).build(Scorer)


def judge(path: str, /, **options: Any) -> Judge:
    made = built("deepeval_judge", path, **options)
    assert isinstance(made, Judge)
    return made


def test_metrics_that_ask_nobody() -> None:
    exact = built("deepeval", f"{OWN}:ExactMatchMetric")
    assert exact.score(SAMPLE).value == 1.0
    assert exact.score(sample("x")).reason == "expected.answer is missing"
    pattern = built("deepeval", f"{OWN}:PatternMatchMetric", pattern="Lyon.*")
    assert (pattern.score(SAMPLE).value, pattern.score(SAMPLE).failed) == (0.0, False)
    assert "does not match" in pattern.score(SAMPLE).reason.lower()


def test_a_judge_asks_our_model() -> None:
    model = Model(
        {"truths": ["Paris is it."]},
        {"claims": ["Paris is it."]},
        {"verdicts": [{"verdict": "no", "reason": "it is not said"}]},
        {"reason": "not all is said"},
    )
    faithful = judge(f"{OWN}:FaithfulnessMetric", async_mode=False)
    score = asyncio.run(faithful.judge(SAMPLE, model))
    assert (score.value, score.reason) == (0.0, "not all is said")
    assert len(model.asked) == 4
    assert all(request.output for request in model.asked)
    assert "Paris is it" in model.asked[0].messages[0].content


def test_geval_takes_members_of_an_enumeration() -> None:
    names = ("ACTUAL_OUTPUT", "EXPECTED_OUTPUT")
    params = [
        {"path": f"deepeval.test_case:SingleTurnParams.{name}", "as_is": True} for name in names
    ]
    geval = judge(
        f"{OWN}:GEval", name="polite", evaluation_steps=["Is it?"], evaluation_params=params
    )
    assert geval.missing(sample("x").case) == "expected.answer is missing"
    score = asyncio.run(geval.judge(SAMPLE, Model({"score": 7, "reason": "mostly"})))
    assert score.value == pytest.approx(0.7)
    assert score.reason == "mostly"


def test_what_our_model_raises_comes_out_and_nothing_more_is_asked() -> None:
    model = Model(DocumentError("it refuses"))
    with pytest.raises(DocumentError, match="it refuses"):
        asyncio.run(judge(f"{OWN}:FaithfulnessMetric").judge(SAMPLE, model))
    assert len(model.asked) == 1


def test_a_reply_that_does_not_fit_is_asked_for_once_more() -> None:
    model = Model("no JSON")
    score = asyncio.run(judge(f"{OWN}:BiasMetric").judge(SAMPLE, model))
    assert score.failed
    assert "2 replies that cannot be used" in score.reason
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    ("name", "path", "says"),
    [
        ("deepeval", "ConversationalGEval", "no metric of DeepEval for single answers"),
        ("deepeval", "ToolCorrectnessMetric", "needs tools_called"),
        ("deepeval_judge", "ExactMatchMetric", "name it in the scorer `deepeval`"),
    ],
)
def test_mistakes_are_told_when_the_config_is_read(name: str, path: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        built(name, f"{OWN}:{path}")
    assert says in str(caught.value)


def test_nothing_is_told_to_its_makers() -> None:
    _ = built("deepeval", f"{OWN}:ExactMatchMetric")
    from deepeval.config.settings import get_settings  # type: ignore[import-not-found]

    assert get_settings().DEEPEVAL_TELEMETRY_OPT_OUT
    assert os.environ["DEEPEVAL_DISABLE_DOTENV"] == "1"
