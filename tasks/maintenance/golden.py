"""A golden set against what is live, and against what the sources list now."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.absent import absent_warning
from llmops.tasks.knowledge.build import Specs
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.live_texts import text_loaders
from llmops.tasks.knowledge.planner import plan_build
from llmops.tasks.knowledge.start import start, steps_of
from llmops.tasks.retrieval.golden import GoldenSet, missing, read_golden


class LostAnswer(TypedDict):
    """A judgement that does not hold. `listed`: whether the sources list its document now; None
    where they were not asked.
    """

    id: str
    uri: str
    quote: str | None
    why: str
    listed: bool | None


class GoldenCheck(TypedDict):
    """`version`: the live one, which was compared; None where none is. `missing`: not there;
    `leaving`: there, but the sources do not list them any more.
    """

    golden: str
    questions: int
    knowledge_base: str
    version: int | None
    missing: list[LostAnswer]
    leaving: list[LostAnswer]
    warnings: list[str]


def check_golden(
    kb: Handle, specs: Specs, golden: GoldenSet, name: str, *, sources: bool
) -> GoldenCheck:
    """Compare a golden set with the live version, and with `sources` with what the next build will
    have, as a plan finds it.

    Raises UsageError where nothing is live and the sources are not asked.
    """
    live = kb.live() if sources else kb.published()
    coming, warnings = _coming(kb, specs) if sources else (None, [])
    lost = missing(golden, text_loaders(kb) if live else {})
    gone = [(question.id, item) for question in golden.questions for item in question.relevant]
    there = {(each.question, each.uri) for each in lost}
    return {
        "golden": name,
        "questions": len(golden.questions),
        "knowledge_base": kb.name,
        "version": live.version if live else None,
        "missing": [
            {
                "id": each.question,
                "uri": each.uri,
                "quote": each.quote,
                "why": each.why,
                "listed": None if coming is None else each.uri in coming,
            }
            for each in lost
            if live or coming is None or each.uri not in coming
        ],
        "leaving": [
            {
                "id": question,
                "uri": item.uri,
                "quote": item.quote,
                "why": "the sources do not list it any more",
                "listed": False,
            }
            for question, item in gone
            if coming is not None and item.uri not in coming and (question, item.uri) not in there
        ],
        "warnings": warnings,
    }


def _coming(kb: Handle, specs: Specs) -> tuple[set[str] | None, list[str]]:
    """The uris that the next build will have, by a listing; None, with the reason, where the
    sources cannot be listed.
    """
    try:
        steps_of(kb)
        plan = plan_build(start(kb, specs), record=False)
    except LlmopsError as error:
        return None, [f"the sources cannot be listed: {error.message}"]
    return set(plan.uris), list(plan.notes)


def stale_questions(kb: Handle, golden: Sequence[Path]) -> list[str]:
    """One warning for all documents that the golden set names and the live version lacks."""
    live = kb.live()
    if live is None:
        return []
    named: dict[str, str] = {}
    for question in read_golden(*golden).questions:
        for item in question.relevant:
            named.setdefault(item.uri, f"question {question.id!r}")
    return absent_warning(kb, live.version, named, "the golden set names")
