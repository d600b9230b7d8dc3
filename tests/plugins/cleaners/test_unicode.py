"""The cleaner `unicode`: what it mends, what it must leave alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.cleaners.unicode import UnicodeCleaner

SPECIAL = "\u200c\u200d\ufeff\x1b[m31Ã¼â€™\u0301e\u00ad\f\n\r\t\udc80\ud83d\ude00ﬁ می👩"
CHARACTERS = st.characters() | st.sampled_from(SPECIAL)


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("schÃ¶n", "schön"),
        ("â€œquotedâ€\x9d", "“quoted”"),
        ("voilÃ  une idÃ©e", "voilà une idée"),
        ("cafe\u0301", "café"),
        ("ef\ufb01cient", "efficient"),
        ("\uf0b7 item", "• item"),
        ("\ufeffstart", "start"),
        ("zero\u200bwidth", "zerowidth"),
        ("soft\u00adhyphen", "softhyphen"),
        ("10\u00a0000", "10 000"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00b\x07c", "abc"),
        ("one\x0btwo\u2028three", "one\ntwo\nthree"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("split \ud83d\ude00", "split 😀"),
        ("lat\u200cin", "latin"),
        ("visible\U000e0041\U000e0042", "visible"),
    ],
)
def test_what_is_broken_is_mended(dirty: str, clean: str) -> None:
    assert UnicodeCleaner().clean(dirty) == clean


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم کتاب\u200cها را بخوانم",
        "ක්\u200dෂ",
        "👨\u200d👩\u200d👧 ❤️\u200d🔥 👍🏽",
        "（日本語）の「文章」、です。全角ＡＢＣ！　はい",
        "中文，标点。",
        "naïve café — “quotes” it’s",
        "Ünïcödé Größe Ærøskøbing Łódź Žižek",
        "page one\n\f\npage two\tcell",
        "Русский текст",
        "&amp; &lt;tag&gt;",
        "x² + ½ ™ №",
    ],
)
def test_what_carries_meaning_stays(text: str) -> None:
    assert UnicodeCleaner().clean(text) == text


@settings(max_examples=400, deadline=None)
@given(st.text(CHARACTERS, max_size=60))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = UnicodeCleaner().clean(text)
    assert UnicodeCleaner().clean(once) == once
    once.encode()
    assert once.count("\f") == text.count("\f")


def test_it_is_found_by_name() -> None:
    assert Spec(name="unicode").build(Cleaner).clean("ok") == "ok"
