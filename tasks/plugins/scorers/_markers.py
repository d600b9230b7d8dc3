"""The documents that an answer quotes: `[1]`, `[2, 3]`, `[1-3]`, `【4】`, `[source: 2]`, or their
addresses.
"""

import re
from collections.abc import Iterator, Sequence

from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.texts.comparable import nfkc

NAMES = "passages?|documents?|docs?|sources?|refs?|references?|quellen?|dokumente?|passagen?|abschnitte?|fuentes?|文書|文献|资料|資料|منبع"  # noqa: E501
LIST = r"\d{1,3}(?: ?(?:[,;、،–-]|and|und|et|y) ?\d{1,3}){0,99}"
MARKER = re.compile(
    rf"[\[【] ?\^?(?:(?:{NAMES})[ :#.]{{0,3}})?({LIST})(?::\d{{1,3}})?(?:†[^\]】]{{0,80}})? ?[\]】]",  # noqa: E501
    re.IGNORECASE,
)
RANGE = re.compile(r"(\d{1,3})\s*[–-]\s*(\d{1,3})|(\d{1,3})")
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]{}|\\^`，。、）】」]+", re.IGNORECASE)
LONGEST_RANGE = 50


def without_markers(text: str) -> str:
    """The text as it reads without its marks of quotation."""
    return MARKER.sub("", text)


def quoted(
    answer: str, passages: Sequence[Passage], known: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The uris of the documents that an answer quotes, each once, and the marks that lead to no
    passage.

    Quoted is a passage by its number, and a document of the passages or of `known` by its uri. An
    address of the web that stands in no passage leads nowhere. Code is not looked at.
    """
    text = CODE.sub(" ", answer)
    uris, astray = list[str](), list[str]()
    for number in _numbers(nfkc(text)):
        uri = passages[number - 1].uri if 0 < number <= len(passages) else ""
        uris += [uri] if uri else []
        astray += [] if uri else [f"[{number}]"]
    addresses = dict.fromkeys([*(passage.uri for passage in passages if passage.uri), *known])
    uris += [uri for uri in addresses if uri in text and _address(uri).search(text)]
    astray += [
        found
        for found in _web(text)
        if not any(found in uri or uri.startswith(found) for uri in addresses)
        and not any(found in passage.text for passage in passages)
    ]
    return list(dict.fromkeys(uris)), list(dict.fromkeys(astray))


def _numbers(text: str) -> Iterator[int]:
    for marker in MARKER.finditer(text):
        for first, last, single in RANGE.findall(marker[1]):
            if single or int(last) - int(first) not in range(LONGEST_RANGE):
                yield from map(int, filter(None, (single, first, last)))
            else:
                yield from range(int(first), int(last) + 1)


def _address(uri: str) -> re.Pattern[str]:
    """The uri as it stands alone, not as the end or beginning of a longer one."""
    return re.compile(rf"(?<![\w/.-]){re.escape(uri)}(?![\w/-]|[.#?]\w)")


def _web(text: str) -> list[str]:
    return [match.rstrip(".,;:!?*_") for match in ADDRESS.findall(text)]
