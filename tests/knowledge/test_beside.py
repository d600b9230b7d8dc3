"""What processes beside this one make of documents is what is made of them here, troubles too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmops.tasks import processes
from llmops.tasks.knowledge import collect, planner, transform
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.knowledge.splitting import work_alone
from llmops.tasks.knowledge.start import begin, start
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.plugins.chunkers.semantic import SemanticChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.processes import Processes
from llmops.tasks.texts.terms import indexed_all
from tests.test_processes import ready
from tests.workshop import Workshop

pytestmark = pytest.mark.slow
GUIDE = "# Boats\n\nBoats pass the lighthouse at night.\n\n## Lamps\n\nLamps are lit by hand.\n"
FILES = {
    "guide.md": GUIDE.encode() * 12,
    "again.md": GUIDE.encode() * 12,
    "french.txt": b"Les bateaux passent le phare la nuit, et personne ne les compte." * 3,
    "german.txt": "Die Boote fahren nachts am Leuchtturm vorbei, und niemand zählt sie.".encode(),
    "chinese.txt": "船在夜里经过灯塔。没有人数它们。".encode() * 9,
    "page.html": b"<html><title>Salt</title><body><p>Salt is sold by weight.</p></body></html>",
    "empty.txt": b"  \n",
    "noise.bin": bytes(range(256)) * 4,
    "long.txt": b"word " * 20_000,
    "latin.txt": "Käse und Brot, für alle. ".encode("latin-1") * 8,
}


class Made(NamedTuple):
    documents: list[dict[str, Any]]
    chunks: list[dict[str, Any]]
    quarantine: list[tuple[str, str, str, str]]


@pytest.fixture(scope="module")
def beside() -> Iterator[Processes]:
    made = Processes(2)
    ready(made)
    yield made
    made.close()


def made(folder: Path, gone: str) -> Made:
    shop = Workshop(folder, Spec(name="lancedb"))
    place = folder / "files"
    place.mkdir()
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    specs = shop.specs({}).model_copy(
        update={
            "sources": (Spec(name="files", options={"path": "files"}),),
            "chunk": Spec(name="markdown", options={"size": 24, "overlap": 4}),
            "embed": Spec(name="hash"),
        }
    )
    specs = specs.model_copy(update={"parse": specs.parse.model_copy(update={"max_chars": 50_000})})
    begin(shop.handle)
    build = start(shop.handle, specs, full=False)
    parts = planner.parts(build, planner.plan_build(build))
    (place / gone).unlink()
    source = planner.source_of(build, specs.sources[0])
    with ParserPool(workers=1, max_chars=50_000) as pool:
        batches = [collect.collect(build, source, pool, part) for part in parts]
    batches = [
        transform.chunk(build, specs.chunker(), specs.embedder(), batch) for batch in batches
    ]
    documents = [row for batch in batches for row in transform.rows_of(build, batch.documents)]
    shards = [batch.chunks for batch in batches if batch.chunks]
    found = items(shop.ledger)
    return Made(
        [{**row, "fetched_at": None, "revision": ""} for row in documents],
        [row for shard in shards for row in transform.rows_of(build, shard)],
        sorted((each["uri"], each["stage"], each["error"], each["reason"]) for each in found),
    )


def test_documents_are_the_same(
    tmp_path: Path, beside: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here = made(tmp_path / "here", "german.txt")
    done = list[str]()

    def counted(function: Any, *arguments: Any) -> Any:
        done.append(function.__name__)
        return beside.beside(function, *arguments)

    monkeypatch.setattr(processes, "run", counted)
    monkeypatch.setattr(processes, "beside", counted)
    there = made(tmp_path / "there", "german.txt")
    assert here == there
    assert {*done} == {"_read", "detect_all", "_split"}
    assert {uri for uri, *_ in here.quarantine} == {
        *("german.txt", "empty.txt", "noise.bin", "long.txt"),
    }
    assert {row["language"] for row in here.documents} >= {"en", "zh", "fr"}
    assert len(here.chunks) > len(here.documents)


def test_vectors_and_terms_are_the_same(beside: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Boat {number} passes the lighthouse of os.path." for number in range(40)]
    vectors, terms = HashEmbedder().embed(texts), indexed_all([("A title", each) for each in texts])
    monkeypatch.setattr(processes, "run", beside.beside)
    assert (HashEmbedder().embed(texts) == vectors).all()
    assert beside.spread(indexed_all, [("A title", each) for each in texts]) == terms


class Asking(MarkdownChunker):
    """Of somebody else, who may ask a model in it."""


def test_only_plugins_that_say_so_of_themselves_work_alone() -> None:
    assert work_alone(MarkdownChunker(), HashEmbedder())
    assert not work_alone(Asking(), HashEmbedder())
    assert not work_alone(SemanticChunker(), HashEmbedder())
