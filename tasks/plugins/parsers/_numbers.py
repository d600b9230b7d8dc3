"""The numbers of lists: 3, c, iii."""

from typing import Final

ROMAN: Final = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
MOST_ROMAN: Final = 3999


def ordinal(number: int, kind: str) -> str:
    """A number as `kind` writes it: a name with `alpha` or `roman`, and `upper` for capitals."""
    kind = kind.lower()
    text = str(number)
    if "alpha" in kind and number > 0:
        text = _letters(number)
    elif "roman" in kind and 0 < number <= MOST_ROMAN:
        text = _roman(number)
    return text.upper() if "upper" in kind else text


def _letters(number: int) -> str:
    text = ""
    while number:
        number, letter = divmod(number - 1, 26)
        text = chr(ord("a") + letter) + text
    return text


def _roman(number: int) -> str:
    text = ""
    for value, letters in ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text


def number_of(text: str | None) -> int:
    """The number that a list begins with; 1 where none is given that makes sense."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 1
