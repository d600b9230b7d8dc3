"""What a build starts from."""

from typing import ClassVar

from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.build import Fingerprints
from llmops.tasks.knowledge.start import fingerprints_of
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.parsers import Ocr


def fingerprints(*codes: str) -> Fingerprints:
    class Reads(HashEmbedder):
        languages: ClassVar[frozenset[str]] = frozenset(codes)

        def fingerprint(self) -> str:
            return HashEmbedder().fingerprint()

    return fingerprints_of([], "", SentenceChunker(), Reads(), MetadataSchema(), Ocr())


def test_only_documents_that_the_embedder_does_not_read_are_cut_by_letters() -> None:
    """What it reads may be an option that no vector depends on: `language` of the embedder onnx."""
    all_of_them, english, arabic = fingerprints(), fingerprints("en"), fingerprints("en", "ar")
    for language in ("en", "de", None):
        assert english.of("text/plain", language) == all_of_them.of("text/plain", language)
    for language in ("fa", "zh", "ru"):
        before, after = (each.of("text/plain", language) for each in (all_of_them, english))
        assert (before.text, before.check) == (after.text, after.check)
        assert before.chunk != after.chunk
    assert arabic.of("text/plain", "fa") == all_of_them.of("text/plain", "fa")
