"""A command runs a flow in Prefect's engine, and does not wait for what sleeps in it."""

import threading
from functools import partial

import pytest

from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow


def test_a_run_ends_while_its_heartbeats_still_sleep(lab: Laboratory) -> None:
    from prefect import flow_engine

    from llmops.flows.running import HEARTBEATS, leave_heartbeats

    lab.write("a.txt", "The lamp is lit.")
    before = set(threading.enumerate())
    assert lab.build().status == "published"
    beating = getattr(flow_engine, HEARTBEATS)
    assert isinstance(beating, partial), "Prefect's engine beats by another name"
    assert beating.keywords == {"join_on_exit": False}
    leave_heartbeats()
    assert getattr(flow_engine, HEARTBEATS) is beating
    for thread in set(threading.enumerate()) - before:
        if "heartbeat_loop" in repr(getattr(thread, "_args", "")):
            thread.join(3)
            assert not thread.is_alive()
