from llmops.deployments.plugin_package.templates.chunkers import ExampleChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder

TEXT = "One rule.\nStill the same.\n\n\nAnother rule.\n"


def passages(chunker: ExampleChunker, text: str) -> list[str]:
    spans = chunker.split(text, markup="plain", title=None, tokenizer=HashEmbedder())
    return [text[span.start : span.end] for span in spans]


def test_a_paragraph_is_a_passage() -> None:
    assert passages(ExampleChunker(), TEXT) == ["One rule.\nStill the same.", "Another rule."]


def test_no_character_is_lost_in_a_long_paragraph() -> None:
    text = " ".join(f"word{number}" for number in range(40))
    found = passages(ExampleChunker(size=8), text)
    assert len(found) == 5
    assert "".join(found) == text


def test_an_empty_document_has_no_passage() -> None:
    assert passages(ExampleChunker(), " \n ") == []
