"""Questions of answers whose sources people opened. That is a weak word: somebody wanted to see a
passage, which does not make it right. So it counts only where nobody said otherwise, and nothing is
measured by it.
"""

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select

from llmops.tasks.datasets.evidence import BLOCK
from llmops.tasks.datasets.settled import OF_RATING, WITHDRAWN, settled
from llmops.tasks.datasets.support import quote_of
from llmops.tasks.datasets.words import Words
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import clicks, traces
from llmops.tasks.monitoring.live import passages
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.schemas import Lineage
from llmops.tasks.traces import reading
from llmops.tasks.traces.trace import Trace

TAG = "clicks"
MOST_OPENED = 2
"""Who opens more passages of an answer than these is still looking: none of them counts."""
MOST = 5_000
"""Answers that are read, the newest."""


def clicked(home: Path, app: str, knowledge_base: str, said: Words) -> list[Question]:
    """The questions of an application's answers from a knowledge base, with the passages that were
    opened. Left out: what was rated down by anybody, or reviewed (that word counts instead), what
    the application refused, and answers of which more than `MOST_OPENED` passages were opened.
    Raises Unavailable where MLflow does not answer.
    """
    opened = _opened(home, app, spoken_of(said))
    found: list[Question] = []
    wanted = list(opened)
    for start in range(0, len(wanted), BLOCK):
        part = wanted[start : start + BLOCK]
        there = reading.many(home, part)
        made = (
            _question(there[each], opened[each], knowledge_base) for each in part if each in there
        )
        found += [each for each in made if each]
    return found


def spoken_of(said: Words) -> set[str]:
    """Traces on which somebody's word counts for more than a click."""
    bad = {each.trace_id for each in said.feedback if OF_RATING.get(each.rating or "") == "bad"}
    reviewed = {each.trace_id for each in said.reviews if each.verdict != WITHDRAWN}
    return bad | reviewed | settled(said.feedback, said.reviews).keys()


def _opened(home: Path, app: str, without: Collection[str]) -> dict[str, set[str]]:
    """Trace -> the passages that were opened, newest first."""
    query = (
        select(clicks.c.trace_id, clicks.c.chunk_id)
        .join(traces, traces.c.id == clicks.c.trace_id)
        .where(traces.c.app == app, traces.c.deleted_at.is_(None), traces.c.status == "ok")
        .order_by(traces.c.began_at.desc(), clicks.c.trace_id)
    )
    found: dict[str, set[str]] = defaultdict(set)
    with existing_ledger(home).read() as connection:
        for row in connection.execute(query):
            if row.trace_id not in without:
                found[row.trace_id].add(row.chunk_id)
    few = {trace: chunks for trace, chunks in found.items() if len(chunks) <= MOST_OPENED}
    return dict(list(few.items())[:MOST])


def _question(trace: Trace, opened: Collection[str], knowledge_base: str) -> Question | None:
    if trace.tags.get("knowledge_base", "").partition("@")[0] != knowledge_base:
        return None
    relevant = tuple(
        Relevant(uri=each.uri, quote=quote_of(trace.answer, each.text))
        for each in passages(trace)
        if each.chunk_id in opened and each.uri
    )
    if not relevant or not trace.question.strip():
        return None
    number = trace.tags.get("version", "")
    return Question(
        id=f"{TAG}-{trace.id.removeprefix('tr-')}",
        question=trace.question.strip(),
        relevant=relevant,
        tags=(TAG,),
        lineage=Lineage(
            trace_id=trace.id,
            app=trace.app,
            knowledge_base=knowledge_base,
            version=int(number) if number.isdecimal() else None,
        ),
    )
