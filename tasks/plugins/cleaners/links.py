"""Links: what they say stays, where they lead goes, unless it is wanted."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.texts.addresses import COMMON, RARE

ROUNDS: Final = 64
FENCE = r"^ {0,3}(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*"
FENCE += r"(?:\n(?:(?! {0,3}(?P=fence))[^\n]*(?:\n|\Z))*+(?: {0,3}(?P=fence)[`~]*[ \t]*$)?|\Z)"
INDENTED = (
    r"(?:(?<=\n\n)|\A)(?: {4}|\t)(?!\s*(?:[-*+]|\d{1,9}[.)])\s)[^\n]*(?:\n(?: {4}|\t)[^\n]*)*+"
)
SPAN = r"(?<!`)(?P<ticks>`{1,8})(?!`)[^`\n](?:[^`\n]|(?!(?P=ticks)(?!`))`){0,1000}?(?P=ticks)(?!`)"
LABELLED = (
    r"(?P<labelled>(?<!\\)\[(?:[^\[\]`\\\f]|\\[^\f]|`[^`\n\f]{1,200}+`(?!`)){1,300}+\](?=[(\[]))"
)
"""The label of a link, which may hold code: that is no code beside the link."""
CODE = re.compile(rf"{FENCE}|{INDENTED}|{LABELLED}|{SPAN}", re.MULTILINE)
LABEL = r"(?:[^\[\]\\\f]|\\[^\f]|\[[^\[\]\\\f]{0,200}+\]){0,1000}+"
TARGET = r"(?:<[^<>\n\f]{0,2000}+>|(?!<)[^\s()<>]{0,2000}+(?:\([^\s()<>]{0,500}+\)[^\s()<>]{0,2000}+){0,20}+)"  # noqa: E501
NAMED = r"(?:[ \t]*\n?[ \t]*(?:\"[^\"\f]{0,500}+\"|'[^'\f]{0,500}+'|\([^()\f]{0,500}+\)))?+"
INLINE = re.compile(
    rf"(?P<image>!?)(?<!\\)\[(?P<label>{LABEL})\]"
    rf"\([ \t]{{0,50}}+\n?[ \t]{{0,50}}+(?P<target>{TARGET})"
    rf"{NAMED}[ \t]{{0,50}}+\n?[ \t]{{0,50}}+\)"
)
REFERENCE = re.compile(
    rf"(?P<image>!?)(?<!\\)\[(?P<label>{LABEL})\](?:\[(?P<key>[^\[\]\f]{{0,200}}+)\])?(?![\[(:])"
)
DEFINITION = re.compile(
    r"^ {0,3}\[(?P<key>(?!\^)[^\[\]\f\n]{1,200}+)\]:[ \t]{0,50}+(?P<target><[^<>\n\f]{1,2000}+>|"
    r"(?=[^\s]*[/.#:@])[^\s<>]{1,2000}+)"
    r"(?:[ \t]{1,50}+(?:\"[^\"\n\f]{0,500}+\"|'[^'\n\f]{0,500}+'|\([^()\n\f]{0,500}+\)))?+"
    r"[ \t]{0,50}+(?:\n|\Z)",
    re.MULTILINE,
)
ANCHOR = re.compile(r"</?a(?:[ \t\n][^<>\f]{0,2000}+)?>", re.IGNORECASE)
URL = re.compile(
    r"(?<![\w@])(?P<open><?)(?P<url>(?:https?|ftp)://[^\s<>\"'`()\[\]|\\^{}]{1,2000}+"
    r"(?:\([^\s<>\"'`()\[\]]{0,200}+\)[^\s<>\"'`()\[\]|]{0,2000}+){0,5}+)"
    r"(?P<close>>?)",
    re.IGNORECASE,
)
MAILTO = re.compile(r"<(?:mailto:)?([^\s<>:/@]{1,64}@[\w.-]{1,255})>")
TRAILING = re.compile(r"[.,;:!?*_~'\"。，；：！？、）」』】]+\Z")
TRACKING = re.compile(
    rf"(?:utm_[a-z_]{{1,30}}|{'|'.join([*COMMON, *RARE])})(?:=|\Z)", re.IGNORECASE
)
LINK_LIKE = re.compile(
    r"<?(?:[a-z][a-z0-9+.-]{1,20}:|//|/|\.{1,2}/|#|[\w%-]{1,200}(?:/|\.[a-z]{2,5}(?:[?#]|\Z)))",
    re.IGNORECASE,
)


class LinksCleaner(Cleaner):
    """`[text](address)` by `policy`: `keep_text` leaves the text, `domain` the text and the host in
    brackets, `drop` nothing, `keep` the link. The same for `[text][name]`, whose definitions go,
    and for `<a>`. Pictures: their description (`images: alt`), nothing (`drop`), or as they are
    (`keep`). Bare addresses: as they are (`bare: keep`), their host (`domain`), or nothing
    (`drop`).

    Parameters that only follow readers (`utm_source`, `gclid`) go from every address that stays.
    Code is left alone. In plain text only what leads to an address counts as a link, so that
    `handlers[name](event)` stays.
    """

    revision: ClassVar[int] = 2
    policy: Literal["keep_text", "domain", "drop", "keep"] = "keep_text"
    images: Literal["alt", "drop", "keep"] = "alt"
    bare: Literal["keep", "domain", "drop"] = "keep"

    def clean(self, text: str) -> str:
        return self._cleaned(text, plain=False)

    def apply(self, document: Document) -> Document:
        return replace(
            document, text=self._cleaned(document.text, plain=document.markup != "markdown")
        )

    def _cleaned(self, text: str, *, plain: bool) -> str:
        """Rounds until nothing changes: a link may stand within a link, and what goes may lay bare
        another.
        """
        for _ in range(ROUNDS):
            defined = keys(text)
            cleaned = "".join(
                piece.text if piece.code else self._piece(piece, defined, plain)
                for piece in pieces(text)
            )
            if cleaned == text:
                break
            text = cleaned
        return text

    def _piece(self, piece: "MarkdownPart", defined: set[str], plain: bool) -> str:
        text = piece.text
        if defined and "keep" not in (self.policy, self.images):
            text = DEFINITION.sub(lambda match: "" if piece.defines(match) else match[0], text)
        text = INLINE.sub(lambda match: self._inline(match, plain), text)
        if defined:
            text = REFERENCE.sub(lambda match: self._reference(match, defined), text)
        if self.policy != "keep":
            text = ANCHOR.sub("", text)
        return URL.sub(self._bare, text)

    def _inline(self, match: re.Match[str], plain: bool) -> str:
        if plain and not LINK_LIKE.match(match["target"]):
            return match[0]
        return self._said(match, lambda: domain(match["target"]))

    def _reference(self, match: re.Match[str], defined: set[str]) -> str:
        known = key(match["key"] or match["label"]) in defined
        return self._said(match, lambda: "") if known else match[0]

    def _said(self, match: re.Match[str], host: Callable[[], str]) -> str:
        """What stands in a link's or picture's place."""
        if match["image"]:
            return {"alt": match["label"], "drop": "", "keep": match[0]}[self.images]
        if self.policy == "domain":
            named = host()
            return (
                f"{match['label']} ({named})"
                if named and named not in match["label"]
                else match["label"]
            )
        return {"keep_text": match["label"], "drop": "", "keep": match[0]}[self.policy]

    def _bare(self, match: re.Match[str]) -> str:
        url, rest = split_end(match["url"])
        framed = match["open"] and match["close"]
        if self.bare == "keep":
            kept = untracked(url)
            return match["open"] + kept + rest + match["close"]
        said = domain(url) if self.bare == "domain" else ""
        return said + rest if framed else match["open"] + said + rest + match["close"]


class MarkdownPart(NamedTuple):
    """A part of the text. `fresh`: it begins a line."""

    text: str
    code: bool
    fresh: bool

    def defines(self, match: re.Match[str]) -> bool:
        """Whether what looks like a definition is one."""
        return self.fresh or match.start() > 0


def pieces(text: str) -> Iterator[MarkdownPart]:
    """The text in pieces: code, and what stands between."""
    done = 0
    code = (each.span() for each in CODE.finditer(text) if not each["labelled"])
    for start, end in [*code, (len(text), len(text))]:
        if start > done:
            yield MarkdownPart(text[done:start], False, text[done - 1 : done] in ("", "\n"))
        if end > start:
            yield MarkdownPart(text[start:end], True, False)
        done = end


def untracked(url: str) -> str:
    """The address without the parameters that follow readers; the others stay as they are
    written.
    """
    head, mark, query = url.partition("?")
    if not mark:
        return url
    query, hash_mark, fragment = query.partition("#")
    kept = "&".join(
        part for part in query.split("&") if not TRACKING.match(part.removeprefix("amp;"))
    )
    return url if kept == query else head + ("?" + kept if kept else "") + hash_mark + fragment


def domain(url: str) -> str:
    """The host of an address without `www.`; "" where it has none."""
    try:
        return (urlsplit(url.strip("<>")).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def split_end(url: str) -> tuple[str, str]:
    """The address, and the punctuation after it that belongs to the sentence."""
    trailing = TRAILING.search(url)
    return (url[: trailing.start()], trailing[0]) if trailing else (url, "")


def keys(text: str) -> set[str]:
    """The names that reference definitions give, as they are compared: small, blanks as one."""
    prose = (piece for piece in pieces(text) if not piece.code)
    return {
        key(match["key"])
        for piece in prose
        for match in DEFINITION.finditer(piece.text)
        if piece.defines(match)
    }


def key(name: str) -> str:
    return " ".join(name.split()).casefold()
