"""The cache of paid calls with its ledger on PostgreSQL."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from llmops.tasks import ledger
from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.cache import CallCache, Lookup, PaidCall, storable
from llmops.tasks.evaluation.answering import answer_part
from llmops.tasks.ledger.tables import shown
from llmops.tasks.plugins.llms import Reply
from tests.calls.test_cache import WHOLE, with_cache
from tests.evaluation.runs import cases, evaluation_run, results
from tests.openai_server import serving
from tests.postgres import fresh_ledger

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_ledger(postgres))
    yield
    ledger.close_ledgers()


def test_replies_are_whole_and_hostile_texts_are_taken(tmp_path: Path) -> None:
    hostile = storable(Reply(text="a\0b\ud800", tool_calls=WHOLE.tool_calls))

    async def work(cache: CallCache) -> list[Reply | None]:
        await asyncio.gather(
            cache.keep(PaidCall("k1", WHOLE, 0.5, (("kb", "d"), ("kb", "d")))),
            cache.keep(PaidCall("k2", hostile, 0.0)),
            *(cache.keep(PaidCall(f"n{n}", Reply(text="x"), 0.0)) for n in range(600)),
        )
        await cache.keep(PaidCall("k1", WHOLE, 0.5, (("kb", "d"),)))
        return await asyncio.gather(
            *(cache.known(Lookup(key, (("kb", "e"),))) for key in ("k1", "k2", "n599", "no"))
        )

    assert with_cache(tmp_path, work) == [WHOLE, hostile, Reply(text="x"), None]
    with ledger.open_ledger(tmp_path).read() as connection:
        assert len(connection.execute(select(shown)).all()) == 4


def test_a_part_is_paid_once(tmp_path: Path) -> None:
    with serving() as service:
        run = evaluation_run(tmp_path, service.base_url, concurrency=16)
        first = answer_part(run, 1, cases(40), Spent())
        kept = results(first)
        again = answer_part(run, 1, cases(40), first.spent)
    assert (first.spent.calls, again.spent.calls, again.spent.cached) == (80, 80, 80)
    assert [one.answer for one in results(again)] == [one.answer for one in kept]
    assert not (run.home / "ledger.db").exists()
