"""When an endpoint is down: few requests, some patience, and an end."""

import asyncio

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.endpoints.breaker import ALONE, FAILURES, PAUSES
from llmops.tasks.endpoints.trouble import Busy, Garbled, Lost
from llmops.tasks.errors import TransientDocumentError, Unavailable
from llmops.tasks.plugins.llms import Reply
from tests.endpoints.test_pace import at_once, run
from tests.llm_simulated import Model, Scripted, Simulated, request


def test_a_service_that_starts_again_is_waited_for() -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        await clock.sleep(0.1)
        if 10 < clock.now() < 60:
            raise Lost("nobody there")
        return Reply(text=text)

    connection = Scripted(clock, answer)
    replies = run(clock, connection, 2000, 16)
    assert all(isinstance(reply, Reply) for reply in replies)
    meanwhile = [moment for moment in connection.sent if 10.5 < moment < 60]
    assert len(meanwhile) <= len(PAUSES)  # probes alone
    assert clock.now() < 100


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 8, 64])
def test_one_that_stays_dead_ends_the_run(concurrency: int) -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        await clock.sleep(0.1)
        if clock.now() > 5:
            raise Lost("nobody there")
        return Reply(text=text)

    connection = Scripted(clock, answer)
    replies = run(clock, connection, 5000, concurrency)
    assert {type(reply) for reply in replies} == {
        Reply,
        Unavailable,
    }  # not one of them counts as an error of its own
    assert len(
        [moment for moment in connection.sent if moment > 5]
    ) <= 2 * concurrency + FAILURES + len(PAUSES)
    assert clock.now() < 5 + sum(PAUSES) + 30
    assert f"nobody there; {len(PAUSES)} probes in {sum(PAUSES):g} s found it no better" in {
        reply.message for reply in replies if isinstance(reply, Unavailable)
    }


def test_an_address_where_nothing_ever_answered_is_given_up_sooner() -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        raise Lost("nobody there")

    connection = Scripted(clock, answer)
    replies = run(clock, connection, 100, 16)
    assert {type(reply) for reply in replies} == {Unavailable}
    assert len(connection.sent) <= FAILURES + 3
    assert clock.now() < 20


def test_one_that_has_answered_before_is_no_wrong_address_but_may_be_dead() -> None:
    """Its replies are remembered from another process."""

    async def answer(text: str, times: int) -> Reply:
        raise Garbled("a web page", hint="check base_url")

    def asked(count: int, *, remembered: bool) -> list[Reply | BaseException]:
        clock = Simulated()

        async def all_of_them() -> list[Reply | BaseException]:
            async with LlmClient(Model.of(Scripted(clock, answer)), clock=clock) as client:
                if remembered:
                    client.remembered()
                return await asyncio.gather(
                    *(client.ask(request(str(one))) for one in range(count)), return_exceptions=True
                )

        return asyncio.run(clock.run(all_of_them()))

    assert [type(one) for one in asked(1, remembered=False)] == [Unavailable]
    assert [type(one) for one in asked(1, remembered=True)] == [TransientDocumentError]
    assert Unavailable in {type(one) for one in asked(30, remembered=True)}


def test_a_request_that_always_fails_is_not_taken_for_a_dead_service() -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        await clock.sleep(0.1)
        if text in ("7", "8", "9"):
            raise Busy("500: it makes me crash")
        return Reply(text=text)

    replies = run(clock, Scripted(clock, answer), 10, 10)
    assert [type(reply) for reply in replies] == [Reply] * 7 + [TransientDocumentError] * 3


def test_the_first_request_goes_alone_but_not_for_long() -> None:
    clock = Simulated()

    async def answer(text: str, times: int) -> Reply:
        await clock.sleep(60 if text == "0" else 1)
        return Reply(text=text)

    connection = Scripted(clock, answer)
    replies = run(clock, connection, 20, 20)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert connection.sent == [0] + [pytest.approx(ALONE, abs=0.1)] * 19
    assert clock.now() == pytest.approx(60)
    clock = Simulated()
    connection = Scripted(clock, at_once)
    run(clock, connection, 20, 20)
    assert max(connection.sent) < 0.1


def test_a_new_client_begins_anew() -> None:
    clock = Simulated()
    dead = True

    async def answer(text: str, times: int) -> Reply:
        if dead:
            raise Unavailable("401: wrong key", hint="check api_key")
        return Reply(text=text)

    connection = Scripted(clock, answer)
    first = LlmClient(Model.of(connection), clock=clock)

    async def twice() -> None:
        nonlocal dead
        async with first:
            for _ in range(2):
                with pytest.raises(Unavailable, match=r"401: wrong key .*check api_key"):
                    await first.ask(request("a"))
        assert len(connection.sent) == 1
        dead = False
        async with first:
            assert (await first.ask(request("a"))).text == "a"

    asyncio.run(clock.run(twice()))


def test_a_probe_that_is_given_up_does_not_block_the_others() -> None:
    clock = Simulated()
    down = True

    async def answer(text: str, times: int) -> Reply:
        if text == "slow":
            await clock.sleep(1000)
        if down:
            raise Lost("nobody there")
        return Reply(text=text)

    async def scenario() -> str:
        nonlocal down
        async with LlmClient(Model.of(Scripted(clock, answer)), clock=clock) as client:
            client.quota.breaker.answered(0.0, success=True)
            client.quota.breaker.open = True
            probe = asyncio.ensure_future(client.ask(request("slow")))
            await clock.sleep(1)
            other = asyncio.ensure_future(client.ask(request("quick")))
            await clock.sleep(1)
            down = False
            assert not other.done()
            probe.cancel()
            return (await other).text

    assert asyncio.run(clock.run(scenario())) == "quick"
