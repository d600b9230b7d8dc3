"""Looking at traces that are new: how well their passages support the answers, and which questions
are of a topic that nobody has asked about. What was seen stays in the ledger, so that each trace is
read once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select, update

from llmops.tasks.evaluation.judging import marks
from llmops.tasks.ledger import existing_ledger, now, open_ledger, upsert
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.review import triaged
from llmops.tasks.monitoring.live import sample_of
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.topics import MOST, topics, unlike
from llmops.tasks.traces import reading, spool
from llmops.tasks.traces.index import parts
from llmops.tasks.traces.trace import ANSWERED, Trace

BLOCK = 100
"""Traces that are in memory at a time."""
READ = 5_000
"""Traces that a run reads at most: of more, a sample, and the rest by later runs."""
GROUNDED = Spec(name="grounded")


class Looked(BaseModel):
    """`new`: traces that were looked at; `waiting`: those that later runs will; `topics`: new ones
    that came with them."""

    model_config = ConfigDict(frozen=True)
    new: int = 0
    waiting: int = 0
    topics: int = 0


class _Question(NamedTuple):
    """A question whose topic is open. `new`: it came with this run."""

    trace_id: str
    vector: "np.ndarray[tuple[int], np.dtype[np.float32]]"
    new: bool


def look(
    home: Path, app: str, days: float, embed: Spec, most_topics: int, most: int = READ
) -> Looked:
    """Read the traces of the last days that were not looked at, in blocks. Raises Unavailable where
    MLflow or the embedder does not answer: nothing is marked as seen then.
    """
    ids = unseen(home, app, now() - timedelta(days=days))
    chosen = sorted(ids, key=lambda each: sha256(each.encode()).digest())[:most]
    scorer, embedder = GROUNDED.build(Scorer), embed.build(Embedder)
    found: dict[str, float | None] = {}
    asked: dict[str, Vectors] = {}
    for start in range(0, len(chosen), BLOCK):
        block = list(reading.many(home, chosen[start : start + BLOCK]).values())
        found |= _grounded(scorer, block)
        asked |= _embedded(embedder, block) if most_topics else {}
    count = _keep(home, app, embedder.query_fingerprint(), found, asked, most_topics)
    return Looked(new=len(found), waiting=len(ids) - len(chosen), topics=count)


def unseen(home: Path, app: str, since: datetime) -> list[str]:
    """Answered traces that were not looked at, and whose texts are there to be read."""
    query = (
        select(traces.c.id, traces.c.stored_at.is_not(None).label("stored"))
        .outerjoin(triaged, triaged.c.trace_id == traces.c.id)
        .where(traces.c.app == app, traces.c.began_at >= since, traces.c.deleted_at.is_(None))
        .where(traces.c.status.in_(ANSWERED), triaged.c.trace_id.is_(None))
    )
    waiting = spool.waiting_ids(home, app)
    with existing_ledger(home).read() as connection:
        rows = connection.execute(query).all()
    return [row.id for row in rows if row.stored or row.id in waiting]


def _grounded(scorer: Scorer, block: Sequence[Trace]) -> dict[str, float | None]:
    """None for what a person wrote: it may say more than the passages do."""
    scored = [trace for trace in block if trace.tags.get("cached") != "curated"]
    scores = marks(scorer, [sample_of(trace) for trace in scored])
    found = {trace.id: each.value for trace, each in zip(scored, scores, strict=True)}
    return {trace.id: found.get(trace.id) for trace in block}


def _embedded(embedder: Embedder, block: Sequence[Trace]) -> dict[str, Vectors]:
    asked = {trace.id: trace.question for trace in block if trace.question.strip()}
    if not asked:
        return {}
    return dict(zip(asked, embedder.embed_query(list(asked.values())), strict=True))


def _keep(
    home: Path,
    app: str,
    embedder: str,
    found: Mapping[str, float | None],
    asked: Mapping[str, Vectors],
    most_topics: int,
) -> int:
    """Mark what was seen; how many topics are new."""
    if not found:
        return 0
    at = now()
    rows: dict[str, dict[str, object]] = {
        trace_id: {
            "trace_id": trace_id,
            "app": app,
            "embedder": embedder,
            "grounded": value,
            "vector": None,
            "topic": False,
            "alike": 0,
            "looked_at": at,
        }
        for trace_id, value in found.items()
    }
    with open_ledger(home).write() as connection:
        made = _topics(connection, app, embedder, asked, most_topics)
        for trace_id, values in made.items():
            if trace_id in rows:
                rows[trace_id] |= values
            else:
                mine = triaged.c.trace_id == trace_id
                connection.execute(update(triaged).where(mine).values(**values))
        gone = _gone(connection, list(rows))
        upsert(connection, triaged, [row for key, row in rows.items() if key not in gone])
    return sum(bool(values.get("topic")) for values in made.values())


def _topics(
    connection: Connection, app: str, embedder: str, asked: Mapping[str, Vectors], most: int
) -> dict[str, dict[str, object]]:
    """What changes for which trace: a question that stands for a topic, those that it stands for,
    and those that wait for others like them.
    """
    mine = (triaged.c.app == app) & (triaged.c.embedder == embedder)
    query = select(triaged.c.trace_id, triaged.c.vector, triaged.c.topic)
    known = connection.execute(
        query.where(mine, triaged.c.vector.is_not(None)).order_by(triaged.c.looked_at.desc())
    ).all()
    ids, vectors = list(asked), _stacked(list(asked.values()))
    seen = _stacked([_vector(row.vector) for row in known if row.topic])
    new = [_Question(ids[row], vectors[row], new=True) for row in unlike(vectors, seen)]
    if not new or not most:
        return {}
    open_ones = [
        _Question(row.trace_id, _vector(row.vector), new=False) for row in known if not row.topic
    ]
    together = [*new, *open_ones]
    changes: dict[str, dict[str, object]] = {
        each.trace_id: {"vector": None} for each in together[MOST:]
    }
    together = together[:MOST]
    for topic in topics(_stacked([each.vector for each in together])):
        members = [together[row] for row in topic.members]
        if most and any(each.new for each in members):
            most -= 1
            changes |= {each.trace_id: {"vector": None} for each in members[1:]}
            changes[members[0].trace_id] = {
                "vector": members[0].vector.astype(np.float32).tobytes(),
                "topic": True,
                "alike": len(members),
            }
        else:
            changes |= {
                each.trace_id: {"vector": each.vector.astype(np.float32).tobytes()}
                for each in members
                if each.new
            }
    return changes


def _gone(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Traces that were deleted while they were looked at."""
    query = select(traces.c.id).where(traces.c.deleted_at.is_not(None))
    return {
        each
        for part in parts(ids)
        for each in connection.scalars(query.where(traces.c.id.in_(part)))
    }


def _vector(content: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.frombuffer(content, np.float32)


def _stacked(vectors: Sequence[object]) -> Vectors:
    return np.asarray(vectors, np.float32) if vectors else np.empty((0, 1), np.float32)
