"""The commands export, import, drop, erase and explain as a user meets them, after real runs of the
flow.
"""

import json
import shutil
import sqlite3
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.commandline import Office, ended, llmops, refused, start
from tests.flows.test_incremental import prose
from tests.maintenance.haystack import places

pytestmark = pytest.mark.slow

SENTENCE = "The violet zeppelin of Quixotic harbour hums beside Wenceslas at midnight."
MEMO = "private/memo.txt"
LETTER, GONDOLA = (
    "hidden/letter.txt",
    "The amber gondola of Ostravan quays rattles behind Ludmila at noon.",
)

GATE = {"golden": "golden.jsonl", "k": 1}


def published(office: Office, uri: str = MEMO, sentence: str = SENTENCE) -> Office:
    """Two versions of four documents, one of them secret, behind a gate that asks for it."""
    asked = (sentence.split()[2], "copper and salt")
    golden = [
        {
            "id": word,
            "question": f"what is said of {word}",
            "relevant": [{"uri": uri, "quote": sentence}],
        }
        for word in asked
    ]
    for number in range(3):
        office.write(f"d{number}.txt", prose(number, 4))
    office.write(uri, f"{sentence} {prose(7, 3)}")
    (office.folder / "golden.jsonl").write_text("\n".join(map(json.dumps, golden)))
    assert office.build(embed="hash", gate=GATE).status == "published"
    office.write("d0.txt", prose(9, 4))
    assert office.build(embed="hash", gate=GATE).version == 2
    return office


@pytest.fixture
def base(office: Office) -> Office:
    return published(office)


def test_export_import_and_the_same_search_in_a_home_of_its_own(
    base: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    said = llmops("kb", "export", base.kb, out, "--json")
    assert (said.code, said.data["documents"], said.data["version"]) == (0, 4, 2)
    search = ("search", "zeppelin at midnight", "--json", "-k", "9", "--kb")
    before = llmops(*search, base.kb).data["hits"]
    refused(2, "is not empty", "kb", "export", base.kb, out)
    refused(2, "exists already.*\n?.*--name", "kb", "import", out)
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path / "other"))
    said = llmops("kb", "import", out, "--name", "copy", "--store", "lancedb", "--json")
    assert (said.code, said.data["version"], said.data["embeddings"]["computed"]) == (0, 1, 0)
    assert llmops(*search, "copy").data["hits"] == before
    assert llmops("kb", "verify", "copy").code == 0
    assert [one["name"] for one in llmops("kb", "list", "--json").data["knowledge_bases"]] == [
        "copy"
    ]


def test_wrong_imports_and_exports(base: Office, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert llmops("kb", "export", base.kb, out).code == 0
    refused(2, "no knowledge base 'nope'", "kb", "export", "nope", tmp_path / "new")
    refused(2, "is not a folder", "kb", "import", tmp_path / "nowhere")
    refused(2, "allowed: lower-case letters", "kb", "import", out, "--name", "../x")
    refused(2, "unknown name 'mysql'", "kb", "import", out, "--name", "b", "--store", "mysql")
    refused(
        2,
        "url: .*address",
        "kb",
        "import",
        out,
        "--name",
        "b",
        "--store",
        "{name: weaviate, url: nowhere}",
    )
    (out / "chunks.parquet").write_bytes(b"something else")
    refused(1, "content is not what the manifest says", "kb", "import", out, "--name", "b")
    shutil.rmtree(out)
    out.mkdir()
    refused(1, "not an export, or one that was not finished", "kb", "import", out, "--name", "b")


def test_drop_says_what_would_go_and_does_it_only_when_told(base: Office) -> None:
    refused(2, r"this would remove.*2 versions.*4 documents", "kb", "drop", base.kb)
    assert base.live() == 2
    refused(2, "no knowledge base 'nope'", "kb", "drop", "nope", "--yes")
    said = llmops("kb", "drop", base.kb, "--yes", "--json")
    assert (said.code, said.data["versions"], said.data["documents"]) == (0, 2, 4)
    assert said.data["files"] > 0
    assert not [*(base.home / "lancedb").glob(f"{base.kb}-*")]
    refused(2, "no knowledge base", "kb", "status", base.kb)
    assert published(base).live() == 2


def test_an_erased_document_is_in_nothing_that_the_runs_left_behind(office: Office) -> None:
    """Prefect's database, MLflow's, artifacts, Data Docs, plans: the flow has really written them.
    What others left in the home stays.
    """
    base = published(office, LETTER, GONDOLA)
    (base.documents / LETTER).write_text(f"{GONDOLA} And more.")
    llmops("index", base.config(embed="hash", gate=GATE), "--plan")
    refused(2, "would erase.*every version", "kb", "erase", base.kb, "--uri", LETTER)
    refused(
        2,
        r"no document 'hidden/letter.tx'.*\n?.*hidden/letter\.txt",
        "kb",
        "erase",
        base.kb,
        "--uri",
        LETTER[:-1],
        "--yes",
    )
    refused(2, "is not suppressed", "kb", "erase", base.kb, "--uri", LETTER, "--lift")
    assert {"lake", "prefect", "plans", "mlflow"} <= {
        place.split("/")[0] for place in places(base.home, LETTER)
    }
    said = ended(start(base.home, "kb", "erase", base.kb, "--uri", LETTER, "--yes", "--json"))
    assert (said.code, said.data["status"], said.data["left"]) == (0, "erased", []), said.err
    assert said.data["counts"]["records"] > 0
    assert said.data["outstanding"] == []
    for needle in ("gondola of Ostravan", "Ludmila", LETTER):
        assert places(base.home, needle) == [], needle
    told = llmops("explain", LETTER, "--kb", base.kb, "--json")
    assert (told.code, told.data["why"], told.data["item"]) == (0, "erased", None)
    again = base.build(embed="hash")
    assert "1 suppressed document skipped" in again.warnings
    assert base.visible() == {"d0.txt", "d1.txt", "d2.txt"}
    assert base.verified()
    assert (
        llmops("kb", "erase", base.kb, "--uri", LETTER, "--yes", "--json").data["status"]
        == "erased before"
    )
    assert (
        llmops("kb", "erase", base.kb, "--uri", LETTER, "--lift", "--json").data["status"]
        == "lifted"
    )
    assert base.build(embed="hash").documents["new"] == 1


def test_an_erasure_reaches_what_prefects_server_stores_later(base: Office) -> None:
    """The server keeps messages for seconds before it stores them."""
    from llmops.flows import server

    letter = {"llmops.quote": SENTENCE, "prefect.resource.id": "llmops.letter"}
    events = [
        {
            "id": str(uuid4()),
            "event": "llmops.quoted",
            "occurred": datetime.now(UTC).isoformat(),
            "resource": letter,
            "payload": {"number": number, "quote": SENTENCE},
        }
        for number in range(1500)
    ]
    request = urllib.request.Request(
        f"{server.ensure(base.home).url}/events",
        json.dumps(events).encode(),
        {"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=60).close()
    said = llmops("kb", "erase", base.kb, "--uri", MEMO, "--yes", "--json")
    assert (said.code, said.data["status"], said.data["outstanding"]) == (0, "erased", [])
    assert server.settled(base.home)
    with closing(sqlite3.connect(base.home / "prefect" / "prefect.db")) as database:
        stored = database.execute(
            "SELECT resource, payload FROM events WHERE event = 'llmops.quoted'"
        ).fetchall()
    assert len(stored) == len(events)
    assert [row for row in stored if "zeppelin" in str(row)] == []


def test_an_erasure_that_a_server_keeps_waiting_says_so(
    base: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmops.flows import server

    monkeypatch.setattr(server, "SETTLE_SECONDS", 0.0)
    said = llmops("kb", "erase", base.kb, "--uri", MEMO, "--yes")
    assert said.code == 1
    assert "private/memo.txt unfinished" in said.out
    assert "has not stored yet" in said.out
    assert base.visible() == {"d0.txt", "d1.txt", "d2.txt"}
    monkeypatch.undo()
    monkeypatch.setenv("LLMOPS_HOME", str(base.home))
    said = llmops("kb", "erase", base.kb, "--uri", MEMO, "--yes", "--json")
    assert (said.code, said.data["status"]) == (0, "erased")


def test_an_erased_document_does_not_come_back_with_an_import(base: Office, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert llmops("kb", "export", base.kb, out).code == 0
    said = ended(start(base.home, "kb", "erase", base.kb, "--uri", "private/memo.txt", "--yes"))
    assert said.code == 0, said.err
    refused(
        3,
        r"erased from.*: 1; nothing was imported.*\n?.*--uri private/memo.txt --lift",
        "kb",
        "import",
        out,
        "--name",
        "back",
    )
    assert llmops("kb", "erase", base.kb, "--uri", "private/memo.txt", "--lift").code == 0
    assert llmops("kb", "import", out, "--name", f"{base.kb}-back", "--json").data["documents"] == 4
    assert llmops("kb", "drop", f"{base.kb}-back", "--yes").code == 0


def test_an_import_runs_named_code_only_when_trusted(base: Office, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert llmops("kb", "export", base.kb, out).code == 0
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["embedder"] = manifest["config"]["embed"] = {
        "name": "llamaindex",
        "path": "nowhere.Embedding",
        "dimensions": 384,
    }
    (out / "manifest.json").write_text(json.dumps(manifest))
    refused(2, "code to be imported.*\n?.*--trust", "kb", "import", out, "--name", "b")
    assert llmops("kb", "import", out, "--name", "b", "--trust").code == 1


def test_explain_leads_to_the_runs(base: Office) -> None:
    hit = llmops("search", "zeppelin", "--kb", base.kb, "--json").data["hits"][0]
    found = llmops("explain", hit["chunk_id"], "--kb", base.kb, "--json").data
    assert (found["chunk"]["text"], found["document"]["uri"]) == (hit["text"], hit["uri"])
    assert all(one["prefect_run_id"] and one["mlflow_run_id"] for one in found["versions"])
    people = llmops("explain", hit["doc_id"], "--kb", base.kb).out
    assert "version" in people
    assert "Prefect run" in people
    assert "MLflow run" in people
    refused(2, "is no chunk and no document", "explain", "nothing.txt")
    refused(2, "is no trace that is known here", "explain", "tr-123")
