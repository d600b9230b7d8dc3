"""Objects among the options of LlamaIndex's classes, and libraries that are missing at load."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker, Span
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.sources import Source

pytestmark = pytest.mark.skipif(
    find_spec("llama_index") is None, reason="llama-index-core is not installed"
)
MEANINGS = "tests.plugins.embedders.meanings"
SEMANTIC = "SemanticSplitterNodeParser"
TEXT = "The boat is red. The boat is fast. Taxes rise again. Taxes are due in May. "


def inner(key: str = "") -> dict[str, Any]:
    return {"path": f"{MEANINGS}.Inner", "options": {"api_key": key}}


def chunker(parser: str, **options: Any) -> Chunker:
    return Spec(name="node_parser", options={"parser": parser, "options": options}).build(Chunker)


def split(made: Chunker, text: str) -> list[Span]:
    return list(made.split(text, markup="plain", title="", tokenizer=HashEmbedder()))


def test_a_node_parser_s_model_is_made_once_when_it_is_needed() -> None:
    from tests.plugins.embedders.meanings import MADE

    MADE.clear()
    made = chunker(SEMANTIC, embed_model=inner("secret-a"), breakpoint_percentile_threshold=50)
    assert MADE == []
    spans = split(made, TEXT * 2)
    assert "".join(TEXT[span.start : span.end] for span in spans[:1]) in TEXT
    assert len(spans) > 1
    split(made, TEXT * 3)
    assert MADE == ["secret-a"]


def test_a_key_of_an_object_changes_no_fingerprint() -> None:
    one, other = (chunker(SEMANTIC, embed_model=inner(key)) for key in ("a", "b"))
    assert one.fingerprint() == other.fingerprint()
    changed = {"path": f"{MEANINGS}.Inner", "options": {"fails": "x"}}
    assert chunker(SEMANTIC, embed_model=changed).fingerprint() != one.fingerprint()


@pytest.mark.skipif(
    find_spec("langchain_text_splitters") is None, reason="the extra langchain is not installed"
)
def test_a_splitter_of_langchain() -> None:
    splitter = {
        "path": "langchain_text_splitters.RecursiveCharacterTextSplitter",
        "options": {"chunk_size": 40, "chunk_overlap": 0},
    }
    spans = split(chunker("LangchainNodeParser", lc_splitter=splitter), TEXT * 3)
    assert all(span.end - span.start <= 40 for span in spans)


def embedding(name: str, **options: Any) -> Embedder:
    given = {"path": f"{MEANINGS}.{name}", "dimensions": 384, "options": options}
    return Spec(name="llamaindex", options=given).build(Embedder)


def test_an_embedding_in_another() -> None:
    made = embedding("Outer", inner=inner("k"))
    np.testing.assert_allclose(made.embed(["red"]), HashEmbedder().embed(["red"]), atol=1e-6)
    assert made.fingerprint() == embedding("Outer", inner=inner("other")).fingerprint()


def test_readers_of_a_reader(tmp_path: Path) -> None:
    (tmp_path / "a.loud").write_text("hello")
    extractor = {
        ".loud": {"path": "tests.plugins.sources.readers.Shouting", "options": {"mark": "?"}}
    }
    source = Spec(
        name="reader",
        options={
            "reader": "llama_index.core.SimpleDirectoryReader",
            "options": {"input_dir": str(tmp_path), "file_extractor": extractor},
            "uri": "file_name",
        },
    ).build(Source)
    found: list[Any] = []
    source.scan(found.append)
    [item] = found
    assert source.read(item).data == b"HELLO?"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            {"path": "no.such.Model", "options": {}},
            "options.embed_model: no.such cannot be imported",
        ),
        ({"path": f"{MEANINGS}.Absent", "options": {}}, "has no Absent"),
        ({"path": f"{MEANINGS}.Lacking", "options": {}}, "needs no_such_library: pip install"),
        (
            {"path": "tests.plugins.sources.readers.Shouting", "options": {"colour": 1}},
            "Shouting does not take these options: .*colour",
        ),
        (
            {"path": f"{MEANINGS}.Outer", "options": {"inner": {"path": "no.such.Inner"}}},
            "embed_model.inner: no.such cannot be imported",
        ),
    ],
)
def test_what_an_object_cannot_be_is_said_at_load(value: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        chunker(SEMANTIC, embed_model=value)


def test_what_only_looks_like_one_stays_an_option() -> None:
    from llmops.tasks.plugins._foreign import with_objects

    plain = {"a": {"path": "./Folder"}, "b": {"path": "data.txt"}, "c": [{"path": "X.Y", "z": 1}]}
    assert with_objects(plain) == plain


def test_a_library_that_a_class_imports_later_is_missed_at_load() -> None:
    with pytest.raises(ValidationError, match="Lacking needs no_such_library: pip install no-such"):
        embedding("Lacking")


@pytest.mark.skipif(find_spec("bs4") is not None, reason="bs4 is installed")
def test_the_html_parser_without_its_library() -> None:
    with pytest.raises(ValidationError, match="needs bs4: pip install beautifulsoup4"):
        chunker("HTMLNodeParser")
