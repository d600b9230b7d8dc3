"""Which of the text formats a text is: by its own signs first; the file's extension only where
those are silent.
"""

import re
from pathlib import PurePosixPath

EXTENSIONS = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mdown": "text/markdown",
    "mkd": "text/markdown",
    "mdx": "text/markdown",
    "qmd": "text/markdown",
    "rmd": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "tab": "text/tab-separated-values",
    "htm": "text/html",
    "html": "text/html",
    "xhtml": "text/html",
    "tex": "application/x-latex",
    "latex": "application/x-latex",
    "rst": "text/x-rst",
    "org": "text/x-org",
    "adoc": "text/asciidoc",
    "asciidoc": "text/asciidoc",
    "eml": "message/rfc822",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "xml": "application/xml",
    "nxml": "application/xml",
    "json": "application/json",
    "ipynb": "application/json",
}
HEAD = 4096
HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
TAGS = re.compile(
    r"<(?:/?(?:p|div|span|table|tr|td|ul|ol|li|h[1-6]|a|br|img|b|i|em|strong|pre|code)\b[^>]*|!--)>?",
    re.IGNORECASE,
)
XML = re.compile(r"\s*<(?:\?xml\s|!DOCTYPE\s(?!html))", re.IGNORECASE)
MAIL = re.compile(
    r"(?:From |(?:Return-Path|Received|Delivered-To|Message-ID|MIME-Version|From|To|Date|Subject|"
    r"X-[\w-]+|ARC-[\w-]+|DKIM-Signature|Authentication-Results|Reply-To|Sender|Cc):)",
    re.IGNORECASE,
)
FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):", re.MULTILINE)
LINE_OF_FIELD = re.compile(r"\s*(?:From |[A-Za-z][\w-]*\s*:)")
SUBTITLES = re.compile(r"\s*\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d{3} --> ")
LATEX = re.compile(r"^\s*\\(?:documentclass|documentstyle|begin\{document\})", re.MULTILINE)
MARKED = ("text/markdown", "application/x-latex", "text/x-rst", "text/asciidoc", "text/x-org")


def extension(uri: str) -> str:
    """The extension of a uri in small letters, without query and fragment."""
    return PurePosixPath(uri.split("?", 1)[0].split("#", 1)[0]).suffix.lower().removeprefix(".")


def text_type(text: str, uri: str) -> str:
    """The media type of a text. What is nothing special is text/plain."""
    head, hinted = text[:HEAD], EXTENSIONS.get(extension(uri), "")
    if head.startswith("WEBVTT"):
        return "text/vtt"
    if hinted not in MARKED and (
        HTML.match(head) or (hinted == "text/html" and TAGS.search(text[:65536]))
    ):
        return "text/html"
    if XML.match(head) and hinted not in MARKED:
        return "application/xml"
    if _is_mail(head, hinted):
        return "message/rfc822"
    if SUBTITLES.match(head):
        return "application/x-subrip"
    if hinted != "text/markdown" and LATEX.search(head):
        return "application/x-latex"
    return _hinted(head, text, hinted)


def _hinted(head: str, text: str, hinted: str) -> str:
    """What the extension says, where the text does not contradict it."""
    if hinted == "application/json":
        notebook = '"nbformat"' in text and '"cells"' in text
        if notebook:
            return "application/x-ipynb+json"
        return "application/json" if head.lstrip()[:1] in ("{", "[") else "text/plain"
    if hinted in (
        "text/html",
        "application/xml",
        "message/rfc822",
        "text/vtt",
        "application/x-subrip",
    ):
        return "text/plain"
    return hinted or "text/plain"


def _is_mail(head: str, hinted: str) -> bool:
    """A mail begins with header fields up to a blank line, among them a sender and another usual
    one; where the name says that it is a mail, any field will do."""
    if hinted == "message/rfc822":
        return bool(LINE_OF_FIELD.match(head))
    if not MAIL.match(head):
        return False
    names = {name.lower() for name in FIELD.findall(re.split(r"\r?\n\r?\n", head, maxsplit=1)[0])}
    usual = names & {"message-id", "received", "mime-version", "date", "to", "subject"}
    return "from" in names and len(usual) >= 2 and hinted not in MARKED
