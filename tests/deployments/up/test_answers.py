"""What listens at an address and speaks no HTTP is not well, and breaks nothing."""

import socket
import threading
from collections.abc import Iterator

import pytest

from llmops.deployments.up.parts import answers
from llmops.deployments.up.servers import Chosen


@pytest.fixture
def stranger() -> Iterator[str]:
    """The URL of a server that greets as one for mail does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            for _ in range(2):
                connection, _address = listener.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b"220 mail ready\r\n")

        threading.Thread(target=greet, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_port_that_speaks_no_http_is_not_well(stranger: str) -> None:
    assert not answers(f"{stranger}/health")
    assert not Chosen(stranger, stranger, "MLFLOW_TRACKING_URI").answers()


def test_an_address_that_is_none_is_not_well() -> None:
    assert not answers("http://127.0.0.1:port/health")
    assert not Chosen("http://127.0.0.1:port", "", "MLFLOW_TRACKING_URI").answers()
