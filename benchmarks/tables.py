"""Whether the cells of tables are found again in the right row and under the right header.

    python -m benchmarks.tables [--peers PYTHON] [--each]

`PYTHON` is an interpreter with `markitdown[docx,xlsx,pdf]` and `docling` in it, an environment of
its own; its PDF models are not fetched here. A fact of a table is a value with what names its row
and its column. It is found where some output has the value in a row with all that names it, and
below (or behind) all that names its column. Precision: the share of the values in tables of the
output that are facts. `in chunks`: the share of the facts that are found so within one chunk of the
default chunker, which cuts the outputs of all.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.table_cases import Case, Fact, facts, said
from benchmarks.table_files import files
from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.minilm import MiniLMEmbedder
from llmops.tasks.plugins.parsers import parse

Table = list[list[str]]
RULE: Final = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*\Z")
DIVIDER: Final = re.compile(r"(?<!\\)\|")
NAMED: Final = re.compile(r"- [^:;]+: [^;]+(?:; [^:;]+: [^;]+)*\Z")
TOOLS: Final = ("ours", "markitdown", "docling")
CONVERT: Final = """
import io, sys
from pathlib import Path
tool, folder = sys.argv[1], Path(sys.argv[2])
if tool == "markitdown":
    from markitdown import MarkItDown
    reader = MarkItDown()
    read = lambda file: reader.convert(str(file)).text_content
else:
    from docling.document_converter import DocumentConverter
    reader = DocumentConverter()
    read = lambda file: reader.convert(str(file)).document.export_to_markdown()
for file in sorted(folder.iterdir()):
    if file.suffix in (".docx", ".html", ".xlsx", ".pdf"):
        try:
            said = read(file)
        except Exception as error:
            print(tool, file.name, type(error).__name__, error, file=sys.stderr)
            continue
        (folder / f"{file.name}.{tool}").write_text(said)
"""


class Found(NamedTuple):
    """Of one output: facts there are, facts found, values it has in tables, of which facts, and
    facts found within one chunk.
    """

    facts: int
    found: int
    values: int
    right: int
    in_chunks: int

    def __add__(self, other: object) -> "Found":
        assert isinstance(other, Found)
        return Found(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def row(self) -> str:
        recall, precision = self.found / max(1, self.facts), self.right / max(1, self.values)
        f1 = 2 * recall * precision / max(1e-9, recall + precision)
        chunks = self.in_chunks / max(1, self.facts)
        return f"{recall:.3f} | {precision:.3f} | {f1:.3f} | {chunks:.3f}"


def tables(text: str) -> Iterator[Table]:
    """The tables of a Markdown text: of bars, or lines of names and values."""
    rows: Table = []
    for line in [*text.splitlines(), ""]:
        bare = line.strip()
        if bare.startswith("|") and len(bare) > 1:
            if not RULE.match(bare):
                rows.append([clean(cell) for cell in DIVIDER.split(bare.strip("|"))])
            continue
        if rows:
            yield rows
            rows = []
        if NAMED.match(bare):
            pairs = [pair.split(": ", 1) for pair in bare[2:].split("; ")]
            yield [[clean(name) for name, _ in pairs], [clean(value) for _, value in pairs]]


def clean(cell: str) -> str:
    """A cell without what only Markdown and HTML write."""
    text = re.sub(r"<br ?/?>", " ", unescape(cell)).replace(" 00:00:00", "")
    text = re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text).replace("**", "")
    return " ".join(text.split())


def same(first: str, second: str) -> bool:
    """Numbers by their values, all else by its letters."""
    if first == second:
        return True
    try:
        return float(first) == float(second)
    except ValueError:
        return False


def names(cell: str, part: str) -> bool:
    """Whether a cell says a name, alone or among others (`2026 / May`)."""
    squeezed = " ".join(re.split(r"[\s/.]+", cell))
    return same(cell, part) or f" {' '.join(re.split(r'[ /.]+', part))} " in f" {squeezed} "


def shown(table: Table, y: int, x: int, fact: Fact) -> bool:
    """Whether a cell of a table is that fact."""
    if not same(table[y][x], fact.value):
        return False
    above = [row[x] for row in table[:y] if x < len(row)]
    beside = [cell for n, cell in enumerate(table[y]) if n != x]
    if not all(any(names(cell, part) for cell in above) for part in fact.headers):
        return False
    around = beside if fact.headers else [*beside, *above]
    keyed = len(table) == 2 and bool(fact.headers)  # a line of names and values holds its key
    return all(any(names(cell, part) for cell in around) for part in fact.keys) or (
        keyed and all(any(names(cell, part) for cell in table[1]) for part in fact.keys)
    )


def found(text: str, wanted: Sequence[Fact], neutral: set[str]) -> tuple[set[int], int, int]:
    """(numbers of the facts that a text shows, values in its tables, how many of them are facts)"""
    seen, values, right = set[int](), 0, 0
    for table in tables(text):
        for y, row in enumerate(table):
            for x, cell in enumerate(row):
                if not cell:
                    continue
                places = {n for n, fact in enumerate(wanted) if shown(table, y, x, fact)}
                if not places and any(
                    same(cell, each) or names(cell, each) for each in neutral if each
                ):
                    continue
                values, right = values + 1, right + bool(places)
                # equal values of one row and column name count once each
                seen |= places
    return seen, values, right


def measured(case: Case, text: str) -> Found:
    wanted, neutral = list(facts(case)), said(case)
    seen, values, right = found(text, wanted, neutral)
    together = set[int]()
    for chunk in chunks(text):
        together |= found(chunk, wanted, neutral)[0]
    return Found(len(wanted), len(seen), values, right, len(together))


def chunks(text: str) -> list[str]:
    spans = SentenceChunker(overlap=0).split(
        text, markup="markdown", title=None, tokenizer=MiniLMEmbedder()
    )
    return [text[span.start : span.end] for span in spans]


def outputs(folder: Path, tool: str) -> Mapping[str, str]:
    """File -> text; "" for what it could not read."""
    made = {}
    for _, name, _, data in files():
        if tool == "ours":
            try:
                made[name] = parse(data, name).text
            except DocumentError:
                made[name] = ""
        else:
            output = folder / f"{name}.{tool}"
            made[name] = output.read_text("utf-8") if output.is_file() else ""
    return made


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peers", help="an interpreter that has markitdown and docling")
    options.add_argument("--each", action="store_true", help="a line for each table")
    options.add_argument(
        "--folder", type=Path, help="where files and outputs are left, and found again"
    )
    given = options.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    for _, name, _, data in files():
        (folder / name).write_bytes(data)
    for tool in TOOLS[1:] if given.peers else ():
        subprocess.run([given.peers, "-c", CONVERT, tool, str(folder)], check=False)
    tools = [tool for tool in TOOLS if tool == "ours" or any(folder.glob(f"*.{tool}"))]
    sys.stdout.write(
        "| format | tool | recall | precision | F1 | in chunks |\n|---|---|---|---|---|---|\n"
    )
    total: dict[tuple[str, str], Found] = {}
    for tool in tools:
        texts = outputs(folder, tool)
        for kind, name, case, _ in files():
            score = measured(case, texts[name])
            total[kind, tool] = total.get((kind, tool), Found(0, 0, 0, 0, 0)) + score
            if given.each:
                sys.stdout.write(f"| {kind}: {case.name} | {tool} | {score.row} |\n")
    for kind, tool in sorted(total, key=lambda pair: (pair[0], TOOLS.index(pair[1]))):
        sys.stdout.write(f"| {kind} | {tool} | {total[kind, tool].row} |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
