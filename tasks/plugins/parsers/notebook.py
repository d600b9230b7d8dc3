"""Jupyter notebooks."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers._metadata import hidden_texts
from llmops.tasks.plugins.parsers.markdown import first_heading
from llmops.tasks.texts.charset import decode

PLACEHOLDER = re.compile(r"<[^<>\n]*(?: object| at 0x[0-9a-fA-F]+|\bFigure size [^<>\n]*)>\Z")
"""What an object is called that shows itself otherwise."""
COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
TICKS = re.compile(r"`{3,}")
OLD_NAMES = {
    "text/plain": "text",
    "text/html": "html",
    "text/latex": "latex",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/svg+xml": "svg",
}
"""What outputs were called before nbformat 4."""


class NotebookParser(Parser):
    """Markdown cells as they stand, code cells in fences, text output after them, also where it is
    only there as HTML or Markdown; pictures and errors are left out.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/x-ipynb+json",)
    revision: ClassVar[int] = 2

    def parse(self, data: bytes, media_type: str) -> Parsed:
        hidden: list[str] = []
        try:
            notebook = json.loads(decode(data)[0])
            language = str(notebook.get("metadata", {}).get("language_info", {}).get("name", ""))
            text = "\n\n".join(
                block
                for cell in _cells(notebook)
                for block in _blocks(cell, language, hidden)
                if block.strip()
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DocumentError(
                "the notebook is damaged: it is not the JSON that Jupyter writes"
            ) from error
        return Parsed(
            text=text,
            markup="markdown",
            title=first_heading(text),
            media_type=media_type,
            metadata=hidden_texts(hidden),
        )


def _cells(notebook: Mapping[str, object]) -> list[dict[str, object]]:
    """The cells; before nbformat 4 they stood in work sheets."""
    sheets = notebook.get("worksheets")
    if "cells" not in notebook and isinstance(sheets, list):
        return [cell for sheet in sheets for cell in sheet.get("cells", [])]
    cells = notebook["cells"]
    return cells if isinstance(cells, list) else []


def _blocks(cell: Mapping[str, object], language: str, hidden: list[str]) -> Iterator[str]:
    source = _text(cell.get("source", cell.get("input")))
    if cell.get("cell_type") == "heading":
        yield f"{'#' * max(1, min(6, int(str(cell.get('level', 1)))))} {' '.join(source.split())}"
        return
    if cell.get("cell_type") != "code":
        yield source
        return
    yield _fenced(source, language or str(cell.get("language", "")))
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        yield _output(output, hidden)


def _output(output: Mapping[str, object], hidden: list[str]) -> str:
    """What an output shows: its text, else its Markdown or HTML. What HTML hides goes to
    `hidden`.
    """
    data = output.get("data")
    if not isinstance(data, dict):
        data = {kind: output[name] for kind, name in OLD_NAMES.items() if output.get(name)}
    shown = COLOURS.sub("", _text(data.get("text/plain") or output.get("text")))
    if shown.strip() and not PLACEHOLDER.match(shown.strip()):
        return _fenced(shown.rstrip(), "")
    for kind in ("text/markdown", "text/latex"):
        if said := _text(data.get(kind)).strip():
            return said
    if page := _text(data.get("text/html")).strip():
        from llmops.tasks.plugins.parsers.html import HtmlParser

        try:
            parsed = HtmlParser().parse(page.encode("utf-8", "replace"), "text/html")
        except DocumentError:  # a frame or a script, which has no text
            return ""
        hidden += parsed.metadata.get("hidden_text", ())
        return parsed.text.strip()
    pictured = any(kind.startswith("image/") for kind in data)
    return "" if pictured else _fenced(shown.rstrip(), "")


def _fenced(text: str, language: str) -> str:
    """A text in a fence that is longer than any within it."""
    if not text.strip():
        return ""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in TICKS.findall(text))])
    return f"{fence}{language}\n{text}\n{fence}"


def _text(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
