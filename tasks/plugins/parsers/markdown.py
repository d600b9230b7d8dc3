"""Markdown: with front matter, its headings, and tables written as it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any, ClassVar, NamedTuple

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.charset import decode, unified

FRONT = re.compile(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#[ \t]+(.+?)[ \t]*#*[ \t]*\Z")
ALIAS = re.compile(r"(?:^|[\s\[{,:-])[&*][\w-]")
MARKS = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|\{#[^}]*\}|<[^>]+>")
MOST_FRONT = 20_000
YEAR = re.compile(r"(?:19|20)\d\d")
LONGEST_TABLE = 700
"""Characters of a table that a chunk of the default size holds whole."""
LONGEST_NAME = 120
DEEPEST_HEADER = 5
MOST_HEADERS = 3
SAMPLE = 50
VALUES = frozenset("0123456789+-−$€£¥.,(")
"""What a number, a date, an amount begins with."""


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

    A table of more than `LONGEST_TABLE` characters with names over values is written by lines that
    name them (`- City: Rome; May: 19 °C`), one of words alone in parts, each with the row that
    seems to name the columns: whichever piece of it is found says what its values are.
    """
    cells = _filled(rows)
    lines = [_barred(row) for row in cells]
    rule = f"|{' --- |' * len(cells[0])}" if cells else ""
    header = _header(cells) if sum(map(len, lines)) > LONGEST_TABLE else None
    if header is None:
        return "\n".join([*lines[:1], rule, *lines[1:]]) if lines else ""
    if _over_values(header.names, cells[header.end : header.end + SAMPLE]):
        titles = [" ".join(dict.fromkeys(filter(None, row))) for row in cells[: header.start]]
        body = cells[header.end :]
        unused = [n for n, name in enumerate(header.names) if name and not any(r[n] for r in body)]
        titles += [f"Columns: {'; '.join(filter(None, header.names))}"] if unused else []
        named = [named_values(header.names, row) for row in body]
        return "\n".join([*(f"{title}\n" for title in titles), *named])
    head = [*lines[header.start : header.start + 1], rule, *lines[header.start + 1 : header.end]]
    first = [lines[0], rule, *lines[1 : header.end]]
    return "\n\n".join("\n".join(part) for part in _parts(first, head, lines[header.end :]))


def _barred(row: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in row] if "|" in "".join(row) else row
    return f"| {' | '.join(escaped)} |"


def rows_of_names(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The rows near the top of a table that name its columns over values; [] where there are
    none.
    """
    header = _header(rows)
    if header is None or not _over_values(header.names, rows[header.end : header.end + SAMPLE]):
        return []
    return [*rows[header.start : header.end]]


def _filled(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows and columns that are not empty, all rows of one width."""
    tidy = [[" ".join(cell.split()) for cell in row] for row in rows]
    tidy = [row for row in tidy if any(row)]
    columns = [column for column in zip_longest(*tidy, fillvalue="") if any(column)]
    return [list(row) for row in zip(*columns, strict=True)]


def named_values(names: Sequence[str], row: Sequence[str]) -> str:
    """A row that can be read without the others: `- City: Rome; May: 19 °C`."""
    if len(row) == 1:
        return f"- {row[0]}"
    pairs = [(name, value) for name, value in zip_longest(names, row, fillvalue="") if value]
    return "- " + "; ".join(f"{name}: {value}" if name else value for name, value in pairs)


class _Header(NamedTuple):
    """Which rows name the columns, and how: `North / Rain` where two rows do."""

    start: int
    end: int
    names: list[str]


def _header(rows: Sequence[Sequence[str]]) -> _Header | None:
    """The rows near the top that name most columns: two names at least, all different, and no
    values. What stands before them is a title. None where there are none.
    """
    candidates = [
        header
        for start in range(min(DEEPEST_HEADER, len(rows) - 1))
        if (header := _header_from(rows, start)) is not None
    ]
    return max(candidates, key=lambda header: sum(map(bool, header.names)), default=None)


def _header_from(rows: Sequence[Sequence[str]], start: int) -> _Header | None:
    """The rows from `start` on that name the columns, as few as it takes."""
    if len({cell for cell in rows[start] if cell}) < 2:
        return None
    for end in range(start + 1, min(start + MOST_HEADERS, len(rows) - 1) + 1):
        head = rows[start:end]
        if any(_is_value(cell, rows[end][n]) for row in head for n, cell in enumerate(row)):
            return None
        columns = zip(*head, strict=True)
        names = [" / ".join(dict.fromkeys(filter(None, column))) for column in columns]
        known = [name.replace("**", "") for name in names if name]
        if len(known) > 1 and len(set(known)) == len(known):
            return _Header(start, end, [name.replace("**", "") for name in names])
    return None


def _over_values(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a named column holds mostly values: then the names are no first row of words."""
    for place, name in enumerate(names):
        cells = [row[place] for row in rows if row[place]]
        if name and cells and 2 * sum(map(begins_value, cells)) >= len(cells):
            return True
    return False


def _is_value(cell: str, below: str) -> bool:
    """Whether a cell is no name. A year is one, unless another stands below it."""
    if YEAR.fullmatch(cell):
        return bool(YEAR.fullmatch(below))
    return begins_value(cell) or len(cell) > LONGEST_NAME


def begins_value(cell: str) -> bool:
    """Whether a cell begins as a number, a date or an amount does."""
    return cell.lstrip("*")[:1] in VALUES


def _parts(part: list[str], head: Sequence[str], lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """Lines in parts of about `LONGEST_TABLE` characters; more where the header alone takes much
    of it.
    """
    room = max(LONGEST_TABLE, 4 * sum(map(len, head)))
    fresh, size = len(part), sum(map(len, part))
    for line in lines:
        if size + len(line) > room and len(part) > fresh:
            yield part
            part, fresh, size = [*head], len(head), sum(map(len, head))
        part.append(line)
        size += len(line)
    yield part
