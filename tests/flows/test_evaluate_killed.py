"""An evaluation that is killed or interrupted, and run again: nothing that was answered is asked
twice, and the verdict is the same.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.commandline import Office, ended, start
from tests.evaluations import Bench, reply
from tests.openai_server import Service, serving

pytestmark = pytest.mark.slow
AT_ONCE = 4


@pytest.fixture
def model() -> Iterator[Service]:
    with serving(reply) as service:
        service.latency = 0.05
        yield service


@pytest.fixture
def bench(office: Office, model: Service) -> Bench:
    return Bench(office, model.base_url, cases=150)


def asked(model: Service, count: int) -> None:
    """Wait until the model has been asked so often."""
    for _ in range(6000):
        if len(model.requests) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"only {len(model.requests)} requests came")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_at_half_goes_on_where_it_was(
    bench: Bench, model: Service, how: signal.Signals
) -> None:
    config = bench.config(concurrency=AT_ONCE)
    process = start(bench.home, "evaluate", config, "--json")
    asked(model, 150)
    os.kill(process.pid, how)
    said = ended(process)
    assert said.code == (-9 if how == signal.SIGKILL else 130), said.err
    again = bench.evaluate(concurrency=AT_ONCE)
    assert (again.code, again.data["verdict"], again.data["n"]) == (0, "promote", 150), again.err
    assert len(model.received) == 300
    twice = [question for question, count in model.received.items() if count > 1]
    # asked to stop, it finishes the calls under way and notes them; killed, it loses those
    assert len(twice) <= (AT_ONCE if how == signal.SIGKILL else 0)
    assert (
        sum(arm["calls"] for arm in again.data["arms"].values()) + again.data["spent"]["cached"]
        == 300
    )


def test_two_evaluations_at_once_come_to_the_same(bench: Bench, model: Service) -> None:
    config = bench.config(concurrency=AT_ONCE)
    both = [start(bench.home, "evaluate", config, "--json") for _ in range(2)]
    found = [ended(process) for process in both]
    assert [one.code for one in found] == [0, 0], found
    assert found[0].data["difference"] == found[1].data["difference"]
    assert found[0].data["record"] != found[1].data["record"]


def test_an_interrupt_after_the_alias_has_moved_does_not_deny_it(
    bench: Bench, model: Service
) -> None:
    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.ledger.tables import moves
    from tests.commandline import llmops

    llmops("prompts", "push", bench.folder / "plain.yaml")
    llmops("prompts", "promote", bench.name, "--version", "1", "--first")
    process = start(bench.home, "evaluate", bench.config(promote={"prompt": bench.name}), "--json")
    for _ in range(6000):
        with open_ledger(bench.home).read() as connection:
            found = connection.execute(
                moves.select().where(moves.c.prompt == bench.name, moves.c.kind == "promote")
            ).all()
        if found or process.poll() is not None:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    said = ended(process)
    assert found
    assert "nothing live has changed" not in said.out
    assert said.code == 0 or f"{bench.name}@champion" in said.mistake["hint"]
    assert llmops("prompts", "show", f"{bench.name}@champion", "--json").data["version"] == 2
