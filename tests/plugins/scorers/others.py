"""Scorers as people have them in packages of their own, for the tests of import paths."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from mlflow.entities import Feedback
from mlflow.genai.scorers import scorer


def overlap(answer: str, wanted: str) -> float:
    """Share of the letters of one that stand in the other."""
    letters = set(wanted or "")
    return len(letters & set(answer)) / len(letters) if letters else 0.0


def said(answer: str, question: str, passages: list[str], *, least: int = 1) -> tuple[bool, str]:
    return len(passages) >= least, f"{question} {answer} {len(passages)}"


async def waits(outputs: str, expectations: Mapping[str, Any]) -> dict[str, object]:
    return {"value": outputs == expectations["answer"], "reason": "waited", "length": len(outputs)}


def second(label: object, /, answer: str) -> str:
    return f"{label}{answer}"


def breaks(answer: str) -> float:
    raise RuntimeError(f"cannot read {answer}")


class Longest:
    """An object that is made once with options."""

    def __init__(self, most: int, among: Any = None) -> None:
        self.most, self.among = most, among

    def __call__(self, answer: str) -> str:
        return "good" if len(answer) <= self.most else "poor"


class Mood(Enum):
    GLAD = "glad"


@scorer
def polite(outputs: str, expectations: dict[str, Any]) -> Feedback:
    """As MLflow's documentation writes one."""
    fine = "please" in outputs and bool(expectations["expected_response"])
    return Feedback(value=fine, rationale="it says please" if fine else "it does not")


@scorer
def searched(trace: Any) -> list[Feedback]:
    """Of the passages, which it finds in the trace."""
    found = trace.search_spans(span_type="RETRIEVER")[0].outputs
    return [
        Feedback(name="passages", value=len(found)),
        Feedback(name="first", value=found[0]["page_content"] == "It is 42."),
    ]


@scorer
def fails(outputs: str) -> Feedback:
    return Feedback(error=ValueError(f"no reply about {outputs}"))
