"""Code is cut at its definitions."""

import ast
import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins.chunkers import Span
from llmops.tasks.plugins.chunkers.code import CodeChunker
from llmops.tasks.plugins.chunkers.code.syntax import language_of
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder

pytest.importorskip(
    "tree_sitter_language_pack", reason="tree-sitter-language-pack is not installed"
)
OWN = sorted(Path(__file__).parents[3].joinpath("tasks").rglob("*.py"))

TYPESCRIPT = """// A store of things. 😀 é
export class Store<T> extends Base {
  private items: T[] = [];
  // Adds one.
  add(item: T): void { this.items.push(item); }
  find(test: (item: T) => boolean): T | undefined {
    for (const item of this.items) {
      if (test(item)) { return item; }
      console.log("é 😀 not this one", item);
    }
    return undefined;
  }
}
export function make() { return new Store(); }
"""
RUST = """#[derive(Debug)]
struct P { x: i32, y: i32 }

impl P {
    /// Distance from zero to the point.
    fn length(&self) -> f64 {
        let square = self.x * self.x + self.y * self.y;
        (square as f64).sqrt()
    }
    fn zero() -> P { P { x: 0, y: 0 } }
}
"""
C = (
    "#include <stdio.h>\nstatic int add(int a, int b)\n{\n    int sum = a + b;\n    "
    'printf("%d", sum);\n    return sum;\n}\n'
)
GO = """package main

// Run runs it.
func (s *Server) Run(n int) error {
\tfor i := 0; i < n; i++ {
\t\tfmt.Println(i, s.Addr)
\t}
\treturn nil
}
"""


def split(text: str, uri: str, size: int = 24) -> list[Span]:
    return list(
        CodeChunker(size=size).split(
            text, markup="plain", title=None, tokenizer=HashEmbedder(), uri=uri
        )
    )


def pieces(text: str, uri: str, size: int = 24) -> list[str]:
    return [text[span.start : span.end] for span in split(text, uri, size)]


@pytest.mark.parametrize(
    ("text", "uri", "place", "headings", "context"),
    [
        (
            TYPESCRIPT,
            "src/a.ts",
            "for (const",
            ("Store", "find"),
            "src/a.ts > class Store<T> extends Base > find(test: (item: T) => boolean): T "
            "| undefined",
        ),
        (RUST, "b.rs", "(square as", ("P", "length"), "b.rs > impl P > fn length(&self) -> f64"),
        (C, "c.c", "printf", ("add",), "c.c > static int add(int a, int b)"),
        (GO, "d.go", "return nil", ("Run",), "d.go > func (s *Server) Run(n int) error"),
    ],
)
def test_what_is_inside_of_a_long_definition_says_so(
    text: str, uri: str, place: str, headings: tuple[str, ...], context: str
) -> None:
    span = next(span for span in split(text, uri) if span.start <= text.index(place) < span.end)
    assert (span.headings, span.context) == (headings, context)


def test_definitions_begin_chunks_with_their_comments_and_signatures_keep_a_statement() -> None:
    found = pieces(RUST, "b.rs")
    assert found[0].startswith("#[derive(Debug)]\nstruct P")
    assert any("/// Distance" in one and "fn length" in one for one in found)
    assert pieces(C, "c.c")[1] == "static int add(int a, int b)\n{\n    int sum = a + b;"
    assert any(one.startswith("// Adds one.\n") for one in pieces(TYPESCRIPT, "a.ts"))
    assert "}" not in pieces(TYPESCRIPT, "a.ts")


@pytest.mark.slow
def test_functions_that_fit_are_whole() -> None:
    """Over this project's own code: no chunk boundary lies inside of a function that fits."""
    whole = cut = 0
    for path in OWN:
        text = path.read_text()
        spans = split(text, path.name, 200)
        lines = text.splitlines(keepends=True)
        offsets = [0]
        for line in lines:
            offsets.append(offsets[-1] + len(line))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                starts = [node.lineno, *(decorator.lineno for decorator in node.decorator_list)]
                first = min(starts) - 1
                start, end = (
                    offsets[first] + node.col_offset,
                    offsets[(node.end_lineno or 0) - 1] + 1,
                )
                fits = HashEmbedder().count("".join(lines[first : node.end_lineno])) <= 200
                inside = any(start < span.start < end for span in spans)
                whole, cut = whole + (fits and not inside), cut + (fits and inside)
    assert whole > 500
    assert cut == 0


def test_small_ones_share_a_chunk() -> None:
    text = "".join(f"def f{n}(x):\n    return x + {n}\n\n\n" for n in range(100))
    spans = split(text, "a.py", 100)
    assert all(text[span.start :].startswith("def") for span in spans)
    assert sum(span.tokens for span in spans) / len(spans) > 70


@pytest.mark.parametrize(
    "text",
    [
        "def broken(:\n    x = (1\n\nclass A\n  def f(self): return 1\n" * 20,
        "}}}} ((((" * 100,
        "\x00\x01 def",
        "class A:\n" + " x=1;" * 500,
        "f(" * 3000 + ")" * 3000,
        "x = '" + "é😀" * 800 + "'",
        "\ud800 = 1\n" * 99,
    ],
)
def test_broken_and_odd_code_is_covered_exactly(text: str) -> None:
    spans = split(text, "a.py", 50)
    covered = set[int]().union(*(range(span.start, span.end) for span in spans))
    assert all(n in covered or character.isspace() for n, character in enumerate(text))
    assert all(span.tokens == HashEmbedder().count(text[span.start : span.end]) for span in spans)
    assert max(span.tokens for span in spans) <= 50


@pytest.mark.slow
def test_an_edit_moves_few_chunks() -> None:
    text = "\n\n".join(path.read_text() for path in OWN[:30])
    before = set(pieces(text, "a.py", 150))
    for line in random.Random(2).sample(range(text.count("\n")), 20):
        parts = text.split("\n")
        parts.insert(line, "# zebra")
        assert 1 <= sum(one not in before for one in pieces("\n".join(parts), "a.py", 150)) <= 8


def test_other_texts_are_cut_as_text() -> None:
    text = "No code at all. " * 200
    plain = SentenceChunker(size=50, overlap=0).split(
        text, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    assert split(text, "notes.unknown", 50) == plain
    assert split(text, "", 50) == plain
    (span, *_) = CodeChunker(size=50).split(
        "# A\n\nb\n\n## C\n\n" + text,
        markup="markdown",
        title=None,
        tokenizer=HashEmbedder(),
        uri="README.md",
    )
    assert span.headings == ("A",)


@pytest.mark.parametrize(
    ("uri", "language"),
    [
        ("a/B.PY", "python"),
        ("x.tsx", "tsx"),
        ("h.rs#L1", "rust"),
        ("https://h/a.go?raw=1", "go"),
        ("Makefile", "make"),
        ("Dockerfile", "dockerfile"),
        ("a.txt", None),
        ("", None),
    ],
)
def test_the_name_tells_the_language(uri: str, language: str | None) -> None:
    assert language_of(uri) == language


def test_the_language_can_be_given() -> None:
    (first, *_) = CodeChunker(size=24, language="rust").split(
        RUST, markup="plain", title="T", tokenizer=HashEmbedder(), uri="b.txt"
    )
    assert first.end == RUST.index("\n\nimpl")
    with pytest.raises(ValidationError, match=r"an unknown language; allowed: .*python"):
        CodeChunker(language="pyton")
