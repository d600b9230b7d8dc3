"""What a served application was asked: what happened from the ledger, what was said from the spool
and from MLflow.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import clicks, feedback, live_scores, people, traces
from llmops.tasks.ledger.leases import aware
from llmops.tasks.monitoring.text_sample import EACH, bound, rank
from llmops.tasks.monitoring.traffic import FAILED, Exchange, FoundPassage
from llmops.tasks.traces import names, reading, spool
from llmops.tasks.traces.trace import COMPARED, Trace, TraceSpan

BLOCK = 500
"""Exchanges that are in memory at a time; their texts are read by MLflow's 100."""
MOST_TEXTS = 5_000
RETRIEVER = "RETRIEVER"
KEY = "key/"
"""How the name of whoever is known by a key alone begins."""
STATUSES = {"error": FAILED}
"""What a monitor calls the status of a trace, where that is another word."""


class RecordedTraffic:
    """The traces of an application. Deleted ones, and trials of several models on one question, are
    not among them.

    What has no text is counted: `lost`, of which MLflow has nothing any more; `unkept`, outside of
    the application's sample; `unread`, beyond `most_texts`. `problem`: why MLflow gave none.
    """

    def __init__(self, home: Path, app: str) -> None:
        self._home, self._app = home, app
        self.problem: LlmopsError | None = None
        self.count = self.lost = self.unkept = self.unread = 0
        self._scorers: Mapping[str, str] | None = None
        self._clients: frozenset[str] | None = None

    def exchanges(
        self, since: datetime, until: datetime, most_texts: int | None = None
    ) -> Iterator[list[Exchange]]:
        """As `Traffic` says, in blocks of BLOCK. Raises Unavailable where the ledger cannot be
        read; without MLflow they have no texts.
        """
        waiting = spool.waiting_ids(self._home, self._app)
        most = MOST_TEXTS if most_texts is None else most_texts
        below = bound(self._units(since, until, waiting), most)
        read: Counter[str] = Counter()
        for rows in self._blocks(since, until):
            wanted = [row for row in rows if _kept(row, waiting)]
            chosen = []
            for row in wanted:
                unit = self._unit(row)
                if rank(unit) < below and read[unit] < EACH:
                    read[unit] += 1
                    chosen.append(row.id)
            self.count += len(rows)
            self.unkept += len(rows) - len(wanted)
            self.unread += len(wanted) - len(chosen)
            yield self._block(rows, chosen)

    def remarks(self) -> list[str]:
        """As `Traffic` says."""
        if self.problem is not None:
            why = f"{self.lost:,} of {self.count:,} exchanges are without their texts: "
            return [f"{why}{self.problem}"]
        told = {
            "MLflow no longer has them": self.lost,
            "the application's config keeps a sample (traces.share)": self.unkept,
            "a look reads a sample of so many": self.unread,
        }
        return [
            f"{number:,} of {self.count:,} exchanges count without their texts: {why}"
            for why, number in told.items()
            if number
        ]

    @property
    def whole(self) -> bool:
        return self.problem is None

    def _units(self, since: datetime, until: datetime, waiting: set[str]) -> Iterator[str]:
        columns = (traces.c.id, traces.c.conversation, traces.c.person, traces.c.stored_at)
        query = select(*columns).where(*self._mine(since, until))
        with existing_ledger(self._home).read() as connection:
            for row in connection.execute(query.execution_options(yield_per=BLOCK)):
                if _kept(row, waiting):
                    yield self._unit(row)

    def _blocks(self, since: datetime, until: datetime) -> Iterator[Sequence[Row[Any]]]:
        """Each in a transaction of its own: texts are read between them."""
        query = select(traces).where(*self._mine(since, until))
        query = query.order_by(traces.c.began_at, traces.c.id).limit(BLOCK)
        after: ColumnElement[bool] | None = None
        while True:
            with existing_ledger(self._home).read() as connection:
                rows = connection.execute(query if after is None else query.where(after)).all()
            if rows:
                yield rows
            if len(rows) < BLOCK:
                return
            last = rows[-1]
            same = (traces.c.began_at == last.began_at) & (traces.c.id > last.id)
            after = or_(traces.c.began_at > last.began_at, same)

    def _mine(self, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
        return (
            traces.c.app == self._app,
            traces.c.began_at >= since,
            traces.c.began_at < until,
            traces.c.deleted_at.is_(None),
            traces.c.status != COMPARED,
        )

    def _block(self, rows: Sequence[Row[Any]], chosen: Sequence[str]) -> list[Exchange]:
        texts = self._texts(chosen)
        ids = [row.id for row in rows]
        with existing_ledger(self._home).read() as connection:
            beside = _beside(connection, ids, self._newest_scorers(connection))
        return [_exchange(row, self._person(row), texts.get(row.id), beside) for row in rows]

    def _unit(self, row: Row[Any]) -> str:
        """As `sampling.unit_of`."""
        return str(self._person(row) or row.conversation or row.id)

    def _person(self, row: Row[Any]) -> str:
        """Whoever asks with a key and names nobody is a program: people stand behind it."""
        if self._clients is None:
            with existing_ledger(self._home).read() as connection:
                found = connection.scalars(
                    select(people.c.pseudonym).where(people.c.name.startswith(KEY))
                )
                self._clients = frozenset(found)
        return "" if row.person in self._clients else str(row.person)

    def _texts(self, ids: Sequence[str]) -> Mapping[str, Trace]:
        """Where MLflow does not answer, it is not asked again: it would take its time each time."""
        if not ids:
            return {}
        texts: Mapping[str, Trace] = {}
        if self.problem is None:
            try:
                texts = reading.many(self._home, ids)
            except LlmopsError as error:
                self.problem = error
        if self.problem is not None:
            texts = spool.waiting_among(self._home, ids)
        self.lost += sum(each not in texts for each in ids)
        return texts

    def _newest_scorers(self, connection: Connection) -> Mapping[str, str]:
        """metric -> the scorer that scored last: what another one of that name said before is of
        another measure.
        """
        if self._scorers is None:
            last = func.max(live_scores.c.scored_at).label("last")
            query = select(live_scores.c.metric, live_scores.c.scorer, last)
            query = query.where(live_scores.c.app == self._app)
            by = (live_scores.c.metric, live_scores.c.scorer)
            rows = connection.execute(query.group_by(*by).order_by(last, live_scores.c.scorer))
            self._scorers = {row.metric: row.scorer for row in rows}
        return self._scorers


class _Beside(NamedTuple):
    """What was said, scored and opened, by trace."""

    ratings: Mapping[str, Literal["up", "down"]]
    scores: Mapping[str, Mapping[str, float]]
    opened: Mapping[str, int]


def _beside(connection: Connection, ids: Sequence[str], scorers: Mapping[str, str]) -> _Beside:
    said = select(feedback.c.trace_id, feedback.c.rating).where(
        feedback.c.trace_id.in_(ids), feedback.c.rating.is_not(None)
    )
    ratings: dict[str, Literal["up", "down"]] = {}
    for row in connection.execute(said):
        worse = "down" in (row.rating, ratings.get(row.trace_id))
        ratings[row.trace_id] = "down" if worse else "up"
    scores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    valued = live_scores.c.value.is_not(None)
    for row in connection.execute(
        select(live_scores).where(live_scores.c.trace_id.in_(ids), valued)
    ):
        if scorers.get(row.metric) == row.scorer:
            scores[row.trace_id][row.metric] = row.value
    looked: Select[Any] = (
        select(clicks.c.trace_id, func.count(clicks.c.chunk_id.distinct()).label("opened"))
        .where(clicks.c.trace_id.in_(ids))
        .group_by(clicks.c.trace_id)
    )
    opened = {row.trace_id: row.opened for row in connection.execute(looked)}
    return _Beside(ratings, scores, opened)


def _kept(row: Row[Any], waiting: set[str]) -> bool:
    return row.stored_at is not None or row.id in waiting


def _exchange(row: Row[Any], person: str, trace: Trace | None, beside: _Beside) -> Exchange:
    kb, version = _searched(trace) if trace else ("", None)
    latency = row.latency_ms
    if latency is None and trace and trace.ended_ns:
        latency = (trace.ended_ns - trace.began_ns) / 1e6
    return Exchange(
        id=row.id,
        at=aware(row.began_at),
        question=trace.question if trace else "",
        answer=trace.answer if trace else "",
        status=STATUSES.get(row.status, row.status),
        conversation=row.conversation,
        person=person,
        latency_ms=latency,
        tokens=row.tokens,
        cost_usd=row.cost_usd,
        rating=beside.ratings.get(row.id),
        passages=found_passages(trace) if trace else (),
        scores=beside.scores.get(row.id, {}),
        knowledge_base=kb,
        version=version,
        opened=beside.opened.get(row.id, 0),
    )


def found_passages(trace: Trace) -> tuple[FoundPassage, ...]:
    """What the last search found, each with whether the answer cites it. Of an answer that was
    given again there was no search: then what it was given with.
    """
    shown = {str(each.get("chunk_id")): each for each in trace.citations}
    cited = {key for key, each in shown.items() if each.get("cited") is True}
    span = _last_search(trace)
    if span is None:
        return tuple(_passage(each, str(each.get("text") or ""), cited) for each in shown.values())
    scores = {
        str(each.get("id")): each.get("score")
        for each in _listed(span.attributes.get(names.DOCUMENTS))
    }
    return tuple(
        _passage({"score": scores.get(_chunk(row)), **_metadata(row)}, _content(row), cited)
        for row in _listed(span.outputs)
    )


def _searched(trace: Trace) -> tuple[str, int | None]:
    """The knowledge base that was searched, and its version."""
    span = _last_search(trace)
    if span is not None:
        kb, _, number = str(span.attributes.get(names.DATA_SOURCE, "")).rpartition("@")
        kb = kb or trace.tags.get("knowledge_base", "")
        return kb, int(number) if number.isdecimal() else None
    for each in trace.citations:
        version = each.get("version")
        return str(each.get("knowledge_base") or ""), version if isinstance(version, int) else None
    return "", None


def _last_search(trace: Trace) -> TraceSpan | None:
    return next((span for span in reversed(trace.spans) if span.kind == RETRIEVER), None)


def _listed(value: object) -> list[Mapping[str, object]]:
    rows = value if isinstance(value, list | tuple) else ()
    return [each for each in rows if isinstance(each, Mapping)]


def _metadata(row: Mapping[str, object]) -> Mapping[str, object]:
    about = row.get("metadata")
    return about if isinstance(about, Mapping) else {}


def _chunk(row: Mapping[str, object]) -> str:
    return str(_metadata(row).get("chunk_id") or row.get("id") or "")


def _content(row: Mapping[str, object]) -> str:
    return str(row.get("page_content") or "")


def _passage(about: Mapping[str, object], text: str, cited: set[str]) -> FoundPassage:
    chunk, score = str(about.get("chunk_id") or ""), about.get("score")
    return FoundPassage(
        chunk_id=chunk,
        doc_id=str(about.get("doc_id") or ""),
        uri=str(about.get("uri") or ""),
        title=str(about.get("title") or ""),
        text=text,
        score=float(score) if isinstance(score, int | float) else None,
        cited=chunk in cited,
    )
