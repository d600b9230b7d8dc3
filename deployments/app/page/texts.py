"""Every word of the page, in each of its languages: `texts/LANGUAGE.yaml`, a section per tab."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

from llmops.tasks.yaml_files import read_yaml

FOLDER = Path(__file__).parent / "texts"
DIGITS: Mapping[str, str] = {"fa": "۰۱۲۳۴۵۶۷۸۹"}


class Language(NamedTuple):
    """`tag`: as BCP 47 has it; `name`: as its speakers call it."""

    code: str
    tag: str
    name: str
    direction: Literal["ltr", "rtl"] = "ltr"


LANGUAGES = {
    each.code: each
    for each in (
        Language("en", "en", "English"),
        Language("zh", "zh-Hans", "简体中文"),
        Language("ja", "ja", "日本語"),
        Language("fa", "fa", "فارسی", "rtl"),
    )
}


class PageTexts:
    """The words of one language: `texts("ask.send")`; what stands in braces is filled in."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._known = words(code)

    def __call__(self, name: str, **values: object) -> str:
        """Raises KeyError for a name that no text has, or a value that it wants."""
        shown = {key: self.digits(value) for key, value in values.items()}
        return self._known[name].format_map(shown)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def html(self, name: str, **values: str) -> Markup:
        """For a text in which markup is filled in: everything that is not `Markup` is escaped."""
        return Markup(self._known[name]).format_map({k: escape(v) for k, v in values.items()})

    def digits(self, value: object) -> str:
        """Whole numbers, with the digits that the language is written with."""
        text = str(value)
        own = DIGITS.get(self.code)
        if own is None or not isinstance(value, int):
            return text
        return text.translate({ord(str(digit)): own[digit] for digit in range(10)})


@cache
def words(code: str) -> Mapping[str, str]:
    """section.name -> text."""
    content = read_yaml((FOLDER / f"{code}.yaml").read_text("utf-8"))
    assert isinstance(content, dict)
    return {
        f"{section}.{name}": str(text)
        for section, texts in content.items()
        for name, text in texts.items()
    }


@cache
def texts_of(code: str) -> PageTexts:
    return PageTexts(code)


def preferred(accepted: str) -> str:
    """The first of our languages that a browser's `Accept-Language` names; English for none."""
    wanted = []
    for part in accepted.split(",")[:20]:
        tag, _, rest = part.strip().partition(";")
        given = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", rest)
        wanted.append((float(given[1]) if given else float(not rest), tag))
    for weight, tag in sorted(wanted, key=lambda each: -each[0]):
        code = tag.partition("-")[0].lower()
        if weight and code in LANGUAGES:
            return code
    return "en"
