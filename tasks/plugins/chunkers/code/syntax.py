"""Where code may be cut: tree-sitter's tree as grades of borders, and the scopes around them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from llmops.tasks.plugins.chunkers._cutting.measured import Measured
from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind
from llmops.tasks.texts.characters import Array, codes_of

if TYPE_CHECKING:
    from tree_sitter import Node

LANGUAGES = {
    "python": "py pyi pyw",
    "javascript": "js mjs cjs jsx",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "java": "java",
    "kotlin": "kt kts",
    "scala": "scala",
    "go": "go",
    "rust": "rs",
    "c": "c h",
    "cpp": "cc cpp cxx hpp hh hxx",
    "csharp": "cs",
    "objc": "m",
    "swift": "swift",
    "ruby": "rb",
    "php": "php",
    "perl": "pl pm",
    "lua": "lua",
    "r": "r",
    "julia": "jl",
    "haskell": "hs",
    "elixir": "ex exs",
    "erlang": "erl",
    "ocaml": "ml",
    "clojure": "clj cljs",
    "dart": "dart",
    "zig": "zig",
    "nim": "nim",
    "bash": "sh bash",
    "fish": "fish",
    "powershell": "ps1",
    "sql": "sql",
    "solidity": "sol",
    "groovy": "groovy gradle",
    "fortran": "f90 f95",
    "d": "d",
    "v": "v",
    "terraform": "tf",
    "hcl": "hcl",
    "proto": "proto",
    "graphql": "graphql gql",
    "css": "css",
    "scss": "scss",
    "vue": "vue",
    "svelte": "svelte",
    "cmake": "cmake",
    "make": "mk",
    "nix": "nix",
    "toml": "toml",
    "yaml": "yaml yml",
    "json": "json",
    "xml": "xml",
}
SUFFIXES = {
    f".{suffix}": name for name, suffixes in LANGUAGES.items() for suffix in suffixes.split()
}
NAMES = {"makefile": "make", "dockerfile": "dockerfile", "cmakelists.txt": "cmake"}
DEFINITION = re.compile(
    r"(?:^|_)(?:function|method|class|struct|enum|union|trait|impl|interface|module|namespace|mod|object|constructor|"
    r"subroutine|procedure|protocol|contract|record)(?:_|$)"
)
PART = re.compile(
    r"(?:body|block|list|declarator|type|identifier|call|clause|heritage|reference|modifiers?)$"
)
BODY = re.compile(r"(?:body|block|declaration_list|enumerator_list)$")
PREFIX = re.compile(r"comment|decorator|annotation|attribute")
LONGEST_SIGNATURE = 240


class Definition(NamedTuple):
    """A definition that is longer than a chunk, in characters."""

    start: int
    end: int
    name: str
    signature: str


@dataclass
class Syntax:
    """`grades`: the Kind of each border where a chunk may begin, -1 elsewhere; `walls`: borders
    that every chunk ends at, since a definition begins or ends there that is itself longer than a
    chunk."""

    grades: Array
    walls: set[int] = field(default_factory=set)
    scopes: list[Definition] = field(default_factory=list)

    def around(self, offset: int) -> list[Definition]:
        """The scopes that begin before an offset and end after it, outermost first."""
        return sorted(scope for scope in self.scopes if scope.start < offset < scope.end)


def language_of(uri: str) -> str | None:
    """The language of a file by its name."""
    path = PurePosixPath(uri.partition("#")[0].partition("?")[0].lower())
    return SUFFIXES.get(path.suffix) or NAMES.get(path.name)


@cache
def known_languages() -> tuple[str, ...]:
    import tree_sitter_language_pack

    return tuple(sorted(get_args(tree_sitter_language_pack.SupportedLanguage)))


def parse(language: str, measured: Measured, limit: int) -> Syntax:
    """Take nodes apart from the outside in until each has at most `limit` tokens. Syntax errors are
    nodes like others.
    """
    import tree_sitter_language_pack

    language_name: Any = language
    data = measured.text.encode("utf-8", "surrogatepass")
    tree = tree_sitter_language_pack.get_parser(language_name).parse(data)
    return Marking(measured, data, limit).marked(tree.root_node)


class Marking:
    """One pass over a tree, with a stack of its own: code may be nested deeper than Python's
    calls.
    """

    def __init__(self, measured: Measured, data: bytes, limit: int) -> None:
        self._measured, self._data, self._limit = measured, data, limit
        codes = codes_of(measured.text)
        widths = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
        self._bytes = np.append(0, np.cumsum(widths))
        self._held: set[int] = (
            set()
        )  # where no group begins: the first statement stays with the signature
        self._found = Syntax(np.full(len(measured.borders.starts), -1, np.int64))

    def marked(self, root: "Node") -> Syntax:
        waiting: list[tuple[list[Node], int, int]] = [(root.children, len(self._data), 0)]
        while waiting:
            nodes, end, depth = waiting.pop()
            for group, stop in self._groups(nodes, end):
                inner = self._take(group, stop, depth)
                if inner:
                    waiting.append((inner, stop, depth + 1))
        self._found.grades[:1] = BorderKind.SECTION
        return self._found

    def _groups(self, nodes: "list[Node]", end: int) -> "Iterator[tuple[list[Node], int]]":
        """Siblings that stay together, and the byte where the next ones begin: what follows on the
        same line, and comments with what they stand right above."""
        group: list[Node] = []
        for node in nodes:
            if (
                group
                and self._begins_line(node)
                and self._may_begin(node)
                and not _above(group[-1], node)
            ):
                yield group, node.start_byte
                group = []
            group.append(node)
        if group:
            yield group, end

    def _may_begin(self, node: "Node") -> bool:
        """Brackets and keywords belong to what stands before them, and the first statement to its
        signature.
        """
        return node.is_named and node.start_byte not in self._held

    def _begins_line(self, node: "Node") -> bool:
        return not self._data[node.start_byte - node.start_point.column : node.start_byte].strip()

    def _take(self, group: "list[Node]", stop: int, depth: int) -> "list[Node]":
        """Grade the border before a group; return what is inside of it where it is too long."""
        definition = next((one for node in group if (one := _definition(node))), None)
        first, last = self._border(group[0].start_byte), self._border(stop)
        exact = self._at(group[0].start_byte)
        if exact is not None:
            grade = _grade(depth, definition is not None)
            self._found.grades[exact] = max(self._found.grades[exact], grade)
        if self._measured.size(first, last) <= self._limit:
            return []
        if definition is not None and exact is not None:
            self._found.walls |= {first, last}
            self._found.scopes.append(self._scope(definition))
        inner = self._inside(group, definition)
        if not inner:
            inside = self._found.grades[first:last]
            np.maximum(
                inside,
                np.minimum(self._measured.borders.kinds[first:last], BorderKind.CLAUSE),
                out=inside,
            )
        return inner

    def _inside(self, group: "list[Node]", definition: "Node | None") -> "list[Node]":
        """What a group is made of: a definition's statements, else the children of its longest
        node.
        """
        if definition is None:
            return max(group, key=lambda node: node.end_byte - node.start_byte).children
        body = body_of(definition)
        inner = [
            child
            for node in definition.children
            for child in (node.children if node == body else [node])
        ]
        first = next((child for child in body.children if child.is_named), None) if body else None
        self._held |= {first.start_byte} if first else set()
        return inner

    def _scope(self, node: "Node") -> Definition:
        body = body_of(node)
        head = self._data[node.start_byte : body.start_byte if body else node.end_byte].decode(
            "utf-8", "replace"
        )
        signature = " ".join((head if body else head.partition("\n")[0]).split()).rstrip("{: ")
        name = next(
            filter(None, map(node.child_by_field_name, ("name", "declarator", "type"))), None
        )
        said = (
            self._data[name.start_byte : name.end_byte].decode("utf-8", "replace").partition("(")[0]
            if name
            else signature
        )
        return Definition(
            self._character(node.start_byte),
            self._character(node.end_byte),
            said,
            signature[:LONGEST_SIGNATURE],
        )

    def _character(self, byte: int) -> int:
        return int(np.searchsorted(self._bytes, byte))

    def _border(self, byte: int) -> int:
        return int(np.searchsorted(self._measured.borders.starts, self._character(byte)))

    def _at(self, byte: int) -> int | None:
        """The border at a byte, where there is one."""
        border = self._border(byte)
        starts = self._measured.borders.starts
        return border if border < len(starts) and starts[border] == self._character(byte) else None


def body_of(node: "Node") -> "Node | None":
    """The statements or members of a definition."""
    return node.child_by_field_name("body") or next(
        (child for child in reversed(node.children) if BODY.search(child.type)), None
    )


def _above(before: "Node", node: "Node") -> bool:
    """Whether a comment or a decorator stands right above what it belongs to."""
    return bool(PREFIX.search(before.type)) and node.start_point.row <= before.end_point.row + 1


def _definition(node: "Node") -> "Node | None":
    """A node that defines something with a name, also inside of what decorates or exports it."""
    for _ in range(3):
        if DEFINITION.search(node.type) and node.child_count and not PART.search(node.type):
            return node
        wrapped = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
        if wrapped is None:
            return None
        node = wrapped
    return None


def _grade(depth: int, definition: bool) -> int:
    if definition:
        return BorderKind.SECTION if depth == 0 else BorderKind.PARAGRAPH
    return (
        BorderKind.PARAGRAPH
        if depth == 0
        else BorderKind.SENTENCE
        if depth < 6
        else BorderKind.CLAUSE
    )
