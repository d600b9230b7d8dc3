"""An application whose ledger is on PostgreSQL: all that it writes down there."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from llmops.tasks import ledger
from llmops.tasks.access.spending import of_month
from llmops.tasks.audit.verify import verify
from llmops.tasks.ledger.application import answers, traces
from llmops.tasks.ledger.tables import calls
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.traces import retention
from llmops.tasks.traces.costs import differences
from tests.chat.apps import TALL, Towers, built
from tests.deployments.app.apps import application
from tests.deployments.app.test_people import rate, settled
from tests.deployments.up.parts import wait_until
from tests.openai_server import Service
from tests.postgres import fresh_database

pytestmark = pytest.mark.slow
MODEL = {"name": "openai", "model": "m", "price_in": 150.0, "price_out": 600.0, "retries": 0}


@pytest.fixture(autouse=True)
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_database(postgres))
    yield
    ledger.close_ledgers()


def test_what_an_application_writes_down_is_on_postgresql(tmp_path: Path, service: Service) -> None:
    towers = Towers(built(tmp_path), tmp_path)
    llm = {**MODEL, "base_url": service.base_url}
    more = {"cache": {"mode": "exact"}, "keys": {"required": True}}
    with application(towers, llm=llm, **more) as app:
        made, key = app.made("web", usd_per_month=10)
        first = app.ask(key=key, user="anna", metadata={"conversation_id": "c"}).json()
        assert app.ask(key=key, user="bo").json()["cached"] == "exact"
        assert app.ask("How old is it?", key=key, user="anna", stream=True).status_code == 200
        assert app.search(key=key).json()["hits"][0]["uri"] == "eiffel.txt"
        assert rate(app, first["trace_id"], key, user="anna", comment="a\0b")[0] == 200
        assert settled(app, key, "c", "anna").json()["turns"][0]["question"] == TALL
        _, poor = app.made("poor", usd_per_month=1e-6)
        assert app.ask("Which tower leans?", key=poor).status_code == 429
        erase(towers.shop.handle, "eiffel.txt")
        traced = itertools.count(5)  # by what came before; each look is one more
        wait_until(lambda: next(traced) and "eiffel.txt" not in app.search(key=key).text)
    check = differences(towers.home, "guide")
    assert check.ok, check.differences
    month = of_month(towers.home, f"{ledger.now():%Y-%m}")[made.id]
    assert month.cost_usd == pytest.approx(check.calls_usd)
    assert verify(towers.home).ok
    assert rows(towers, answers) == 0
    asked = next(traced)
    assert (rows(towers, traces), rows(towers, calls)) == (asked, 2)
    with ledger.open_ledger(towers.home).write() as connection:
        old = {"began_at": ledger.now() - timedelta(days=100), "status": "pruned"}
        connection.execute(update(traces).values(**old, deleted_at=ledger.now()))
    assert retention.prune(towers.home, "guide", 10_000).places["rows"] == asked
    assert (rows(towers, traces), rows(towers, calls)) == (0, 0)


def rows(towers: Towers, table: object) -> int:
    with ledger.open_ledger(towers.home).read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]
