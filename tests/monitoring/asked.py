"""Exchanges and findings that tests of the monitor are about."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from llmops.tasks.monitoring.figures import (
    BadPassage,
    Drift,
    Kpi,
    Monitored,
    NewTopic,
    Recommendations,
    UnansweredQuestion,
    UnusedDocument,
)
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage

UNTIL = datetime(2026, 11, 30, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=7)
BASE = "shop"


def passage(chunk_id: str, text: str = "", **more: Any) -> FoundPassage:
    """Of a document of its own, unless another one is given."""
    given = {"doc_id": f"of-{chunk_id}", "uri": f"{chunk_id}.txt", "text": text} | more
    return FoundPassage(chunk_id=chunk_id, **given)


def exchange(number: int, question: str = "what?", **more: Any) -> Exchange:
    """In a conversation of its own."""
    given: dict[str, Any] = {
        "id": f"tr-{number:04d}",
        "at": SINCE + timedelta(minutes=number),
        "question": question,
        "answer": "It is so.",
        "conversation": f"c{number}",
        "knowledge_base": BASE,
        "version": 1,
    }
    return Exchange(**(given | more))


def rated(
    number: int, rating: Literal["up", "down"] | None, cited: Sequence[str], **more: Any
) -> Exchange:
    """An answer that cites these passages, and found one more."""
    passages = (*(passage(each, cited=True) for each in cited), passage("beside"))
    return exchange(number, rating=rating, passages=passages, **more)


def kpi(name: str = "refusal_rate", **more: Any) -> Kpi:
    given: dict[str, Any] = {
        "label": "Refusals",
        "unit": "share",
        "value": 0.125,
        "interval": (0.1, 0.15),
        "n": 400,
        "before": 0.08,
        "better": "less",
        "curve": tuple((f"2026-11-{day:02d}", 0.01 * day) for day in range(16, 30)),
    }
    return Kpi(name=name, **(given | more))


def drift(**more: Any) -> Drift:
    given: dict[str, Any] = {
        "what": "questions",
        "status": "drifted",
        "n": 400,
        "n_before": 3_100,
        "distance": 0.0213,
        "usual": 0.0124,
        "p": 0.0002,
        "level": 0.00064,
        "false_alarms_per_year": 0.033,
        "weeks": (("2026-11-09", 0.011), ("2026-11-16", None), ("2026-11-23", 0.0213)),
    }
    return Drift(**(given | more))


def monitored(text: str = "plain", **more: Any) -> Monitored:
    """One of everything; texts of people hold `text`."""
    given: dict[str, Any] = {
        "app": "helpdesk",
        "since": SINCE,
        "until": UNTIL,
        "days": 7,
        "reference_windows": 8,
        "kpis": (
            kpi(),
            kpi("latency_p50_ms", label="Latency, median", unit="ms", value=412.0, interval=None),
            kpi("rated_share", label="Rated", value=0.25, better=None),
            kpi("up_share", label="Good", value=0.8, before=None, better="more"),
            kpi("kb/shop/documents", label="shop: documents", unit="", value=1678.0, curve=()),
        ),
        "drifts": (drift(),),
        "new_topics": (
            NewTopic(
                words=(text,), questions=14, conversations=11, covered=0.2, examples=(text, text)
            ),
        ),
        "recommendations": advice(text),
    }
    return Monitored(**(given | more))


def advice(text: str) -> Recommendations:
    """One of everything."""
    return Recommendations(
        unanswered=(
            UnansweredQuestion(
                question=text,
                asked=37,
                conversations=31,
                why=text,
                nearest=text,
                trace_ids=("tr-1", text),
            ),
        ),
        unused=(
            UnusedDocument(
                knowledge_base="shop", doc_id="d", uri=text, title=text, chunks=93, since=SINCE
            ),
        ),
        unused_count={"shop": 232},
        bad_passages=(
            BadPassage(
                knowledge_base="shop",
                chunk_id="c",
                doc_id="d",
                uri=text,
                excerpt=text,
                found=53,
                rated=19,
                down=17,
                p=0.0042,
                state="changed",
            ),
        ),
        notes=(text,),
    )
