"""Markdown: with front matter, its headings, and tables written as it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.charset import decode, unified

FRONT = re.compile(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#[ \t]+(.+?)[ \t]*#*[ \t]*\Z")
ALIAS = re.compile(r"(?:^|[\s\[{,:-])[&*][\w-]")
MARKS = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|\{#[^}]*\}|<[^>]+>")
MOST_FRONT = 20_000
PART = 700
DEEPEST_HEADER = 5


class MarkdownParser(Parser):
    """Markdown as it stands. Front matter (YAML 1.2 between `---`) becomes metadata; its
    description stays in the text.
    """

    revision: ClassVar[int] = 2
    media_types: ClassVar[tuple[str, ...]] = ("text/markdown", "text/x-markdown")
    isolated: ClassVar[bool] = False

    def parse(self, data: bytes, media_type: str) -> Parsed:
        text = unified(decode(data)[0])
        front, body = front_matter(text)
        title = front.get("title")
        summary = front.get("description") or front.get("summary")
        if isinstance(summary, str) and summary.strip() and summary.strip() not in body:
            body = f"{summary.strip()}\n\n{body}"
        named = title.strip() if isinstance(title, str) else ""
        return Parsed(
            text=body if body.strip() else text,
            markup="markdown",
            media_type=media_type,
            metadata=front,
            title=named or first_heading(body),
        )


def front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """The front matter as JSON values, and the text without it; ({}, text) where there is none that
    is safe to read.
    """
    block = FRONT.match(text) if text[:200].lstrip().startswith("---") else None
    if not block or len(block[1]) > MOST_FRONT or ALIAS.search(block[1]):
        return {}, text
    front = _yaml(block[1])
    return (front, text[block.end() :].lstrip("\n")) if front is not None else ({}, text)


def _yaml(block: str) -> Mapping[str, Any] | None:
    from llmops.tasks.yaml_files import NoYaml, read_foreign_yaml

    try:
        front = read_foreign_yaml(block)
    except NoYaml:  # it stays in the text, where it can be found
        return None
    if not isinstance(front, dict) or not all(isinstance(key, str) for key in front):
        return None
    values: Mapping[str, Any] = json.loads(json.dumps(front, default=str), parse_constant=str)
    return values


def first_heading(text: str) -> str | None:
    """The first heading of level one outside code, without its marks; None where there is none."""
    return next(headings(text), None)


def only_heading(text: str) -> str | None:
    """The heading of level one where there is just one: with more they name chapters, not the
    document.
    """
    names = list(islice(headings(text), 2))
    return names[0] if len(names) == 1 else None


def headings(text: str) -> Iterator[str]:
    """The headings of level one outside code, without their marks."""
    fence = ""
    for line in text.splitlines():
        mark = FENCE.match(line)
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        elif not fence and (heading := HEADING.match(line)) and (name := plain(heading[1])):
            yield name


def plain(heading: str) -> str:
    """A heading without links, emphasis and anchors."""
    return " ".join(MARKS.sub(lambda match: match[1] or "", heading).replace("\\", "").split())


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the header, without rows and columns that are empty throughout; ""
    where all are.

    A table of more than `PART` characters is written in parts, each with the row that names the
    columns: whichever piece of it is found says what its values are.
    """
    filled = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row for row in filled if any(row)]
    width = max((len(row) for row in filled), default=0)
    padded = [row + [""] * (width - len(row)) for row in filled]
    kept = [column for column in range(width) if any(row[column] for row in padded)]
    cells = [[row[column] for column in kept] for row in padded]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    rule = f"|{' --- |' * len(kept)}"
    names = next((n for n, row in enumerate(cells[:DEEPEST_HEADER]) if _names_columns(row)), None)
    if names is None or sum(map(len, lines)) <= PART:
        return "\n".join([*lines[:1], rule, *lines[1:]]) if lines else ""
    head = [lines[names], rule]
    first = [lines[0], rule, *lines[1 : names + 1]]
    return "\n\n".join("\n".join(part) for part in _parts(first, head, lines[names + 1 :]))


def _names_columns(row: Sequence[str]) -> bool:
    """Whether a row names columns: two words at least, all different, and no values."""
    words = [cell for cell in row if cell]
    values = any(cell[0].isdigit() or cell[0] in "+-$€" or len(cell) > 120 for cell in words)
    return len(words) > 1 and len(set(words)) == len(words) and not values


def _parts(part: list[str], head: Sequence[str], lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Lines in parts of about `PART` characters; more where the header alone takes much of it."""
    room = max(PART, 4 * sum(map(len, head)))
    fresh, size = len(part), sum(map(len, part))
    for line in lines:
        if size + len(line) > room and len(part) > fresh:
            yield part
            part, fresh, size = [*head], len(head), sum(map(len, head))
        part.append(line)
        size += len(line)
    yield part
