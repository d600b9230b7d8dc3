"""The scrubber `patterns`: what it finds beside the cleaner `pii`, and what it leaves."""

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scrubbers import Scrubber
from llmops.tasks.plugins.scrubbers.patterns import ENTITIES, PatternsScrubber
from llmops.tasks.plugins.scrubbers.patterns.national import KINDS

IPV6 = "6e40:4041:c617:e898:c11:40d2:c669:2eb4"


def found(text: str, **options: object) -> list[tuple[str, str]]:
    scrubber = Spec(name="patterns", options=options).build(Scrubber)
    return [(one.entity, text[one.start : one.end]) for one in scrubber.places(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("CPF 529.982.247-25", "529.982.247-25"),
        ("cpf: 52998224725", "52998224725"),
        ("Codice: RSSMRA85T10A562S.", "RSSMRA85T10A562S"),
        ("mein PESEL: 44051401359", "44051401359"),
        ("hetu 131052-308T", "131052-308T"),
        ("身份证 11010519491231002X", "11010519491231002X"),
        ("AHV 756.9217.0769.85", "756.9217.0769.85"),
        ("her BSN is 111222333", "111222333"),
        ("Steuer-ID: 36 574 261 809", "36 574 261 809"),
        ("NI number AB 12 34 56 C", "AB 12 34 56 C"),
        ("NIR 1 85 05 78 006 084 91", "1 85 05 78 006 084 91"),
        ("DNI 12345678Z", "12345678Z"),
        ("pnr 19121212-1212", "19121212-1212"),
        ("Aadhaar: 2341 2341 2346", "2341 2341 2346"),
        ("RUT 12.345.678-5", "12.345.678-5"),
        ("ID number: 44051401359", "44051401359"),
        ("CUIT 20-05536168-2", "20-05536168-2"),
        ("ITIN 912-90-3456", "912-90-3456"),
    ],
)
def test_national_ids_are_found(text: str, value: str) -> None:
    assert found(text) == [("national_id", value)]


@pytest.mark.parametrize(
    "text",
    [
        "CPF 529.982.247-26",  # a wrong check digit, here and below
        "RSSMRA85T10A562T",
        "pesel: 44051401358",
        "131052-308U",
        "110105194912310021",
        "12345678A",
        "order 44051401359",  # no word for it
        "111222333 rows",
        "ISBN 978-3-16-148410-0",
        "2024-11-29T12:30:45 took 1234567890 ns",
        "version 12.345.678-6",
        "pesel 11111111111",
        "table SM590000 A",
    ],
)
def test_numbers_of_other_kinds_stay(text: str) -> None:
    assert [each for each in found(text) if each[0] == "national_id"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 00:1B:44:11:3A:B7", [("mac", "00:1B:44:11:3A:B7")]),
        ("from 00-1b-44-11-3a-b7.", [("mac", "00-1b-44-11-3a-b7")]),
        ("FF:FF:FF:FF:FF:FF 00:1B:44:11:3A", []),
        ("at 6e40:4041:c617:e898:c11:40d2:c669:2eb4", [("ip", IPV6)]),
        ("Authorization: Bearer abc123def456ghi", [("secret", "abc123def456ghi")]),
        ("llmops_abcdefghijklmnopqrstuvwx", [("secret", "llmops_abcdefghijklmnopqrstuvwx")]),
        ("AKIAIOSFODNN7EXAMPLF", [("secret", "AKIAIOSFODNN7EXAMPLF")]),
        ("ada@example.org", [("email", "ada@example.org")]),
    ],
)
def test_addresses_and_keys(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_regions_find_phones_as_people_there_write_them() -> None:
    assert found("ruf 030901820 an") == []
    assert found("ruf 030901820 an", regions=["DE"]) == [("phone", "030901820")]


def test_options_narrow_what_is_found() -> None:
    text = "ada@example.org, CPF 529.982.247-25, DNI 12345678Z"
    assert found(text, entities=["email"]) == [("email", "ada@example.org")]
    assert found(text, entities=["national_id"], countries=["ES"]) == [("national_id", "12345678Z")]
    assert found(text, allow=["*@example.org"], countries=["FR"]) == []


def test_names_come_from_another_scrubber() -> None:
    text = "Ada Lovelace, ada@example.org"
    names = {"name": "listed", "values": ["Ada Lovelace"]}
    assert found(text, names=names) == [("person", "Ada Lovelace"), ("email", "ada@example.org")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"entities": ["emails"]}, "got emails; allowed: birth_date, credit_card"),
        ({"countries": ["XX"]}, "got XX; allowed: AR, AT"),
        ({"regions": ["Germany"]}, "got Germany; allowed are ISO 3166 codes"),
        ({"entity": ["email"]}, "entity"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Spec(name="patterns", options=options).build(Scrubber)


def test_the_installed_library_has_every_check() -> None:
    from stdnum import get_cc_module

    modules = [kind.module.split(".") for kind in KINDS if kind.module]
    assert [each for each in modules if get_cc_module(*each) is None] == []


def test_every_entity_is_documented() -> None:
    said = PatternsScrubber.__doc__ or ""
    assert [each for each in ENTITIES if f"`{each}`" not in said] == []
