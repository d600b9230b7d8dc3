"""Text of any age and country, without anybody saying how it is encoded."""

import random

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.texts.charset import decode

JAPANESE = "日本語の文章を書いています。東京は日本の首都であり、世界最大の都市の一つです。\n"
CHINESE = (
    "中华人民共和国是世界上人口最多的国家之一,首都北京。\n本文介绍如何安装和配置数据库系统。\n"
)
PERSIAN = "زبان فارسي يكي از زبانهاي هندواروپايي است که در ايران صحبت ميشود.\n"
ARABIC = "اللغة العربية هي أكثر اللغات السامية تحدثاً وإحدى أكثر اللغات انتشاراً في العالم.\n"
GERMAN = "Die Größe der Straße über dem Fluß ist schön. Äpfel und Öl für Übung.\n"
FRENCH = "L'été dernier, nous avons mangé des crêpes à la crème brûlée.\n"
RUSSIAN = "Русский язык является одним из восточнославянских языков. Москва столица.\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (JAPANESE, "utf-16"),
        (JAPANESE, "utf-16-le"),
        (JAPANESE, "utf-16-be"),
        (JAPANESE, "utf-8-sig"),
        (JAPANESE, "utf-32"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-16-le"),
        (ARABIC, "cp1256"),
        (PERSIAN, "cp1256"),
        (GERMAN, "latin-1"),
        (GERMAN, "cp1252"),
        (FRENCH, "latin-1"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        ("plain", "utf-16-le"),
        ("Größe", "latin-1"),
        ("", "utf-8"),
    ],
)
@pytest.mark.parametrize("times", [1, 30])
def test_the_encoding_is_found(text: str, encoding: str, times: int) -> None:
    assert decode((text * times).encode(encoding))[0] == text * times


CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Žádný učený z nebe nespadl.\n"
POLISH = "Zażółć gęślą jaźń. Nie ma róży bez kolców, a święto bez gości.\n"
TURKISH = "Pijamalı hasta yağız şoföre çabucak güvendi, güneş doğmadan işe gitti.\n"
LITHUANIAN = "Įlinkdama fechtuotojo špaga sublykčiojusi pragręžė apvalų arbūzą.\n"
HEBREW = "שלום עולם, זהו משפט קצר בעברית שנכתב לפני שנים רבות.\n"
GREEK = "Η ελληνική γλώσσα είναι μία από τις αρχαιότερες γραπτές γλώσσες.\n"
KOREAN = "대한민국의 수도는 서울이며 가장 큰 도시이다.\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Déjà vu à l'été.", "latin-1"),
        ("Voilà le café.", "cp1252"),
        ("Les élèves étaient très fatigués après la fête.", "cp1252"),
        ("für", "latin-1"),
        ("20 °C", "latin-1"),
        ("Fußgängerüberweg", "latin-1"),
        (GERMAN * 2, "mac_roman"),
        (CZECH, "cp1250"),
        (CZECH * 5, "cp852"),
        (POLISH, "cp1250"),
        (TURKISH, "cp1254"),
        (LITHUANIAN, "cp1257"),
        (HEBREW, "cp1255"),
        (GREEK, "cp1253"),
        (GREEK, "iso8859_7"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "iso8859_5"),
        (KOREAN, "cp949"),
        ("Привет мир", "cp1251"),
        ("你好世界", "gb18030"),
    ],
)
def test_short_texts_and_those_of_many_countries_and_systems(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text


def test_few_foreign_letters_in_a_long_ascii_text() -> None:
    text = (
        "A long English text about nothing at all.\n" * 3000
        + "Müller & Söhne, café\n"
        + "And more of it.\n" * 3000
    )
    assert decode(text.encode("latin-1"))[0] == text


def test_strays_in_utf8_become_replacement_characters() -> None:
    data = ("Ein Satz mit Umlauten: äöü ßÄÖÜ. " * 20).encode()
    assert decode(data + b"\xe2\x82")[0].endswith("\ufffd")
    assert decode(data[:100] + b"\xff" + data[100:])[0].count("\ufffd") == 1


def test_what_is_declared_counts_if_it_can_be_true() -> None:
    assert decode("Привет".encode("cp866"), "cp866")[0] == "Привет"
    assert decode(GERMAN.encode(), "no-such-encoding")[0] == GERMAN


def test_what_is_declared_as_latin_1_has_the_signs_of_windows_as_in_a_browser() -> None:
    assert decode("5 € – „gut“".encode("cp1252"), "iso-8859-1")[0] == "5 € – „gut“"
    assert decode(b"a\x81b", "iso-8859-1")[0] == "a\x81b"
    assert decode("①".encode("cp932"), "shift_jis")[0] == "①"


@pytest.mark.parametrize(
    "data", [random.Random(2).randbytes(4000), b"text\x00\x01\x02" * 50, bytes(range(256)) * 8]
)
def test_binary_data_is_no_text(data: bytes) -> None:
    with pytest.raises(DocumentError, match="binary"):
        decode(data)
