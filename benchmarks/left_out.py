"""Questions asked of an application that has only a part of the documents that answer them: public
judged sets, built by `llmops index` and answered by the served application's own engine with the
offline model, so that what refuses, finds and cites is the product.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from benchmarks.command import llmops
from benchmarks.retrieval import passage
from llmops.configs.reading import read_mapping
from llmops.configs.serve import ServeConfig
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.evaluation.judging import marks
from llmops.tasks.ledger import close_ledgers, now
from llmops.tasks.monitoring.live import passages, sample_of
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.traces.trace import Trace, TraceRecorder
from llmops.tasks.yaml_files import write_yaml

LEFT_OUT = 0.3
"""The share of the pages that the base does not get: with a passage, all of its page is gone, as it
is where nobody has written it down.
"""
AT_ONCE = 8
BASE = "half"
WEEK = timedelta(days=7)


class JudgedQuestion(NamedTuple):
    """`uris`: of the documents that answer it."""

    id: str
    text: str
    uris: tuple[str, ...]


class JudgedSet(NamedTuple):
    """`documents`: with `_id`, `title` and `text`; those of one title are of one page."""

    documents: list[dict[str, str]]
    questions: list[JudgedQuestion]

    def left_out(self) -> set[str]:
        """Uris of the documents that the base does not get, by a hash of the page's title: the same
        on every run.
        """
        return {each["_id"] for each in self.documents if share_of(each["title"]) < LEFT_OUT}


def share_of(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return float(int.from_bytes(sha256(text.encode()).digest()[:8]) / 2**64)


def feedbackqa(data: Path, split: str) -> JudgedSet:
    """FeedbackQA's passages, and the questions of `valid` or `test` (Li et al. 2022): several ask
    the same, as people do.
    """
    documents, questions = [], []
    folder = data / "feedbackqa" / "experiments" / "feedbackQA_data"
    for file in sorted(folder.glob(f"*/{split}.json")):
        content, domain = json.loads(file.read_text("utf-8")), file.parent.name
        documents += [passage(domain, each) for each in content["passages"]]
        questions += [
            JudgedQuestion(
                f"{domain}/{each['id']}", each["question"], (f"{domain}/{each['passage_id']}",)
            )
            for each in content["examples"]
        ]
    return JudgedSet(documents, questions)


def beir(data: Path, name: str, most: int) -> JudgedSet:
    """A set in BEIR's layout with the judgements of `test`, at most so many questions."""
    folder = data / "beir" / name
    documents = [{**row, "title": row.get("title") or ""} for row in _lines(folder, "corpus")]
    texts = {row["_id"]: row["text"] for row in _lines(folder, "queries")}
    judged: dict[str, list[str]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, score = line.split("\t")
        if float(score) > 0 and query in texts:
            judged.setdefault(query, []).append(document)
    chosen = sorted(judged, key=share_of)[:most]
    questions = [JudgedQuestion(each, texts[each], tuple(judged[each])) for each in chosen]
    return JudgedSet(documents, questions)


def _lines(folder: Path, name: str) -> Iterator[dict[str, str]]:
    for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield {key: row[key] for key in ("_id", "title", "text") if key in row}


def built(folder: Path, judged: JudgedSet) -> Path:
    """A home with the base of what is not left out."""
    missing = judged.left_out()
    kept = [each for each in judged.documents if each["_id"] not in missing]
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in kept))
    source = {
        "name": "jsonl",
        "path": str(corpus),
        "fields": {"uri": "_id", "title": "title", "text": "text"},
    }
    content = {"flow": "index", "knowledge_base": BASE, "sources": [source]}
    (folder / "kb.yaml").write_text(write_yaml(content))
    llmops(folder, "index", str(folder / "kb.yaml"))
    llmops(folder, "down")
    return folder / "home"


def asked(home: Path, questions: Sequence[JudgedQuestion]) -> list[Exchange]:
    """What the application says to each, over a week, with the live scores of the score flow."""
    content = {"flow": "serve", "app": BASE, "knowledge_bases": [BASE], "retrieve": {"k": 5}}
    spec = read_mapping(content, ServeConfig).app_spec(home)
    until = now()
    times = [until - WEEK + WEEK * share_of(each.id) for each in questions]

    async def all_of_them() -> list[Exchange]:
        slots = asyncio.Semaphore(AT_ONCE)
        async with ChatEngine(spec) as engine:

            async def one(question: JudgedQuestion, at: datetime) -> Exchange:
                async with slots:
                    recorder = TraceRecorder(BASE, question.text)
                    answered = await engine.answer(Turn(question=question.text), recorder)
                status = "refused" if answered.finish == "refused" else "ok"
                trace = recorder.finish(answered.text, status)
                return await asyncio.to_thread(exchange, question, at, answered, trace)

            return list(await asyncio.gather(*map(one, questions, times)))

    made = asyncio.run(all_of_them())
    close_ledgers()
    return sorted(made, key=lambda each: each.at)


def exchange(question: JudgedQuestion, at: datetime, answered: Answered, trace: Trace) -> Exchange:
    """As a monitor reads it. Each question is somebody's own conversation."""
    scorer = Spec(name="grounded").build(Scorer)
    (grounded,) = marks(scorer, [sample_of(trace)])
    cited = {each.chunk_id for each in answered.citations if each.cited}
    return Exchange(
        id=question.id,
        at=at,
        question=question.text,
        answer=answered.text,
        status=trace.status,
        conversation=question.id,
        latency_ms=(trace.ended_ns - trace.began_ns) / 1e6,
        passages=tuple(
            FoundPassage(
                chunk_id=each.chunk_id,
                doc_id=each.doc_id,
                uri=each.uri,
                title=each.title,
                text=each.text,
                score=score,
                cited=each.chunk_id in cited,
            )
            for each, score in zip(passages(trace), _scores(trace), strict=True)
        ),
        scores={} if grounded.value is None else {"grounded": grounded.value},
        knowledge_base=answered.knowledge_base,
        version=answered.version,
    )


def _scores(trace: Trace) -> list[float]:
    """Of what the last search found."""
    spans = [span.outputs for span in trace.spans if span.kind == "RETRIEVER"]
    rows = spans[-1] if spans and isinstance(spans[-1], list) else []
    return [float(row["metadata"]["score"]) for row in rows]
