"""What comes over the wire: requests that two servers could read in two ways, slow ones, and bytes
that are no HTTP at all. The true server, in a thread.
"""

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from llmops.deployments.app import serving
from tests.chat.apps import TALL, Towers, copied
from tests.deployments.app.apps import MANY, Listening, listening
from tests.workshop import Workshop

pytestmark = pytest.mark.slow
BODY = json.dumps({"query": TALL, "k": 1}).encode()
HIDDEN = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def served(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """One for all tests: it reads bodies for half a second, heads for one."""
    towers = copied(shelf, tmp_path_factory.mktemp("wire"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "HEADER_SECONDS", 1.0)
        with listening(towers, limits={**MANY, "body_seconds": 0.5}) as found:
            yield found


def request(*headers: bytes, body: bytes = BODY, first: bytes = b"POST /v1/search") -> bytes:
    lines = [first + b" HTTP/1.1", b"Content-Type: application/json", *headers, b"", body]
    return b"\r\n".join(lines)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def answers(data: bytes) -> int:
    """How many answers came back."""
    return data.count(b"HTTP/1.1 ")


HOST, CLOSE = b"Host: localhost", b"Connection: close"
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def test_a_plain_request_and_a_chunked_one_are_answered(served: Listening) -> None:
    assert status(served.raw(request(HOST, LENGTH, CLOSE))) == 200
    assert status(served.raw(request(HOST, CHUNKED, CLOSE, body=CHUNKS))) == 200


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((HOST, LENGTH, CHUNKED), CHUNKS + HIDDEN),
        ((HOST, b"Content-Length: 0", CHUNKED), CHUNKS + HIDDEN),
        ((HOST, b"Content-Length: 5", LENGTH), BODY + HIDDEN),
        ((HOST, b"Content-Length: -1"), BODY + HIDDEN),
        ((HOST, b"Content-Length: 1, 2"), BODY + HIDDEN),
        ((HOST, b"Content-Length: +5"), BODY + HIDDEN),
        ((HOST, b"Content-Length : 5"), BODY + HIDDEN),
        ((HOST, b"Transfer-Encoding: gzip, chunked"), CHUNKS + HIDDEN),
        ((HOST, b"Transfer-Encoding: xchunked"), CHUNKS + HIDDEN),
        ((HOST, b"Transfer-Encoding:\r\n chunked", LENGTH), CHUNKS + HIDDEN),
        ((HOST, CHUNKED, b"Transfer-Encoding: identity"), CHUNKS + HIDDEN),
        ((HOST, CHUNKED), b"-1\r\n" + CHUNKS + HIDDEN),
        ((HOST, b"Host: evil.example.com", LENGTH), BODY + HIDDEN),
        ((b"Host: evil.example.com", HOST, LENGTH), BODY + HIDDEN),
        ((LENGTH,), BODY + HIDDEN),
        ((HOST, b"X: a\0b", LENGTH), BODY + HIDDEN),
        ((HOST, b"X\x0b: ab", LENGTH), BODY + HIDDEN),
    ],
    ids=str,
)
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_is_hidden_behind_it(
    served: Listening, headers: tuple[bytes, ...], body: bytes
) -> None:
    answer = served.raw(request(*headers, body=body))
    assert status(answer) in (400, 501)
    assert answers(answer) == 1
    assert b"llmops" not in answer.lower()


def test_a_header_that_is_folded_is_one_header(served: Listening) -> None:
    """Not a second one that the next server would see."""
    folded = b"X-Request-Id: abcdefgh\r\n\tHost: evil.example.com"
    answer = served.raw(request(HOST, LENGTH, folded, CLOSE))
    assert (status(answer), answers(answer)) == (200, 1)
    assert b"evil" not in answer


@pytest.mark.parametrize("name", [b"Authorization: Bearer x", b"Content-Type: text/plain"])
def test_headers_that_decide_stand_there_once(served: Listening, name: bytes) -> None:
    twice = (name, name) if name.startswith(b"Auth") else (name,)
    assert status(served.raw(request(HOST, LENGTH, *twice, CLOSE))) == 400


@pytest.mark.parametrize(
    "first",
    [
        b"GET /v1/../metrics/../../etc/passwd",
        b"GET /%2e%2e/%2e%2e/etc/passwd",
        b"GET /v1/models/..%2f..%2fetc%2fpasswd",
        b"GET /v1/models/%00",
        b"GET //metrics",
        b"GET /metrics%00",
        b"GET /metrics/.",
        b"GET http://evil.example.com/metrics",
    ],
)
def test_no_path_leads_out(served: Listening, first: bytes) -> None:
    answer = served.raw(request(HOST, CLOSE, body=b"", first=first))
    assert status(answer) in (400, 404)
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n" * 10 + b"nonsense\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_others_go_on(served: Listening, data: bytes) -> None:
    answer = served.raw(data)
    assert answer == b"" or status(answer) in (400, 414, 421, 431, 505)
    assert status(served.raw(request(HOST, LENGTH, CLOSE))) == 200


def test_a_head_that_does_not_come_closes_the_connection(served: Listening) -> None:
    began = time.monotonic()
    assert served.raw(b"POST /v1/search HTTP/1.1\r\nHost: local") == b""
    assert served.raw(b"") == b""
    assert time.monotonic() - began < 15


def test_a_body_that_does_not_come_is_told_so(served: Listening) -> None:
    answer = served.raw(request(HOST, b"Content-Length: 1000"))
    assert status(answer) == 408
    assert b"connection: close" in answer.lower()


def test_a_body_that_drips_is_told_so(served: Listening) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 20) as connection:
        connection.sendall(request(HOST, b"Content-Length: 1000", body=b""))
        received = b""
        for _ in range(100):
            try:
                connection.sendall(b"x")
            except OSError:
                break
            connection.settimeout(0.1)
            try:
                received += connection.recv(65_536)
            except TimeoutError:
                continue
            break
    assert status(received) == 408


def test_a_body_without_an_end_is_cut_off(served: Listening) -> None:
    """In chunks, so that no length says beforehand how much it will be."""
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", served.port), 20) as connection:
        connection.sendall(request(HOST, CHUNKED, body=b""))
        sent, received = 0, b""
        with contextlib.suppress(OSError):
            for _ in range(1_000):
                connection.sendall(chunk)
                sent += 1
        with contextlib.suppress(OSError):
            received = connection.recv(65_536)
    assert sent < 1_000
    assert received == b"" or status(received) == 413


def test_a_trailing_request_on_one_connection_is_a_request_of_its_own(
    served: Listening,
) -> None:
    answer = served.raw(request(HOST, LENGTH) + request(HOST, LENGTH, CLOSE))
    assert answers(answer) == 2
    assert answer.count(b"x-request-id") == 2


def test_an_upgrade_is_not_followed(served: Listening) -> None:
    upgrade = (b"Upgrade: websocket", b"Connection: Upgrade, close", b"Sec-WebSocket-Version: 13")
    first = b"GET /v1/chat/completions"
    answer = served.raw(request(HOST, *upgrade, body=b"", first=first))
    assert status(answer) in (400, 405, 426)


def test_a_port_that_is_taken_is_a_mistake_that_names_it(served: Listening, towers: Towers) -> None:
    from llmops.tasks.errors import UsageError

    with pytest.raises(UsageError, match=f"{served.port} cannot be listened on"):
        serving.bound("127.0.0.1", served.port)
    with pytest.raises(UsageError, match="cannot be listened on"):
        serving.bound("203.0.113.1", 0)


def test_a_second_request_may_not_dribble_either(served: Listening) -> None:
    first = request(HOST, LENGTH)
    with socket.create_connection(("127.0.0.1", served.port), 20) as connection:
        connection.sendall(first)
        assert status(connection.recv(65_536)) == 200
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 8:
                connection.sendall(b"G")
                time.sleep(0.1)
        assert time.monotonic() - began < 5
