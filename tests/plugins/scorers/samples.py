"""Samples for the tests of scorers."""

from typing import Any

from llmops.tasks.plugins.scorers import Case, Passage, Sample


def sample(
    answer: str = "",
    expected: dict[str, Any] | None = None,
    passages: dict[str, str] | list[str] | None = None,
    question: str = "",
    **keys: Any,
) -> Sample:
    """`passages`: texts by uri, or texts alone."""
    items = (
        passages.items() if isinstance(passages, dict) else [("", text) for text in passages or []]
    )
    return Sample(
        case=Case(id="c1", inputs={"question": question}, expected=expected or {}),
        answer=answer,
        question=question,
        passages=tuple(Passage(text=text, uri=uri) for uri, text in items),
        **keys,
    )


def answered(answer: str, *wanted: str) -> Sample:
    """With one expected answer, or several."""
    return sample(answer, {"answer": wanted[0] if len(wanted) == 1 else list(wanted)})
