"""What matters of a character where a text is cut."""

import unicodedata

from llmops.tasks.texts.characters import Array, CharacterTable

ENDERS = frozenset(".!?…。！？｡．؟۔।॥։።‼⁇⁈⁉")
CLAUSES = frozenset(",;:—–،؛、，；：､")
QUOTES = frozenset("\"'*_`")
UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー々")


class Trait:
    """SPACE as in str.isspace; UNSPACED: a script that is written without spaces; GLUED: begins no
    chunk, OPENING: ends none if that can be helped; MARK is never cut off from the character before
    it, nor anything from a JOINER before it; ENDER and CLAUSE close a sentence or a clause, FULL:
    without a space after it; CLOSING may stand between these and the space; LOWER continues a
    sentence after a full stop. Plain numbers: the member of an enumeration takes longer to look up
    than what is done with it."""

    SPACE = 1
    UNSPACED = 2
    GLUED = 4
    OPENING = 8
    ENDER = 16
    CLAUSE = 32
    FULL = 64
    CLOSING = 128
    LOWER = 256
    NEWLINE = 512
    MARK = 1024
    JOINER = 2048


def _traits(code: int) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    closing = category in ("Pe", "Pf") or character in QUOTES
    mark = category in ("Mn", "Mc", "Me", "Cf") or 0x1F3FB <= code <= 0x1F3FF
    stop = character in ENDERS or character in CLAUSES
    held = {
        Trait.SPACE: character.isspace(),
        Trait.UNSPACED: any(a <= code <= b for a, b in UNSPACED),
        Trait.GLUED: mark or closing or stop or character in SMALL_KANA,
        Trait.MARK: mark,
        Trait.OPENING: category in ("Ps", "Pi") or code == 0x200D,
        Trait.JOINER: code == 0x200D,
        Trait.ENDER: character in ENDERS,
        Trait.CLAUSE: character in CLAUSES,
        Trait.FULL: stop and code >= 0x3000,
        Trait.CLOSING: closing,
        Trait.LOWER: character.islower(),
        Trait.NEWLINE: character in "\n\x85\u2028\u2029",
    }
    return sum(trait for trait, holds in held.items() if holds)


NO_WORD = Trait.SPACE | Trait.CLOSING | Trait.OPENING | Trait.ENDER | Trait.CLAUSE


def traits_of(codes: Array) -> Array:
    """The traits of each code point, uint16."""
    return TABLE.of(codes)


TABLE = CharacterTable(_traits)
