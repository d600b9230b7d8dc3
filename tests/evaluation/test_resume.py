"""Killed in the middle, a run goes on where it was: no reply that was on disk is paid again."""

import os
import random
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from llmops.tasks.calls.budget import Spent
from llmops.tasks.evaluation.answering import answer_part
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from tests.evaluation.runs import (
    PLAIN,
    arm,
    cases,
    evaluation_run,
    killed,
    model,
    questions,
    results,
    start,
)
from tests.openai_server import Answer, Service, serving

COMMIT = "llmops.tasks.calls.cache:CallCache._write"


def on_disk(home: Path) -> int:
    with open_ledger(home).read() as connection:
        return len(connection.scalars(select(calls.c.key)).all())


def twice(service: Service) -> int:
    """How many requests were seen that had been seen before."""
    return sum(count - 1 for count in Counter(questions(service.requests)).values())


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_a_commit_with_one_request_at_a_time(tmp_path: Path, when: str) -> None:
    with serving() as service:
        run = evaluation_run(tmp_path, service.base_url, concurrency=1)
        killed(run, cases(20), COMMIT, when, "20")
        kept, asked = on_disk(run.home), len(service.requests)
        assert 19 <= kept <= asked
        part = answer_part(run, 1, cases(20), Spent())
        assert part.spent == part.spent.model_copy(update={"calls": 40 - kept, "cached": kept})
        assert twice(service) == asked - kept <= 1  # the one being written, at most
        assert len(results(part)) == 40


@pytest.mark.slow
def test_killed_at_half_with_many_under_way(tmp_path: Path) -> None:
    half = threading.Event()

    def reply(messages: list[dict[str, Any]]) -> str:
        if len(service.requests) >= 200:
            half.set()
        return "yes"

    with serving(reply) as service:
        service.latency = 0.02
        run = evaluation_run(tmp_path, service.base_url, concurrency=8)
        with start(run, cases(200)) as process:
            assert half.wait(60)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        kept, asked = on_disk(run.home), len(service.requests)
        assert 150 < kept <= asked < 260
        part = answer_part(run, 1, cases(200), Spent())
        assert (part.spent.calls, part.spent.cached, len(results(part))) == (400 - kept, kept, 400)
        assert twice(service) == asked - kept <= 8  # under way, or answered and not yet written
        assert answer_part(run, 1, cases(200), part.spent).spent.calls == part.spent.calls


@pytest.mark.slow
def test_an_interrupt_keeps_every_reply_that_came(tmp_path: Path) -> None:
    half = threading.Event()

    def reply(messages: list[dict[str, Any]]) -> str:
        if len(service.requests) >= 30:
            half.set()
        return "yes"

    with serving(reply) as service:
        run = evaluation_run(tmp_path, service.base_url, concurrency=4)
        with start(run, cases(500)) as process:
            assert half.wait(60)
            os.kill(process.pid, signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode not in (0, -signal.SIGKILL)
        asked = len(service.requests)
        assert 30 <= asked < 1_000
        part = answer_part(run, 1, cases(100), Spent())
        assert twice(service) <= 4  # only what was under way
        assert part.spent.cached + part.spent.calls == 200


@pytest.mark.slow
def test_an_endpoint_with_many_faults_loses_nothing(tmp_path: Path) -> None:
    chance = random.Random(5)
    limited, broken = Answer(429, headers={"Retry-After": "0"}), Answer(500)
    with serving() as service:
        service.script = chance.choices([limited, broken, None], [20, 5, 75], k=5_000)
        # who meets which fault is chance: with two retries alone a request in 4,000 meets three
        arms = [
            arm(name, text, model(service.base_url, retries=9), price=(1.0, 2.0))
            for name, text in zip("AB", PLAIN, strict=True)
        ]
        run = evaluation_run(tmp_path, service.base_url, arms=arms, concurrency=16)
        part = answer_part(run, 1, cases(250), Spent())
        found = results(part)
        assert len(service.requests) > 600
    assert (len(found), {one.status for one in found}, part.spent.calls, part.cases) == (
        500,
        {"answered"},
        500,
        250,
    )
    assert [one.answer.split(" is ")[1] for one in found[::2]] == [
        f"{number}?" for number in range(250)
    ]
    assert max(one.attempts for one in found) > 1


@pytest.mark.slow
def test_a_run_that_was_killed_stays_within_its_budget(tmp_path: Path) -> None:
    """The budget is for what is paid now; what is remembered is free."""
    with serving() as service:
        run = evaluation_run(tmp_path, service.base_url, concurrency=1, budget_calls=30)
        killed(run, cases(20), COMMIT, "after", "20")
        before = len(service.requests)
        part = answer_part(run, 1, cases(20), Spent())
        assert part.stopped is None
        assert len(service.requests) - before == part.spent.calls <= 21
