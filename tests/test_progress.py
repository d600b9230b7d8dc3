"""How far a run is, and how it is asked to stop: boards, calls, and what other processes read."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from llmops.tasks import progress, stopping
from llmops.tasks.calls.concurrency import run_bounded
from llmops.tasks.endpoints.quota import Clock
from llmops.tasks.progress import Board, BoardSeen, StageSeen
from llmops.tasks.running import noted, whereabouts


@pytest.fixture(autouse=True)
def _nobody_asks() -> None:
    stopping.forget()


def seen(board: Board) -> dict[str, StageSeen]:
    return {each.name: each for each in board.look().stages}


def test_parts_of_a_stage_in_threads_add_up_on_the_board_of_their_run() -> None:
    def part() -> None:
        with progress.stage("read", 25) as step:
            for _ in range(25):
                step()
        progress.count("quarantined")

    with progress.watched(Board()) as board, ThreadPoolExecutor(4) as pool:
        progress.expect("read", 100)
        assert seen(board)["read"].done == 0
        for done in [pool.submit(copy_context().run, part) for _ in range(4)]:
            done.result()
    read = seen(board)["read"]
    assert (read.done, read.total, read.unit, read.complete) == (100, 100, "documents", True)
    assert board.look().counts == {"quarantined": 4}


def test_a_stage_without_a_board_costs_a_microsecond_or_two_and_says_nothing() -> None:
    with progress.stage("read") as step:
        step(3)
    assert progress.board() is None


def test_what_fell_out_on_the_way_is_no_longer_waited_for() -> None:
    with progress.watched(Board()) as board:
        progress.expect("clean", 10)
        assert list(progress.each(range(9), "clean")) == list(range(9))
        assert not seen(board)["clean"].complete
        progress.finished("clean", "never begun")
    assert (seen(board)["clean"].total, seen(board)["clean"].complete) == (9, True)


def test_the_stage_that_is_told_is_the_last_that_is_at_work() -> None:
    with progress.watched(Board()) as board:
        progress.expect("embed", 5, "chunks")
        assert board.look().current is None
        with progress.stage("read", 2) as step:
            step()
            current = board.look().current
            assert current is not None
            assert f"{current.name} {current.counted}" == "read 1 of 2 documents"


def test_what_was_announced_counts_each_stage_alike_else_the_stage_under_way() -> None:
    def share(*stages: StageSeen) -> float:
        return BoardSeen("handbook v1", "1", "", stages, {}).share

    def at(name: str, done: int, total: int | None, expected: bool = False) -> StageSeen:
        return StageSeen(name, done, total, "documents", 1.0, True, expected)

    compare = at("compare", 9, 9)
    assert share(compare, at("read", 5, 10, True), at("embed", 0, 0, True)) == 0.25
    assert share(compare, at("verify", 1, 4)) == 0.25
    assert share(at("start Prefect", 0, None)) == 0.0
    assert share() == 0.0


def test_the_next_run_of_several_begins_with_an_empty_board() -> None:
    with progress.watched(Board()) as board:
        progress.about("first v1", "1", "http://one")
        list(progress.each(range(3), "read"))
        progress.about("first unchanged", "1", "http://one")
        assert seen(board)["read"].done == 3
        progress.about("second v1", "2", "http://two")
        assert (board.look().url, board.look().stages) == ("http://two", ())


def test_a_run_that_is_asked_to_stop_ends_at_its_next_step() -> None:
    done = []

    def work() -> None:
        for number in progress.each(range(9), "read"):
            done.append(number)
            if number == 2:
                stopping.ask()

    with pytest.raises(stopping.Stopped):
        work()
    assert done == [0, 1, 2]
    with pytest.raises(stopping.Stopped), progress.stage("another"):
        done.append(9)
    assert 9 not in done


def test_a_call_that_was_begun_is_finished_and_none_begins_after_it() -> None:
    began, ends, noted_down = threading.Event(), threading.Event(), []

    def work() -> None:
        with stopping.call():
            began.set()
            ends.wait(5)
            noted_down.append("paid")

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(5)
    stopping.ask()
    assert (stopping.under_way(), stopping.wait(0.01)) == (1, False)
    with pytest.raises(stopping.Stopped), stopping.call():
        pass
    ends.set()
    assert stopping.wait(5)
    thread.join()
    assert noted_down == ["paid"]


def test_pieces_under_way_are_finished_before_a_stop_is_raised() -> None:
    done: list[int] = []

    async def work(piece: int) -> int:
        await asyncio.sleep(0.01 * piece)
        if piece == 1:
            stopping.ask()
        done.append(piece)
        return piece

    with pytest.raises(stopping.Stopped):
        asyncio.run(run_bounded(range(1, 100), work, 3))
    assert sorted(done) == [1, 2, 3]


def test_whoever_waits_for_a_rate_limit_stops_at_once() -> None:
    async def waits() -> None:
        asyncio.get_running_loop().call_later(0.05, stopping.ask)
        await Clock().sleep(60)

    began = time.monotonic()
    with pytest.raises(stopping.Stopped):
        asyncio.run(waits())
    assert time.monotonic() - began < 10


def test_other_processes_read_how_far_a_run_is_while_it_lasts(tmp_path: Path) -> None:
    assert whereabouts(tmp_path, "run-1") == ""
    with progress.watched(Board()) as board, noted(tmp_path, board, every=0.01):
        progress.about("kb v1", "run-1", "http://prefect/run-1")
        with progress.stage("embed", 5_000, "chunks") as step:
            step(1_200)
            end = time.monotonic() + 10
            while "1,200" not in whereabouts(tmp_path, "run-1"):
                assert time.monotonic() < end
                time.sleep(0.005)
        told = whereabouts(tmp_path, "run-1")
        assert told == "embed 1,200 of 5,000 chunks, http://prefect/run-1"
    assert whereabouts(tmp_path, "run-1") == ""
    assert list((tmp_path / "plans" / "running").iterdir()) == []


def test_a_note_that_is_none_is_no_error(tmp_path: Path) -> None:
    place = tmp_path / "plans" / "running" / "run-1.json"
    place.parent.mkdir(parents=True)
    for text in ("", "{", "[1]", '{"url": "x"}'):
        place.write_text(text)
        assert whereabouts(tmp_path, "run-1") == ""
