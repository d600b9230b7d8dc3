"""A turn reads one version; what is published meanwhile is read by the next one."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from sqlalchemy import delete, update

from llmops.tasks.chat import knowledge
from llmops.tasks.chat.knowledge import LiveKnowledge
from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import now, upsert
from llmops.tasks.ledger.tables import erased, knowledge_bases
from llmops.tasks.plugins.stores.lancedb.reader import LanceDBReader
from tests.chat.apps import BASE, TEXTS, Towers
from tests.workshop import Workshop

T = TypeVar("T")
EDITED = TEXTS | {"eiffel.txt": "The Eiffel Tower is 312 metres tall without its antenna."}


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "POLL", 0.0)


def reading(towers: Towers, work: Callable[[LiveKnowledge], Awaitable[T]], *names: str) -> T:
    async def inside() -> T:
        async with LiveKnowledge(towers.home, names or (BASE,)) as live:
            return await work(live)

    return asyncio.run(inside())


def test_a_turn_keeps_its_version_and_the_next_one_reads_the_new(towers: Towers) -> None:
    async def across(live: LiveKnowledge) -> None:
        pinned = await live.pinned()
        before = await pinned.search("metres tall Eiffel", 2)
        await asyncio.to_thread(towers.shop.build, EDITED)
        newer = await live.pinned()
        assert (pinned.number, newer.number) == (1, 2)
        assert await pinned.search("metres tall Eiffel", 2) == before
        texts = [hit.text for hit in (await newer.search("metres tall Eiffel", 2)).hits]
        assert "312 metres" in texts[0]
        assert newer is await live.pinned()

    reading(towers, across)


def test_the_object_of_a_search_is_that_of_the_command(towers: Towers) -> None:
    from llmops.tasks.knowledge.reading import allowed, hits, searcher

    async def search(live: LiveKnowledge) -> object:
        result = await (await live.pinned(BASE)).search("Eiffel", 2, "text", 'uri = "eiffel.txt"')
        return result.model_dump(mode="json")

    version = towers.shop.live
    seen = searcher(towers.home, version, allowed(version, 'uri = "eiffel.txt"', ()))
    wanted = {"knowledge_base": BASE, "version": 1, "mode": "text"}
    assert reading(towers, search) == {
        **wanted,
        "hits": hits(seen.search("Eiffel", 2, "text")),
        "warnings": [],
    }


def test_labels_open_what_they_open_and_conditions_are_checked(towers: Towers) -> None:
    closed = MetadataSchema.model_validate({"access": {"default": ["staff"]}})
    towers.shop.facts = closed
    towers.shop.build(TEXTS, full=True)

    async def search(live: LiveKnowledge) -> list[int]:
        pinned = await live.pinned()
        labels: list[tuple[str, ...]] = [(), ("guest",), ("guest", "staff")]
        with pytest.raises(UsageError):
            await pinned.search("tower", 5, where="colour ~ 3")
        return [len((await pinned.search("tower", 5, labels=each)).hits) for each in labels]

    none, other, some = reading(towers, search)
    assert (none, other) == (0, 0)
    assert some > 0


def test_what_cannot_be_read_says_why(towers: Towers) -> None:
    async def states(live: LiveKnowledge) -> None:
        ready = await live.ready()
        assert ready[BASE] == (1, "", False)
        assert ready["unknown"].version is None
        assert ready["unknown"].unpublished
        assert "has been published" in ready["unknown"].trouble
        with pytest.raises(UsageError, match="no knowledge base 'else'"):
            await live.pinned("else")
        await live.pinned(BASE)
        with towers.shop.ledger.write() as connection:
            connection.execute(delete(knowledge_bases))
        with pytest.raises(UsageError, match="has been published"):
            await live.pinned(BASE)
        assert (await live.ready())[BASE].version is None

    reading(towers, states, BASE, "unknown")


def test_a_version_that_cannot_be_opened_leaves_the_old_one(towers: Towers) -> None:
    async def go_on(live: LiveKnowledge) -> None:
        before = await live.pinned()
        await asyncio.to_thread(towers.shop.build, EDITED)
        towers.shop.recorded(2, snapshot="9999")
        assert await live.pinned() is before
        state = (await live.ready())[BASE]
        assert state.version == 1
        assert state.trouble
        with towers.shop.ledger.write() as connection:
            connection.execute(update(knowledge_bases).values(live=1))
        assert (await live.ready())[BASE] == (1, "", False)

    reading(towers, go_on)


def test_a_version_is_opened_anew_when_a_document_is_erased_from_it(towers: Towers) -> None:
    async def erase(live: LiveKnowledge) -> None:
        before = await live.pinned()
        row = {
            "kb": BASE,
            "uri_hash": "a" * 64,
            "erased_at": now(),
            "counts": {},
            "lifted_at": None,
        }
        with towers.shop.ledger.write() as connection:
            upsert(connection, erased, [row])
        after = await live.pinned()
        assert after is not before
        assert (before.erasures, after.number) == ("", 1)
        assert after.erasures.startswith("1/")

    reading(towers, erase)


def test_many_searches_at_once_open_one_version_once(
    shelf: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def many(live: LiveKnowledge) -> set[int]:
        pinned = await asyncio.gather(*(live.pinned() for _ in range(50)))
        await asyncio.gather(*(each.search("tower", 3) for each in pinned))
        return {id(each) for each in pinned}

    assert len(reading(Towers(shelf, shelf.folder), many)) == 1


def test_where_a_version_is_open_nobody_waits_for_a_silent_ledger(
    towers: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def silent(_: Handle) -> None:
        released.wait(30)
        raise Unavailable("the database does not answer")

    async def go_on(live: LiveKnowledge) -> None:
        before = await live.pinned()
        monkeypatch.setattr(knowledge, "PATIENCE", 0.01)
        monkeypatch.setattr(Handle, "published", silent)
        for _ in range(3):
            assert await live.pinned() is before
        assert not released.is_set()
        released.set()
        while not (await live.ready())[BASE].trouble:
            await asyncio.sleep(0.01)
        assert await live.pinned() is before

    reading(towers, go_on)


def test_model_and_store_are_warm_before_the_first_question(towers: Towers) -> None:
    """Also after a publish: nobody waits while vectors are loaded."""

    async def seen(live: LiveKnowledge) -> list[object]:
        states = [held(await live.pinned())]
        await asyncio.to_thread(towers.shop.build, EDITED)
        return [*states, held(await live.pinned())]

    def held(opened: knowledge.OpenVersion) -> object:
        reader = opened.searcher.reader
        assert isinstance(reader, LanceDBReader)
        return reader._pinned.keys()

    assert all(reading(towers, seen))
