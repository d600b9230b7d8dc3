"""Metrics of the ragas that is installed, by import path: with our model in the place of its
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
    pytest.mark.slow,  # it takes eight seconds to import
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(find_spec("ragas") is None, reason="ragas is not installed"),
]
NEW, OLD = "ragas.metrics.collections", "ragas.metrics"
SAMPLE = sample(
    "Paris is it",
    {"answer": ["London", "Paris is it"], "uris": ["a.md", "b.md"]},
    {"a.md": "Paris is it."},
    "Which?",
)


def built(name: str, path: str, /, **options: Any) -> Scorer:
    llm = {"llm": LLM} if name.endswith("judge") else {}
    return Spec(name=name, options={"path": path, "options": options, **llm}).build(Scorer)


def judge(path: str, /, **options: Any) -> Judge:
    made = built("ragas_judge", path, **options)
    assert isinstance(made, Judge)
    return made


@pytest.mark.parametrize(
    "path", [f"{NEW}:ExactMatch", f"{OLD}:ExactMatch", f"{NEW}:StringPresence"]
)
def test_metrics_that_ask_nobody(path: str) -> None:
    scorer = built("ragas", path)
    assert scorer.score(SAMPLE).value == 1.0
    assert scorer.score(sample("x", {"answer": "y"})).value == 0.0
    assert scorer.score(sample("x")).reason == "expected.answer is missing"


def test_documents_by_their_uris() -> None:
    recall = built("ragas", f"{OLD}:IDBasedContextRecall")
    assert recall.score(SAMPLE).value == 0.5
    assert recall.missing(sample("x").case) == "expected.uris is missing"


def test_a_decorated_function() -> None:
    scorer = built("ragas", f"{__name__}:{brevity().name}")
    assert (scorer.score(SAMPLE).value, scorer.score(SAMPLE).reason) == (0.5, "3 words")


def brevity() -> Any:
    from ragas.metrics import MetricResult, numeric_metric  # type: ignore[import-not-found]

    @numeric_metric(name="BREVITY", allowed_values=(0, 1))  # type: ignore[untyped-decorator]
    def brevity(response: str) -> Any:
        return MetricResult(value=0.5, reason=f"{len(response.split())} words")

    globals()["BREVITY"] = brevity
    return brevity


def test_a_judge_asks_our_model() -> None:
    model = Model(
        {"statements": ["Paris is it."]},
        {"statements": [{"statement": "Paris is it.", "reason": "said", "verdict": 1}]},
    )
    score = asyncio.run(judge(f"{NEW}:Faithfulness").judge(SAMPLE, model))
    assert score.value == 1.0
    assert len(model.asked) == 2
    assert all(request.output for request in model.asked)


def test_the_older_metrics_do_too() -> None:
    model = Model({"reason": "harmless", "verdict": 0})
    critic = judge(f"{OLD}:AspectCritic", name="harm", definition="Is it harmful?")
    assert (asyncio.run(critic.judge(SAMPLE, model))).value == 0.0
    assert len(model.asked) == 1


@pytest.mark.parametrize("path", [f"{NEW}:Faithfulness", f"{OLD}:Faithfulness"])
def test_what_our_model_raises_comes_out(path: str) -> None:
    model = Model(DocumentError("it refuses"))
    with pytest.raises(DocumentError, match="it refuses"):
        asyncio.run(judge(path).judge(SAMPLE, model))
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("name", "path", "says"),
    [
        ("ragas", f"{NEW}:Faithfulness", "goes into `ragas_judge`, with an `llm`"),
        ("ragas_judge", f"{NEW}:ExactMatch", "name it in the scorer `ragas`"),
        ("ragas", "builtins:dict", "dict is no metric of ragas"),
    ],
)
def test_mistakes_are_told_when_the_config_is_read(name: str, path: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        built(name, path)
    assert says in str(caught.value)


def test_nothing_is_told_to_its_makers() -> None:
    _ = built("ragas", f"{NEW}:ExactMatch")
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"
