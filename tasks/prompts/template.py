"""The language of a prompt's text: `{{name}}` stands for a variable, `{{{{` for two braces, and
nothing else means anything.
"""

import re
from collections.abc import Iterator, Mapping

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


def problems(text: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a text, each with how to mend it: braces that begin a placeholder and are
    none, blocks of Jinja.
    """
    rest = TOKEN.sub(GONE, text)
    for found in MALFORMED.findall(rest):
        yield f"{found!r} is no placeholder", ALLOWED
    for found in BLOCK.findall(rest):
        yield f"{found!r} is a block of Jinja, which a prompt does not have", NO_BLOCKS
    if GONE in text:
        yield "there is a NUL character in the text", "remove it"
