"""What a build starts from."""

from pathlib import Path
from typing import ClassVar

import pytest

from llmops.configs import read
from llmops.configs.index import IndexConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.build import Fingerprints, Specs
from llmops.tasks.knowledge.start import fingerprints_of, fingerprints_of_specs
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.parsers import DEFAULTS


def fingerprints(*codes: str) -> Fingerprints:
    class Reads(HashEmbedder):
        languages: ClassVar[frozenset[str]] = frozenset(codes)

        def fingerprint(self) -> str:
            return HashEmbedder().fingerprint()

    return fingerprints_of([], "", SentenceChunker(), Reads(), MetadataSchema(), DEFAULTS)


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


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def config(folder: Path, parse: str) -> Path:
    written = folder / "a.yaml"
    written.write_text(
        "flow: index\nknowledge_base: a\nsources: [{name: files, path: .}]\nembed: hash\n"
        f"parse: {parse}\n"
    )
    return written


def specs(folder: Path, parse: str) -> Specs:
    return Specs.model_validate(read(config(folder, parse), IndexConfig))


def test_what_becomes_of_comments_counts_for_documents_that_may_have_some(tmp_path: Path) -> None:
    left_out, silent, apart = (
        fingerprints_of_specs(specs(tmp_path, parse))
        for parse in ("{comments: drop}", "{seconds: 9}", "{comments: apart}")
    )
    assert left_out.all == silent.all != apart.all
    assert left_out.of(WORD) == silent.of(WORD) != apart.of(WORD)
    assert left_out.of("application/pdf") == apart.of("application/pdf")


def test_an_unknown_way_with_comments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"parse\.comments.*'drop' or 'apart'.*"):
        specs(tmp_path, "{comments: inline}")
