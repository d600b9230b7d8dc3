"""Fonts whose letters are signs: Symbol, Wingdings, Webdings."""

from collections.abc import Mapping
from typing import Final

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
GREEK: Final = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ"
# fmt: off
SYMBOL: Final = {ord(letter): sign for letter, sign in zip(LETTERS, GREEK, strict=True)} | {
    0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2A: "∗", 0x2D: "−", 0x40: "≅", 0x5C: "∴", 0x5E: "⊥",
    0x7E: "∼",
}
SYMBOL_HIGH: Final = (  # from 0xA0 on
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉"
    "∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
)
WINGDINGS: Final = {
    0x22: "✂", 0x28: "☎", 0x29: "✆", 0x2A: "✉", 0x36: "⌛", 0x3F: "✍", 0x41: "✌", 0x45: "☜",
    0x46: "☞", 0x47: "☝", 0x48: "☟", 0x4A: "☺", 0x4C: "☹", 0x4E: "☠", 0x51: "✈", 0x6C: "●",
    0x6D: "❍", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x72: "❒", 0x73: "⬧", 0x74: "⧫", 0x75: "◆",
    0x76: "❖", 0x77: "⬥", 0x78: "☒", 0x9E: "·", 0x9F: "•", 0xA1: "○", 0xA4: "◉", 0xA5: "◎",
    0xA7: "▪", 0xA8: "☐", 0xAB: "★", 0xD8: "➢", 0xDC: "➲", 0xDF: "←", 0xE0: "→", 0xE1: "↑",
    0xE2: "↓", 0xE3: "↖", 0xE4: "↗", 0xE5: "↙", 0xE6: "↘", 0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨",
    0xF1: "⇧", 0xF2: "⇩", 0xFB: "✗", 0xFC: "✔", 0xFD: "☒", 0xFE: "☑",
} | {0x81 + n: chr(0x2460 + n) for n in range(10)} | {0x8C + n: chr(0x2776 + n) for n in range(10)}
# fmt: on
FONTS: Final[Mapping[str, Mapping[int, str]]] = {
    "symbol": SYMBOL | {0xA0 + n: sign for n, sign in enumerate(SYMBOL_HIGH) if sign != " "},
    "wingdings": WINGDINGS,
    "wingdings 2": {0x4F: "✗", 0x50: "✔", 0x51: "☒", 0x52: "☑", 0x54: "☒", 0xA3: "☐", 0x97: "●"},
    "webdings": {0x61: "✔", 0x63: "☐", 0x72: "✗"},
}


def is_symbol_font(font: str | None) -> bool:
    return (font or "").strip().lower() in FONTS


def signs(text: str, font: str | None) -> str:
    """What a text in one of these fonts shows; a letter without a known sign stays as it is."""
    table = FONTS.get((font or "").strip().lower())
    if table is None:
        return text
    return "".join(table.get(_place(each), each) for each in text)


def _place(letter: str) -> int:
    """Files have a letter as it is, or in the private area from F000 on."""
    code = ord(letter)
    return code - 0xF000 if 0xF000 <= code <= 0xF0FF else code
