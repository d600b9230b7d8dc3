"""The language of a prompt's text: `{{name}}` stands for a variable, `{{{{` for two braces, and
nothing else means anything.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

TOKEN = re.compile(
    r"\{\{\{\{(\s*[A-Za-z_]\w*\s*)\}\}\}\}|(\{\{\{\{)|(\{\{%)|\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}"
)
MALFORMED = re.compile(r"\{\{[^{}\n]{0,40}\}{0,2}")
BLOCK = re.compile(r"\{%[-+]?\s*\w[^%\n]{0,60}%\}")
GONE = "\0"  # stands where a token was, so that what is around it does not grow together
ALLOWED = (
    "a placeholder is {{name}} of letters, digits and underscores; to write two braces as "
    "text, write four: {{{{"
)
NO_BLOCKS = "there are no conditions or loops; to write such a block as text, double its brace: {{%"
Fault = Literal["placeholder", "block", "nul"]
WORDS: dict[Fault, tuple[str, str]] = {
    "placeholder": ("{!r} is no placeholder", ALLOWED),
    "block": ("{!r} is a block of Jinja, which a prompt does not have", NO_BLOCKS),
    "nul": ("there is a NUL character in the text", "remove it"),
}


def names(text: str) -> list[str]:
    """The variables of a text in order, each as often as it stands there."""
    return [match[4] for match in TOKEN.finditer(text) if match[4]]


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder replaced, in one pass: what a value holds is never looked at
    again.

    `{{{{name}}}}` becomes `{{name}}`, `{{{{` two braces and `{{%` the beginning of a block as text.
    Raises KeyError for a variable without a value.
    """
    return TOKEN.sub(lambda match: _meaning(match, values), text)


def _meaning(match: re.Match[str], values: Mapping[str, str]) -> str:
    if match[4]:
        return values[match[4]]
    if match[1]:
        return "{{" + match[1] + "}}"
    return "{{" if match[2] else "{%"


def faults(text: str) -> Iterator[tuple[Fault, str]]:
    """What is wrong with a text, each with what stands there: braces that begin a placeholder and
    are none, blocks of Jinja.
    """
    rest = TOKEN.sub(GONE, text)
    yield from (("placeholder", found) for found in MALFORMED.findall(rest))
    yield from (("block", found) for found in BLOCK.findall(rest))
    if GONE in text:
        yield "nul", ""


def problems(text: str) -> Iterator[tuple[str, str]]:
    """The same in words, each with how to mend it."""
    for fault, found in faults(text):
        said, hint = WORDS[fault]
        yield said.format(found), hint
