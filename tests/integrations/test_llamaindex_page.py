"""Each block of docs/llamaindex.md is run."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.sources import Item, Problem, Source
from llmops.tasks.yaml_files import parsed

pytestmark = pytest.mark.skipif(
    find_spec("llama_index") is None, reason="llama-index-core is not installed"
)
PAGE = Path(__file__).parents[2] / "docs" / "llamaindex.md"
BLOCKS: list[dict[str, Any]] = [
    cast("dict[str, Any]", parsed(PAGE, block))
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
]
NEEDS = re.compile(r"(llama_index\.(?:readers|embeddings)\.\w+|langchain_text_splitters)")
MODULES = {"CodeSplitter": "tree_sitter_language_pack"}
TEXT = "# Boats\n\nThe boat is red. The boat is fast.\n\n## Taxes\n\nTaxes rise. They are due.\n"
CODE = "def one():\n    return 1\n\n\ndef two():\n    return 2\n" * 10


def of(key: str) -> list[Any]:
    """The blocks with that key, each skipped where a library that it names is not there."""
    found = [block[key] for block in BLOCKS if key in block]
    specs = [one[0] if isinstance(one, list) else one for one in found]
    return [pytest.param(spec, marks=_missing(str(spec)), id=_id(spec)) for spec in specs]


def _missing(text: str) -> list[pytest.MarkDecorator]:
    wanted = [*NEEDS.findall(text), *(name for part, name in MODULES.items() if part in text)]
    absent = [name for name in wanted if not _there(name)]
    return [pytest.mark.skip(reason=f"{absent[0]} is not installed")] if absent else []


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _id(spec: dict[str, Any]) -> str:
    said = str(spec.get("reader") or spec.get("parser") or spec.get("path"))
    inner = re.findall(r"'path': '[\w.]*?(\w+)'", str(spec.get("options", "")))
    return "-".join([said.rpartition(".")[2], *inner])


def test_there_are_ten_of_them() -> None:
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize("spec", of("sources"))
def test_a_reader_gives_documents(spec: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "boats.md").write_text(TEXT)
    (tmp_path / "notes" / "ann.json").write_text('{"name": "Ann", "town": "Bonn"}')
    (tmp_path / "orders.json").write_text('{"name": "Ann", "town": "Bonn"}')
    source = Spec.model_validate(spec).build(Source).at(tmp_path)
    reported: list[Item | Problem] = []
    source.check()
    source.scan(reported.append)
    items = [each for each in reported if isinstance(each, Item)]
    texts = {item.uri: source.read(item).data.decode() for item in items}
    assert texts
    assert items == reported
    assert any("Ann" in text or "boat" in text for text in texts.values())
    if spec.get("uri") == "file_name":
        assert "boats.md" in texts


@pytest.mark.parametrize("spec", of("chunk"))
def test_a_node_parser_gives_passages_of_the_text(spec: dict[str, Any]) -> None:
    text = CODE if spec["parser"] == "CodeSplitter" else TEXT * 5
    chunker = Spec.model_validate(spec).build(Chunker)
    spans = list(chunker.split(text, markup="plain", title="", tokenizer=HashEmbedder()))
    assert len(spans) > 1
    covered = {place for span in spans for place in range(span.start, span.end)}
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


@pytest.mark.parametrize("spec", of("embed"))
def test_an_embedding_gives_vectors(spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    embedder = Spec.model_validate(spec).build(Embedder)
    assert embedder.dimension == spec["dimensions"]
    if "options" in spec and "embed_dim" in spec["options"]:
        vectors = embedder.embed(["a boat", "a tax"])
        assert vectors.shape == (2, spec["dimensions"])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_html_is_refused_by_document_or_by_its_library() -> None:
    """As the page says: its parser rewrites the text."""
    if find_spec("bs4") is None:
        pytest.skip("beautifulsoup4 is not installed")
    from llmops.tasks.errors import DocumentError

    chunker = Spec(name="node_parser", options={"parser": "HTMLNodeParser"}).build(Chunker)
    page = "<html><body><p>One &amp; two.</p><p>Three</p></body></html>"
    with pytest.raises(DocumentError, match="not in the document"):
        list(chunker.split(page, markup="plain", title="", tokenizer=HashEmbedder()))
