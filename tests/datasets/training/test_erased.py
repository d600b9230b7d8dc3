"""What was erased is in no later version, and published ones that hold it are named."""

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from llmops.tasks.datasets.training.erased import DOCUMENT, PERSON, TRACE
from llmops.tasks.knowledge.suppressed import suppress
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import knowledge_bases
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.plugins import Spec
from llmops.tasks.traces import deletion
from llmops.tasks.traces.published import holding_deleted, holding_document, origin_of
from llmops.tasks.traces.trained import TrainingNote, write_note
from tests.datasets.made import answered
from tests.datasets.training.runs import built, line, prepared, records, spec_of
from tests.workshop import Workshop

NOBODY = "0" * 64


def test_a_deleted_trace_takes_its_row_with_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    trace = answered(home)
    rows = [line(1, lineage={"trace_id": trace.id}), line(2), line(3)]
    built(spec_of(home, tmp_path, rows))
    assert holding_deleted(home) == {}
    trained = home / "trainings" / "desk" / "openai-12"
    for folder, version in ((trained, 1), (trained.with_name("openai-34"), 7)):
        folder.mkdir(parents=True)
        note = TrainingNote(dataset="helpdesk", version=version, model="ft:1")
        write_note(folder, note)
    gone = deletion.delete_trace(home, trace.id)
    models = next(each for each in gone.remarks if each.startswith("models were trained"))
    assert models.endswith(": desk openai-12 (ft:1) on helpdesk v1")
    assert any("helpdesk v1: 1 rows" in each for each in gone.remarks)
    steps, published = built(spec_of(home, tmp_path, rows))
    assert steps.checked[0].rejected.reasons == {f"erased: {TRACE}": 1}
    assert published.manifest.version == 2
    assert trace.id not in (published.folder / "lineage.jsonl").read_text(encoding="utf-8")


def test_somebody_who_was_deleted_has_no_word_any_more(tmp_path: Path) -> None:
    rows = [line(1, lineage={"reviewers": [NOBODY]}), line(2)]
    steps = prepared(spec_of(tmp_path / "home", tmp_path, rows))
    assert steps.checked[0].rejected.reasons == {f"erased: {PERSON}": 1}


@pytest.mark.parametrize(
    "lineage",
    [
        {"uri": "gone.md"},
        {"uris": ["kept.md", "gone.md"]},
        {"passages": [{"uri": "gone.md", "text": "…"}]},
    ],
)
def test_an_erased_document_takes_what_rests_on_it(
    lineage: dict[str, object], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    rows = [line(1, lineage={"knowledge_base": "kb", **lineage}), line(2), line(3)]
    built(spec_of(home, tmp_path, rows))
    with open_ledger(home).write() as connection:
        values = {"name": "kb", "created_at": now()}
        connection.execute(insert(knowledge_bases).values(**values))
        suppress(connection, "kb", {"gone.md": {}})
    steps = prepared(spec_of(home, tmp_path, rows))
    assert steps.checked[0].rejected.reasons == {f"erased: {DOCUMENT}": 1}
    assert holding_document(home, "kb", ["gone.md"]) == {("helpdesk", 1): 1}
    assert holding_document(home, "other", ["gone.md"]) == {}


def test_lineage_may_say_anything() -> None:
    origin = origin_of({"trace_id": 7, "reviewers": "x", "uris": None, "passages": ["y", {}]})
    assert (origin.trace_id, origin.people, origin.uris) == ("7", (), frozenset())


def test_erasing_a_document_names_what_was_published_and_blacks_it_out(tmp_path: Path) -> None:
    text = "The vault opens at nine in the morning, and nobody but Ada Lovelace has its key."
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.build({"vault.md": text, "other.md": "Invoices are sent on the first day of a month."})
    lineage = {"knowledge_base": shop.kb, "uri": "vault.md"}
    rows = [line(1, answer=text, lineage=lineage), line(2), line(3)]
    published = built(spec_of(shop.home, tmp_path, rows))[1]
    erasure = erase(shop.handle, "vault.md")
    assert erasure["status"] == "erased"
    assert any("helpdesk v1: 1 rows" in each for each in erasure["notes"])
    said = "".join(json.dumps(each) for each in records(published.folder, "trl_sft"))
    assert "Lovelace" not in said
    steps = prepared(spec_of(shop.home, tmp_path, rows))
    assert steps.checked[0].rejected.reasons == {f"erased: {DOCUMENT}": 1}
