"""Which addresses may be connected to: what a name resolves to counts, not what it looks like."""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateAddress(Exception):
    """A host that resolves to nothing but addresses of this machine or its networks."""


def permitted(host: str, port: int, allow_private: bool) -> list[str]:
    """The addresses of a host that may be connected to, in the resolver's order.

    Connecting to one of these, and not to the name, leaves no second look-up that could answer
    otherwise. Raises PrivateAddress when none is left, OSError when the name is unknown.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
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
        found: Address = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.ipv4_mapped or (
            ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in NAT64 else found.sixtofour
        )
        return (
            _public(carried) and (found.sixtofour is None or _public(found))
            if carried
            else _public(found)
        )
    return _public(found)


def _public(address: Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or site_local)
