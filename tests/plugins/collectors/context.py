"""What a collector is given, without a home."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.collectors import (
    ChunkOfDocument,
    Collector,
    GoldenAnswer,
    RecordedAnswer,
    Skipped,
    Trust,
)
from llmops.tasks.plugins.llms import Llm, Reply, Request
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.rows import Row, RowMessage


@dataclass
class GivenContext:
    """Answers, chunks and what the model says, as given. `asked`: what it was asked."""

    answers: Sequence[RecordedAnswer] = ()
    found: Sequence[ChunkOfDocument] = ()
    rows: Sequence[Row] = ()
    listed: Sequence[Case] = ()
    questions: Sequence[GoldenAnswer] = ()
    replies: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    def answered(self, app: str, days: float) -> list[str]:
        del app, days
        return [each.trace_id for each in self.answers]

    def recorded(self, trace_ids: Sequence[str]) -> Iterator[RecordedAnswer]:
        return (each for each in self.answers if each.trace_id in trace_ids)

    def reviewed(self, app: str, queue: str, trust: Trust) -> Iterator[Row]:
        del app, queue, trust
        return iter(self.rows)

    def cases(self, path: Path) -> Sequence[Case]:
        del path
        return self.listed

    def golden(self, path: Path) -> Sequence[GoldenAnswer]:
        del path
        return self.questions

    def documents(self, knowledge_base: str) -> list[str]:
        del knowledge_base
        return list(dict.fromkeys(each.uri for each in self.found))

    def chunks(self, knowledge_base: str, doc_ids: Sequence[str]) -> Iterator[ChunkOfDocument]:
        del knowledge_base
        return (each for each in self.found if each.uri in doc_ids)

    def ask(self, llm: Llm, request: Request, owner: str) -> Reply:
        del llm, owner
        self.asked.append(request)
        return Reply(text=self.replies.pop(0))


def collected(
    name: str, context: GivenContext | None = None, folder: Path = Path(), **options: object
) -> list[Row | Skipped]:
    """All rows of all parts."""
    collector = Spec(name=name, options=options).build(Collector).at(folder)
    given = context or GivenContext()
    return [row for part in collector.parts(given) for row in collector.rows(given, part)]


def rows_of(found: Sequence[Row | Skipped]) -> list[Row]:
    return [each for each in found if isinstance(each, Row)]


def skipped(found: Sequence[Row | Skipped]) -> list[Skipped]:
    return [each for each in found if isinstance(each, Skipped)]


def answer(trace_id: str, liked: float | None = None, **scores: float) -> RecordedAnswer:
    return RecordedAnswer(
        trace_id=trace_id,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        group=f"conversation of {trace_id}",
        status="ok",
        asked=(
            RowMessage(role="system", content="Be short."),
            RowMessage(role="user", content="Q"),
        ),
        answer="A",
        liked=liked,
        scores=scores,
        lineage={"trace_id": trace_id, "app": "helpdesk"},
    )


def chunk(text: str, *headings: str, uri: str = "a.md") -> ChunkOfDocument:
    return ChunkOfDocument(
        chunk_id=f"c{abs(hash(text)) % 1000}",
        text=text,
        headings=headings,
        uri=uri,
        title="Handbook",
        licence="CC-BY-4.0",
        version=3,
    )
