"""Plain text: as it stands, but for letters that a format writes as something else."""

import json

import pytest

from llmops.tasks.plugins.parsers import parse


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson"])
def test_letters_that_json_writes_as_numbers_are_letters(name: str) -> None:
    records = [{"street": "Straße 中文 😀", "kept": 'a "b" \\u00e9 c\\d\n\u202e\x00'}, {"n": 1.50}]
    lines = "\n".join(map(json.dumps, records))
    text = parse(lines.encode(), name).text
    assert [json.loads(line) for line in text.split("\n")] == records
    plain = lines.replace("\\u00df", "ß").replace("\\u4e2d\\u6587", "中文")
    assert text == plain.replace("\\ud83d\\ude00", "😀")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"half": "\\ud83d", "end": "\\u00"}', "a.json"),
        ('print("\\u00e9")', "a.py"),
        ("[1] In JSON \\u00e9 is a letter.", "a.txt"),
        ('{"a": 1} \\u00e9\n', "a.txt"),
    ],
)
def test_what_is_no_letter_of_json_stays_as_it_is(text: str, name: str) -> None:
    assert parse(text.encode(), name).text == text


def test_lines_of_calendars_and_cards_are_whole() -> None:
    folded = (
        "BEGIN:VCARD\r\nNOTE:Strass\r\n enfest, gr\xc3\r\n \xbc\xc3\x9fe\r\nEND:VCARD\r\n".encode(
            "latin-1"
        )
    )
    assert parse(folded, "a.vcf").text == "BEGIN:VCARD\nNOTE:Strassenfest, grüße\nEND:VCARD\n"
    assert parse(b"a\n b", "a.ics").text == "a\n b"
