"""The one place that calls kreuzberg."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers.markdown import markdown_table

PICTURE = re.compile(r"!\[((?:[^\]\\]|\\.)*)\]\([^)\n]*\)")
ESCAPED = re.compile(r"\\([!<>*_\[\]()~.+\-\"'&`])|(?<=.)\\(#)")
UNDERLINED = re.compile(r"</?u>")
TABLE = re.compile(r"(?:^\|.*\|[ \t]*\n){2,}", re.MULTILINE)
RULE = re.compile(r"\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*\Z")
CELL = re.compile(r"(?<!\\)\|")


class Extracted(NamedTuple):
    """What kreuzberg found. `pages` is empty where a format has none."""

    text: str
    pages: list[str]
    metadata: Mapping[str, Any]


def markdown(data: bytes, media_type: str) -> Extracted:
    """A document as Markdown. Raises DocumentError with kreuzberg's reason."""
    import kreuzberg
    from kreuzberg import exceptions

    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="markdown",
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        pages=kreuzberg.PageConfig(extract_pages=True),
    )
    try:
        result = kreuzberg.extract_bytes_sync(data, media_type, config=config)
    except (exceptions.KreuzbergError, kreuzberg.ParsingError, kreuzberg.ValidationError) as error:
        raise failed(str(error)) from error
    return Extracted(
        tidy(result.content),
        [
            tidy(str(page["content"] if isinstance(page, Mapping) else page.content))
            for page in result.pages or []
        ],
        dict(result.metadata),
    )


def failed(said: str) -> DocumentError:
    """A reason for a person, from what a library said."""
    reason = re.sub(r"^(?:\w*Error: )+", "", said).strip().rstrip(".")
    if re.search(r"password|encrypt", reason, re.IGNORECASE):
        return DocumentError("the file is protected by a password; save a copy without one")
    return DocumentError(
        f"the file is damaged or was cut off ({reason[:200]}); take it from its origin again"
    )


def tidy(text: str) -> str:
    """Markdown as people write it: no escapes that only a renderer needs, pictures as their names,
    no empty rows.
    """
    text = UNDERLINED.sub(
        "", PICTURE.sub(r"\1", text).replace("\\<u\\>", "").replace("\\</u\\>", "")
    )
    lines = [line if "$" in line else ESCAPED.sub(r"\1\2", line) for line in text.split("\n")]
    return TABLE.sub(_narrowed, "\n".join(lines) + "\n").strip("\n")


def _narrowed(table: re.Match[str]) -> str:
    """The same table without rows and columns that are empty throughout."""
    rows = [
        CELL.split(line.strip()[1:-1]) for line in table[0].splitlines() if not RULE.match(line)
    ]
    return markdown_table([[cell.replace("\\|", "|") for cell in row] for row in rows]) + "\n"
