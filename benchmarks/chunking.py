"""Chunkers on exact spans: how much of the wanted excerpts five retrieved passages hold, and how
little else.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.chunking [--only sentence semantic] [--characters
    150000]

The data and the measures are those of Smith and Troynikov 2024, "Evaluating Chunking Strategies for
Retrieval" (Chroma): five corpora in one index, 472 questions, each with the excerpts that answer
it. `--characters` reads that much of each corpus, and the questions whose excerpts lie in it.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.command import data_folder
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker, Span
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.minilm import MiniLMEmbedder
from llmops.tasks.schemas import Vectors, embedded_text

Ranges = list[tuple[int, int]]
K = 5
NODES = "SentenceSplitter"
COLUMNS = (
    "chunker",
    "spans",
    "characters read",
    "recall",
    "precision",
    "IoU",
    "IoU, ideal retrieval",
    "recall, gain",
    "IoU, gain",
    "seconds",
)
CHUNKERS: dict[str, dict[str, Any]] = {
    "sentence 200": {"name": "sentence", "size": 200, "overlap": 0},
    "sentence 100": {"name": "sentence", "size": 100, "overlap": 0},
    "sentence 200/20": {"name": "sentence", "size": 200, "overlap": 20},
    "fixed 200": {"name": "fixed", "size": 200, "overlap": 0},
    "markdown 200": {"name": "markdown", "size": 200, "overlap": 0},
    "semantic 100": {"name": "semantic", "size": 100},
    "semantic 200": {"name": "semantic", "size": 200},
    "semantic 250": {"name": "semantic", "size": 250},
    "parent_child 50 in 200": {
        "name": "parent_child",
        "size": 50,
        "overlap": 0,
        "parent_size": 200,
    },
    "parent_child 100 in 400": {
        "name": "parent_child",
        "size": 100,
        "overlap": 0,
        "parent_size": 400,
    },
    "LlamaIndex SentenceSplitter 100": {
        "name": "node_parser",
        "parser": NODES,
        "size": 100,
        "overlap": 0,
    },
    "LlamaIndex SentenceSplitter 200": {
        "name": "node_parser",
        "parser": NODES,
        "size": 200,
        "overlap": 0,
    },
    "LlamaIndex SentenceSplitter 200/20": {
        "name": "node_parser",
        "parser": NODES,
        "size": 200,
        "overlap": 20,
    },
}


class Question(NamedTuple):
    text: str
    corpus: str
    excerpts: Ranges


class Scores(NamedTuple):
    """Of one question. `omega`: the precision of an ideal retrieval of all chunks that touch an
    excerpt, as an IoU.
    """

    recall: float
    precision: float
    iou: float
    omega: float


class Remembering:
    """An embedder that computes a text once in a run of this benchmark."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder, self._known = embedder, dict[str, Any]()
        self.max_tokens, self.token_offsets = embedder.max_tokens, embedder.token_offsets
        self.languages = embedder.languages

    def embed(self, texts: Sequence[str]) -> Vectors:
        missing = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known |= (
            dict(zip(missing, self._embedder.embed(missing), strict=True)) if missing else {}
        )
        return np.stack([self._known[text] for text in texts])


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same characters as ascending ranges that do not touch."""
    merged: Ranges = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif start < end:
            merged.append((start, end))
    return merged


def length(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in ranges)


def common(one: Ranges, other: Ranges) -> Ranges:
    return union((max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) < min(b, d))


def scores(excerpts: Ranges, retrieved: Ranges, elsewhere: int, chunks: Ranges) -> Scores:
    """`retrieved`: passages of the question's corpus, `elsewhere`: characters retrieved from
    others, `chunks`: all passages of the corpus. As the paper has it, a character that is retrieved
    twice counts once where it is wanted, and twice in what was retrieved."""
    wanted, found = length(union(excerpts)), length(common(excerpts, retrieved))
    size = length(retrieved) + elsewhere
    touching = [chunk for chunk in chunks if common([chunk], excerpts)]
    best = length(common(excerpts, touching))
    return Scores(
        found / wanted,
        found / size if size else 0.0,
        found / (size + wanted - found),
        best / length(union(touching + excerpts)),
    )


def read(folder: Path, characters: int) -> tuple[dict[str, str], list[Question]]:
    """The beginnings of the corpora, and the questions that they answer."""
    home = (
        folder
        / "chunking_eval"
        / "chunking_evaluation"
        / "evaluation_framework"
        / "general_evaluation_data"
    )
    corpora = {
        path.stem: path.read_text("utf-8")[:characters]
        for path in sorted((home / "corpora").glob("*.md"))
    }
    questions = []
    with (home / "questions_df.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            excerpts = [
                (int(one["start_index"]), int(one["end_index"]))
                for one in json.loads(row["references"])
            ]
            if max(end for _, end in excerpts) <= len(corpora[row["corpus_id"]]):
                questions.append(Question(row["question"], row["corpus_id"], excerpts))
    return corpora, questions


class Passage(NamedTuple):
    corpus: str
    start: int
    end: int


def index(
    chunker: Chunker, corpora: dict[str, str], embedder: Any
) -> tuple[list[Passage], list[Span], Vectors]:
    """All spans of all corpora, with their vectors."""
    passages, spans, texts = list[Passage](), list[Span](), list[str]()
    for name, text in corpora.items():
        for span in chunker.split(
            text, markup="markdown", title=None, tokenizer=embedder, uri=f"{name}.md"
        ):
            passages.append(Passage(name, span.start, span.end))
            spans.append(span)
            texts.append(
                embedded_text(
                    {
                        "context": span.context,
                        "text": text[span.start : span.end],
                        "search": span.search,
                    }
                )
            )
    return passages, spans, embedder.embed(texts)


def nearest(vector: Any, vectors: Vectors, passages: list[Passage]) -> list[Passage]:
    """The K best passages, each once, by the best of its vectors."""
    order = np.argsort(-(vectors @ vector), kind="stable")[: K * 50]
    return list(dict.fromkeys(passages[n] for n in order.tolist()))[:K]


class Measured(NamedTuple):
    """`read`: characters of the retrieved passages, mean over the questions."""

    scores: list[Scores]
    spans: int
    read: float
    seconds: float


def measured(
    name: str, corpora: dict[str, str], questions: list[Question], embedder: Any
) -> Measured:
    """All questions with one chunker."""
    began = time.perf_counter()
    passages, spans, vectors = index(
        Spec.model_validate(CHUNKERS[name]).build(Chunker), corpora, embedder
    )
    found, seen = [], []
    for question, vector in zip(
        questions, embedder.embed([one.text for one in questions]), strict=True
    ):
        best = nearest(vector, vectors, passages)
        mine = [(one.start, one.end) for one in best if one.corpus == question.corpus]
        chunks = [
            (one.start, one.end) for one in dict.fromkeys(passages) if one.corpus == question.corpus
        ]
        found.append(
            scores(
                question.excerpts,
                mine,
                length((one.start, one.end) for one in best if one.corpus != question.corpus),
                chunks,
            )
        )
        seen.append(length((one.start, one.end) for one in best))
    return Measured(found, len(spans), float(np.mean(seen)), time.perf_counter() - began)


def row(name: str, one: Measured, first: Measured) -> str:
    """A row of the table; differences are paired by question, with 95 % intervals."""
    means = [f"{100 * float(np.mean(values)):.1f}" for values in zip(*one.scores, strict=True)]
    gains = [
        np.array([a[n] - b[n] for a, b in zip(one.scores, first.scores, strict=True)]) * 100
        for n in (0, 2)
    ]
    shown = [
        f"{gain.mean():+.1f} ± {1.96 * gain.std() / len(gain) ** 0.5:.1f}"
        if one is not first
        else ""
        for gain in gains
    ]
    return (
        f"| {name} | {one.spans:,} | {one.read:,.0f} | {' | '.join([*means, *shown])} | "
        f"{one.seconds:.0f} |\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", default=list(CHUNKERS), help="chunkers whose name begins so"
    )
    parser.add_argument("--characters", type=int, default=10_000_000)
    chosen = parser.parse_args()
    corpora, questions = read(data_folder(), chosen.characters)
    embedder = Remembering(MiniLMEmbedder())
    sys.stdout.write(
        f"{len(questions)} questions, {sum(map(len, corpora.values())):,} characters\n\n"
    )
    sys.stdout.write(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n")
    first: Measured | None = None
    for name in CHUNKERS:
        if any(name.startswith(one) for one in chosen.only):
            found = measured(name, corpora, questions, embedder)
            first = first or found
            sys.stdout.write(row(name, found, first))
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
