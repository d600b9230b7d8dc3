"""The cleaner `pii`: what it finds, what it must not take for personal data, what it does with
it.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.pii import PiiCleaner
from llmops.tasks.plugins.cleaners.pii.patterns import ENTITIES, KINDS, digits_in

PIECES = st.sampled_from(
    [
        "a@b.de",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "+49 30 1234567",
        "8.8.4.17",
        "536-90-4399",
        " ",
        "x",
        "1",
        "<",
        ">",
        "tel ",
        "born on 1.2.1980",
        "\n",
        "\f",
        "-",
        ".",
        ":",
        "@",
        "https://u:pw12@h.de",
        "password: ",
        "Hunter2x",
        "'",
        ",",
        ";",
        "AKIAIOSFODNN7EXAMPLF",
        "é",
    ]
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jürgen.o'neil+x@mail.example.co.uk.", "Write to <EMAIL>."),
        ("请联系foo@bar.com获取", "请联系<EMAIL>获取"),
        ("[mail](mailto:a@b.de) | <c@d.org> |", "[mail](mailto:<EMAIL>) | <<EMAIL>> |"),
        (
            "Card 4111 1111 1111 1111 12/27 or 378282246310005",
            "Card <CREDIT_CARD> 12/27 or <CREDIT_CARD>",
        ),
        (
            "IBAN DE89 3704 0044 0532 0130 00 is ours; gb82west12345698765432",
            "IBAN <IBAN> is ours; <IBAN>",
        ),
        (
            "HN54 PISA 0000 0000 0000 0012 3124 and YE15CBYE0001018861234567891234",
            "<IBAN> and <IBAN>",
        ),
        ("DE24 3704 0044 A532 0130 00 has a letter", "DE24 3704 0044 A532 0130 00 has a letter"),
        ("from 106.31.73.20 and 2a02:8071:2d1:1::5ef3:1", "from <IP> and <IP>"),
        ("SSN: 536 90 4399, or 536-90-4399", "SSN: <SSN>, or <SSN>"),
        (
            "+49 (0)30 1234-567, (212) 555-0187 x12, 030 / 1234567, 01.84.17.61.18",
            "<PHONE>, <PHONE>, <PHONE>, <PHONE>",
        ),
        ("Phone: 451 5986 and 781 1704 office", "Phone: <PHONE> and <PHONE> office"),
        (
            "born on 12 March 1984; Geburtsdatum: 12.03.1984; 出生日期：1984年3月12日",
            "born on <BIRTH_DATE>; Geburtsdatum: <BIRTH_DATE>; 出生日期：1984年3月12日",
        ),
        ("Passport No. C01X00T47 expired", "Passport No. <PASSPORT> expired"),
        ("postgres://app:s3cret@db:5432/x", "postgres://<CREDENTIALS>@db:5432/x"),
        ("AKIAIOSFODNN7ABCDEFG ghp_0123456789abcdefghijABCDEFGHIJ012345", "<SECRET> <SECRET>"),
        ('password = "hunter2-x9Qz"', 'password = "<SECRET>"'),
        ("password: hunter2secret", "password: <SECRET>"),
        (
            "passwd:  Passw0rd!\nAPI key: `9f8a7c6b5d4e` and 密码 password：Correct!Horse，",
            "passwd:  <SECRET>\nAPI key: `<SECRET>` and 密码 password：<SECRET>，",
        ),
        (
            "**Password:** Summer-2024 or __api_key__: k3y-of-the-house",
            "**Password:** <SECRET> or __api_key__: <SECRET>",
        ),
        ("'a@b.org', ['x@y.org','z@y.org']", "'<EMAIL>', ['<EMAIL>','<EMAIL>']"),
        ('<a@b.org> "a@b.org" (a@b.org) ‘a@b.org’', '<<EMAIL>> "<EMAIL>" (<EMAIL>) ‘<EMAIL>’'),
        ("{'to':'a@b.org'} x='a@b.org' a@b.org. …", "{'to':'<EMAIL>'} x='<EMAIL>' <EMAIL>. …"),
        ("- -a@b.org, ...a@b.org, a@b.org--", "- -<EMAIL>, ...<EMAIL>, <EMAIL>--"),
        ("password: hunter2secret;Tail9 or", "password: <SECRET> or"),
        ("password: hunter2secret,more|and(more", "password: <SECRET>"),
        ("password: P4ss!(word)9, then", "password: <SECRET>, then"),
        ("pwd: abc'd9efgh; Passwort: a&b9seCr!t", "pwd: <SECRET>; Passwort: <SECRET>"),
        ('{"password":"hunter2,sec}ret","user":"x"}', '{"password":"<SECRET>","user":"x"}'),
        ('token: \'a;b9c"dxyz\', "b"', "token: '<SECRET>', \"b\""),
        ("password=hunter2secret;user=joe", "password=<SECRET>;user=joe"),
        ("?token=hunter2secret&user=joe", "?token=<SECRET>&user=joe"),
        ("(password: hunter2secret).", "(password: <SECRET>)."),
        ('"password=hunter2secret","user"', '"password=<SECRET>","user"'),
        ("password: hunter2secret</td><td>2", "password: <SECRET></td><td>2"),
        ("3566002020360505 card 49-015420-323751-8", "<CREDIT_CARD> card 49-015420-323751-8"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\n-----END RSA PRIVATE KEY-----", "<SECRET>"),
    ],
)
def test_what_has_a_form_is_masked(text: str, masked: str) -> None:
    assert PiiCleaner().clean(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Version 5.7.0.1 of 2024-01-31, section 1.2.3.4, EC 1.14.16.2",
        "listens on 127.0.0.1, 0.0.0.0 and 255.255.255.0; see 192.0.2.7, ::1 and std::vector",
        "4111 1111 1111 1112 fails the check digit, DE89 3704 0044 0532 0130 01 too",
        "git@github.com:org/repo, image@2x.png, @decorator, a@b",
        "Cell 1998 93 791 804 9630223; pages 330 000-701 200; +3.140000; ISBN 978-3-16-148410-0",
        'token = get_token(user); password: <your password>; api_key = "YOUR_API_KEY_123"',
        "password: required, token: my-secret-key-1, secret: password123, api_key: "
        "https://x.de/v1/keys, Passwort: vergessen! pwd: see-below",
        "passwords: at least 8 characters; token:\n  int: 12345678; token: 該参数表示用户的令牌2个; "  # noqa: E501
        "password: short1; password: 12345678",
        "352099001761481, IMEI: 501154203237515, imei_1='676177010000007', IMEISV 3566002020360505",
        "token=get_token2(user), token=get2[3], token: Optional[str2], api_key=environ['API_KEY1']",
        'password: \'required|min:8\', token: string,minLength8, "password": "VARCHAR(255)"',
        "token = ${TOKEN_12345}, token: '{{ secrets.TOKEN1 }}', password: '${DB_PASS_12}'",
        "'git@github.com:org/repo', 'image@2x.png', '@decorator', 'a@b'",
        "born in Paris; 000-12-3456; 666-12-3456; call me at noon; the year 2024",
        "postgresql://localhost:5432/db and https://x.de:8080/@user",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert PiiCleaner().clean(text) == text


def test_equal_values_get_equal_numbers_in_text_title_and_hidden_text() -> None:
    document = Document(
        "a@b.de, c@d.de, A@B.de",
        title="For c@d.de",
        metadata={"hidden_text": ["to e@f.de"], "author": "x@y.de"},
    )
    cleaned = PiiCleaner(numbered=True).apply(document)
    assert cleaned.text == "<EMAIL_2>, <EMAIL_3>, <EMAIL_2>"
    assert (cleaned.title, cleaned.metadata["hidden_text"]) == ("For <EMAIL_3>", ["to <EMAIL_1>"])
    assert (cleaned.metadata["author"], cleaned.metadata["pii"]) == ("x@y.de", {"email": 5})


def test_flags_change_nothing_else() -> None:
    document = Document("a@b.de and +49 30 1234567")
    flagged = PiiCleaner(policy="flag").apply(document)
    assert flagged.text == document.text
    assert flagged.metadata == {
        "flags": ["pii", "pii:email", "pii:phone"],
        "pii": {"email": 1, "phone": 1},
    }
    assert PiiCleaner(policy="flag").apply(Document("nothing")) == Document("nothing")


def test_quarantine_says_what_was_found_and_not_the_value() -> None:
    with pytest.raises(DocumentError, match="1 × email, 1 × iban") as refused:
        PiiCleaner(policy="quarantine").apply(Document("a@b.de DE89370400440532013000"))
    assert "a@b.de" not in refused.value.reason


def test_entities_and_allowed_values() -> None:
    text = "a@example.com b@c.de +49 30 1234567"
    assert (
        PiiCleaner(entities=("email",), allow=("*@example.com",)).clean(text)
        == "a@example.com <EMAIL> +49 30 1234567"
    )
    with pytest.raises(ValidationError, match=r"got name; allowed: birth_date, credit_card"):
        Spec(name="pii", options={"entities": ["email", "name"]}).build(Cleaner)
    with pytest.raises(ValidationError, match="got none"):
        Spec(name="pii", options={"entities": []}).build(Cleaner)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=20).map("".join), st.booleans())
def test_masking_twice_is_masking_once(text: str, numbered: bool) -> None:
    once = PiiCleaner(numbered=numbered).apply(Document(text))
    again = PiiCleaner(numbered=numbered).apply(once)
    assert (again.text, dict(again.metadata)) == (once.text, dict(once.metadata))
    assert once.text.count("\f") == text.count("\f")


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "1 ",
        "1-",
        "+1 ",
        "a.",
        "a@",
        "a@b.",
        "1.",
        "ab:",
        "AB12",
        "http://a:",
        "-----BEGIN PRIVATE KEY-----",
        "eyJaaaaaaaa.",
        "tel ",
        "call a ",
        "password=",
        "password='",
        "token=a,",
        "token=a1;b2",
        "a@b.-",
        "born ",
        "phone 1",
        "DE89 ",
    ],
)
def test_a_long_line_of_halves_comes_to_an_end(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert len(PiiCleaner().clean(text)) <= 2 * len(text)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_quick_look_overlooks_anything(text: str) -> None:
    for kind in KINDS:
        if kind.pattern.search(text):
            assert kind.may_stand_in(text, digits_in(text)), kind.pattern.pattern


def test_every_entity_is_documented() -> None:
    assert [entity for entity in ENTITIES if f"`{entity}`" not in (PiiCleaner.__doc__ or "")] == []
