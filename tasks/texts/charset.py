"""From bytes to characters, for text of any age and country."""

import codecs
import re

from llmops.tasks.errors import DocumentError

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE = 64 * 1024
CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27}) + b"\x7f"
LATIN = ("cp1250", "cp1252", "cp1254", "cp1257", "cp1258")
WINDOWS = (
    *LATIN,
    *("cp1251", "cp1253", "cp1255", "cp1256"),
    *("cp932", "cp949", "gb18030", "big5hkscs", "euc_jis_2004"),
)
"""What nearly all files are written in that are not UTF-8."""
OLDER_LATIN = ("iso8859-2", "iso8859-9", "cp437", "cp850", "cp852", "mac-roman")
OLDER = (
    *OLDER_LATIN,
    *("koi8-r", "koi8-u", "tis-620", "cp866"),
    *("iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8"),
)
FEW = 4
"""Bytes beyond ASCII that are too few to tell a rare encoding from a frequent one."""
NEARLY = 0.9
"""cp1252 is so much more frequent than its neighbours that it wins with this share of the best
one's confidence.
"""
ACCENTED = re.compile(
    rb"(?<=[A-Za-z])[\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xa1-\xff]{1,2}(?![\x80-\xff])"
    rb"|(?<![\x80-\xff])[\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xa1-\xff]{1,2}(?=[A-Za-z])"
)
"""Letters beyond ASCII beside one of ASCII: no word mixes the Latin script with another."""
MEANT = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""https://encoding.spec.whatwg.org/#names-and-labels: whoever declares the first writes signs of
the second, as quotation marks and the euro.
"""
BEYOND_ASCII = bytes(range(128, 256))
IDEOGRAPHS = re.compile("[\u3400-\u9fff\uac00-\ud7ff]")
RARE_LATIN = re.compile("[\u0100-\u036f]")
NOT_TEXT = (
    "the content is binary data, not text, whatever the file is called; exclude it from the source"
)


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    """The text and the name of its encoding, without byte order mark; line ends stay as they are.

    In this order: a byte order mark, what the document declares, UTF-16 by its zero bytes, UTF-8,
    the likeliest legacy encoding. Single wrong bytes become U+FFFD. Raises DocumentError for what
    is no text.
    """
    for mark, name in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace"), name
    wide = _wide(data)
    if wide:
        return data.decode(wide, "replace"), wide
    refuse_binary(data)
    for name in (meant(declared), declared) if declared else ():
        if (text := _strict(data, name)) is not None:
            return text, name
    if (text := _strict(data, "utf-8")) is not None:
        return (
            (data.decode("iso2022_jp", "replace"), "iso2022_jp")
            if b"\x1b$" in data
            else (text, "utf-8")
        )
    return _mended(data) or _legacy(data)


def unified(text: str) -> str:
    """The same text with `\\n` for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def refuse_binary(data: bytes) -> None:
    """Raise DocumentError where control characters say that this is no text."""
    for part in (data[:SAMPLE], data[len(data) // 2 : len(data) // 2 + SAMPLE]):
        if len(part) - len(part.translate(None, CONTROLS)) > max(2, len(part) // 200):
            raise DocumentError(NOT_TEXT)


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError):
        return None


def meant(declared: str) -> str:
    """The encoding that browsers read for one that is declared."""
    try:
        return MEANT.get(codecs.lookup(declared).name, declared)
    except LookupError:
        return declared


def _wide(data: bytes) -> str:
    """UTF-16 without a mark, "" where it is not: such text has zero bytes (blanks, line ends, Latin
    letters), other encodings never do, and read in the right order all its characters are
    printable."""
    head = data[:4096]
    if len(data) % 2 or 0 not in head:
        return ""
    read = {name: _strict(_whole(head, name), name) or "" for name in ("utf-16-le", "utf-16-be")}
    good = {name: text for name, text in read.items() if text and _readable(text)}
    return (
        max(good, key=lambda name: sum(c in " \r\n" or c.isascii() for c in good[name]))
        if good
        else ""
    )


def _whole(head: bytes, name: str) -> bytes:
    """The head without half of a surrogate pair at its end."""
    high = head[-1] if name == "utf-16-le" else head[-2]
    return head[:-2] if 0xD8 <= high <= 0xDB else head


def _readable(text: str) -> bool:
    """Whether a reading makes sense: some ASCII, nothing unprintable, and no accents among
    ideographs.
    """
    if not any(c.isascii() for c in text) or (IDEOGRAPHS.search(text) and RARE_LATIN.search(text)):
        return False
    return all(
        c.isprintable() or c in "\r\n\t\f\u200b\u200c\u200d\u200e\u200f\ufeff\u3000\u00a0"
        for c in text
    )


def _mended(data: bytes) -> tuple[str, str] | None:
    """UTF-8 in which few bytes are wrong (cut off, pasted together): none where wrong bytes are
    more than strays.
    """
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = len(data) - len(text)
    return (
        (text, "utf-8") if wrong * 10 < right + (1 if data[-4:].isascii() is False else 0) else None
    )


def _legacy(data: bytes) -> tuple[str, str]:
    name = _likeliest(_telling(data))
    text = data.decode(name, "replace")
    if text.count("\ufffd") > len(text) // 100:
        raise DocumentError(NOT_TEXT)
    return text, name


def _likeliest(part: bytes) -> str:
    from chardet import detect_all

    foreign = len(part) - len(part.translate(None, BEYOND_ASCII))
    accented = sum(map(len, ACCENTED.findall(part))) >= foreign / 2
    among = [*(LATIN if accented else WINDOWS)]
    if foreign >= FEW:
        among += OLDER_LATIN if accented else OLDER
    readings = {
        str(each["encoding"]): each["confidence"]
        for each in detect_all(
            part, ignore_threshold=True, include_encodings=among, compat_names=False
        )
        if each["encoding"]
    }
    best = next(iter(readings), "")
    if best in LATIN and readings.get("cp1252", 0.0) >= NEARLY * readings[best]:
        return "cp1252"
    return best or "cp1252"


def _telling(data: bytes) -> bytes:
    """The part that gives the encoding away: lines with bytes beyond ASCII."""
    lines = [line for line in re.split(rb"(?<=\n)", data[: SAMPLE * 16]) if not line.isascii()]
    return b"".join(lines)[:SAMPLE] or data[:SAMPLE]


def mended(text: str) -> str:
    """The text with halves of surrogate pairs put together or replaced."""
    return (
        text
        if text.isascii()
        else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
