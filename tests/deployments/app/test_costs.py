"""Over HTTP, from the answer to the books: what traces say was paid is what the ledger says, and
what the key is charged, whatever became of the answers.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from llmops.tasks.access.spending import of_month
from llmops.tasks.calls.costs import booked
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.traces.costs import differences
from tests.chat.apps import BASE, TALL, TEXTS, Towers
from tests.deployments.app.apps import application
from tests.openai_server import Answer, Service
from tests.workshop import Workshop

MODEL = {"name": "openai", "model": "m", "price_in": 150.0, "price_out": 600.0, "retries": 0}
FOLLOW_UP = [
    {"role": "user", "content": TALL},
    {"role": "assistant", "content": "330 metres."},
    {"role": "user", "content": "And who built it?"},
]


@pytest.mark.slow
def test_the_sum_over_traces_is_that_of_the_ledger_and_of_the_key(
    towers: Towers, service: Service
) -> None:
    broken = Answer(
        200,
        b'data: {"choices": [{"index": 0, "delta": {"content": "It"}}]}\n\n',
        {},
        "text/event-stream",
    )
    llm = {**MODEL, "base_url": service.base_url, "api_key": "k"}
    second = {**llm, "model": "another", "price_in": 10.0}
    with application(towers, llm=llm, fallbacks=[second], keys={"required": True}) as app:
        made, key = app.made("shop", usd_per_month=1000)
        assert app.ask(key=key).status_code == 200
        assert app.ask(key=key, stream=True).status_code == 200
        assert app.ask(key=key, messages=FOLLOW_UP).status_code == 200  # condensed first
        service.script = [Answer(500, b"no")]
        assert app.ask(key=key).status_code == 200  # the second model answers
        service.script = [broken]
        assert "error" in app.ask(key=key, stream=True).text
        assert app.search(key=key).status_code == 200
    check = differences(towers.home, "guide")
    assert check.ok, check.differences
    assert check.traces == 6
    assert check.traces_usd > 0
    month = of_month(towers.home, f"{now():%Y-%m}")[made.id]
    assert cents(month.cost_usd) == cents(check.calls_usd) == cents(check.traces_usd)
    assert noted(towers) == pytest.approx(check.traces_usd)


@pytest.mark.slow
def test_vectors_of_questions_are_paid_by_whoever_asks(tmp_path: Path, service: Service) -> None:
    endpoint = {"base_url": service.base_url, "model": "m"}
    shop = Workshop(tmp_path, Spec(name="lancedb"), kb=BASE)
    shop.embedder = Spec(
        name="openai", options={**endpoint, "dimensions": 384, "price_per_million": 1000.0}
    )
    shop.build(TEXTS)
    towers = Towers(shop, tmp_path)
    with application(towers, keys={"required": True}) as app:
        made, key = app.made("rich", usd_per_month=10)
        _, poor = app.made("poor", usd_per_month=1e-6)
        for _ in range(2):
            assert app.search(key=key).json()["hits"][0]["uri"] == "eiffel.txt"
        assert app.ask(key=key).status_code == 200
        asked = len(service.requests)
        for refused in (app.search(key=poor), app.ask(key=poor)):
            assert (refused.status_code, refused.json()["error"]["code"]) == (
                (429, "budget_exceeded")
            )
        assert len(service.requests) == asked
        assert app.search(key=poor, mode="text").status_code == 200
    check = differences(towers.home, "guide")
    assert check.ok, check.differences
    month = of_month(towers.home, f"{now():%Y-%m}")[made.id]
    tokens = shop.embedder.build(Embedder).count(TALL)
    assert month.cost_usd == pytest.approx(3 * tokens / 1000)
    assert check.calls_usd == pytest.approx(month.cost_usd)
    assert noted(towers) == pytest.approx(check.traces_usd)


def noted(towers: Towers) -> float:
    """What `llmops cost` says of the application."""
    rows = booked(open_ledger(towers.home))
    return sum(row.cost_usd for row in rows if (row.flow, row.name) == ("serve", "guide"))


def cents(usd: float) -> Decimal:
    return round(Decimal(usd), 2)
