"""Whether the answer quotes the documents that it should, and no others."""

import re
from collections.abc import Iterator, Sequence

from llmops.tasks.plugins.scorers import Case, Passage, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import (
    Reference,
    texts_at,
    unanswerable,
    value_at,
    without,
)
from llmops.tasks.texts.comparable import nfkc, shown

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


class CitationsScorer(Scorer):
    """The F1 of the documents that the answer quotes against those of `uris`, a list in the case;
    parts `precision` and `recall`.

    A document is quoted by the number of one of its passages (`[1]`, `[2,3]`, `[1-3]`, as
    `{{passages}}` numbers them) or by its uri. A mark that leads to no passage, or to one without a
    uri, counts as a wrong document. Quoting none of several is 0; where none is expected (an empty
    list), quoting none is 1 and quoting any is 0. The idea is ALCE's (Gao et al. 2023,
    arXiv:2305.14627), which asks a model whether each quoted passage supports its sentence; here
    the case says which documents do.
    """

    uris: Reference = "expected.uris"

    def missing(self, case: Case) -> str | None:
        return None if unanswerable(case) else self._expected(case)[1]

    def score(self, sample: Sample) -> Score:
        wanted, lack = self._expected(sample.case)
        if lack:
            return without(sample.case, lack)
        got, astray = quoted(sample.answer, sample.passages, wanted)
        right, quotes = [uri for uri in wanted if uri in got], len(got) + len(astray)
        if not wanted:
            none = float(not quotes)
            return Score(
                value=none,
                reason=_reason(got, [], astray),
                parts={"precision": none, "recall": 1.0},
            )
        precision, recall = len(right) / quotes if quotes else 0.0, len(right) / len(wanted)
        wrong, lost = (
            [uri for uri in got if uri not in wanted],
            [uri for uri in wanted if uri not in got],
        )
        return Score(
            value=2 * len(right) / (quotes + len(wanted)),
            reason=_reason(wrong, lost, astray),
            parts={"precision": precision, "recall": recall},
        )

    def _expected(self, case: Case) -> tuple[tuple[str, ...], str | None]:
        """Each document once, or what the case lacks."""
        if value_at(case, self.uris) == []:
            return (), None
        uris = texts_at(case, self.uris)
        return tuple(dict.fromkeys(uris.texts)), uris.lack


def _reason(wrong: list[str], lost: list[str], astray: list[str]) -> str:
    told = (("quotes wrongly", wrong), ("does not quote", lost), ("leads to no passage:", astray))
    return "; ".join(
        f"{what} {', '.join(shown(one) for one in which[:5])}" for what, which in told if which
    )


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
        address
        for address in (match.rstrip(".,;:!?*_") for match in ADDRESS.findall(text))
        if not any(address in uri or uri.startswith(address) for uri in addresses)
        and not any(address in passage.text for passage in passages)
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
