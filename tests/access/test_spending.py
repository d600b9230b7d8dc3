"""What keys spend: months, sums in the ledger that two processes add to, and a cap that no number
of calls at once passes.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.tasks import ledger
from llmops.tasks.access import spending
from llmops.tasks.access.keys import ApiKey, create
from llmops.tasks.access.spending import (
    MonthlyBudgets,
    MonthUsedUp,
    Used,
    month_of,
    monthly,
    of_month,
    resets_at,
    spent,
    used,
)
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.llms import Reply
from tests.ledgers import with_ledger
from tests.postgres import fresh_ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def home(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_ledger(request.getfixturevalue("postgres")))
        yield tmp_path / "home"
    else:
        yield with_ledger(tmp_path / "home")
    ledger.close_ledgers()


def key(home: Path, usd: float | None, name: str = "desk") -> ApiKey:
    return create(home, name, ["ask"], usd_per_month=usd)[0]


def reply(tokens: int = 10) -> Reply:
    return Reply(text="yes", tokens_in=tokens, tokens_out=0)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("at", "month", "reset"),
    [
        ("2026-11-29T08:00:00+00:00", "2026-11", "2026-12-01T00:00:00+00:00"),
        ("2026-12-31T23:59:59+00:00", "2026-12", "2027-01-01T00:00:00+00:00"),
        ("2027-01-01T00:30:00+01:00", "2026-12", "2027-01-01T00:00:00+00:00"),
        ("2026-02-28T20:00:00-08:00", "2026-03", "2026-04-01T00:00:00+00:00"),
    ],
)
def test_months_are_those_of_utc(at: str, month: str, reset: str) -> None:
    assert month_of(moment(at)) == month
    assert resets_at(moment(at)) == moment(reset)


def test_sums_add_up_by_key_and_month(home: Path) -> None:
    mine, other = key(home, 5.0), key(home, None, "other")
    november = moment("2026-11-10T00:00:00+00:00")
    for usd in (0.25, 0.5):
        spent(home, mine.id, usd, 10, requests=1, month="2026-11")
    spent(home, mine.id, 4.0, 1, month="2026-10")
    spent(home, other.id, 2.0, 3, month="2026-11")
    assert monthly(home, mine, november).model_dump() == {
        "usd": 4.25,
        "spent_usd": 0.75,
        "resets_at": datetime(2026, 12, 1, tzinfo=UTC),
    }
    assert monthly(home, other, november).usd is None
    assert of_month(home, "2026-11") == {
        mine.id: Used(requests=2, tokens=20, cost_usd=0.75),
        other.id: Used(tokens=3, cost_usd=2.0),
    }
    spent(home, mine.id, 100.0, 1, month="2026-11")
    assert monthly(home, mine, november).usd == 0.0


def test_no_number_of_calls_at_once_passes_the_cap(home: Path) -> None:
    """64 at once, each of which may cost 10 cents and costs 4."""
    mine = key(home, 1.0)

    async def ask(book: MonthlyBudgets) -> bool:
        budget = book.of(mine)
        assert budget is not None
        try:
            await budget.reserve(0.10)
        except MonthUsedUp:
            return False
        await asyncio.sleep(0.001)
        assert budget.spent.cost_usd <= 1.0
        budget.settle(0.10, reply(), 0.04)
        return True

    async def run() -> int:
        book = MonthlyBudgets(home)
        answered = sum(await asyncio.gather(*[ask(book) for _ in range(64)]))
        await book.close()
        return answered

    answered = asyncio.run(run())
    total = used(open_ledger(home), mine.id, month_of(ledger.now()))
    assert answered == 23  # after them 8 cents are left, and a call may cost 10
    assert total.model_copy(update={"cost_usd": 0.92}) == Used(tokens=230, cost_usd=0.92)
    assert total.cost_usd == pytest.approx(0.92)
    assert monthly(home, mine).usd == pytest.approx(0.08)


def test_who_is_refused_is_told_when_the_month_ends(home: Path) -> None:
    mine = key(home, 0.5)
    clock = moment("2026-11-29T08:00:00+00:00")
    spent(home, mine.id, 0.45, 1, month="2026-11")

    async def run() -> MonthUsedUp:
        budget = MonthlyBudgets(home, lambda: clock).of(mine)
        assert budget is not None
        await budget.reserve(0.05)
        budget.settle(0.05, None, asked=False)
        with pytest.raises(MonthUsedUp) as caught:
            await budget.reserve(0.06)
        return caught.value

    refused = asyncio.run(run())
    assert refused.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert refused.reason == (
        "the $0.5 a month of the key 'desk' are used up: $0.0500 are left, and the next call may "
        "cost up to $0.0600; the next month begins at 2026-12-01 00:00 UTC"
    )


def test_what_other_processes_spend_counts_within_a_second(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = key(home, 1.0)
    monkeypatch.setattr(spending, "FRESH_SECONDS", 0.0)

    async def run() -> None:
        budget = MonthlyBudgets(home).of(mine)
        assert budget is not None
        await budget.reserve(0.6)
        budget.settle(0.6, reply(), 0.6)
        spent(home, mine.id, 0.3, 5)  # by another one
        with pytest.raises(MonthUsedUp, match=r"\$0\.1000 are left"):
            await budget.reserve(0.2)
        await budget.settled()
        assert budget.spent.cost_usd == pytest.approx(0.9)
        await budget.reserve(0.05)

    asyncio.run(run())


def test_a_request_ends_in_the_month_that_it_began_in(home: Path) -> None:
    mine = key(home, 1.0)
    times = [moment("2026-11-30T23:59:00+00:00")]

    async def run() -> None:
        book = MonthlyBudgets(home, lambda: times[0])
        before = book.of(mine)
        assert before is not None
        await before.reserve(0.9)
        times[0] = moment("2026-12-01T00:00:00+00:00")
        after = book.of(mine)
        assert after is not None
        await after.reserve(0.9)  # a new month, a new cap
        assert len(book._budgets) == 2  # the old one has a call under way
        before.settle(0.9, reply(), 0.9)
        after.settle(0.9, reply(), 0.1)
        await book.close()
        times[0] = moment("2027-01-01T00:00:00+00:00")
        book.of(mine)
        assert len(book._budgets) == 1  # months that are over and paid go

    asyncio.run(run())
    assert of_month(home, "2026-11")[mine.id].cost_usd == 0.9
    assert of_month(home, "2026-12")[mine.id].cost_usd == 0.1


def test_a_key_without_a_cap_is_counted_and_nobody_has_no_budget(home: Path) -> None:
    mine = key(home, None)

    async def run() -> None:
        book = MonthlyBudgets(home)
        assert book.of(None) is None
        budget = book.of(mine)
        assert budget is not None
        budget.requested()
        await budget.reserve(1000.0)
        budget.settle(1000.0, reply(7), 2.5)
        await book.close()

    asyncio.run(run())
    total = used(open_ledger(home), mine.id, month_of(ledger.now()))
    assert total == Used(requests=1, tokens=7, cost_usd=2.5)


def test_what_a_busy_ledger_does_not_take_is_kept_and_paid_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(spending, "AGAIN_SECONDS", 0.01)
    mine = key(tmp_path, 1.0)

    async def run() -> None:
        book = MonthlyBudgets(tmp_path)
        budget = book.of(mine)
        assert budget is not None
        await budget.reserve(0.1)
        with open_ledger(tmp_path).write():  # somebody writes for long
            budget.settle(0.1, reply(), 0.1)
            await asyncio.sleep(0.3)
            assert not budget.idle
            await budget.reserve(0.1)  # nobody waits for it
            with pytest.raises(MonthUsedUp):
                await budget.reserve(0.95)
            budget.settle(0.1, None, asked=False)
        await book.close()

    asyncio.run(run())
    assert "waits for the ledger" in caplog.text
    assert monthly(tmp_path, mine).spent_usd == 0.1
    ledger.close_ledgers()


@pytest.mark.slow
def test_two_processes_lose_nothing_of_what_a_key_spends(home: Path) -> None:
    mine = key(home, None)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_spend, args=(home, mine, 100)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    total = used(open_ledger(home), mine.id, month_of(ledger.now()))
    assert (total.requests, total.tokens) == (200, 2000)
    assert total.cost_usd == pytest.approx(2.0)


def _spend(home: Path, mine: ApiKey, times: int) -> None:
    async def ask(book: MonthlyBudgets) -> None:
        budget = book.of(mine)
        assert budget is not None
        budget.requested()
        await budget.reserve(0.02)
        await asyncio.sleep(0)
        budget.settle(0.02, reply(), 0.01)

    async def run() -> None:
        book = MonthlyBudgets(home)
        for _ in range(times // 10):
            await asyncio.gather(*[ask(book) for _ in range(10)])
            await asyncio.sleep(0.001)
        await book.close()

    asyncio.run(run())
