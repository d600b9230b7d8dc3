"""Builds knowledge bases in a folder of their own and looks at everything that a user could look
at.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from llmops.configs import read
from llmops.configs.index import IndexConfig
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.maintenance.verify import verify
from llmops.tasks.yaml_files import write_yaml

MEMO = "memo_store.toml"


def with_database(home: Path, database: Path) -> Path:
    """The home, whose Prefect server will find its tables made: a copy of `prefect_database`, and
    Prefect's note of which types of blocks are in it.
    """
    (home / "prefect").mkdir(parents=True)
    shutil.copy(database, home / "prefect" / "prefect.db")
    shutil.copy(database.with_name(MEMO), home / "prefect" / MEMO)
    return home


class Laboratory:
    """`documents`: the source folder; `bill`: a line per text that the embedder was paid for."""

    kb = "lab"

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.documents, self.bill = (
            folder,
            folder / "home",
            folder / "documents",
            folder / "bill.jsonl",
        )
        self.documents.mkdir(parents=True)
        self.bill.touch()

    @property
    def handle(self) -> Handle:
        return Handle(home=self.home, name=self.kb)

    def write(self, name: str, text: str) -> None:
        (self.documents / name).parent.mkdir(parents=True, exist_ok=True)
        (self.documents / name).write_text(text)

    def config(self, **changes: Any) -> Path:
        """The config file, with some keys replaced."""
        content = {
            "flow": "index",
            "knowledge_base": self.kb,
            "sources": [{"name": "files", "path": "documents"}],
            "chunk": {"name": "sentence", "size": 40, "overlap": 0},
            "embed": {"name": "costly", "bill": str(self.bill)},
        }
        file = self.folder / "lab.yaml"
        file.write_text(write_yaml(content | changes))
        return file

    def build(self, *, allow_deletes: bool = False, full: bool = False, **changes: Any) -> Outcome:
        """Run the flow once."""
        from llmops.flows.running import run_connected

        config = read(self.config(**changes), IndexConfig)
        outcome = run_connected(self.home, config, allow_deletes=allow_deletes, full=full)
        return Outcome.model_validate(outcome)

    def paid(self) -> int:
        """How many texts were embedded so far."""
        return len(self.bill.read_text().splitlines())

    def bills(self) -> list[str]:
        return [json.loads(line) for line in self.bill.read_text().splitlines()]

    def visible(self) -> set[str]:
        """The uris that a reader of the live version can find."""
        live = self.handle.published()
        reader = searcher(self.home, live).reader
        return {uri for frame in reader.rows(["uri"]) for uri in frame["uri"]}

    def search(self, question: str, k: int = 5) -> list[str]:
        live = self.handle.published()
        return [str(text) for text in searcher(self.home, live).search(question, k)["text"]]

    def live(self) -> int | None:
        found = self.handle.live()
        return found.version if found else None

    def verified(self) -> bool:
        return bool(verify(self.handle)["ok"])
