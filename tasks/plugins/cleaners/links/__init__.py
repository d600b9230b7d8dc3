"""Links: what they say stays, where they lead goes, unless it is wanted."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.links import markdown as links

ROUNDS: Final = 64


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
            cleaned = self._once(text, plain)
            if cleaned == text:
                break
            text = cleaned
        return text

    def _once(self, text: str, plain: bool) -> str:
        defined = links.keys(text)
        return "".join(
            piece.text if piece.code else self._piece(piece, defined, plain)
            for piece in links.pieces(text)
        )

    def _piece(self, piece: links.MarkdownPart, defined: set[str], plain: bool) -> str:
        text = piece.text
        if defined and "keep" not in (self.policy, self.images):
            text = links.DEFINITION.sub(
                lambda match: "" if piece.defines(match) else match[0], text
            )
        text = links.INLINE.sub(lambda match: self._inline(match, plain), text)
        if defined:
            text = links.REFERENCE.sub(lambda match: self._reference(match, defined), text)
        if self.policy != "keep":
            text = links.ANCHOR.sub("", text)
        return links.URL.sub(self._bare, text)

    def _inline(self, match: re.Match[str], plain: bool) -> str:
        if plain and not links.LINK_LIKE.match(match["target"]):
            return match[0]
        return self._said(match, lambda: links.domain(match["target"]))

    def _reference(self, match: re.Match[str], defined: set[str]) -> str:
        known = links.key(match["key"] or match["label"]) in defined
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
        url, rest = links.split_end(match["url"])
        framed = match["open"] and match["close"]
        if self.bare == "keep":
            kept = links.untracked(url)
            return match["open"] + kept + rest + match["close"]
        said = links.domain(url) if self.bare == "domain" else ""
        return said + rest if framed else match["open"] + said + rest + match["close"]
