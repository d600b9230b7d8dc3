"""Which legacy encoding a text is in, by its bytes alone: sentences of the programs on this machine
(gettext catalogues, as Debian installs them in /usr/share/locale), written in the encodings that
their languages were written in before UTF-8, one by one and joined to longer texts. Right is only
what comes back letter by letter.
"""

import argparse
import gettext
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.errors import DocumentError
from llmops.tasks.texts.charset import decode

WESTERN = ("cp1252", "cp850", "cp437", "mac_roman")
CENTRAL = ("cp1250", "iso8859_2", "cp852")
ENCODINGS = {
    **dict.fromkeys(["fr", "de", "es", "sv"], WESTERN),
    **dict.fromkeys(["pt", "pt_BR", "it", "da", "nb", "fi", "nl", "is", "ca"], ("cp1252",)),
    **dict.fromkeys(["cs", "pl", "hu"], CENTRAL),
    **dict.fromkeys(["sk", "sl", "hr", "ro"], ("cp1250",)),
    **dict.fromkeys(["lt", "lv", "et"], ("cp1257",)),
    "ru": ("cp1251", "koi8_r", "cp866", "iso8859_5"),
    "uk": ("cp1251", "koi8_u"),
    "bg": ("cp1251",),
    "el": ("cp1253", "iso8859_7"),
    "tr": ("cp1254", "iso8859_9"),
    "he": ("cp1255",),
    "ar": ("cp1256", "iso8859_6"),
    "vi": ("cp1258",),
    "ja": ("cp932", "euc_jp"),
    "zh_CN": ("gb18030",),
    "zh_TW": ("big5",),
    "ko": ("cp949",),
}
"""The first of each is Windows'; the single sentences are written in that one alone."""
SHORTEST, LONGEST = 3, 400
LENGTHS = (0, 120, 300, 2000)
"""Characters to join at least; 0: sentences as they are."""


def sentences(locale: Path, language: str) -> list[str]:
    """Those with a letter beyond ASCII, in an order that only the seed decides."""
    found: set[str] = set()
    for file in sorted((locale / language / "LC_MESSAGES").glob("*.mo")):
        try:
            with file.open("rb") as opened:
                catalogue = gettext.GNUTranslations(opened)._catalog  # type: ignore[attr-defined]
        except UnicodeDecodeError as error:
            print(f"left out: {file}: {error}", file=sys.stderr)
            continue
        found.update(text for text in catalogue.values() if isinstance(text, str))
    kept = [text for text in sorted(found) if SHORTEST < len(text) < LONGEST]
    told = [text for text in kept if not text.isascii() and "charset=" not in text]
    random.Random(7).shuffle(told)
    return told


def texts(said: list[str], encoding: str, length: int, most: int) -> Iterator[str]:
    """At most so many, each of so many characters, of sentences that the encoding can write."""
    joined, made = "", 0
    for text in said:
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            continue
        joined += text + "\n" if length else text
        if len(joined) >= length:
            yield joined
            joined, made = "", made + 1
        if made == most:
            return


def right(text: str, encoding: str) -> bool:
    try:
        return decode(text.encode(encoding))[0] == text
    except DocumentError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locale", type=Path, default=Path("/usr/share/locale"))
    parser.add_argument("--most", type=int, default=100, help="texts of a language and encoding")
    given = parser.parse_args()
    said = {language: sentences(given.locale, language) for language in ENCODINGS}
    print("| characters | texts | right | encodings of which fewer than nine in ten are |")
    print("|---|---|---|---|")
    for length in LENGTHS:
        results = {
            f"{language} {encoding}": [
                right(text, encoding)
                for text in texts(said[language], encoding, length, given.most)
            ]
            for language, encodings in ENCODINGS.items()
            for encoding in (encodings if length else encodings[:1])
        }
        every = [each for marks in results.values() for each in marks]
        poor = [
            f"{name} {sum(marks)}/{len(marks)}"
            for name, marks in results.items()
            if marks and sum(marks) < len(marks) * 0.9
        ]
        share = f"{sum(every) / len(every):.1%}" if every else "-"
        print(f"| {length or 'one sentence'} | {len(every):,} | {share} | {', '.join(poor)} |")


if __name__ == "__main__":
    main()
