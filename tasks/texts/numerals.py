"""Numbers as Office writes them at the items of a list: digits, letters, Roman, words, signs."""

from collections.abc import Callable, Mapping
from typing import Final

# fmt: off
ROMAN: Final = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)
# fmt: on
LATIN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RUSSIAN: Final = "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЫЭЮЯ"
CHICAGO: Final = "*†‡§"
HEAVENLY: Final = "甲乙丙丁戊己庚辛壬癸"
HAN: Final = "〇一二三四五六七八九"
# fmt: off
SMALL: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)
# fmt: on
TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINAL: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MOST_REPEATS: Final = 30
"""How often a letter stands for itself (AAA is 53); greater numbers are written as digits."""


def numeral(number: int, form: str) -> str:
    """A number in a form by the name that WordprocessingML has for it (ECMA-376 part 1, section
    17.18.59); in digits where the form is not known or has no sign for it.
    """
    make = FORMS.get(form)
    return (make(number) if make and number > 0 else "") or str(number)


def roman(number: int) -> str:
    if number > 9999:
        return ""
    made = ""
    for worth, sign in ROMAN:
        made += sign * (number // worth)
        number %= worth
    return made


def letters(number: int, alphabet: str = LATIN) -> str:
    """A to Z, then AA to ZZ, AAA to ZZZ: the same letter again, not the next digit."""
    times, place = divmod(number - 1, len(alphabet))
    return alphabet[place] * (times + 1) if times < MOST_REPEATS else ""


def ordinal(number: int) -> str:
    teen = number // 10 % 10 == 1
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def words(number: int) -> str:
    """In English, to 99."""
    if number > 99:
        return ""
    tens, one = divmod(number, 10)
    said = SMALL[number] if number < 20 else TENS[tens] + (f"-{SMALL[one]}" if one else "")
    return said.capitalize()


def ordinal_words(number: int) -> str:
    *first, last = words(number).lower().split("-")
    if not last:
        return ""
    last = ORDINAL.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return "-".join([*first, last]).capitalize()


def han(number: int) -> str:
    """In Chinese, to 99: 二十一 is 21."""
    tens, one = divmod(number, 10)
    if tens > 9:
        return ""
    return ("" if tens < 2 else HAN[tens]) + ("十" if tens else "") + (HAN[one] if one else "")


def han_digits(number: int) -> str:
    return "".join(HAN[int(digit)] for digit in str(number))


def padded(width: int) -> Callable[[int], str]:
    """Digits, with zeros in front."""
    return lambda number: f"{number:0{width}}"


def _signs(first: str, most: int) -> Callable[[int], str]:
    """One sign per number, from `first` on."""
    return lambda number: chr(ord(first) + number - 1) if number <= most else ""


FORMS: Final[Mapping[str, Callable[[int], str]]] = {
    "upperRoman": roman,
    "lowerRoman": lambda number: roman(number).lower(),
    "upperLetter": letters,
    "lowerLetter": lambda number: letters(number).lower(),
    "russianUpper": lambda number: letters(number, RUSSIAN),
    "russianLower": lambda number: letters(number, RUSSIAN).lower(),
    "chicago": lambda number: letters(number, CHICAGO),
    "ordinal": ordinal,
    "cardinalText": words,
    "ordinalText": ordinal_words,
    "decimalZero": padded(2),
    "numberInDash": lambda number: f"- {number} -",
    "hex": lambda number: f"{number:X}",
    "decimalFullWidth": lambda number: "".join(chr(ord(each) + 0xFEE0) for each in str(number)),
    "decimalEnclosedCircle": _signs("①", 20),
    "decimalEnclosedCircleChinese": _signs("①", 20),
    "decimalEnclosedParen": _signs("⑴", 20),
    "decimalEnclosedFullstop": _signs("⒈", 20),
    "ideographDigital": han_digits,
    "japaneseDigitalTenThousand": han_digits,
    "taiwaneseDigital": han_digits,
    "chineseCounting": han,
    "chineseCountingThousand": han,
    "japaneseCounting": han,
    "taiwaneseCounting": han,
    "taiwaneseCountingThousand": han,
    "ideographTraditional": lambda number: HEAVENLY[number - 1] if number <= 10 else "",
}
"""What is not among them is written in digits."""
