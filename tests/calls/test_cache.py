"""The cache of paid calls: what a reply is known by, that it is whole, and that many are written
at once.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event, select

from llmops.tasks.calls.cache import CallCache, Lookup, PaidCall, key_of, storable
from llmops.tasks.ledger import Ledger, now, open_ledger, upsert
from llmops.tasks.ledger.tables import calls, shown
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.llms import Message, Reply, Request, ToolCall
from llmops.tasks.schemas import sha256
from tests.ledgers import with_ledger

T = TypeVar("T")
WHOLE = Reply(
    text="né\n",
    tokens_in=7,
    tokens_out=3,
    tool_calls=(ToolCall(id="1", name="f", arguments='{"a": "\\ud800"}'),),
    finish="length",
    latency_ms=12.5,
    attempts=3,
)


def with_cache(home: Path, work: Callable[[CallCache], Awaitable[T]]) -> T:
    async def run() -> T:
        cache = CallCache(open_ledger(with_ledger(home)))
        try:
            return await work(cache)
        finally:
            await cache.close()

    return asyncio.run(run())


def ask(text: str = "Why?", **changes: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **changes)


def test_a_reply_is_known_by_all_that_it_depends_on() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    keys = [
        key_of("f1", ask()),
        key_of("f2", ask()),
        key_of("f1", ask("How?")),
        key_of("f1", ask(parameters={"seed": 1})),
        key_of("f1", ask(output={"type": "object"})),
        key_of("f1", ask(tools=(tool,))),
        key_of("f1", ask(repeat=1)),
        key_of("f1", Request(messages=(Message(role="system", content="Why?"),))),
    ]
    assert len(set(keys)) == len(keys)
    assert key_of("f1", ask(), 1) == key_of("f1", ask(repeat=1))
    assert key_of("f1", ask(parameters={"a": 1, "b": 2})) == key_of(
        "f1", ask(parameters={"b": 2, "a": 1})
    )
    assert (
        sha256(canonical(["f1", [message.model_dump() for message in ask().messages]])) not in keys
    )  # a chunker's question


def test_a_remembered_reply_is_the_whole_reply(tmp_path: Path) -> None:
    async def work(cache: CallCache) -> tuple[Reply | None, ...]:
        before = await cache.known(Lookup("k"))
        await cache.keep(PaidCall("k", WHOLE, 0.25))
        return before, await cache.known(Lookup("k"))

    assert with_cache(tmp_path, work) == (None, WHOLE)
    with open_ledger(tmp_path).read() as connection:
        row = connection.execute(select(calls)).one()
    assert (row.key, row.reply, row.tokens, row.cost_usd, row.owner) == ("k", "né\n", 10, 0.25, "")


def test_texts_that_no_database_takes_read_the_same_when_they_are_remembered(
    tmp_path: Path,
) -> None:
    hostile = storable(Reply(text="a\0b\ud800c\ud83d\ude00"))
    assert hostile.text == "a\ufffdb\ufffdc😀"

    async def work(cache: CallCache) -> Reply | None:
        await cache.keep(PaidCall("k", hostile, 0.0))
        return await cache.known(Lookup("k"))

    assert with_cache(tmp_path, work) == hostile


def test_a_chunkers_reply_without_details_is_a_reply(tmp_path: Path) -> None:
    with open_ledger(tmp_path).write() as connection:
        upsert(
            connection,
            calls,
            [
                {
                    "key": "k",
                    "owner": "d",
                    "reply": "{}",
                    "tokens": 1,
                    "cost_usd": 0.0,
                    "created_at": now(),
                }
            ],
        )
    assert with_cache(tmp_path, lambda cache: cache.known(Lookup("k"))) == Reply(text="{}")


def commits(ledger: Ledger) -> list[str]:
    """Filled with a word for every transaction from now on."""
    seen: list[str] = []
    event.listen(ledger._engine, "commit", lambda connection: seen.append("commit"))
    return seen


def test_what_waits_together_is_one_transaction(tmp_path: Path) -> None:
    seen = commits(open_ledger(tmp_path))

    async def work(cache: CallCache) -> list[Reply | None]:
        await asyncio.gather(
            *(cache.keep(PaidCall(f"k{n}", Reply(text=str(n)), 0.0)) for n in range(1_200))
        )
        assert len(seen) == 3  # 500, 500 and 200
        return await asyncio.gather(*(cache.known(Lookup(f"k{n}")) for n in range(1_300)))

    found = with_cache(tmp_path, work)
    assert [one.text if one else None for one in found] == [*map(str, range(1_200)), *[None] * 100]
    assert len(seen) == 6


def test_a_ledger_that_is_locked_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    ledger, locked, go_on = open_ledger(tmp_path), threading.Event(), threading.Event()

    def hold() -> None:
        with ledger.write():
            locked.set()
            assert go_on.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(20)

    async def work(cache: CallCache) -> bool:
        keeping = asyncio.create_task(cache.keep(PaidCall("k", WHOLE, 0.0)))
        for _ in range(5):
            await asyncio.sleep(0.01)
        early = keeping.done()
        go_on.set()  # never reached, were the loop the one that waits
        await keeping
        return early

    assert with_cache(tmp_path, work) is False
    holder.join()


def test_a_reply_whose_caller_has_gone_is_written_all_the_same(tmp_path: Path) -> None:
    async def work(cache: CallCache) -> None:
        keeping = asyncio.create_task(cache.keep(PaidCall("k", WHOLE, 0.0)))
        await asyncio.sleep(0)
        keeping.cancel()

    with_cache(tmp_path, work)
    assert with_cache(tmp_path, lambda cache: cache.known(Lookup("k"))) == WHOLE


def test_two_who_write_the_same_call_do_no_harm(tmp_path: Path) -> None:
    async def work(cache: CallCache) -> Reply | None:
        other = CallCache(open_ledger(tmp_path))
        await asyncio.gather(
            cache.keep(PaidCall("k", Reply(text="one"), 0.0, (("kb", "d"),))),
            other.keep(PaidCall("k", Reply(text="two"), 0.0, (("kb", "d"),))),
        )
        await other.close()
        return await cache.known(Lookup("k"))

    found = with_cache(tmp_path, work)
    assert found is not None
    assert found.text in ("one", "two")


def test_the_documents_that_a_call_showed_are_known_by_it(tmp_path: Path) -> None:
    async def work(cache: CallCache) -> None:
        await cache.keep(PaidCall("k", WHOLE, 0.0, (("kb", "d1"), ("kb", "d2"), ("kb", "d1"))))
        await cache.known(
            Lookup("k", (("other", "d1"), ("kb", "d2")))
        )  # the same text from another knowledge base
        await cache.known(Lookup("never paid", (("kb", "d3"),)))

    with_cache(tmp_path, work)
    with open_ledger(tmp_path).read() as connection:
        assert {tuple(row) for row in connection.execute(select(shown))} == {
            ("k", "kb", "d1"),
            ("k", "kb", "d2"),
            ("k", "other", "d1"),
        }
