"""Rich text (RTF 1.9.1) as its reader takes it without loss: what it would turn into signs, leave
out, or read in spite of its being deleted, is written in another way.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from llmops.tasks.plugins.parsers.office.labels import LABEL
from llmops.tasks.plugins.parsers.office.runs import raised
from llmops.tasks.plugins.parsers.office.symbols import is_symbol_font, signs

TOKEN: Final = re.compile(
    rb"\\(?P<word>[A-Za-z]+)(?P<number>-?\d+)? ?|\\'(?P<hex>[0-9A-Fa-f]{2})|\\(?P<sign>[^A-Za-z])"
    rb"|(?P<brace>[{}])|(?P<text>[^\\{}]+)|\\\Z",
    re.DOTALL,
)
LETTER: Final = re.compile(rb"[A-Za-z0-9]|\\'|\\u-?\d")
NOT_TEXT: Final = frozenset(
    (b"fonttbl", b"colortbl", b"stylesheet", b"info", b"listtable", b"listoverridetable")
)
LABELS: Final = frozenset((b"listtext", b"pntext"))
LONGEST_LABEL: Final = 80
SIGNS: Final = {b"~": 0xA0, b"_": 0x2011}
"""Blanks and hyphens at which no line ends."""
PLAIN: Final = frozenset((b"plain", b"nosupersub", b"sub"))


@dataclass(frozen=True, slots=True)
class _State:
    """What holds within a group. `fallback`: how many characters follow a Unicode one for readers
    that know none. `aside`: whether the group is no text. `label`: one of a list. `fonts`: whether
    it is the table of fonts.
    """

    fallback: int = 1
    font: int = -1
    deleted: bool = False
    hidden: bool = False
    super: bool = False
    aside: bool = False
    label: bool = False
    fonts: bool = False
    dropped: bool = False


class _Rewriter:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._out: list[bytes] = []
        self._state = _State()
        self._around: list[_State] = []
        self._opened = False  # a font in a table whose fonts have no groups
        self._names: dict[int, str] = {}
        self._before = ""
        self._skip = 0
        self._high = 0
        self._opened_at = 0
        self._label, self._label_at, self._label_from = "", 0, 0
        self._first = False  # the next word says what its group is

    def rewritten(self) -> bytes:
        at = 0
        while match := TOKEN.match(self._data, at):
            at = match.end()
            kind, token = match.lastgroup, match[0]
            if kind == "text":
                self._letters(token, token)
            elif kind == "brace":
                self._brace(token, at)
            elif kind == "hex":
                self._letters(token, bytes([int(match["hex"], 16)]))
            elif match["word"] == b"bin":
                end = at + max(0, int((match["number"] or b"0")[:9]))
                self._raw(self._data[match.start() : end])
                at = end
            elif match["word"]:
                self._word(token, match["word"], match["number"])
            else:
                self._sign(token, match["sign"])
        return b"".join(self._out)

    def _raw(self, token: bytes) -> None:
        if not (self._state.dropped or self._state.label):
            self._out.append(token)

    def _brace(self, token: bytes, at: int) -> None:
        self._skip = 0
        if token == b"{":
            self._around.append(self._state)
            self._raw(token)
            self._first, self._opened_at = True, at - 1
            return
        if self._opened and self._state.fonts and not self._around[-1].fonts:
            self._out.append(b"}")
            self._opened = False
        inner = self._state
        self._state = self._around.pop() if self._around else _State()
        if inner.dropped or self._state.label or (inner.label and not self._labelled(at)):
            return
        self._out.append(token)
        if LETTER.match(self._data, at):
            self._out.append(b"{}")  # the reader would put a blank there

    def _labelled(self, end: int) -> bool:
        """Whether the label that has ended says something; a bullet, without letters and digits,
        stays as the reader knows it.
        """
        says = any(each.isalnum() for each in self._label)
        if says:
            begin, close = LABEL.split("{}")
            self._out.insert(self._label_at + 1, _written(begin, self._state.fallback))
            self._out.append(_written(close, self._state.fallback))
        else:
            self._out[self._label_at :] = [self._data[self._label_from : end]]
        self._label = ""
        return says

    def _word(self, token: bytes, word: bytes, number: bytes | None) -> None:
        first, self._first = self._first, False
        on = number is None or int(number[:9]) != 0
        if first and (word in LABELS or word == b"pict" or word in NOT_TEXT):
            self._begin(word)
            if word == b"pict" or word in LABELS:
                return
        elif word == b"u" and number is not None:
            self._unicode(token, int(number[:9]))
            return
        elif word == b"f" and number is not None:
            self._font(int(number[:9]))
        elif word == b"uc":
            self._state = replace(self._state, fallback=min(9, max(0, int((number or b"1")[:9]))))
        elif word == b"deleted":
            self._state = replace(self._state, deleted=on)
        elif word == b"v":
            self._state = replace(self._state, hidden=on)
        elif word == b"super":
            self._state = replace(self._state, super=on)
        elif word in PLAIN:
            self._state = replace(self._state, super=False)
            if word == b"plain":
                self._state = replace(self._state, deleted=False, hidden=False)
        if word.startswith(b"ul"):
            token = b"\\x" + token[1:]  # underlining would be signs; no reader knows this word
        self._raw(token)

    def _begin(self, word: bytes) -> None:
        """A group is no text, or a label, or a picture."""
        state = self._state
        if word in NOT_TEXT:
            self._state = replace(state, aside=True, fonts=word == b"fonttbl")
            return
        if word in LABELS and not (state.dropped or state.label):
            self._label_at, self._label_from = len(self._out) - 1, self._opened_at
            self._state = replace(state, label=True)
        elif word == b"pict":
            if not (state.dropped or state.label):
                self._out.pop()
            self._state = replace(state, dropped=True)

    def _font(self, number: int) -> None:
        bare = self._state.fonts and not self._around[-1].fonts
        if bare:
            self._out.append(b"}{" if self._opened else b"{")
            self._opened = True
        self._state = replace(self._state, font=number)

    def _letters(self, token: bytes, letters: bytes) -> None:
        self._first = False
        state = self._state
        if state.fonts:
            name = letters.decode("latin-1").split(";")[0].strip()
            self._names.setdefault(state.font, name)
        if state.aside or state.dropped:
            self._raw(token)
            return
        if self._skip:
            letters = letters.lstrip(b"\r\n")
            taken = min(self._skip, len(letters))
            self._skip -= taken
            token = b"" if token[:1] == b"\\" else letters[taken:]
            letters = token
        self._high = 0 if letters.strip(b"\r\n") else self._high
        text = letters.decode("latin-1")
        font = self._names.get(state.font)
        if letters and is_symbol_font(font) and (shown := signs(text, font)) != text:
            for each in shown:
                self._say(each)
        elif letters:
            if state.super and token[:1] != b"\\":
                token = raised(self._before, text).encode("latin-1")
            self._put(token, text)

    def _unicode(self, token: bytes, code: int) -> None:
        code &= 0xFFFF if code < 0 else 0xFFFFFF
        if 0xD800 <= code < 0xDC00:
            self._high, self._skip = code, self._state.fallback
        elif 0xDC00 <= code < 0xE000:
            if self._high:
                self._say(chr(0x10000 + ((self._high - 0xD800) << 10) + code - 0xDC00))
            self._high, self._skip = 0, self._state.fallback
        else:
            letter = chr(code) if code < 0x110000 else "?"
            font = self._names.get(self._state.font)
            if is_symbol_font(font) or self._state.deleted or self._state.label:
                self._say(signs(letter, font))
                self._skip = self._state.fallback
            else:
                self._put(token, letter)

    def _sign(self, token: bytes, sign: bytes | None) -> None:
        if sign == b"*" and self._first:
            self._state = replace(self._state, aside=True)
            self._raw(token)
            return
        self._first = False
        if sign in SIGNS and not self._state.aside:
            self._say(chr(SIGNS[sign]))
        elif sign in (b"\\", b"{", b"}"):
            self._put(token, sign.decode())
        else:
            self._raw(token)

    def _say(self, letter: str) -> None:
        """A character, with as many for older readers as there have to be."""
        self._put(_written(letter, self._state.fallback), letter)

    def _put(self, token: bytes, text: str) -> None:
        state = self._state
        if state.dropped or (state.deleted and not state.aside):
            return
        if state.label:
            if state.hidden or len(self._label) > LONGEST_LABEL:
                return
            self._label += text
        self._out.append(token)
        self._before = text[-1:] or self._before


def _written(letter: str, fallback: int) -> bytes:
    return b"\\u%d%s" % (ord(letter), b"?" * fallback or b" ")


def plain_runs(data: bytes) -> bytes:
    """The same text without marks of underlining and pictures (their reader writes a word for
    each), and without deleted text; with fonts in groups, characters beyond the first 65,536 as
    one, powers as `10^6^`, `LABEL` with the labels of lists, signs of Symbol and Wingdings as such.
    """
    return _Rewriter(data).rewritten()
