"""Connections with a guard on the address and a deadline on the whole answer, whatever a server
does.

By hand, on the transport of httpcore: no client has all three of a host that is looked up once and
pinned, a deadline on the whole answer, and an end to what inflates without bounds.
"""

import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateAddress(Exception):
    """A host that resolves to nothing but addresses of this machine or its networks."""


def permitted(host: str, port: int, allow_private: bool) -> list[str]:
    """The addresses of a host that may be connected to, in the resolver's order.

    Connecting to one of these, and not to the name, leaves no second look-up that could answer
    otherwise. Raises PrivateAddress when none is left, OSError when the name is unknown.
    """
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    allowed = [address for address in addresses if allow_private or public(address)]
    if not allowed:
        raise PrivateAddress(
            f"{host} is the private address {addresses[0]}"
            if host != addresses[0]
            else f"{host} is a private address"
        )
    return allowed


def public(address: str) -> bool:
    """Whether an address belongs to the internet at large. One that carries an IPv4 address within
    an IPv6 one is judged by that.
    """
    try:
        parsed: Address = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        carried = parsed.ipv4_mapped or (
            ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in NAT64 else parsed.sixtofour
        )
        return (
            _public(carried) and (parsed.sixtofour is None or _public(parsed))
            if carried
            else _public(parsed)
        )
    return _public(parsed)


def _public(address: Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or site_local)


class Deadline(threading.local):
    """Until when the request of this thread may last: a server that sends a byte now and then never
    times out otherwise.
    """

    until = float("inf")

    def start(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """The time-out of the next step. Raises ReadTimeout when the deadline has passed."""
        remaining = self.until - time.monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout("the answer took too long as a whole")
        return remaining if timeout is None else min(timeout, remaining)


class Stream(httpcore.NetworkStream):
    """A connection on which every step asks the clock."""

    def __init__(self, inner: httpcore.NetworkStream, clock: Deadline) -> None:
        self._inner, self._clock = inner, clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return Stream(
            self._inner.start_tls(ssl_context, server_hostname, self._clock.left(timeout)),
            self._clock,
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """Resolves a name once, judges every address, and connects to one of those that passed."""

    def __init__(self, clock: Deadline, allow_private: bool) -> None:
        self._clock, self._allow_private, self._inner = clock, allow_private, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = permitted(host, port, self._allow_private)
        except PrivateAddress as error:
            raise httpcore.UnsupportedProtocol(
                f"{error}, which is not asked: set `allow_private: true` if the site is yours"
            ) from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"no address is known for {host}") from error
        for position, address in enumerate(addresses, 1):
            try:
                inner = self._inner.connect_tcp(
                    address, port, self._clock.left(timeout), local_address, socket_options
                )
                return Stream(inner, self._clock)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses):
                    raise
        raise httpcore.ConnectError(f"no address is known for {host}")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@cache
def trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whom to believe: the authorities of the file or folder, else the usual ones. Made once, since
    that takes a while.
    """
    if file or folder:
        return ssl.create_default_context(cafile=file, capath=folder)
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def pool(clock: Deadline, allow_private: bool) -> httpcore.ConnectionPool:
    """Connections that are kept between requests. `SSL_CERT_FILE` and `SSL_CERT_DIR` name other
    authorities than the usual ones.
    """
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    return httpcore.ConnectionPool(
        ssl_context=trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
        max_connections=32,
        keepalive_expiry=15,
        socket_options=options,
        network_backend=Backend(clock, allow_private),
    )
