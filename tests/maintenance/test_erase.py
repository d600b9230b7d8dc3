"""Erasing a document: nothing of it is left in the home, everything else is as before, and it does
not come back.
"""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from llmops.tasks.errors import Blocked, UsageError
from llmops.tasks.knowledge import suppressed
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.suppressed import lift
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger import now
from llmops.tasks.ledger.application import clicks
from llmops.tasks.ledger.leases import hold
from llmops.tasks.ledger.tables import (
    calls,
    chunks,
    documents,
    embeddings,
    erased,
    parsed,
    quarantine,
    runs,
    shown,
    versions,
)
from llmops.tasks.maintenance.erase import erase
from tests.maintenance.haystack import SECRET, SENTENCE, URI, evaluated, littered, places
from tests.workshop import TEXTS, Workshop


def published(shop: Workshop) -> None:
    """Three versions: without the document, with it, with it changed."""
    shop.build(TEXTS)
    shop.build({**TEXTS, URI: SECRET})
    shop.build({**TEXTS, URI: f"{SECRET} It was last seen in spring.", "d0.txt": "A new boat."})


def uris(shop: Workshop) -> set[str]:
    return {str(row["uri"]) for row in shop.rows()}


def test_nothing_of_it_is_left_and_the_rest_is_whole(shop: Workshop) -> None:
    published(shop)
    littered(shop)
    before = {
        place.split("/")[0].split("@")[0] for place in places(shop.home, "zeppelin of Quixotic")
    }
    assert {"lake", "plans", "mlflow", "prefect", "sources", "ledger.db (dump)"} <= before
    others = [row for row in shop.rows() if row["uri"] != URI]
    done = erase(shop.handle, URI)
    assert "Quixotic" not in (shop.home / "docs/page.html").read_text()
    for needle in (
        SENTENCE,
        "zeppelin of Quixotic",
        "Wenceslas",
        "clockmaker",
        "last seen in spring",
        URI,
    ):
        assert places(shop.home, needle) == [], needle
    assert done["left"] == []
    counts = done["counts"]
    assert (
        counts["documents"],
        counts["versions"],
        counts["collections"],
        counts["sketches"],
        counts["calls"],
    ) == (1, 2, 1, 1, 2)
    assert (
        min(
            counts[name]
            for name in ("chunks", "embeddings", "parsed", "shards", "quarantine", "records")
        )
        > 0
    )
    with shop.ledger.read() as connection:
        assert list(connection.scalars(select(calls.c.key))) == []
        assert connection.execute(select(shown)).all() == []
    assert shop.rows() == others
    assert shop.verified()["ok"]


@pytest.mark.slow
def test_results_of_evaluations_lose_what_quotes_it_and_nothing_else(shop: Workshop) -> None:
    from llmops.tasks.evaluation.results import read_results

    published(shop)
    file = evaluated(shop)
    done = erase(shop.handle, URI)
    first, second = read_results(file)
    assert (first.answer, second.answer, second.passages[0].uri) == (
        "They say: [erased].",
        "harmless",
        "d1.txt",
    )
    assert places(shop.home, "zeppelin of Quixotic") == []
    assert done["left"] == []
    assert not list(file.parent.glob("*.new"))


@pytest.mark.slow
def test_what_quoted_it_is_readable_still(shop: Workshop) -> None:
    published(shop)
    littered(shop)
    erase(shop.handle, URI)
    table = json.loads((shop.home / "mlflow/artifacts/shop/1/worst-questions.json").read_text())[
        "data"
    ]
    assert table[1] == ["harmless", "d1.txt"]
    assert "[erased]" in table[0][0]
    assert "12:01 | INFO | all is well" in (shop.home / "prefect/server.log").read_text()
    assert not (shop.home / f"plans/{shop.kb}.json").exists()  # the next plan is made anew
    with closing(sqlite3.connect(shop.home / "prefect" / "prefect.db")) as other:
        rows = other.execute("SELECT data, other FROM artifact").fetchall()
    assert json.loads(rows[0][0])[1] == {"uri": "d1.txt"}
    assert [row[1] for row in rows] == ["kept", "kept"]
    with shop.ledger.read() as connection:
        assert connection.execute(select(runs.c.outcome)).scalar_one()["status"] == "published"
        assert list(connection.scalars(select(quarantine.c.uri))) == ["d1.txt"]
        assert connection.scalar(select(calls.c.key)) is None


@pytest.mark.slow
def test_every_kept_version_is_served_without_it(shop: Workshop) -> None:
    published(shop)
    pinned = searcher(shop.home, shop.live)
    assert URI in set(pinned.search("violet zeppelin", 50)["uri"])
    erase(shop.handle, URI)
    assert URI not in set(pinned.search("violet zeppelin", 50)["uri"])
    assert len(pinned.search("boat lighthouse", 50)["uri"]) > 0
    for number in (2, 1):
        with hold(shop.home, shop.kb) as lease:
            rollback(shop.handle, lease, number)
        assert uris(shop) == set(TEXTS)
        assert shop.verified()["ok"]
        chosen = shop.handle.version(number)
        assert (chosen.documents, chosen.chunks) == (len(TEXTS), len(shop.rows()))


@pytest.mark.slow
def test_it_stays_out_until_it_is_lifted(shop: Workshop) -> None:
    published(shop)
    with pytest.raises(UsageError, match="not suppressed"):
        lift(shop.handle, URI)
    erase(shop.handle, URI)
    again = {**TEXTS, URI: SECRET, "d0.txt": "A new boat.", "d9.txt": "Another boat."}
    shop.build(again)
    assert uris(shop) == set(again) - {URI}
    assert places(shop.home, "zeppelin of Quixotic") == []
    lift(shop.handle, URI)
    shop.build(again)
    assert uris(shop) == set(again)
    assert erase(shop.handle, URI)["status"] == "erased"
    assert uris(shop) == set(again) - {URI}


def test_a_build_says_how_many_are_skipped_and_an_only_document_is_no_empty_listing(
    shop: Workshop,
) -> None:
    from llmops.tasks.knowledge.plan import guard
    from llmops.tasks.knowledge.planner import plan_build
    from llmops.tasks.knowledge.start import start

    shop.build({URI: SECRET})
    erase(shop.handle, URI)
    found = plan_build(start(shop.handle, shop.specs({URI: SECRET})))
    assert (found.notes, found.listed, found.todo) == (
        ["1 suppressed document skipped"],
        {"memory": 1},
        [],
    )
    guard(found, 0.2, False)


def test_the_record_holds_no_content_and_a_second_time_finds_nothing_to_do(shop: Workshop) -> None:
    published(shop)
    first = erase(shop.handle, URI)
    with shop.ledger.read() as connection:
        row = connection.execute(select(erased)).one()
    assert URI not in str(row)
    assert row.counts == first["counts"]
    second = erase(shop.handle, URI)
    assert (second["status"], second["counts"]) == ("erased before", first["counts"])


@pytest.mark.slow
def test_another_knowledge_base_with_the_same_document_is_untouched(shop: Workshop) -> None:
    published(shop)
    other = Workshop(shop.folder, shop.store, kb=f"{shop.kb}-b")
    other.build({**TEXTS, URI: f"{SECRET} It was last seen in spring.", "d0.txt": "A new boat."})
    before, paid = other.rows(), other.paid()
    done = erase(shop.handle, URI)
    try:
        assert other.rows() == before
        assert other.verified(thorough=True)["ok"]
        assert URI not in uris(shop)
        assert any("another knowledge base" in note for note in done["notes"])
        other.build({**TEXTS, URI: f"{SECRET} It was last seen in spring. And again."}, full=True)
        assert other.paid() - paid < len(before)
        erase(other.handle, URI)
        assert places(shop.home, "zeppelin of Quixotic") == []
    finally:
        other.drop()


def test_only_what_nobody_else_needs_is_forgotten(lance_shop: Workshop) -> None:
    """A copy under another name keeps its text, its embedding and its parsed text; it is said to be
    there.
    """
    shop = lance_shop
    shop.build({**TEXTS, URI: SECRET, "copy.txt": SECRET})
    paid = shop.paid()
    erase(shop.handle, URI)
    assert uris(shop) == {*TEXTS, "copy.txt"}
    with shop.ledger.read() as connection:
        keys = set(connection.scalars(select(chunks.c.text_hash)))
        assert keys == set(connection.scalars(select(embeddings.c.text_hash)))
        assert set(connection.scalars(select(parsed.c.content_hash))) <= set(
            connection.scalars(select(documents.c.content_hash))
        )
    shop.build({**TEXTS, "copy.txt": SECRET}, full=True)
    assert shop.paid() == paid


@pytest.mark.slow
def test_a_document_that_never_got_in_can_be_erased(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    littered(lance_shop)
    assert erase(lance_shop.handle, URI)["counts"]["quarantine"] == 1
    assert places(lance_shop.home, URI) == []


def test_bad_requests_are_refused_before_anything_changes(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    with pytest.raises(UsageError, match=r"no document 'd1\.text'") as raised:
        erase(lance_shop.handle, "d1.text")
    assert "d1.txt" in raised.value.hint
    with pytest.raises(UsageError, match="no knowledge base 'nope'"):
        erase(Handle(home=lance_shop.home, name="nope"), "d1.txt")
    with hold(lance_shop.home, lance_shop.kb), pytest.raises(Blocked, match="another build"):
        erase(lance_shop.handle, "d1.txt")
    with lance_shop.ledger.read() as connection:
        assert connection.execute(select(erased)).all() == []
        assert connection.execute(select(versions.c.status)).scalars().all() == ["published"]


def test_what_is_written_after_it_is_outstanding_and_reached_by_the_next_one(
    lance_shop: Workshop,
) -> None:
    shop = lance_shop
    published(shop)
    late = shop.home / "docs" / "late.txt"
    late.parent.mkdir(parents=True, exist_ok=True)
    first = erase(shop.handle, URI, lambda: ["the recorder is behind"])
    assert (first["status"], first["outstanding"]) == ("unfinished", ["the recorder is behind"])
    assert uris(shop) == {*TEXTS}
    with pytest.raises(UsageError, match="was interrupted"):
        lift(shop.handle, URI)
    late.write_text(f"They say: {SENTENCE} See {URI}.")
    second = erase(shop.handle, URI)
    assert (second["status"], second["outstanding"]) == ("erased", [])
    assert second["counts"]["chunks"] == first["counts"]["chunks"] > 0
    for needle in ("Quixotic", URI):
        assert places(shop.home, needle) == [], needle
    assert erase(shop.handle, URI)["status"] == "erased before"


def test_applications_know_of_an_erasure_also_where_the_clock_was_set_back(
    lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lance_shop.build(TEXTS)
    seen: list[str] = []

    def look() -> list[str]:
        with lance_shop.handle.ledger.read() as connection:
            seen.append(suppressed.erasures(connection, lance_shop.kb))
        return []

    for number, hours in enumerate((0, 5)):
        monkeypatch.setattr(suppressed, "now", lambda back=hours: now() - timedelta(hours=back))
        look()
        erase(lance_shop.handle, f"d{number}.txt", look)
    look()
    assert len(set(seen)) == len(seen) == 5  # before, meanwhile, between, meanwhile, after


def test_a_file_that_cannot_be_changed_is_named(lance_shop: Workshop) -> None:
    lance_shop.build({**TEXTS, URI: SECRET})
    odd: Path = lance_shop.home / "spool" / "record.bin"
    odd.parent.mkdir()
    odd.write_bytes(b"\xff\xfe\x00" + SECRET.encode())
    assert erase(lance_shop.handle, URI)["left"] == ["spool/record.bin"]


def test_that_its_passages_were_opened_is_forgotten(shop: Workshop) -> None:
    published(shop)
    by_uri = {str(row["uri"]): str(row["chunk_id"]) for row in shop.rows()}
    with shop.handle.ledger.write() as connection:
        rows = [
            {"trace_id": "tr-1", "person": "p", "chunk_id": chunk, "version": 3, "opened_at": now()}
            for chunk in by_uri.values()
        ]
        connection.execute(clicks.insert(), rows)
    assert erase(shop.handle, URI)["counts"]["clicks"] == 1
    with shop.handle.ledger.read() as connection:
        left = set(connection.scalars(select(clicks.c.chunk_id)))
    assert left == set(by_uri.values()) - {by_uri[URI]}
