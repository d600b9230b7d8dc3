"""Markup that people write by hand: LaTeX, reStructuredText, Org, AsciiDoc."""

import re
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _xberg as xberg
from llmops.tasks.plugins.parsers._metadata import sensible
from llmops.tasks.plugins.parsers.markdown import only_heading
from llmops.tasks.plugins.parsers.markup import asciidoc, latex, org, restructured
from llmops.tasks.plugins.parsers.markup.kept import KeptParts
from llmops.tasks.texts.charset import decode, unified

ROLE = re.compile(r":[\w:+.-]+:`([^`<]*?)(?:\s*<[^`>]*>)?`")
TITLE_LINE = re.compile(r"^\*\*title\*\*: (.*)\n*", re.MULTILINE | re.IGNORECASE)
REFERENCE = re.compile(
    r"[~\u00a0]?\\(?:cite\w*|ref|eqref|autoref|[cC]ref|label|vspace|hspace|cmidrule)"
    r"\*?(?:\[[^\]]*\])*(?:\([^)]*\))?\{[^}]*\}|\\(?:toprule|midrule|bottomrule|hline)\b"
)
WORD = re.compile(r"\w+")
KEPT = 0.3


class MarkupParser(Parser):
    """Markdown; or the source as it stands, where converting would lose most of its words."""

    media_types: ClassVar[tuple[str, ...]] = (
        "application/x-latex",
        "text/x-rst",
        "text/x-org",
        "text/asciidoc",
    )
    revision: ClassVar[int] = 3

    def parse(self, data: bytes, media_type: str) -> Parsed:
        source = unified(decode(data)[0])
        kept = KeptParts(source)
        if media_type == "application/x-latex":
            source = REFERENCE.sub("", latex.ready(source, kept))
        if media_type == "text/x-org":
            source = org.ready(source)
        if media_type == "text/x-rst":
            source = restructured.ready(source)
        text, title = (
            (asciidoc.markdown(source, kept), "")
            if media_type == "text/asciidoc"
            else _converted(source, media_type)
        )
        text, source, title = kept.back(text), kept.back(source), kept.back(title)
        if len(WORD.findall(text)) < KEPT * len(WORD.findall(source)):
            return Parsed(text=source, media_type=media_type)
        return Parsed(
            text=text,
            markup="markdown",
            title=sensible(title) or only_heading(text),
            media_type=media_type,
        )


def _converted(source: str, media_type: str) -> tuple[str, str]:
    if media_type == "application/x-latex" and "\\begin{document}" not in source:
        source = f"\\documentclass{{article}}\n\\begin{{document}}\n{source}\n\\end{{document}}\n"
    try:
        document = xberg.markdown(ROLE.sub(r"\1", source).encode("utf-8", "replace"), media_type)
    except DocumentError:
        return "", ""  # then the source itself is the text
    shown = TITLE_LINE.match(document.text)
    title = re.sub(
        r"\\[a-zA-Z]+\s*(?:\{\})?|\\.|[{}]",
        " ",
        str(document.title or (shown[1] if shown else "")),
    )
    return TITLE_LINE.sub("", document.text, 1), " ".join(title.split())
