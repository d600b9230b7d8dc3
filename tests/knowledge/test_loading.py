"""What a search needs beside the store is loaded beside it, and never gets in its way."""

from llmops.tasks.knowledge.handle import Version
from llmops.tasks.knowledge.loading import begin_loading
from llmops.tasks.plugins.embedders import minilm
from llmops.tasks.texts import language


def version(embed: dict[str, str]) -> Version:
    return Version(
        kb="harbour",
        version=1,
        status="published",
        parent=None,
        collection="harbour-1",
        snapshot="1",
        weight=None,
        documents=1,
        chunks=1,
        config={"embed": embed},
    )


def loaded() -> tuple[int, int]:
    """How many models of the embedder and of languages this process holds."""
    held = minilm._load_model.cache_info(), language._letter_sequences.cache_info()
    return held[0].currsize, held[1].currsize


def forget() -> None:
    minilm._load_model.cache_clear()
    language._letter_sequences.cache_clear()


def test_the_models_of_embedder_and_languages_are_loaded() -> None:
    forget()
    begin_loading(version({"name": "minilm"}), "hybrid").join()
    assert loaded() == (1, 1)


def test_a_search_by_text_and_an_embedder_of_all_languages_need_none() -> None:
    forget()
    assert not begin_loading(version({"name": "minilm"}), "text").is_alive()
    begin_loading(version({"name": "hash"}), "hybrid").join()
    assert loaded() == (0, 0)


def test_what_cannot_be_loaded_is_left_to_the_search() -> None:
    thread = begin_loading(version({"name": "no such embedder"}), "hybrid")
    thread.join()  # an error in a thread would fail the test as a warning
    assert not thread.is_alive()
