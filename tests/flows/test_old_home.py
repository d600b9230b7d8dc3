"""The home of release 0.1.0 is built and evaluated again, by the flows: nothing is embedded or
asked a second time, though some files are read anew. `rooms.html` is left out: its text is another
one now (`tests/test_old_home.py`), and its questions would have to be asked for.
"""

from pathlib import Path
from typing import Any

import pytest

from llmops.configs import read
from llmops.flows import server
from tests.commandline import ended, llmops, start
from tests.old_home import paid, restore, waiting

pytestmark = pytest.mark.slow


SOURCES = (
    "sources=[{name: files, path: documents, exclude: [rooms.html]}, "
    "{name: jsonl, path: articles.jsonl}]"
)


class OldHome:
    """Its flows run against the tests' own Prefect server and MLflow store."""

    def __init__(self, folder: Path) -> None:
        self.project, self.home = restore(folder)
        self.before = paid(self.home)

    def build(self, name: str, *changes: str) -> Any:
        from llmops.configs.index import IndexConfig
        from llmops.flows.running import run_connected
        from llmops.tasks.knowledge.outcome import Outcome

        config = read(self.project / f"{name}.yaml", IndexConfig, changes)
        return Outcome.model_validate(run_connected(self.home, config))

    def still_paid(self, *tables: str) -> bool:
        now = paid(self.home)
        return all(now[table] == self.before[table] for table in tables)


@pytest.fixture
def old(tmp_path: Path, prefect_server: Path, monkeypatch: pytest.MonkeyPatch) -> OldHome:
    from llmops.tasks.tracking import tracking_uri

    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", tracking_uri(prefect_server))
    return OldHome(tmp_path)


def figures(outcome: Any) -> tuple[Any, ...]:
    return outcome.status, outcome.version, outcome.chunks["kept"], outcome.embeddings["computed"]


def test_a_build_pays_nothing(old: OldHome) -> None:
    library = old.build("library", SOURCES)
    assert figures(library) == ("published", 3, 26, 0)
    documents = library.documents
    assert (documents["unchanged"], documents["retired"], documents["changed"]) == (8, 1, 0)
    assert (documents["quarantined"], documents["duplicates"]) == (2, 1)
    for name, chunks in (("pages", 6), ("talk", 2)):
        assert figures(old.build(name)) == ("unchanged", 1, chunks, 0)
    assert old.still_paid("embeddings", "calls")
    assert waiting(old.home) == {
        "a2": ("ExpectationFailed", 2),
        "damaged.pdf": ("DocumentError", 2),
        "notes-copy.txt": ("NearDuplicate", 1),
    }


def test_other_chunks_of_the_same_texts_ask_nothing(old: OldHome) -> None:
    assert figures(old.build("pages", "chunk.size=40")) == ("published", 2, 0, 10)
    assert figures(old.build("talk", "chunk.size=30")) == ("published", 2, 0, 2)
    assert old.still_paid("calls")


def test_another_collection_and_a_rollback_cost_nothing(old: OldHome) -> None:
    changes = (SOURCES, "fields={year: integer}")
    assert figures(old.build("library", *changes)) == ("published", 3, 26, 0)
    assert llmops("kb", "rollback", "library", "--to", "1").code == 0
    built = old.build("library", SOURCES)
    assert figures(built) == ("published", 4, 24, 0)
    assert (built.documents["changed"], built.embeddings["reused"]) == (1, 2)
    assert old.still_paid("embeddings", "calls")
    assert llmops("kb", "verify", "library", "--vectors").code == 0


def test_an_evaluation_asks_nothing_and_decides_the_same(old: OldHome) -> None:
    """By the true command, from its beginning."""
    said = ended(start(old.home, "evaluate", old.project / "evaluate.yaml", "--json"))
    record = said.data
    assert (said.code, record["verdict"], record["untrusted"]) == (0, "promote", {}), said.err
    assert (record["spent"]["calls"], record["spent"]["cached"]) == (0, 112)
    assert [record["arms"][name]["errored"] for name in ("baseline", "candidate")] == [0, 0]
    assert "faithful rises by 0.5 [0.256, 0.684] on 28 cases" in record["reason"]
    assert old.still_paid("parsed", "embeddings", "calls")
    assert llmops("decision", "verify", record["record"], "--json").data["problems"] == []
    server.stop(old.home)
