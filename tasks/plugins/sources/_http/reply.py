"""What a server answered, unpacked, and never more of it than was asked for."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HttpReply:
    """An answer. `headers` have lower-case names; `body` is unpacked, and empty where it was not
    wanted.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def location(self) -> str:
        """Where a redirect leads, as the server writes it; "" for any other answer."""
        said = (
            self.headers.get("location", "")
            if 300 <= self.status < 400 and self.status != 304
            else ""
        )
        try:
            return said.encode("latin-1").decode()
        except UnicodeError:
            return said

    @property
    def media_type(self) -> str:
        """`type/subtype`, or "" where the server does not say."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class Trouble(Exception):
    """No usable answer. `retryable`: it may work later. `host`: the server is at fault, not this
    address of it. `asked`: whether it was asked at all."""

    def __init__(
        self, reason: str, *, retryable: bool = True, host: bool = False, asked: bool = True
    ) -> None:
        super().__init__(reason)
        self.reason, self.retryable, self.host, self.asked = reason, retryable, host, asked


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header names in lower case with their values; repeated ones are joined by a comma."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def body_of(chunks: Iterator[bytes], headers: Mapping[str, str], most: int) -> bytes:
    """The unpacked body. Raises Trouble when it is larger than `most` bytes or packed in a way that
    was not asked for.
    """
    if headers.get("content-length", "").isdigit() and int(headers["content-length"]) > most:
        raise _too_large(most)
    found = bytearray()
    for piece in _unpacked(chunks, headers.get("content-encoding", "").strip().lower(), most):
        found += piece
        if len(found) > most:
            raise _too_large(most)
    return bytes(found)


def _too_large(most: int) -> Trouble:
    return Trouble(
        f"the answer has more than {most:,} bytes; raise `max_bytes` to take it", retryable=False
    )


def _unpacked(chunks: Iterator[bytes], coding: str, most: int) -> Iterator[bytes]:
    if coding in ("", "identity"):
        yield from chunks
    elif coding in ("gzip", "x-gzip", "deflate"):
        yield from _inflated(chunks, coding, most)
    else:
        raise Trouble(
            f"the answer is packed as {coding[:40]!r}, which was not asked for", retryable=False
        )


def _inflated(chunks: Iterator[bytes], coding: str, most: int) -> Iterator[bytes]:
    """Never more than `most` + 1 bytes at once, however small the packed form. Raises Trouble for a
    broken stream.
    """
    unpacker = None
    try:
        for chunk in chunks:
            if unpacker is None:
                raw = coding == "deflate" and (chunk[0] & 0x0F) != 8
                unpacker = zlib.decompressobj(-15 if raw else 47)
            yield unpacker.decompress(chunk, most + 1)
    except zlib.error as error:
        raise Trouble(f"the packed answer is damaged: {error}") from error
    if unpacker is not None and not unpacker.eof:
        raise Trouble("the packed answer ends too early")
