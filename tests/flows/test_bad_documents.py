"""Documents that no one should have to read: each lands in quarantine with a reason, or in the
index, and the run goes on.
"""

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.ledger import open_ledger
from tests.commandline import Office, llmops
from tests.flows.test_incremental import prose

pytestmark = pytest.mark.slow

REFUSED = {
    "garbage.md": "binary data",
    "zero.md": "empty",
    "blank.md": "empty",
    "huge.txt": "more than 10,000,000 characters",
    "fake.pdf": "damaged",
    "fake.docx": "damaged",
    "loop": "leads back to itself",
    "dangling.md": "a link to what does not exist",
    "pipe.md": "a named pipe",
}
ACCEPTED = [
    "good.md",
    "line.txt",
    "cjk.txt",
    "emoji 🦀.md",
    "new\nline.md",
    "n" * 247 + ".md",
    "latin%FF.md",
    "quote'\"%s{x}[red]$.md",
    "-rf",
    "punctuation.md",
    "table.csv",
    "broken.json",
]


def fill(folder: Path) -> None:
    """One of each."""
    text = "A keeper writes the log of the harbour at noon."
    for name in (*ACCEPTED[:1], *ACCEPTED[3:6], os.fsdecode(b"latin\xff.md"), *ACCEPTED[7:9]):
        (folder / name).write_text(f"{text} {len(name)}")
    (folder / "line.txt").write_text("x" * 200_000)
    (folder / "cjk.txt").write_text("港" * 20_000)
    (folder / "punctuation.md").write_text(". . . !!! ??? --- *** ...")
    (folder / "table.csv").write_text('a,b\n"unclosed,1\n')
    (folder / "broken.json").write_text('{"a":' * 500)
    (folder / "garbage.md").write_bytes(random.Random(1).randbytes(100_000))
    (folder / "zero.md").touch()
    (folder / "blank.md").write_text(" \n\n\t ")
    (folder / "huge.txt").write_text(
        "The quick brown fox jumps over the lazy dog near the harbour. " * 800_000
    )
    (folder / "fake.pdf").write_bytes(b"%PDF-1.4\n garbage and nothing else")
    (folder / "fake.docx").write_bytes(b"PK\x03\x04 nothing")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling.md").symlink_to("nowhere.md")
    (folder / "round").symlink_to(".")
    os.mkfifo(folder / "pipe.md")


def test_every_odd_document_is_indexed_or_in_quarantine_with_its_reason(office: Office) -> None:
    fill(office.documents)
    outcome = office.build(
        limits={"failure_budget": 1.0}, chunk={"name": "sentence", "size": 200, "overlap": 0}
    )
    found = {item["uri"]: item["reason"] for item in items(open_ledger(office.home), office.kb)}
    assert outcome.status == "published"
    assert {uri for uri in REFUSED if REFUSED[uri] in found.get(uri, "")} == set(REFUSED)
    assert office.visible() == set(ACCEPTED)
    assert outcome.documents["listed"] == len(REFUSED) + len(ACCEPTED)
    listed = llmops("kb", "documents", office.kb)
    assert (listed.code, "new\\nline.md" in listed.out, "[red]" in listed.out) == (0, True, True)
    assert (
        office.build(
            limits={"failure_budget": 1.0}, chunk={"name": "sentence", "size": 200, "overlap": 0}
        ).status
        == "unchanged"
    )


def test_too_many_bad_documents_end_with_4_and_change_nothing(office: Office) -> None:
    office.write("good.txt", prose(1, 4))
    (office.documents / "zero.txt").touch()
    said = llmops("index", office.config(embed="hash"), "--json")
    assert (said.code, said.data["status"], office.live()) == (4, "failed", None)
    assert "1 of 2 documents could not be processed" in said.data["reason"]


def test_an_empty_folder_ends_with_3_in_the_first_build_and_later(office: Office) -> None:
    config = office.config(embed="hash")
    first = llmops("index", config, "--json")
    assert (first.code, "lists nothing" in first.data["reason"]) == (3, True)
    office.write("d.txt", prose(1, 4))
    assert llmops("index", config, "--json").code == 0
    (office.documents / "d.txt").unlink()
    later = llmops("index", config, "--json")
    assert (later.code, later.data["version"], "lists nothing" in later.data["reason"]) == (
        3,
        1,
        True,
    )


def test_a_folder_that_vanished_ends_with_3_and_one_that_never_was_with_2(office: Office) -> None:
    config = office.config(embed="hash")
    shutil.rmtree(office.documents)
    assert llmops("index", config, "--json").code == 2
    office.documents.mkdir()
    office.write("d.txt", prose(1, 4))
    assert llmops("index", config, "--json").code == 0
    shutil.rmtree(office.documents)
    for more in ([], ["--plan"]):
        said = llmops("index", config, *more, "--json")
        assert (
            said.code,
            said.data["status"],
            said.data["version"],
            "is gone" in said.data["reason"],
        ) == (3, "blocked", 1, True)


def test_other_sources_under_an_old_name_do_not_delete_the_old_documents(office: Office) -> None:
    office.write("d.txt", prose(1, 4))
    assert office.build(embed="hash").version == 1
    (office.folder / "other").mkdir()
    (office.folder / "other" / "e.txt").write_text(prose(2, 4))
    outcome = office.build(embed="hash", sources=[{"name": "files", "path": "other"}])
    assert (outcome.exit_code, outcome.status, office.visible()) == (3, "blocked", {"d.txt"})
    assert "max_delete_fraction" in (outcome.reason or "")


def test_a_gate_of_one_question_that_is_answered_wrongly_rejects(office: Office) -> None:
    for number in range(3):
        office.write(f"d{number}.txt", prose(number, 4))
    gate = {"golden": "golden.jsonl", "k": 1, "metrics": {"recall": {"min": 0.8, "margin": 0.02}}}
    (office.folder / "golden.jsonl").write_text(
        json.dumps({"id": "q", "question": prose(1, 4), "relevant": [{"uri": "d2.txt"}]})
    )
    outcome = office.build(embed="hash", gate=gate)
    assert (outcome.exit_code, outcome.gate["verdict"], office.live()) == (3, "rejected", None)


def test_a_gate_whose_only_document_does_not_exist_ends_with_3(office: Office) -> None:
    office.write("d.txt", prose(1, 4))
    (office.folder / "golden.jsonl").write_text(
        '{"id": "q", "question": "zzz", "relevant": [{"uri": "gone.txt"}]}'
    )
    outcome = office.build(embed="hash", gate={"golden": "golden.jsonl"})
    assert (outcome.exit_code, "gone.txt" in (outcome.reason or ""), office.live()) == (
        3,
        True,
        None,
    )
