"""The numbers of lists: 3, c, iii."""

from llmops.tasks.texts.numerals import roman


def ordinal(number: int, kind: str) -> str:
    """A number as `kind` writes it: a name with `alpha` or `roman`, and `upper` for capitals."""
    kind = kind.lower()
    text = str(number)
    if "alpha" in kind and number > 0:
        text = _letters(number)
    elif "roman" in kind and number > 0:
        text = roman(number).lower() or text
    return text.upper() if "upper" in kind else text


def _letters(number: int) -> str:
    text = ""
    while number:
        number, letter = divmod(number - 1, 26)
        text = chr(ord("a") + letter) + text
    return text


def number_of(text: str | None) -> int:
    """The number that a list begins with; 1 where none is given that makes sense."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 1
