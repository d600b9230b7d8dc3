"""Retrieval quality on public judged sets, through the families that `llmops index` uses.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.retrieval --sets scifact feedbackqa

`LLMOPS_BENCH_DATA` holds `beir/<set>` (BEIR's layout) and `feedbackqa` (a checkout of McGill-NLP/feedbackqa).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tasks.chunkers import Chunker
from tasks.embedders import Embedder
from tasks.errors import LlmopsError, UsageError
from tasks.knowledge.hybrid import MODES, Searcher
from tasks.knowledge.terms import indexed
from tasks.plugins import Spec, digest
from tasks.records import chunk_ids, doc_id, embedded_text, frame
from tasks.stores import ROWS, Reader, Store

SETS = ("scifact", "feedbackqa", "xquad-zh", "jsquad-valid", "pquad-val-test")
DOCUMENTS_PER_STAGE = 500


class Judgements(NamedTuple):
    """Documents by uri as (title, text); questions, and their relevant uris, by id."""

    documents: dict[str, tuple[str, str]]
    questions: dict[str, str]
    relevant: dict[str, set[str]]


def load(name: str, data: Path) -> Judgements:
    if name == "feedbackqa":
        return feedbackqa(data / "feedbackqa/experiments/feedbackQA_data")
    return beir(data / "beir" / name)


def beir(folder: Path) -> Judgements:
    corpus, queries = (list(map(json.loads, (folder / name).read_text("utf-8").split("\n")[:-1]))
                       for name in ("corpus.jsonl", "queries.jsonl"))
    texts = {row["_id"]: row["text"] for row in queries}
    relevant: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "qrels/test.tsv").read_text("utf-8").splitlines()[1:]:
        question, document, score = line.split("\t")
        if int(score) > 0:
            relevant[question].add(document)
    documents = {row["_id"]: (row.get("title", ""), row["text"]) for row in corpus}
    return Judgements(documents, {name: texts[name] for name in relevant}, relevant)


def feedbackqa(folder: Path) -> Judgements:
    """The passages of all four domains together, section headings before the content; the questions of `test`."""
    found = Judgements({}, {}, {})
    for file in sorted(folder.glob("*/test.json")):
        content = json.loads(file.read_text("utf-8"))
        for passage in content["passages"]:
            part = passage["reference"]
            text = "\n".join(filter(None, [*part["section_headers"], part["section_content"]]))
            found.documents[f"{file.parent.name}/{passage['passage_id']}"] = (part["page_title"] or "", text)
        for example in content["examples"]:
            name = f"{file.parent.name}/{example['id']}"
            found.questions[name] = example["question"]
            found.relevant[name] = {f"{file.parent.name}/{example['passage_id']}"}
    return found


def chunked(uri: str, title: str, text: str, chunker: Chunker, embedder: Embedder) -> list[dict[str, object]]:
    """The rows of one document."""
    owner = doc_id("bench", uri)
    spans = chunker.split(text, markup="plain", title=title or None, tokenizer=embedder)
    names = chunk_ids(owner, [text[span.start:span.end] for span in spans])
    return [{
        "chunk_id": name, "doc_id": owner, "ordinal": n, "text": text[span.start:span.end], "start": span.start,
        "end": span.end, "tokens": span.tokens, "headings": [*span.headings], "page": span.page,
        "context": span.context, "uri": uri, "title": title, "source": "bench", "metadata": "{}",
        "row_hash": digest(name),
        "terms": indexed(span.context, text[span.start:span.end]),
    } for n, (name, span) in enumerate(zip(names, spans, strict=True))]


def build(judged: Judgements, chunker: Chunker, embedder: Embedder, store: Store, home: Path) -> Reader:
    """All documents, published as one snapshot."""
    collection = store.open("bench", embedder.dimension, home)
    documents = list(judged.documents.items())
    for first in range(0, len(documents), DOCUMENTS_PER_STAGE):
        part = documents[first:first + DOCUMENTS_PER_STAGE]
        rows = [row for uri, (title, text) in part for row in chunked(uri, title, text, chunker, embedder)]
        texts = [embedded_text(str(row["context"]), str(row["text"])) for row in rows]
        collection.stage(1, frame(rows, ROWS), embedder.embed(texts), [])
    return collection.at(collection.seal(1))


def measured(searcher: Searcher, judged: Judgements) -> dict[str, tuple[float, float]]:
    """(nDCG@10, precision of the first) by mode."""
    names, figures = list(judged.questions), dict[str, tuple[float, float]]()
    for mode in MODES:
        answers = searcher.documents_many([judged.questions[name] for name in names], 10, mode)
        hits = [[uri in judged.relevant[name] for uri, _ in found] for name, found in zip(names, answers, strict=True)]
        gains = [ndcg(found, len(judged.relevant[name])) for name, found in zip(names, hits, strict=True)]
        figures[mode] = float(np.mean(gains)), float(np.mean([found[:1] == [True] for found in hits]))
    return figures


def ndcg(hits: list[bool], relevant: int) -> float:
    """nDCG@10 with binary relevance."""
    discounts = 1 / np.log2(np.arange(2, 12))
    return float(sum(discounts[:len(hits)][hits]) / discounts[:relevant].sum())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    chosen = parser.parse_args(arguments)
    try:
        report(chosen.sets)
    except LlmopsError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def report(sets: list[str]) -> None:
    """One line per set to standard output. Raises UsageError without the data."""
    if "LLMOPS_BENCH_DATA" not in os.environ:
        raise UsageError("LLMOPS_BENCH_DATA is not set", hint="it names the folder with beir/ and feedbackqa/")
    chunker, embedder = Spec(name="sentence").build(Chunker), Spec(name="minilm").build(Embedder)
    sys.stdout.write(f"{'nDCG@10 (first right)':<22}" + "".join(f"{mode:>16}" for mode in MODES) + f"{'seconds':>16}\n")
    for name in sets:
        judged, started = load(name, Path(os.environ["LLMOPS_BENCH_DATA"])), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            reader = build(judged, chunker, embedder, Spec(name="lancedb").build(Store), Path(folder))
            figures = measured(Searcher(reader, embedder), judged)
        row = "".join(f"{value:>9.4f} ({first:.3f})" for value, first in figures.values())
        sys.stdout.write(f"{name:<22}{row}{time.perf_counter() - started:>16.1f}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
