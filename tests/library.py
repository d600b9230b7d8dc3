"""A small knowledge base with metadata and access labels, for those who read one from Python."""

import json
from collections.abc import Mapping
from pathlib import Path

from llmops.knowledge_base import KnowledgeBase
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.build import Specs
from llmops.tasks.plugins import Spec
from tests.workshop import Workshop

BASE = "towers"
TALL = "How tall is the Eiffel Tower?"
ROWS: dict[str, dict[str, object]] = {
    "paris/eiffel.txt": {
        "title": "The Eiffel Tower",
        "text": "The Eiffel Tower is 330 metres tall. It was built by Gustave Eiffel in Paris.",
        "year": 1889,
        "kinds": ["iron", "famous"],
    },
    "london/bigben.txt": {
        "title": "Big Ben",
        "text": "Big Ben is the Great Bell in London. The clock tower was completed in 1859.",
        "year": 1859,
        "kinds": ["clock"],
    },
    "pisa.txt": {
        "title": "The Leaning Tower",
        "text": "The Leaning Tower of Pisa stands in Italy. It leans by four degrees.",
        "year": 1173,
    },
    "plans/secret.txt": {
        "title": "The Secret Tower",
        "text": "The Eiffel Tower of Springfield is 999 metres tall. Nobody may know of it.",
        "year": 2030,
        "readers": ["staff"],
    },
}
"""Three public documents, and one that only those with the label `staff` may see."""


class Library(Workshop):
    """A knowledge base of rows with metadata."""

    def __init__(self, folder: Path, store: Spec | None = None) -> None:
        super().__init__(folder, store or Spec(name="lancedb"), kb=BASE)
        self.embedder = Spec(name="hash")
        self.facts = MetadataSchema.model_validate(
            {
                "fields": {"year": "integer", "kinds": "texts"},
                "access": {"field": "readers"},
            }
        )

    def publish(self, rows: Mapping[str, Mapping[str, object]], keep: int = 10) -> int:
        """Bring it to exactly these rows; returns the version that is live then."""
        lines = [json.dumps({"uri": uri, **row}) for uri, row in rows.items()]
        (self.folder / "rows.jsonl").write_text("\n".join(lines))
        return self.build({}, keep=keep)

    def specs(self, texts: Mapping[str, str]) -> Specs:
        options = {"path": "rows.jsonl", "metadata": ["year", "kinds", "readers"]}
        source = Spec(name="jsonl", options=options)
        return super().specs(texts).model_copy(update={"sources": (source,)})

    def reader(self, version: int | None = None) -> KnowledgeBase:
        return KnowledgeBase(BASE, home=self.home, version=version)


def edited(tall: str) -> dict[str, dict[str, object]]:
    """The rows, with another height of the tower in Paris."""
    text = f"The Eiffel Tower is {tall} tall. It was built by Gustave Eiffel in Paris."
    return {**ROWS, "paris/eiffel.txt": {**ROWS["paris/eiffel.txt"], "text": text}}
