"""Ports are those that were asked for, those of last time, or free ones."""

import os
import socket
from collections.abc import Iterator

import pytest

from llmops.deployments.up.ports import any_free, choose, elsewhere, free
from llmops.tasks.errors import UsageError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_base_gives_ports_in_a_row() -> None:
    base = any_free()
    if all(free(base + number) for number in range(3)):
        assert choose(["a", "b"], base, {"a": 1}) == {"a": base, "b": base + 1}


def test_a_taken_port_is_said_with_who_holds_it(taken: int) -> None:
    with pytest.raises(UsageError, match=f"port {taken}, wanted for prefect, is taken") as raised:
        choose(["prefect"], taken, {})
    assert f"by process {os.getpid()}" in str(raised.value)
    assert raised.value.where == "--port-base"


def test_ports_of_last_time_are_taken_again_where_they_are_free(taken: int) -> None:
    last = any_free()
    chosen = choose(["a", "b", "c"], None, {"a": last, "b": taken, "c": last})
    assert chosen["a"] == last
    assert len(set(chosen.values())) == 3
    assert taken not in chosen.values()


def test_a_part_that_listens_elsewhere_is_said_with_who_holds_its_port(taken: int) -> None:
    wanted = {"app desk": taken, "app shop": any_free()}
    ports = choose([*wanted], None, wanted)
    (said,) = elsewhere(wanted, ports)
    assert said.startswith(f"app desk listens at port {ports['app desk']}: its own, {taken}, is")
    assert f"by process {os.getpid()}" in said
