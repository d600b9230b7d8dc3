"""A knowledge base in a chain of LangChain."""

import asyncio
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from llmops.integrations.langchain import Chunker, Embedding, KnowledgeBaseRetriever
from llmops.tasks.errors import ConfigError, UsageError
from tests.integrations.offline import PROMPT, answered
from tests.library import BASE, TALL, Library, edited


def texts(documents: list[Document]) -> str:
    return "\n\n".join(each.page_content for each in documents)


def offline(prompt: PromptValue) -> str:
    return answered(prompt.to_string())


def chain(retriever: KnowledgeBaseRetriever) -> Runnable[str, str]:
    given = {"context": retriever | texts, "question": RunnablePassthrough()}
    prompt = PromptTemplate.from_template(PROMPT)
    return given | prompt | RunnableLambda(offline) | StrOutputParser()


def test_a_chain_answers_from_what_is_live(library: Library) -> None:
    retriever = KnowledgeBaseRetriever(knowledge_base=BASE, k=2, home=library.home)
    ours = chain(retriever)
    assert "330 metres" in ours.invoke(TALL)
    first = retriever.invoke(TALL)[0]
    assert (first.metadata["uri"], first.metadata["version"]) == ("paris/eiffel.txt", 1)
    assert first.metadata["year"] == 1889
    library.publish(edited("331 metres"))
    assert "331 metres" in asyncio.run(ours.ainvoke(TALL))
    assert asyncio.run(retriever.ainvoke(TALL))[0].metadata["version"] == 2
    pinned = KnowledgeBaseRetriever(knowledge_base=library.reader(version=1), k=1)
    assert "330 metres" in chain(pinned).invoke(TALL)


def test_a_document_is_the_passage(built: Library) -> None:
    (document,) = KnowledgeBaseRetriever(knowledge_base=built.reader(), k=1).invoke(TALL)
    passage = built.reader().search(TALL, 1)[0]
    assert (document.id, document.page_content) == (passage.chunk_id, passage.text)
    wanted = {"uri", "title", "version", "page", "start", "end", "score"}
    assert {name: document.metadata[name] for name in wanted} == passage.model_dump(include=wanted)


def found(retriever: Runnable[str, list[Document]], **options: Any) -> set[str]:
    return {each.metadata["uri"] for each in retriever.invoke(TALL, **options)}


def test_labels_hold_whatever_a_call_asks_for(built: Library) -> None:
    kb = built.reader()
    public = KnowledgeBaseRetriever(knowledge_base=kb, k=50)
    staff = KnowledgeBaseRetriever(knowledge_base=kb, k=50, labels=("staff",))
    assert "plans/secret.txt" not in found(public)
    assert "plans/secret.txt" in found(staff)
    assert found(public, where="year = 2030") == set()
    with pytest.raises(TypeError, match="labels"):
        found(public, labels={"staff"})
    own = public.model_copy(update={"labels": ("staff",)})
    assert found(own) == found(staff)
    assert "staff" not in texts(asyncio.run(public.ainvoke("Springfield")))


def test_a_call_may_have_its_own_k_and_mode_and_narrows_further(built: Library) -> None:
    ours = KnowledgeBaseRetriever(knowledge_base=built.reader(), k=50, where="year > 1850")
    assert found(ours) == {"paris/eiffel.txt", "london/bigben.txt"}
    assert found(ours.bind(where='kinds contains "clock"')) == {"london/bigben.txt"}
    assert found(ours, where="year < 1200 or year = 1859") == {"london/bigben.txt"}
    for wider in ("year = 1) or (year > 0", "(year > 0", "year > 0) or not (year = 1"):
        with pytest.raises(UsageError, match="is wanted"):
            found(ours, where=wider)
    assert found(ours, where=" ") == found(ours)
    assert len(ours.invoke(TALL, k=1, mode="text")) == 1
    with pytest.raises(UsageError, match="no declared field"):
        ours.invoke(TALL, where="height = 3")


def test_our_chunkers_split_documents_and_say_where_the_parts_stand() -> None:
    text = "# Towers\n\nA tower is tall.\n\n## Bells\n\nA bell is loud. A bell is loud.\n"
    splitter = Chunker({"name": "markdown", "size": 8, "overlap": 0}, embed="hash")
    parts = splitter.split_documents([Document(page_content=text, metadata={"year": 1889})])
    assert [each.page_content for each in parts] == splitter.split_text(text)
    assert len(parts) > 2
    for each in parts:
        assert text[each.metadata["start"] : each.metadata["end"]] == each.page_content
        assert each.metadata["year"] == 1889
    assert parts[-1].metadata["headings"] == "Towers > Bells"
    assert splitter.transform_documents([Document(page_content=text)])[0].page_content
    assert splitter.create_documents([text], [{"n": 1}])[0].metadata["n"] == 1
    with pytest.raises(ConfigError, match="unknown name 'sentense' among the chunkers"):
        Chunker("sentense")


def test_our_embedders_in_a_store_of_theirs(built: Library) -> None:
    store = InMemoryVectorStore(Embedding("hash"))
    store.add_texts(["The tower is tall.", "The bell is loud."])
    assert store.similarity_search("a loud bell", 1)[0].page_content == "The bell is loud."
    ours = Embedding.of(built.reader())
    vector = asyncio.run(ours.aembed_query("the Great Bell in London"))
    assert vector == ours.embed_documents(["the Great Bell in London"])[0]
    assert built.reader().search("?", 1, "vector", vector=vector)[0].uri == "london/bigben.txt"


def test_a_reranker_orders_what_is_found(built: Library) -> None:
    ours = KnowledgeBaseRetriever(knowledge_base=built.reader(), k=3, rerank="overlap")
    wanted = [each.score for each in built.reader().search(TALL, 3, rerank="overlap")]
    assert [each.metadata["score"] for each in ours.invoke(TALL)] == wanted
    assert wanted != [each.score for each in built.reader().search(TALL, 3)]
