"""What was paid is noted by day, flow, config and model, for good."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from llmops.tasks.calls.costs import CostEntry, DayCost, Payer, book, booked, paid_since, summed
from llmops.tasks.ledger import Ledger, close_ledgers, migrations, open_ledger
from llmops.tasks.ledger.alerting import alerts, beats, mutes, notices
from llmops.tasks.ledger.runs import save_outcome
from llmops.tasks.ledger.tables import calls, costs
from llmops.tasks.plugins import Spec
from tests.commandline import llmops
from tests.ledgers import with_ledger
from tests.openai_server import Service, serving
from tests.postgres import fresh_ledger
from tests.workshop import TEXTS, Workshop

DESK, SHOP = Payer("serve", "desk"), Payer("index", "shop")
MONDAY, TUESDAY = (datetime(2026, 11, day, 23, 59, tzinfo=UTC) for day in (23, 24))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = open_ledger(with_ledger(tmp_path / "home"))
    for at, entries in (
        (MONDAY, [CostEntry(DESK, "large", 10, 0.1), CostEntry(DESK, "large", 5, 0.05)]),
        (MONDAY, [CostEntry(DESK, "small", 1, 0.01)]),
        (TUESDAY, [CostEntry(DESK, "large", 2, 0.02), CostEntry(SHOP, "vectors", 100, 0.001)]),
        (TUESDAY, []),
    ):
        with made.write() as connection:
            book(connection, entries, at)
    return made


def test_it_is_added_up_by_day_flow_config_and_model(ledger: Ledger) -> None:
    rows = [row._replace(cost_usd=round(row.cost_usd, 9)) for row in booked(ledger)]
    assert rows == [
        DayCost("2026-11-23", "serve", "desk", "large", 2, 15, 0.15),
        DayCost("2026-11-23", "serve", "desk", "small", 1, 1, 0.01),
        DayCost("2026-11-24", "index", "shop", "vectors", 1, 100, 0.001),
        DayCost("2026-11-24", "serve", "desk", "large", 1, 2, 0.02),
    ]
    assert booked(ledger, date(2026, 11, 24)) == booked(ledger)[2:]
    assert booked(ledger, None, date(2026, 11, 23)) == booked(ledger)[:2]
    usd, count = paid_since(ledger, date(2026, 11, 24))
    assert (round(usd, 9), count) == (0.021, 2)
    assert paid_since(ledger, date(2026, 12, 1)) == (0.0, 0)
    models = [(row.day, row.model, row.tokens) for row in summed(booked(ledger), ("model",))]
    assert models == [("", "large", 17), ("", "small", 1), ("", "vectors", 100)]


def test_a_build_notes_what_its_vectors_cost_and_erasing_changes_nothing(
    tmp_path: Path, service: Service
) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    options = {"base_url": service.base_url, "model": "m", "price_per_million": 1000.0}
    shop.embedder = Spec(name="openai", options=options | {"dimensions": 384})
    shop.build(TEXTS)
    (row,) = booked(shop.ledger)
    assert (row.flow, row.name, row.model) == ("index", "shop", "m")
    assert row.cost_usd == pytest.approx(row.tokens / 1000)
    assert row.tokens > 50
    shop.build(TEXTS, full=True)  # nothing is paid twice
    with shop.ledger.write() as connection:
        connection.execute(delete(calls))
    assert booked(shop.ledger) == [row]


NEWER_COLUMNS = (
    ("traces", "latency_ms"),
    ("review_items", "reopened_at"),
    ("quarantine", "unforeseen"),
    ("quarantine", "content_hash"),
)
"""What later migrations add again."""


def test_what_a_ledger_knew_before_is_in_it(tmp_path: Path) -> None:
    """A ledger of the release before, with what was paid."""
    ledger = open_ledger(with_ledger(tmp_path))
    rows = [
        {"key": "a", "owner": "", "reply": "x", "cost_usd": 0.5},
        {"key": "b", "owner": "e" * 32, "reply": "", "cost_usd": 0.25},
        {"key": "c", "owner": "doc", "reply": "x", "cost_usd": 0.1},  # in its build's outcome
    ]
    with ledger.write() as connection:
        given = [{**row, "tokens": 7, "created_at": MONDAY} for row in rows]
        connection.execute(insert(calls), given)
    save_outcome(ledger, "r1", "shop", {"flow": "index", "cost_usd": 0.35, "tokens": 3})
    save_outcome(ledger, "r2", "desk", {"flow": "evaluate", "spent": {"cost_usd": 0.5}})
    with ledger.write() as connection:
        for table in (costs, alerts, notices, beats, mutes):
            table.drop(connection)
        for table_name, column in NEWER_COLUMNS:
            connection.exec_driver_sql(f"ALTER TABLE {table_name} DROP COLUMN {column}")
        connection.exec_driver_sql(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '0009'")
        migrations.upgrade(connection)
    assert [row[1:] for row in booked(ledger)] == [
        ("", "", "", 2, 14, 0.75, 0, 0),
        ("index", "shop", "", 1, 3, 0.35, 0, 0),
    ]


def test_the_command_shows_shares_and_says_what_is_wrong(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(ledger.home))
    span = ("--since", "2026-11-01", "--until", "2026-11-30", "--json")
    told = llmops("cost", "--by", "month,flow", *span).data
    index = {"calls": 1, "tokens": 100, "cost_usd": 0.001, "unpriced": 0}
    serve = {"calls": 4, "tokens": 18, "cost_usd": 0.18, "unpriced": 0}
    assert told["rows"] == [
        {"month": "2026-11", "flow": "index", **index},
        {"month": "2026-11", "flow": "serve", **serve},
    ]
    assert (told["cost_usd"], told["calls"], told["tokens"]) == (0.181, 5, 118)
    assert told["unpriced"] == []
    assert "price" not in llmops("cost", *span[:4]).out
    assert llmops("cost", "--by", "month", "--by", "flow", *span).data == told
    assert "$0.1810 from 2026-11-01" in llmops("cost", *span[:4]).out
    for words in (
        *(("--by", "week"), ("--by", "day", "--by", "month"), ("--by", "day,month"), ("--by", "")),
        ("--since", "monday"),
    ):
        assert llmops("cost", *words, "--json").code == 2
    assert llmops("cost", "--since", "2020-01-01", "--until", "2020-01-31").out == (
        "Nothing was paid.\n"
    )


def test_what_nobody_knew_the_price_of_is_named(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(ledger.home))
    with ledger.write() as connection:
        unknown = CostEntry(DESK, "homegrown", 40, 0.0, priced=False)
        known = CostEntry(DESK, "homegrown", 2, 0.5)
        book(connection, [unknown, known, unknown, CostEntry(DESK, "free", 9, 0.0)], TUESDAY)
    span = ("--since", "2026-11-24", "--until", "2026-11-24")
    told = llmops("cost", "--by", "model", *span, "--json").data
    assert told["unpriced"] == [{"model": "homegrown", "calls": 2, "tokens": 80}]
    (row,) = [row for row in told["rows"] if row["model"] == "homegrown"]
    assert (row["calls"], row["tokens"], row["cost_usd"], row["unpriced"]) == (3, 82, 0.5, 2)
    drawn = " ".join(llmops("cost", *span).out.split())
    assert "homegrown: 2 requests, 80 tokens are not in the sum" in drawn
    assert "price_in and price_out" in drawn


def test_a_build_by_an_embedder_of_unknown_price_says_so(tmp_path: Path, service: Service) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    options = {"base_url": service.base_url, "model": "m", "dimensions": 384}
    shop.embedder = Spec(name="openai", options=options)
    shop.build(TEXTS)
    (row,) = booked(shop.ledger)
    assert (row.model, row.cost_usd) == ("m", 0.0)
    assert (row.unpriced, row.unpriced_tokens) == (row.calls, row.tokens)
    assert row.unpriced > 0


def test_no_name_keeps_what_was_paid_from_being_noted(
    ledger: Ledger, postgres: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Too long, with NUL, or no text at all: PostgreSQL refuses such a row, and all with it."""
    entries = [
        CostEntry(Payer("serve", "desk" * 50), "x" * 200 + end, 1, 0.25) for end in ("a", "b")
    ]
    entries += [CostEntry(DESK, "a\0b\ud800", 1, 0.25)]
    monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_ledger(postgres))
    for made in (ledger, open_ledger(tmp_path)):
        with made.write() as connection:
            book(connection, entries, TUESDAY)
        rows = [row for row in booked(made) if row.cost_usd in {0.25, 0.5}]
        assert [(len(row.name), len(row.model), row.calls) for row in rows] == [
            (4, 4, 1),
            (63, 200, 2),
        ]
    close_ledgers()
