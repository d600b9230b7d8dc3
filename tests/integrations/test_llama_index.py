"""A knowledge base in LlamaIndex's own engines."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import PromptTemplate, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import Document, MetadataMode, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from llmops.integrations.llama_index import (
    Chunker,
    Embedding,
    KnowledgeBaseRetriever,
    KnowledgeBaseVectorStore,
)
from llmops.tasks.errors import ConfigError, UsageError
from tests.integrations.offline import PROMPT, answered
from tests.library import BASE, TALL, Library, edited

TEMPLATE = PromptTemplate(PROMPT.format(context="{context_str}", question="{query_str}"))


class Offline(CustomLLM):
    """The model `extractive`."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=answered(prompt))

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        raise NotImplementedError


def engine(retriever: KnowledgeBaseRetriever) -> RetrieverQueryEngine:
    synthesizer = get_response_synthesizer(llm=Offline(), text_qa_template=TEMPLATE)
    return RetrieverQueryEngine(retriever, synthesizer)


def index(store: KnowledgeBaseVectorStore) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=3))


def test_a_query_engine_answers_from_what_is_live(library: Library) -> None:
    ours = engine(KnowledgeBaseRetriever(BASE, k=2, home=library.home))
    said = ours.query(TALL)
    assert "330 metres" in str(said)
    first = said.source_nodes[0]
    assert first.node.metadata["uri"] == "paris/eiffel.txt"
    assert (first.node.metadata["version"], first.node.metadata["year"]) == (1, 1889)
    library.publish(edited("331 metres"))
    again = asyncio.run(ours.aquery(TALL))
    assert "331 metres" in str(again)
    assert again.source_nodes[0].node.metadata["version"] == 2


def test_a_retriever_may_stay_at_a_version(library: Library) -> None:
    library.publish(edited("331 metres"))
    (first,) = KnowledgeBaseRetriever(BASE, k=1, home=library.home, version=1).retrieve(TALL)
    assert "330 metres" in first.text
    assert first.metadata["version"] == 1


def test_a_node_says_where_it_is_from_and_shows_a_model_what_helps_it(built: Library) -> None:
    (found,) = KnowledgeBaseRetriever(built.reader(), k=1).retrieve(TALL)
    passage = built.reader().search(TALL, 1)[0]
    node = found.node
    assert isinstance(node, TextNode)
    assert (node.node_id, node.ref_doc_id) == (passage.chunk_id, passage.doc_id)
    assert (node.start_char_idx, node.end_char_idx) == (passage.start, passage.end)
    assert found.score == passage.score
    assert {"uri", "title", "version", "page", "start", "end"} <= node.metadata.keys()
    shown = node.get_content(MetadataMode.LLM)
    assert "uri: paris/eiffel.txt" in shown
    assert "chunk_id" not in shown
    assert node.get_content(MetadataMode.NONE) == passage.text


def test_labels_hold_in_the_retriever_and_in_the_index(built: Library) -> None:
    kb = built.reader()
    for labels, there in (((), False), (["staff"], True)):
        nodes = KnowledgeBaseRetriever(kb, k=50, labels=labels).retrieve(TALL)
        assert ("plans/secret.txt" in {each.metadata["uri"] for each in nodes}) is there
        store = KnowledgeBaseVectorStore(kb, labels=labels)
        for mode in ("default", "text_search", "sparse", "hybrid", "semantic_hybrid"):
            asked = index(store).as_retriever(vector_store_query_mode=mode, similarity_top_k=50)
            uris = {each.metadata["uri"] for each in asked.retrieve(TALL)}
            assert ("plans/secret.txt" in uris) is there, mode
            assert "paris/eiffel.txt" in uris
    for made in (KnowledgeBaseRetriever, KnowledgeBaseVectorStore):
        with pytest.raises(UsageError, match="allowed: a set of texts"):
            made(kb, labels="staff")  # no set of letters
    secret = MetadataFilters(filters=[MetadataFilter(key="year", value=2030)])
    asked = index(KnowledgeBaseVectorStore(kb)).as_retriever(filters=secret)
    assert asked.retrieve(TALL) == []


def test_an_index_of_theirs_reads_and_follows(library: Library) -> None:
    store = KnowledgeBaseVectorStore(BASE, home=library.home, where="year > 1800")
    theirs = index(store).as_query_engine(
        llm=Offline(), text_qa_template=TEMPLATE, vector_store_query_mode="hybrid"
    )
    said = theirs.query(TALL)
    assert "330 metres" in str(said)
    assert said.source_nodes[0].node.metadata["uri"] == "paris/eiffel.txt"
    assert {each.node.metadata["year"] for each in said.source_nodes} <= {1889, 1859}
    library.publish(edited("331 metres"))
    again = asyncio.run(theirs.aquery(TALL))
    assert "331 metres" in str(again)
    assert {each.node.metadata["version"] for each in again.source_nodes} == {2}


def uris(store: KnowledgeBaseVectorStore, filters: MetadataFilters, **query: Any) -> set[str]:
    asked = VectorStoreQuery(query_str="tower", similarity_top_k=50, filters=filters, **query)
    return {str(node.metadata["uri"]) for node in store.query(asked).nodes or []}


EIFFEL, BEN, PISA = "paris/eiffel.txt", "london/bigben.txt", "pisa.txt"


@pytest.mark.parametrize(
    ("key", "operator", "value", "wanted"),
    [
        ("year", "==", 1889, {EIFFEL}),
        ("year", "!=", 1889, {BEN, PISA}),
        ("year", ">=", 1859, {EIFFEL, BEN}),
        ("year", ">", 1859, {EIFFEL}),
        ("year", "<=", 1859, {BEN, PISA}),
        ("year", "<", 1859, {PISA}),
        ("year", "in", [1173, 1859], {BEN, PISA}),
        ("year", "nin", [1173, 1859], {EIFFEL}),
        ("year", "in", [], set()),
        ("title", "==", 'Big "Ben" \\', set()),
        ("uri", "==", PISA, {PISA}),
        ("kinds", "contains", "iron", {EIFFEL}),
        ("kinds", "any", ["iron", "clock"], {EIFFEL, BEN}),
        ("kinds", "all", ["iron", "famous"], {EIFFEL}),
        ("kinds", "all", ["iron", "clock"], set()),
        ("kinds", "is_empty", None, {PISA}),
    ],
)
def test_filters_become_conditions(
    built: Library, key: str, operator: str, value: Any, wanted: set[str]
) -> None:
    each = MetadataFilter(key=key, value=value, operator=FilterOperator(operator))
    store = KnowledgeBaseVectorStore(built.reader())
    assert uris(store, MetadataFilters(filters=[each])) == wanted
    none_of = MetadataFilters(filters=[each], condition=FilterCondition.NOT)
    assert uris(store, none_of) == {EIFFEL, BEN, PISA} - wanted


def test_filters_may_be_nested_and_narrow_what_the_store_is_narrowed_to(built: Library) -> None:
    late = MetadataFilter(key="year", value=1850, operator=FilterOperator.GT)
    pisa = MetadataFilter(key="uri", value=PISA)
    either = MetadataFilters(filters=[late, pisa], condition=FilterCondition.OR)
    famous = MetadataFilter(key="kinds", value="famous", operator=FilterOperator.CONTAINS)
    store = KnowledgeBaseVectorStore(built.reader())
    assert uris(store, either) == {EIFFEL, BEN, PISA}
    assert uris(store, MetadataFilters(filters=[either, famous])) == {EIFFEL}
    narrow = KnowledgeBaseVectorStore(built.reader(), where='uri = "pisa.txt" or year = 1859')
    assert uris(narrow, either) == {BEN, PISA}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"mode": "mmr"}, "got mode 'mmr'; allowed: default, text_search"),
        ({"doc_ids": ["a"]}, "which a knowledge base does not know"),
        ({"alpha": 0.3}, "which a knowledge base does not know"),
        ({"key": "height"}, "'height' at character 1 is no declared field"),
        ({"key": 'uri != "" or year'}, "is no field; there are: flags"),
        ({"key": "title", "operator": "text_match"}, "operator text_match .* is not known"),
        ({"key": "kinds", "operator": "in", "value": "iron"}, "allowed: a list of values"),
    ],
)
def test_what_cannot_be_asked_is_told(built: Library, query: dict[str, Any], says: str) -> None:
    from llama_index.core.vector_stores.types import VectorStoreQueryMode

    asked = VectorStoreQuery(query_str=TALL)
    if "key" in query:
        asked.filters = MetadataFilters(
            filters=[MetadataFilter.model_validate({"value": "x", **query})]
        )
    elif "mode" in query:
        asked.mode = VectorStoreQueryMode(query["mode"])
    else:
        asked = VectorStoreQuery(query_str=TALL, **query)
    with pytest.raises(UsageError, match=says):
        KnowledgeBaseVectorStore(built.reader()).query(asked)


def test_a_store_is_only_read(built: Library) -> None:
    theirs = index(KnowledgeBaseVectorStore(built.reader()))
    with pytest.raises(UsageError, match="only read here"):
        theirs.insert(Document(text="A new tower."))
    with pytest.raises(UsageError, match="only read here"):
        theirs.vector_store.delete("id")
    assert built.reader().version == 1


def test_a_store_can_be_written_down_and_made_again(built: Library) -> None:
    store = KnowledgeBaseVectorStore(BASE, "year > 1880", ["staff"], built.home, 1)
    again = KnowledgeBaseVectorStore.from_dict(store.to_dict())
    assert uris(again, MetadataFilters(filters=[])) == {EIFFEL, "plans/secret.txt"}
    assert again.base.pinned == 1


def test_the_vector_of_the_index_is_used_where_it_is_asked_for(built: Library) -> None:
    """As for a hypothetical answer: the vector of another text than the question."""
    kb = built.reader()
    ours = Embedding.of(kb)
    vector = ours.get_query_embedding("the Great Bell in London")
    asked = VectorStoreQuery(query_str=TALL, query_embedding=vector, similarity_top_k=1)
    for store, uri in (
        (KnowledgeBaseVectorStore(kb), EIFFEL),
        (KnowledgeBaseVectorStore(kb, is_embedding_query=True), BEN),
    ):
        (node,) = store.query(asked).nodes or []
        assert node.metadata["uri"] == uri
    wrong = VectorStoreQuery(query_str=TALL, query_embedding=[1.0, 0.0])
    with pytest.raises(UsageError, match="embed the question with the knowledge base's own"):
        KnowledgeBaseVectorStore(kb, is_embedding_query=True).query(wrong)


def test_our_chunkers_parse_nodes_and_say_where_they_stand() -> None:
    text = "# Towers\n\nA tower is tall.\n\n## Bells\n\nA bell is loud. A bell is loud.\n"
    document = Document(text=text, metadata={"file_name": "towers.md", "year": 1889})
    parser = Chunker({"name": "markdown", "size": 8, "overlap": 0}, embed="hash")
    nodes = parser.get_nodes_from_documents([document])
    assert len(nodes) > 2
    for node in nodes:
        assert isinstance(node, TextNode)
        assert text[node.start_char_idx : node.end_char_idx] == node.text
        assert (node.metadata["year"], node.ref_doc_id) == (1889, document.doc_id)
        assert (node.metadata["start"], node.metadata["end"]) == (
            node.start_char_idx,
            node.end_char_idx,
        )
    assert nodes[-1].metadata["headings"] == "Towers > Bells"
    assert nodes[0].next_node is not None
    plain = Chunker("sentence", embed="hash").get_nodes_from_documents([Document(text=text)])
    assert "headings" not in plain[0].metadata
    told = Chunker("markdown", embed="hash").get_nodes_from_documents([Document(text=text)])
    assert told[0].metadata["headings"] == "Towers"


def test_chunkers_and_embedders_in_a_pipeline_of_theirs() -> None:
    pipeline = IngestionPipeline(transformations=[Chunker(embed="hash"), Embedding("hash")])
    documents = [Document(text="The tower is tall."), Document(text="The bell is loud.")]
    nodes = pipeline.run(documents=documents)
    theirs = VectorStoreIndex(nodes, embed_model=Embedding("hash"))
    (found,) = theirs.as_retriever(similarity_top_k=1).retrieve("loud bell")
    assert found.text == "The bell is loud."
    (again,) = asyncio.run(theirs.as_retriever(similarity_top_k=1).aretrieve("tall tower"))
    assert again.text == "The tower is tall."


def test_wrong_plugins_are_told_as_in_a_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown name 'sentense' among the chunkers"):
        Chunker("sentense")
    with pytest.raises(ConfigError, match="unknown key 'sice'"):
        Chunker({"name": "sentence", "sice": 3})
    with pytest.raises(ConfigError, match="unknown name 'magic' among the embedders"):
        Embedding("magic")
    families = Chunker({"name": "parent_child"}, embed="hash")
    with pytest.raises(UsageError, match="found by other texts than their own"):
        families.get_nodes_from_documents([Document(text="A tower. A bell. " * 200)])


def test_a_base_is_given_by_name_or_as_one(built: Library) -> None:
    with pytest.raises(UsageError, match="allowed: a name with them, or a KnowledgeBase alone"):
        KnowledgeBaseRetriever(built.reader(), version=1)


def test_a_reranker_orders_what_is_found(built: Library) -> None:
    ours = KnowledgeBaseRetriever(built.reader(), k=3, rerank="overlap")
    wanted = [each.score for each in built.reader().search(TALL, 3, rerank="overlap")]
    assert [each.score for each in ours.retrieve(TALL)] == wanted
    assert wanted != [each.score for each in built.reader().search(TALL, 3)]
