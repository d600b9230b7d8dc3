"""Limits, kept and learned, in simulated time."""

import asyncio

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.endpoints.pace import Pace
from llmops.tasks.endpoints.quota import Quota, quota_of
from llmops.tasks.endpoints.trouble import Busy
from llmops.tasks.errors import TransientDocumentError, Unavailable
from llmops.tasks.plugins.llms import Reply
from tests.llm_simulated import Limited, Model, Scripted, Simulated, request


async def at_once(text: str, times: int) -> Reply:
    return Reply(text=text, tokens_in=5, tokens_out=5)


def run(
    clock: Simulated, connection: Scripted, count: int, concurrency: int = 32, **options: object
) -> list[Reply | BaseException]:
    """The replies or errors to so many requests."""

    async def all_of_them() -> list[Reply | BaseException]:
        free = asyncio.Semaphore(concurrency)

        async def one(client: LlmClient, number: int) -> Reply:
            async with free:
                return await client.ask(request(str(number)))

        async with LlmClient(Model.of(connection, **options), clock=clock) as client:
            return await asyncio.gather(
                *(one(client, number) for number in range(count)), return_exceptions=True
            )

    return asyncio.run(clock.run(all_of_them()))


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 60, 90, 600])
def test_no_minute_has_more_requests_than_the_limit(limit: int) -> None:
    clock = Simulated()
    connection = Scripted(clock, at_once)
    run(clock, connection, 3 * limit, requests_per_minute=limit)
    assert len(connection.sent) == 3 * limit
    assert connection.most_in(60 - 1e-6) <= limit
    assert clock.now() == pytest.approx(
        60 * (3 - 1 / limit), rel=0.01
    )  # and no slower than it allows


def test_tokens_are_limited_by_what_was_really_used() -> None:
    clock = Simulated()

    async def long(text: str, times: int) -> Reply:
        return Reply(text=text, tokens_in=500, tokens_out=500)

    connection = Scripted(clock, long)
    run(clock, connection, 60, concurrency=1, tokens_per_minute=10_000)
    assert connection.most_in(60 - 1e-6) <= 11  # ten, and the first one whose length nobody knew
    assert clock.now() == pytest.approx(60 * 59 / 10, rel=0.02)


def test_clients_of_one_endpoint_key_and_model_share_their_limits() -> None:
    from llmops.tasks.plugins.llms.openai import OpenAILlm

    one = OpenAILlm(model="m", api_key="k", requests_per_minute=60)
    assert quota_of(one) is quota_of(
        OpenAILlm(model="m", api_key="k", temperature=0.5, requests_per_minute=30)
    )
    assert quota_of(one) is not quota_of(OpenAILlm(model="m", api_key="other"))
    assert quota_of(one) is not quota_of(OpenAILlm(model="n", api_key="k"))
    assert "k" not in one.quota.split()
    pace = Pace()
    for limit in (60, 30, None):
        pace.limit(limit, None)
    assert pace.requests_per_minute == 30


def test_threads_share_them_too() -> None:
    """Every place in the row is given once, whoever asks."""
    from concurrent.futures import ThreadPoolExecutor

    clock = Simulated()
    quota = Quota(clock)
    quota.pace.limit(60, None)

    def places(_: int) -> list[float]:
        with quota._lock:
            return [quota.pace.reserve(0, 0.0) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        found = sorted(place for part in pool.map(places, range(4)) for place in part)
    assert found == [pytest.approx(number) for number in range(200)]


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize(
    ("rate", "latency", "concurrency"),
    [
        (10, 0.2, 32),
        (10, 0.05, 8),
        (8.3, 1, 32),
        pytest.param(100, 0.5, 64, marks=pytest.mark.slow),
    ],
)
def test_a_limit_that_nobody_told_is_found(
    says: bool, rate: float, latency: float, concurrency: int
) -> None:
    """The rate ends near what the service allows, and most requests are sent once."""
    clock = Simulated()
    service = Limited(clock, rate, rate, latency=latency, says=says)
    connection = Scripted(clock, service)
    replies = run(clock, connection, int(rate * 60), concurrency)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert clock.now() < 70
    assert len(connection.sent) < 1.7 * rate * 60


def test_one_refusal_holds_all_back_then_they_come_one_after_another() -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        await clock.sleep(0.1)
        if clock.now() < 1 and text == "5":
            raise Busy("429", after=20, limited=True)
        return Reply(text=text)

    connection = Scripted(clock, answer)
    replies = run(clock, connection, 200, 16)
    assert all(isinstance(reply, Reply) for reply in replies)
    before = [moment for moment in connection.sent if moment < 10]
    after = [moment for moment in connection.sent if moment >= 10]
    assert len(before) <= 1 + 16 * 2
    assert min(after) >= 20.1
    assert len({round(moment, 6) for moment in after}) == len(after)


def test_a_service_that_always_says_at_once_is_not_asked_on_and_on() -> None:
    clock = Simulated()

    async def busy(text: str, times: int) -> Reply:
        await clock.sleep(0.01)
        raise Busy("429: slow down", limited=True, after=0)

    connection = Scripted(clock, busy)
    (error,) = run(clock, connection, 1, patience=120)
    assert isinstance(error, Unavailable)
    assert 12 <= len(connection.sent) <= 20


def test_refusals_alone_use_up_no_retry_but_patience() -> None:
    clock = Simulated()

    async def busy(text: str, times: int) -> Reply:
        if times <= 30:
            raise Busy("429: slow down", limited=True, after=1)
        return Reply(text=text)

    (reply,) = run(clock, Scripted(clock, busy), 1, retries=1)
    assert isinstance(reply, Reply)
    assert reply.attempts == 31
    clock = Simulated()
    (error,) = run(clock, Scripted(clock, busy), 1, retries=1, patience=20)
    assert isinstance(error, Unavailable)
    assert "429: slow down; it asks to wait 1 s" in str(error)
    assert clock.now() <= 21


def test_one_that_is_always_refused_while_others_succeed_is_the_trouble_of_that_one() -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        await clock.sleep(1)
        if text == "0":
            raise Busy("429: too long for now", limited=True, after=0)
        return Reply(text=text)

    first, *others = run(clock, Scripted(clock, answer), 100, 2, patience=30)
    assert isinstance(first, TransientDocumentError)
    assert all(isinstance(reply, Reply) for reply in others)


def test_waiting_between_attempts_grows_and_is_spread() -> None:
    clock = Simulated(seed=4)

    async def broken(text: str, times: int) -> Reply:
        raise Busy("500: no")

    connection = Scripted(clock, broken)
    (error,) = run(clock, connection, 1, retries=4)
    assert isinstance(error, TransientDocumentError)
    assert str(error) == "500: no; tried 5 times"
    pauses = [b - a for a, b in zip(connection.sent, connection.sent[1:], strict=False)]
    assert all(0 <= pause <= 0.5 * 2**number for number, pause in enumerate(pauses))
    assert len(set(pauses)) == 4


def test_a_rate_that_was_cut_recovers() -> None:
    pace = Pace()
    for number in range(50):
        pace.started(number / 10)
    pace.refused(4.9, 4.9, 5.0, None)
    cut = pace.rate(5.6)
    assert 7 < cut < 9  # 0.8 of the ten per second that were accepted
    assert pace.rate(15.5) == pytest.approx(2 * cut, rel=0.1)
    assert pace.rate(100) > 4 * cut
    pace.limit(60, None)
    assert pace.rate(100) == 1
