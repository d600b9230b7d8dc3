"""A knowledge base in a pipeline of Haystack."""

import asyncio
import os
from functools import reduce
from typing import Any

import pytest

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # before it is imported

from haystack import Document, Pipeline, component
from haystack.components.builders import PromptBuilder
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore

from llmops.integrations.haystack import (
    Chunker,
    DocumentEmbedder,
    KnowledgeBaseRetriever,
    TextEmbedder,
)
from llmops.tasks.errors import ConfigError, UsageError
from tests.integrations.offline import PROMPT, answered
from tests.library import BASE, TALL, Library, edited

CONTEXT = "{% for each in documents %}{{ each.content }}\n\n{% endfor %}"


@component
class Offline:
    """The model `extractive`."""

    @component.output_types(reply=str)
    def run(self, prompt: str) -> dict[str, str]:
        return {"reply": answered(prompt)}


def piped(retriever: KnowledgeBaseRetriever) -> Pipeline:
    pipeline = Pipeline()
    template = PROMPT.format(context=CONTEXT, question="{{ question }}")
    pipeline.add_component("retriever", retriever)
    pipeline.add_component("prompt", PromptBuilder(template, required_variables="*"))
    pipeline.add_component("model", Offline())
    pipeline.connect("retriever.documents", "prompt.documents")
    pipeline.connect("prompt.prompt", "model.prompt")
    return pipeline


ASKED: dict[str, Any] = {"retriever": {"query": TALL}, "prompt": {"question": TALL}}


def test_a_pipeline_answers_from_what_is_live(library: Library) -> None:
    ours = piped(KnowledgeBaseRetriever(BASE, k=2, home=library.home))
    said = ours.run(ASKED, include_outputs_from={"retriever"})
    assert "330 metres" in said["model"]["reply"]
    first = said["retriever"]["documents"][0]
    assert (first.meta["uri"], first.meta["version"], first.meta["year"]) == (
        "paris/eiffel.txt",
        1,
        1889,
    )
    library.publish(edited("331 metres"))
    for result in (ours.run(ASKED), asyncio.run(ours.run_async(ASKED))):
        assert "331 metres" in result["model"]["reply"]
    pinned = KnowledgeBaseRetriever(library.reader(version=1), k=1)
    assert "330 metres" in piped(pinned).run(ASKED)["model"]["reply"]


def test_a_document_is_the_passage(built: Library) -> None:
    (document,) = KnowledgeBaseRetriever(built.reader(), k=1).run(TALL)["documents"]
    passage = built.reader().search(TALL, 1)[0]
    assert isinstance(document, Document)
    assert (document.id, document.content, document.score) == (
        passage.chunk_id,
        passage.text,
        passage.score,
    )
    wanted = {"uri", "title", "version", "page", "start", "end"}
    assert {name: document.meta[name] for name in wanted} == passage.model_dump(include=wanted)


def found(retriever: KnowledgeBaseRetriever, filters: dict[str, Any] | None = None) -> set[str]:
    return {each.meta["uri"] for each in retriever.run(TALL, 50, filters)["documents"]}


def test_labels_hold_whatever_a_run_asks_for(built: Library) -> None:
    kb = built.reader()
    public = KnowledgeBaseRetriever(kb)
    assert "plans/secret.txt" not in found(public)
    assert "plans/secret.txt" in found(KnowledgeBaseRetriever(kb, labels={"staff"}))
    assert found(public, {"field": "meta.year", "operator": "==", "value": 2030}) == set()
    with pytest.raises(ValueError, match="labels"):
        piped(public).run({"retriever": {"query": TALL, "labels": ["staff"]}})
    with pytest.raises(UsageError, match="allowed: a set of texts"):
        KnowledgeBaseRetriever(kb, labels="staff")  # no set of letters


EIFFEL, BEN, PISA = "paris/eiffel.txt", "london/bigben.txt", "pisa.txt"
LATE = {"field": "meta.year", "operator": ">", "value": 1850}


def nested(depth: int) -> dict[str, Any]:
    return reduce(lambda inner, _: {"operator": "NOT", "conditions": [inner]}, range(depth), LATE)


FAMOUS = {"field": "kinds", "operator": "in", "value": ["famous"]}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (LATE, {EIFFEL, BEN}),
        ({**LATE, "operator": "<="}, {PISA}),
        ({**LATE, "operator": "!=", "value": 1173}, {EIFFEL, BEN}),
        ({**LATE, "operator": "not in", "value": [1173, 1859]}, {EIFFEL}),
        ({"field": "kinds", "operator": "==", "value": None}, {PISA}),
        ({"field": "kinds", "operator": "!=", "value": None}, {EIFFEL, BEN}),
        ({"operator": "AND", "conditions": [LATE, FAMOUS]}, {EIFFEL}),
        ({"operator": "NOT", "conditions": [LATE, FAMOUS]}, {BEN, PISA}),
        (
            {"operator": "OR", "conditions": [FAMOUS, {**LATE, "operator": "<"}]},
            {EIFFEL, PISA},
        ),
    ],
)
def test_filters_become_conditions(
    built: Library, filters: dict[str, Any], wanted: set[str]
) -> None:
    assert found(KnowledgeBaseRetriever(built.reader()), filters) == wanted
    narrow = KnowledgeBaseRetriever(built.reader(), where="year < 1880")
    assert found(narrow, filters) == wanted - {EIFFEL}


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({**LATE, "operator": "like"}, "the operator 'like' on 'year' is not known"),
        ({"operator": "XOR", "conditions": [LATE]}, "allowed: AND, OR, NOT, or a field"),
        ({**LATE, "field": "meta.height"}, "no declared field"),
        ({**LATE, "field": "year > 1 or year"}, "is no field"),
        ({**LATE, "value": {"a": 1}}, "allowed: a text, a number, true or false"),
        ({**LATE, "value": 10**400}, "whole ones up to"),
        ({"operator": "AND", "conditions": ["year"]}, "got 'year' among the filters"),
        (nested(60), "more than 50 deep"),
        (nested(5000), "more than 50 deep"),
    ],
)
def test_what_cannot_be_asked_is_told(built: Library, filters: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        found(KnowledgeBaseRetriever(built.reader()), filters)


def test_a_pipeline_can_be_written_down_and_made_again(
    built: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = KnowledgeBaseRetriever(BASE, 3, "text", "year > 1", ["staff"], built.home, 1)
    pipeline = Pipeline()
    pipeline.add_component("retriever", ours)
    modules = ["llmops.integrations.haystack"]
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=modules).get_component("retriever")
    assert found(again) == found(ours)  # type: ignore[arg-type]
    assert again.to_dict() == ours.to_dict()  # type: ignore[attr-defined]
    monkeypatch.setenv("LLMOPS_HOME", str(built.home))
    assert KnowledgeBaseRetriever(BASE).to_dict()["init_parameters"]["home"] is None


def test_a_reranker_orders_the_documents(built: Library) -> None:
    ours = KnowledgeBaseRetriever(built.reader(), k=3, rerank="overlap")
    wanted = [each.score for each in built.reader().search(TALL, 3, rerank="overlap")]
    assert [each.score for each in ours.run(TALL)["documents"]] == wanted
    assert wanted != [each.score for each in built.reader().search(TALL, 3)]
    assert ours.to_dict()["init_parameters"]["rerank"] == "overlap"


def test_our_chunkers_and_embedders_build_and_ask_a_store_of_theirs() -> None:
    store = InMemoryDocumentStore()
    building = Pipeline()
    chunk = {"name": "markdown", "size": 8, "overlap": 0}
    building.add_component("chunker", Chunker(chunk, embed="hash"))
    building.add_component("embedder", DocumentEmbedder("hash"))
    building.add_component("writer", DocumentWriter(store))
    building.connect("chunker", "embedder")
    building.connect("embedder", "writer")
    modules = ["llmops.integrations.haystack"]
    assert Pipeline.loads(building.dumps(), allowed_modules=modules).dumps() == building.dumps()
    text = "# Travel\n\nTrains are booked by yourself.\n\n# Pay\n\nIt comes on the 25th."
    given = Document(content=text, meta={"uri": "a.md", "team": "hr"})
    building.run({"chunker": {"documents": [given, Document(content="")]}})
    pieces = sorted(store.filter_documents(), key=lambda each: each.meta["start"])
    assert [each.meta["headings"] for each in pieces] == ["Travel", "Pay"]
    assert [each.meta["split_id"] for each in pieces] == [0, 1]
    assert {(each.meta["source_id"], each.meta["team"]) for each in pieces} == {(given.id, "hr")}
    assert all(text[each.meta["start"] : each.meta["end"]] == each.content for each in pieces)
    asking = Pipeline()
    asking.add_component("embedder", TextEmbedder("hash"))
    asking.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=1))
    asking.connect("embedder.embedding", "retriever.query_embedding")
    found = asking.run({"embedder": {"text": "Trains are booked by yourself."}})
    assert [each.id for each in found["retriever"]["documents"]] == [pieces[0].id]


def test_the_embedders_of_a_knowledge_base_are_those_of_its_version(built: Library) -> None:
    base, vector = built.reader(), TextEmbedder.of(built.reader()).run(TALL)["embedding"]
    assert [each.chunk_id for each in base.search(TALL, 3, "vector", vector=vector)] == [
        each.chunk_id for each in base.search(TALL, 3, "vector")
    ]
    named = DocumentEmbedder.of(base).to_dict()["init_parameters"]
    assert named == TextEmbedder.of(base).to_dict()["init_parameters"]
    with pytest.raises(ConfigError, match="sentense"):
        Chunker("sentense")
