"""Jupyter notebooks."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers.markdown import first_heading
from llmops.tasks.texts.charset import decode


class NotebookParser(Parser):
    """Markdown cells as they stand, code cells in fences, text output after them; pictures and
    errors are left out.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/x-ipynb+json",)

    def parse(self, data: bytes, media_type: str) -> Parsed:
        try:
            notebook = json.loads(decode(data)[0])
            cells = notebook["cells"] if isinstance(notebook["cells"], list) else []
            language = str(notebook.get("metadata", {}).get("language_info", {}).get("name", ""))
            text = "\n\n".join(
                block for cell in cells for block in _blocks(cell, language) if block.strip()
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DocumentError(
                "the notebook is damaged: it is not the JSON that Jupyter writes"
            ) from error
        return Parsed(
            text=text, markup="markdown", title=first_heading(text), media_type=media_type
        )


def _blocks(cell: dict[str, Any], language: str) -> Iterator[str]:
    source = _text(cell.get("source"))
    if cell.get("cell_type") != "code":
        yield source
        return
    yield f"```{language}\n{source}\n```" if source.strip() else ""
    for output in cell.get("outputs", []):
        shown = _text(output.get("text") or output.get("data", {}).get("text/plain"))
        yield f"```\n{shown.rstrip()}\n```" if shown.strip() else ""


def _text(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
