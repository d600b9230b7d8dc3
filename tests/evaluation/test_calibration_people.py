"""How far people agree with each other, which is what a judge can be expected to reach:
FeedbackQA's raters of 1,995 answers.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.evaluation.agreement import judge_agreement
from llmops.tasks.evaluation.labels import LabelSet, read_labels
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Judge, Score
from llmops.tasks.statistics.scales import value_of

WORDS = ("Bad", "Could be Improved", "Acceptable", "Excellent")
pytestmark = pytest.mark.skipif(
    "LLMOPS_BENCH_DATA" not in os.environ,
    reason="LLMOPS_BENCH_DATA is not set: it names a folder with feedbackqa/",
)


def ratings() -> list[dict[str, Any]]:
    folder = (
        Path(os.environ["LLMOPS_BENCH_DATA"]) / "feedbackqa" / "experiments" / "feedbackQA_data"
    )
    files = sorted(folder.glob("*/feedback_test.json"))
    if not files:
        pytest.skip(f"no feedbackqa in {os.environ['LLMOPS_BENCH_DATA']}")
    return [row for file in files for row in json.loads(file.read_text())]


def judge() -> Judge:
    options = {
        "llm": {"name": "openai", "model": "m"},
        "rubric": "How well does it answer?",
        "scale": list(WORDS),
    }
    return Spec(name="judge", options=options).build(Judge)


def labels(folder: Path, found: list[dict[str, Any]], raters: slice) -> LabelSet:
    rows = [
        {
            "id": f"f{number}",
            "question": row["question"],
            "answer": row["passage"]["reference"]["section_content"] or "",
            "labels": row["rating"][raters],
        }
        for number, row in enumerate(found)
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_labels(folder / "labels.jsonl", judge())


def test_people_agree_by_half(tmp_path: Path) -> None:
    """The figures of docs/evaluation.md. A rater in the judge's place does not reach a floor of
    0.5.
    """
    found = ratings()
    assert len(found) == 1995
    everybody = labels(tmp_path, found, slice(0, 3)).rows
    unjudged = judge_agreement(judge(), everybody, [Score(value=None)] * len(everybody))
    assert unjudged["people"]
    assert unjudged["people"]["alpha"] == pytest.approx(0.455, abs=0.001)
    assert unjudged["people"]["interval"] == pytest.approx([0.427, 0.481], abs=0.01)
    others = labels(tmp_path, found, slice(1, 3)).rows
    person = [Score(value=value_of(row["rating"][0], WORDS)) for row in found]
    measured = judge_agreement(judge(), others, person)
    assert measured["kappa"] == pytest.approx(0.454, abs=0.001)
    assert measured["interval"]
    assert measured["interval"][1] < 0.5
    assert measured["bias"]
    assert measured["bias"] > 0.1  # of two others who differ the worse grade counts
