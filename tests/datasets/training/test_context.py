"""What collectors find in a home: answers with what was said of them, reviews, files, chunks."""

from pathlib import Path

from llmops.tasks.calls.prices import SHIPPED
from llmops.tasks.datasets.training.context import HomeContext
from llmops.tasks.datasets.training.exporting import HomeSearch
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.application import live_scores
from llmops.tasks.plugins import Spec
from tests.datasets.made import APP, PASSAGE, answered, delete, review, say
from tests.workshop import Workshop


def context(home: Path) -> HomeContext:
    return HomeContext(home, "helpdesk", SHIPPED, None, None)


def scored(home: Path, trace_id: str, value: float | None) -> None:
    row = {
        "trace_id": trace_id,
        "metric": "grounded",
        "app": APP,
        "scorer": "s",
        "value": value,
        "reason": "",
        "failed": False,
        "scored_at": now(),
    }
    with open_ledger(home).write() as connection:
        upsert(connection, live_scores, [row])


def test_answers_come_with_what_was_sent_and_said(tmp_path: Path) -> None:
    first, second = answered(tmp_path), answered(tmp_path, "And by mail?", "No.")
    gone = answered(tmp_path, "Deleted?", "Yes.")
    delete(tmp_path, gone.id)
    say(tmp_path, first.id, "up", person="a")
    say(tmp_path, first.id, "down", person="b")
    scored(tmp_path, first.id, 0.75)
    scored(tmp_path, second.id, None)
    home = context(tmp_path)
    ids = home.answered(APP, 30)
    assert ids == [first.id, second.id]
    one, other = home.recorded([*ids, gone.id])
    assert [each.role for each in one.asked] == ["system", "user"]
    assert PASSAGE in str(one.asked[0].content)
    assert (one.answer, one.liked, one.scores) == ("Ask the desk.", 0.5, {"grounded": 0.75})
    assert one.passages[0]["uri"] == "accounts.md"
    assert one.lineage["prompt"] == "p@1"
    assert (other.liked, other.scores) == (None, {})


def test_answers_of_other_times_and_applications_are_not_there(tmp_path: Path) -> None:
    answered(tmp_path, app="other")
    trace = answered(tmp_path)
    assert context(tmp_path).answered(APP, 30) == [trace.id]
    assert context(tmp_path).answered(APP, 0) == []


def test_a_correction_is_a_pair_and_a_verdict_a_score(tmp_path: Path) -> None:
    corrected, good = answered(tmp_path), answered(tmp_path, "And by mail?", "Yes.")
    review(tmp_path, corrected.id, "ann", "bad", "Open the page of your account.")
    review(tmp_path, good.id, "ann", "good")
    rows = {row.lineage["trace_id"]: row for row in context(tmp_path).reviewed(APP, APP, "nobody")}
    pair, single = rows[corrected.id], rows[good.id]
    assert pair.chosen is not None
    assert pair.rejected is not None
    assert pair.chosen[0].content == "Open the page of your account."
    assert pair.rejected[0].content == "Ask the desk."
    assert pair.messages[-1].role == "user"
    assert (single.score, single.messages[-1].content) == (1.0, "Yes.")
    assert len(pair.lineage["reviewers"]) == 1


TEXTS = {
    "a.md": "A password expires after ninety days. It is reset on the page of the account.",
    "b.md": "Invoices are sent by mail on the first day of each month, as a file.",
}


def test_chunks_are_those_of_the_live_version(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.build(TEXTS)
    home = context(shop.home)
    ids = home.documents(shop.kb)
    first = list(home.chunks(shop.kb, ids))
    assert sorted({each.uri for each in first}) == ["a.md", "b.md"]
    assert "".join(each.text for each in first if each.uri == "b.md") == TEXTS["b.md"]
    shop.build({"b.md": TEXTS["b.md"]})
    [left] = home.documents(shop.kb)
    after = list(home.chunks(shop.kb, [*ids, left]))
    assert {(each.uri, each.version) for each in after} == {("b.md", 2)}


def test_hard_negatives_come_from_the_knowledge_base(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.build(TEXTS)
    found = HomeSearch(shop.home).search(shop.kb, "When does a password expire?", 5)
    assert {each.uri for each in found} == {"a.md", "b.md"}
    assert all(each.text for each in found)
