"""A run of the feedback flow in words: what its artifact shows."""

import html
import re

from llmops.tasks.datasets.outcome import FeedbackOutcome

WHY = {
    "negative": "marked down",
    "disagreement": "people, or a person and a score, disagree",
    "grounding": "its passages support little of it",
    "refusal": "the application found no answer",
    "topic": "a new topic",
    "random": "random sample",
}


def feedback_markdown(outcome: FeedbackOutcome) -> str:
    """The headline, why answers went into the queue, how reviews stand, and what was written."""
    written, review = outcome.written, outcome.review
    reasons = [[WHY.get(name, name), f"{n:,}"] for name, n in outcome.triage.reasons.items()]
    states = [[name, f"{n:,}"] for name, n in review.states.items()]
    if review.agreement is not None:
        states.append([f"alpha of {review.compared:,} shared items", f"{review.agreement:.2f}"])
    settled = [[f"found {name}", f"{n:,}"] for name, n in written.settled.items()]
    settled += [[f"open: {name}", f"{n:,}"] for name, n in written.open.items()]
    if written.outdated:
        told = "asked again: the documents have changed under a correction"
        settled.append([told, f"{written.outdated:,}"])
    files = [
        [each.path.rpartition("/")[2], each.kind, f"{each.rows:,}", each.status]
        for each in written.files
    ]
    parts = [
        f"# {_plain(outcome.headline)}",
        _table(("put into the queue because", "answers"), reasons),
        _table((f"queue {review.queue}", "items"), states),
        _table(("what people said", "answers"), settled),
        _table(("file", "kind", "rows", "state"), files),
    ]
    if written.curated is not None:
        counts = {name: n for name, n in written.curated.model_dump().items() if n}
        parts.append(
            _table(("curated answers", ""), [[name, f"{n:,}"] for name, n in counts.items()])
        )
    if outcome.warnings:
        parts.append("## Warnings\n\n" + "\n".join(f"- {_plain(w)}" for w in outcome.warnings))
    return "\n\n".join(filter(None, parts))


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [list(heads), ["---"] * len(heads), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """On one line, and no markup."""
    line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", line[:1000])
