"""The baseline: even chunks, sentences or not."""

from statistics import mean, pstdev

from llmops.tasks.plugins.chunkers.fixed import FixedChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts


def test_chunks_end_between_words_wherever_these_are() -> None:
    text = texts.english(60_000)
    spans = FixedChunker(size=100, overlap=10).split(
        text, markup="plain", title="T", tokenizer=HashEmbedder()
    )
    assert all(span.end == len(text) or text[span.end].isspace() for span in spans)
    assert sum(text[span.end - 1] in ".!?" for span in spans) < 0.3 * len(spans)
    sizes = [span.tokens for span in spans]
    assert pstdev(sizes) < 0.3 * mean(sizes)
    assert {span.context for span in spans} == {"T"}
