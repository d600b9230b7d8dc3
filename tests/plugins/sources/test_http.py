"""What all sources over HTTP stand on: which addresses are asked, how long anything may take, and
what is kept meanwhile.
"""

import socket
import threading
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.endpoints.trouble import retry_after
from llmops.tasks.plugins.sources._http.client import HttpClient, Manners
from llmops.tasks.plugins.sources._http.wire import Deadline, PrivateAddress, permitted, public
from llmops.tasks.plugins.sources._spool import Spool
from llmops.tasks.plugins.sources.web.urls import normal
from tests.plugins.sources.crawling import web
from tests.plugins.sources.site import Site, handbook


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "::7f00:1",
        "2001:db8::1",
        "no address",
    ],
)
def test_addresses_of_this_machine_and_its_networks_are_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"],
)
def test_addresses_of_the_internet_are(address: str) -> None:
    assert public(address)


def test_a_name_is_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is the system's, and answers differently each time, as an attacker's would."""
    answers = iter(
        [["93.184.216.34"], ["127.0.0.1"], ["10.0.0.5", "93.184.216.34"], ["fe80::1", "::1"]]
    )

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in next(answers)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert permitted("rebind.example", 80, False) == ["93.184.216.34"]
    with pytest.raises(
        PrivateAddress, match=r"rebind\.example is the private address 127\.0\.0\.1"
    ):
        permitted("rebind.example", 80, False)
    assert permitted("mixed.example", 80, False) == ["93.184.216.34"]
    with pytest.raises(PrivateAddress):
        permitted("six.example", 80, False)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Thu, 99 Jan 1970", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(said: str, seconds: float | None) -> None:
    assert retry_after(said, 10.0, strict=True) == seconds


def test_a_deadline_ends_every_step() -> None:
    clock = Deadline()
    assert clock.left(5.0) == 5.0
    clock.start(3.0)
    assert 0 < clock.left(5.0) <= 3.0
    clock.start(-1.0)
    with pytest.raises(httpcore.ReadTimeout):
        clock.left(None)


def test_one_request_at_a_time_per_host_with_a_pause_between(site: Site) -> None:
    """A pause that is too short would be a fault of the client; one that is long only shows a busy
    machine.
    """
    site.page("/", "Start.")
    own = Manners(delay=0.02)
    with (
        HttpClient(own, headers={}, allow_private=True) as one,
        HttpClient(own, headers={}, allow_private=True) as other,
    ):
        threads = [
            threading.Thread(target=client.get, args=(site.url + "/",))
            for client in (one, other) * 3
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert site.statuses("/") == [200] * 6
    assert site.most_at_once == 1
    assert all(
        later - earlier >= 0.019 for earlier, later in zip(site.times, site.times[1:], strict=False)
    )


def test_the_spool_gives_each_original_once() -> None:
    spool = Spool(most=100)
    spool.put("a", "one", b"1" * 60, "text/html")
    spool.put("a", "large", b"2" * 60, "")
    spool.put("b", "two", b"3" * 20, "")
    assert spool.take("b", "one") is None
    assert spool.take("a", "large") is None, "beyond the limit nothing is kept"
    assert spool.take("a", "one") == (b"1" * 60, "text/html")
    assert spool.take("a", "one") is None
    spool.forget("a")
    assert spool.take("b", "two") == (b"3" * 20, "")
    spool.put("a", "large", b"2" * 90, "")
    spool.forget("a")
    assert spool.take("a", "large") is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("HTTP://Example.COM:80/a/../b/./c#d", "http://example.com/b/c"),
        ("https://example.com:443", "https://example.com/"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        ("http://example.com./%7euser/%C3%a4 b", "http://example.com/~user/%C3%A4%20b"),
        ("http://bücher.example/ä?q=ö&a=1", "http://xn--bcher-kva.example/%C3%A4?q=%C3%B6&a=1"),
        ("http://x/?b=2&a=1&&utm_source=z", "http://x/?b=2&a=1"),
        ("http://x/100%", "http://x/100%25"),
        ("http://user:pw@x/", "http://x/"),
        ("http://x/a/..", "http://x/"),
        ("http://x/a/b/..", "http://x/a/"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("http://x/a;b=1?c=/d?e", "http://x/a;b=1?c=/d?e"),
        ("mailto:a@b", None),
        ("javascript:x()", None),
        ("http://", None),
        ("http://x:99999/", None),
        ("http://a b/", None),
        ("http://[::1/", None),
        ("ftp://x/", None),
        ("", None),
        ("http://x/" + "a" * 3000, None),
        ("http://x\\@y/", None),
        ("http://exa\u0000mple/", None),
    ],
)
def test_every_address_has_one_spelling(written: str, read: str | None) -> None:
    assert normal(written, "", ["utm_*"]) == read


@given(st.text(alphabet=st.sampled_from("ahttp:/.?#%&=[]@\\ äß\x00\n2F;-_~")) | st.text())
def test_spelling_is_settled_after_once(text: str) -> None:
    first = normal(text, "http://example.com/base/")
    assert first is None or normal(first) == first


def test_a_pause_that_robots_ask_for_holds_for_all(site: Site) -> None:
    site.put("/robots.txt", b"User-agent: *\nCrawl-delay: 0.02\n", "text/plain")
    handbook(site, 31)
    source = web(site, depth=1)
    items = source.list().items
    site.times.clear()
    threads = [threading.Thread(target=web(site).read, args=(item,)) for item in items[:5]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.times) == 5
    assert all(
        later - earlier >= 0.019 for earlier, later in zip(site.times, site.times[1:], strict=False)
    )
