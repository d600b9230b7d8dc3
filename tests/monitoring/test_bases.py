"""What is told of a knowledge base, now and of a week long ago."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import knowledge_bases, listings, quarantine, versions
from llmops.tasks.monitoring.bases import BaseLook, HeldRows, base_look

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOURCES = [{"name": "files", "path": "docs"}, {"name": "web", "id": "pages", "start": []}]


def base(home: Path) -> None:
    """Three versions, the last one yesterday; a source listed three hours ago, one four."""
    published = ((1, 40 * DAY, 10), (2, 5 * DAY, 12), (3, 1 * DAY, 20))
    config = {"sources": SOURCES, "store": {"name": "lancedb"}}
    failed = {"kb": "kb", "source": "files", "stage": "parse", "reason": "r", "retryable": True}
    failed |= {"attempts": 1, "revision": "", "stages": "", "first_seen": NOW, "last_seen": NOW}
    with open_ledger(home).write() as connection:
        connection.execute(
            insert(knowledge_bases), [{"name": "kb", "live": 3, "created_at": NOW - 50 * DAY}]
        )
        connection.execute(
            insert(versions),
            [
                {
                    "kb": "kb",
                    "version": number,
                    "status": "published",
                    "collection": "c",
                    "documents": count,
                    "chunks": count,
                    "config": config,
                    "cleared": False,
                    "created_at": NOW - ago,
                    "published_at": NOW - ago,
                }
                for number, ago, count in published
            ],
        )
        seen = {"files": 3 * HOUR, "pages": 4 * HOUR, "forgotten": 99 * DAY}
        connection.execute(
            insert(listings),
            [
                {"kb": "kb", "source": name, "completed_at": NOW - ago, "documents": 1}
                for name, ago in seen.items()
            ],
        )
        connection.execute(
            insert(quarantine),
            [
                {**failed, "id": f"{n}", "uri": f"{n}", "doc_id": f"{n}", "error": error}
                for n, error in enumerate(("DocumentError", "NearDuplicate", "DocumentError"))
            ],
        )


def looked(home: Path, until: datetime = NOW, held: HeldRows | None = None) -> BaseLook:
    return base_look(home, "kb", until - 7 * DAY, until, NOW, held or HeldRows(0))


def test_a_base_as_it_is_now(tmp_path: Path) -> None:
    base(tmp_path)
    found = looked(tmp_path, held=HeldRows(4, 2))
    kpis = {kpi.name.removeprefix("kb/kb/"): kpi for kpi in found.kpis}
    assert {name: kpi.value for name, kpi in kpis.items()} == {
        "documents": 20,
        "published_hours": 24,
        "listed_hours": 4,
        "quarantined": 2,
        "orphans": 4,
    }
    assert kpis["documents"].before == 10
    assert [value for _, value in kpis["documents"].curve] == [10, 12, 12, 12, 12, 20, 20]
    assert kpis["listed_hours"].note == "of the source that was listed longest ago: pages"
    assert "`llmops kb repair kb`" in kpis["orphans"].note
    (remark,) = found.remarks
    assert remark.startswith("kb: 2 rows of version 3 are missing in the store; `llmops kb repair")


def test_a_week_long_ago_has_what_versions_say_alone(tmp_path: Path) -> None:
    base(tmp_path)
    found = looked(tmp_path, until=NOW - 4 * DAY)
    values = {kpi.name: (kpi.value, kpi.before) for kpi in found.kpis}
    assert values == {"kb/kb/documents": (12, 10), "kb/kb/published_hours": (24, None)}
    assert looked(tmp_path, until=NOW - 45 * DAY) == BaseLook()


def test_a_store_that_does_not_answer_and_a_base_that_is_gone_are_remarks(tmp_path: Path) -> None:
    base(tmp_path)
    away = looked(tmp_path, held=HeldRows(None, problem="it does not answer"))
    assert away.remarks == ("kb: it does not answer",)
    assert "kb/kb/orphans" not in {kpi.name for kpi in away.kpis}
    gone = base_look(tmp_path, "other", NOW - DAY, NOW, NOW, HeldRows(None))
    assert gone.kpis == ()
    assert "no knowledge base 'other' has been published" in gone.remarks[0]
