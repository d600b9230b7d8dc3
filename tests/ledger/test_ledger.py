"""The ledger on SQLite and on PostgreSQL: transactions, leases, quarantine, caches, intervals of
versions, without a flow around them.
"""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from llmops.tasks import ledger
from llmops.tasks.errors import Blocked, Damaged, LlmopsError, UsageError
from llmops.tasks.knowledge import caches as cache
from llmops.tasks.knowledge import quarantine, versions
from llmops.tasks.knowledge.handle import Handle, known
from llmops.tasks.knowledge.quarantine import Failure
from llmops.tasks.ledger import leases, open_ledger, tables
from llmops.tasks.ledger.tables import knowledge_bases, listings, meta
from tests.ledger import contending
from tests.postgres import fresh_database

FAILURE = Failure(
    source="files",
    uri="a.pdf",
    stage="parse",
    error="DocumentError",
    reason="it is empty",
    revision="r1",
)


@pytest.fixture(autouse=True, params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ledger that a home has: a file of its own, or an empty database of a server."""
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_database(request.getfixturevalue("postgres")))
    yield
    ledger.close_ledgers()


@pytest.mark.slow
def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    with pytest.raises(IntegrityError):
        _write_twice(book)
    with book.read() as connection:
        assert connection.scalar(select(meta.c.value).where(meta.c.key == "half")) is None


def _write_twice(book: ledger.Ledger) -> None:
    with book.write() as connection:
        for _ in range(2):
            connection.execute(insert(meta).values(key="half", value="done"))


@pytest.mark.slow
def test_two_processes_lose_no_write(tmp_path: Path) -> None:
    versions.register(Handle(home=tmp_path, name="kb"))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=contending.count, args=(tmp_path, 50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert versions.next_number(Handle(home=tmp_path, name="kb")) == 101


def test_upsert_replaces_by_primary_key(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    for number in (1, 2):
        with book.write() as connection:
            ledger.upsert(
                connection,
                listings,
                [
                    {
                        "kb": "a",
                        "source": f"s{n}",
                        "completed_at": ledger.now(),
                        "documents": number,
                    }
                    for n in range(1200)
                ],
            )
    with book.read() as connection:
        assert set(connection.scalars(select(listings.c.documents))) == {2}


def test_a_lease_has_one_owner_and_is_free_afterwards(tmp_path: Path) -> None:
    with leases.hold(tmp_path, "kb", "run-1"):
        assert "run-1" in (leases.holder(open_ledger(tmp_path), "kb") or "")
        with (
            pytest.raises(Blocked, match="another build of 'kb' is running"),
            leases.hold(tmp_path, "kb"),
        ):
            pass
        with leases.hold(tmp_path, "another"):
            pass
    assert leases.holder(open_ledger(tmp_path), "kb") is None


@pytest.mark.slow
def test_a_waiting_build_gets_the_lease_when_it_is_free(tmp_path: Path) -> None:
    began = time.monotonic()
    released = threading.Event()

    def hold_a_moment() -> None:
        with leases.hold(tmp_path, "kb"):
            released.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold_a_moment)
    thread.start()
    released.wait()
    with leases.hold(tmp_path, "kb", wait_seconds=10):
        assert time.monotonic() - began >= 0.5
    thread.join()


def test_the_lease_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=contending.die_with_lease, args=(tmp_path,))
    process.start()
    process.join()
    assert leases.holder(open_ledger(tmp_path), "kb") is None
    with leases.hold(tmp_path, "kb"):
        pass


def test_the_lease_of_another_host_is_taken_over_after_its_heart_stopped(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    lease = leases.Lease(home=tmp_path, kb="kb", owner="far away")
    lease.acquire()
    with book.write() as connection:
        connection.execute(update(tables.leases).values(host="elsewhere"))
    with pytest.raises(Blocked, match="on elsewhere"), leases.hold(tmp_path, "kb"):
        pass
    with book.write() as connection:
        connection.execute(update(tables.leases).values(heartbeat_at=ledger.now() - leases.EXPIRES))
    with leases.hold(tmp_path, "kb"), pytest.raises(LlmopsError, match="taken over"):
        lease.beat()


def test_quarantine_counts_attempts_and_forgets_on_request(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    for _ in range(3):
        quarantine.put(Handle(home=tmp_path, name="kb"), [FAILURE], "stages")
    item = quarantine.items(book, "kb")[0]
    assert (item["attempts"], item["uri"], item["stage"], item["reason"]) == (
        3,
        "a.pdf",
        "parse",
        "it is empty",
    )
    assert quarantine.items(book, "other") == []
    quarantine.release(book, [item["id"]])
    assert next(iter(quarantine.held(Handle(home=tmp_path, name="kb")).values())).revision == ""
    quarantine.drop(book, [item["id"]])
    assert quarantine.items(book) == []
    with pytest.raises(UsageError, match="no item"):
        quarantine.get(book, item["id"])


def test_embeddings_come_back_in_order_and_only_for_their_model(tmp_path: Path) -> None:
    book, vectors = open_ledger(tmp_path), np.eye(3, 4, dtype=np.float32)
    cache.save_embeddings(book, "m", ["a", "b", "c"], vectors)
    assert cache.known_embeddings(book, "m", ["a", "c", "x"]) == {"a", "c"}
    assert cache.known_embeddings(book, "other", ["a"]) == set()
    assert np.array_equal(cache.load_embeddings(book, "m", ["c", "a", "c"], 4), vectors[[2, 0, 2]])
    with pytest.raises(Damaged, match="1 embeddings are missing"):
        cache.load_embeddings(book, "m", ["a", "x"], 4)
    with pytest.raises(ValueError, match="finite"):
        cache.save_embeddings(book, "m", ["d"], np.full((1, 4), np.nan, np.float32))


def test_a_knowledge_base_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    versions.register(Handle(home=tmp_path, name="handbook"))
    with pytest.raises(UsageError, match="no published version yet"):
        Handle(home=tmp_path, name="handbook").published()
    with book.write() as connection:
        connection.execute(update(knowledge_bases).values(live=1))
    with pytest.raises(UsageError, match="known: handbook"):
        Handle(home=tmp_path, name="handbok").published()


def test_a_reader_sees_one_moment_and_no_writer_waits_for_it(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    versions.register(Handle(home=tmp_path, name="first"))
    with book.read() as connection:
        before = set(connection.scalars(select(knowledge_bases.c.name)))
        versions.register(Handle(home=tmp_path, name="second"))
        assert set(connection.scalars(select(knowledge_bases.c.name))) == before == {"first"}
    assert known(book) == ["first", "second"]


def test_a_nul_in_a_reason_loses_no_failure(tmp_path: Path) -> None:
    book = open_ledger(tmp_path)
    quarantine.put(
        Handle(home=tmp_path, name="kb"),
        [FAILURE.model_copy(update={"reason": "before\0after"})],
        "stages",
    )
    assert quarantine.items(book, "kb")[0]["reason"].startswith("before")


@pytest.mark.slow
def test_of_two_processes_one_gets_the_lease(tmp_path: Path) -> None:
    versions.register(Handle(home=tmp_path, name="kb"))
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=contending.contend, args=(tmp_path, results)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert found.count("held") >= 1
    assert versions.next_number(Handle(home=tmp_path, name="kb")) == 1 + found.count("held")
    assert set(found) <= {"held", "busy"}
