"""What every scrubber promises, for any text."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins import Spec, external, names
from llmops.tasks.plugins.scrubbers import Scrubber

CONFIGS: dict[str, dict[str, Any]] = {
    "patterns": {"names": {"name": "listed", "values": ["Ada Lovelace", "艾达"]}},
    "listed": {"values": ["Ada Lovelace", "Ada", "艾达"]},
    "function": {"path": "tests.plugins.scrubbers.recogniser:capitals"},
}
HOSTILE = {
    "empty": "",
    "blank": " \n\t ",
    "long": "write to ada@example.org. " * 4000,
    "one word": "x" * 100_000,
    "digits": "1" * 100_000,
    "numbers": "12 " * 33_000,
    "dots": "1." * 50_000,
    "ats": "a@" * 50_000,
    "colons": "a:" * 50_000,
    "dashes": "1-" * 50_000,
    "names": "Ada " * 25_000,
    "surrogates": "\ud800Ada\udfff",
    "rtl": "\u202eسلام Ada\u202c",
}
PIECES = st.sampled_from(
    [
        *("ada@example.org", "4111 1111 1111 1111", "+49 30 1234567", "8.8.4.17", "536-90-4399"),
        *("<EMAIL_1>", "<PERSON_12>", "529.982.247-25", "pesel 44051401359", "00:1B:44:11:3A:B7"),
        *("Bearer abc123def456", "Ada Lovelace", "艾达", "Ada", " ", "\n", "x", "1", "-", ":", "."),
    ]
)


def built(name: str) -> Scrubber:
    return Spec(name=name, options=CONFIGS[name]).build(Scrubber)


def test_every_scrubber_is_here() -> None:
    assert sorted(CONFIGS) == [
        one for one in names("scrubbers") if one not in external("scrubbers")
    ]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_any_text_is_looked_through(name: str, hostile: str) -> None:
    check(built(name), HOSTILE[hostile])


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=80, deadline=None)
@given(pieces=st.lists(PIECES | st.text(max_size=5), max_size=12))
def test_places_are_in_order_and_apart(name: str, pieces: list[str]) -> None:
    check(built(name), "".join(pieces))


def check(scrubber: Scrubber, text: str) -> None:
    places = scrubber.places(text)
    end = 0
    for place in places:
        assert end <= place.start < place.end <= len(text)
        assert place.entity.islower()
        end = place.end
    assert scrubber.places(text) == places


@pytest.mark.parametrize("name", CONFIGS)
def test_pseudonyms_are_nothing_to_be_found(name: str) -> None:
    scrubber = built(name)
    for entity in ("email", "phone", "national_id", "secret", "person", "ip", "mac", "iban"):
        text = f"Write to <{entity.upper()}_1>: <{entity.upper()}_22>, password: <SECRET_1>"
        assert scrubber.places(text) == []
