"""This project: the `llmops index` command with the embedded store and the default limits."""

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from benchmarks.faults import inject
from benchmarks.faults.adapter import DIMENSION, Adapter, embed, split, vector
from llmops import KnowledgeBase
from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.schemas import Vectors

HOME, KB, CONFIG = Path("home"), "faults", Path("kb.yaml")
PLUGINS = """[llmops.embedders]
billed = benchmarks.faults.adapters.ours:BilledEmbedder
[llmops.chunkers]
paragraphs = benchmarks.faults.adapters.ours:ParagraphChunker
"""
YAML = """flow: index
knowledge_base: {kb}
sources: [{{name: files, path: docs}}]
clean: []
chunk: {{name: paragraphs, per_chunk: {per_chunk}}}
embed: billed
"""


class BilledEmbedder(Embedder):
    """The embedder of all systems."""

    dimension: ClassVar[int] = DIMENSION
    max_tokens: ClassVar[int] = 8192

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        return np.array(embed(texts), np.float32).reshape(len(texts), DIMENSION)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return HashEmbedder().token_offsets(text)


class ParagraphChunker(Chunker):
    """The chunker of all systems."""

    per_chunk: int

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        del markup, title, uri
        spans, end = [], 0
        for chunk in split(text, self.per_chunk):
            start = text.index(chunk, end)
            end = start + len(chunk)
            tokens = len(tokenizer.token_offsets(chunk))
            spans.append(Span(start=start, end=end, tokens=tokens))
        return spans


class LlmopsPipelines(Adapter):
    """The command itself, in this process, so that faults can strike in it."""

    title = "llmops-pipelines"
    packages = ("llmops-pipelines", "lancedb", "prefect", "mlflow")
    loads: tuple[str, ...] = (
        "great_expectations.expectations.core",
        "lancedb",
        "matplotlib.figure",
        "mlflow",
        "pandas",
        "scipy.stats",
        "sqlalchemy",
    )
    store = "home/lancedb"
    state = ("home/ledger.db*",)
    setup = "`llmops index` with the defaults of docs/knowledge.md; a reader is `KnowledgeBase`"

    def run(self, per_chunk: int) -> None:
        from llmops.flows.entry import main

        inject.arm_lancedb()
        for place, name, point in (
            ("plugins.parsers.text:TextParser", "parse", "parse"),
            ("knowledge.publish", "_point", "state write"),
        ):
            module, _, owner = place.partition(":")
            found = importlib.import_module(f"llmops.tasks.{module}")
            inject.before(getattr(found, owner) if owner else found, name, point)
        CONFIG.write_text(YAML.format(kb=KB, per_chunk=per_chunk))
        os.environ["LLMOPS_HOME"] = str(HOME)
        sys.argv = ["llmops", "index", str(CONFIG)]
        main()

    @cached_property
    def reader(self) -> KnowledgeBase:
        return KnowledgeBase(KB, home=HOME)

    def search(self) -> Iterable[tuple[str, str]]:
        asked = vector("a question")
        found = self.reader.search("a question", k=1000, mode="vector", vector=asked)
        return [(passage.uri, passage.text) for passage in found]

    def start(self, folder: Path) -> Mapping[str, str]:
        """A Prefect server for all runs, and two plugins as another package would bring them."""
        from llmops.flows.server import ensure

        package = folder / "package" / "llmops_benchmark_faults-0.dist-info"
        package.mkdir(parents=True)
        told = "Metadata-Version: 2.1\nName: llmops-benchmark-faults\nVersion: 0\n"
        (package / "METADATA").write_text(told)
        (package / "entry_points.txt").write_text(PLUGINS)
        return {
            "PREFECT_API_URL": ensure(folder / "server").url,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_PROFILES_PATH": os.devnull,
            "PYTHONPATH": str(package.parent),
        }

    def stop(self, folder: Path) -> None:
        from llmops.flows.server import stop

        stop(folder / "server")


ADAPTER = LlmopsPipelines()
