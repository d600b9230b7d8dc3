"""Personal data never leaks from a text that comes in pieces, however it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.chat.personal import MaskedStream, masked

KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "MIIEpAIBAAKCAQEA7\n" * 60
    + "-----END RSA PRIVATE KEY-----"
)
TOKEN = (
    "eyJhbGciOiJIUzI1NiJ9."
    + "eyJzdWIiOiIxMjM0NTY3ODkwIn0" * 30
    + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
)
VALUES = [
    "jane.doe@example.org",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "+49 171 2345678",
    "ghp_" + "a1B2" * 9,
    "93.184.216.34",
    "postgres://app:Tr0ub4dor9x@db.corp.net/x",
    TOKEN,
    KEY,
]
PLAIN = (
    "The boat leaves at 10:30 from pier 4. It carries 1,200 lamps, 33 crates of salt and the post "
    "of three islands; nobody counts the gulls. "
)
CJK = "这座灯塔建于一八五九年。每天晚上都有船只经过港口，船上装满了盐和灯。"


def streamed(text: str, sizes: list[int]) -> str:
    stream, given, place = MaskedStream(), list[str](), 0
    while place < len(text):
        size = sizes[len(given) % len(sizes)]
        given.append(stream.push(text[place : place + size]))
        place += size
    return "".join([*given, stream.end()])


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:12])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_value_is_masked_however_it_is_cut(value: str, size: int) -> None:
    assert masked(value) != value
    for before in ("", "Write to ", PLAIN * 3, PLAIN * 9, CJK * 12):
        text = f"{before}{value} and then more. {PLAIN * 4}"
        assert streamed(text, [size]) == masked(text)
    assert streamed(f"{PLAIN * 5}{value}", [size]) == masked(f"{PLAIN * 5}{value}")


def test_what_stands_before_a_value_still_says_what_it_is() -> None:
    for text in ("Phone: 030 1234567", "date of birth: 1990-02-03", "SSN 219 45 6789"):
        long = f"{PLAIN * 5}{text} {PLAIN * 5}"
        assert masked(long) != long
        assert streamed(long, [1]) == masked(long)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*VALUES, PLAIN, CJK, "\n\n", " ", ", ", "x"]), max_size=12),
    st.lists(st.integers(1, 90), min_size=1, max_size=6),
)
def test_nothing_leaks_whatever_stands_together(parts: list[str], sizes: list[int]) -> None:
    text = "".join(parts)
    whole, pieces = masked(text), streamed(text, sizes)
    for value in VALUES:
        assert value not in pieces or value in whole


def test_plain_text_goes_on_while_it_comes() -> None:
    stream = MaskedStream()
    shown = [stream.push(f"{word} ") for word in (PLAIN * 20).split(" ")]
    assert sum(map(bool, shown)) > 10
    stream = MaskedStream()
    assert any(stream.push(letter) for letter in CJK * 30)
