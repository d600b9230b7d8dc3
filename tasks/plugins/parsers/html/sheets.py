"""The rules of a style sheet in a page, and their declarations, by tinycss2.

A sheet of a framework has thousands of rules, of which a page uses some dozens. So sheets are split
into rules first, and what stands in a rule is read when somebody asks for it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import tinycss2
from tinycss2.ast import Declaration

Style = Mapping[str, str]
Declared = Mapping[str, tuple[str, bool]]
"""Property -> (value, whether it is important)."""
WIDE, NARROW = 1280.0, 360.0
"""Pixels: what a desktop and a telephone show. Hidden is only what neither shows."""
RELEVANT: Final = {
    *("display", "visibility", "opacity", "filter", "content-visibility"),
    *("font", "font-size", "color", "-webkit-text-fill-color", "text-shadow"),
    *("background", "background-color", "background-image", "background-clip"),
    *("-webkit-background-clip", "mix-blend-mode"),
    *("position", "left", "top", "right", "bottom", "inset", "text-indent"),
    *("margin", "margin-left", "margin-top", "transform", "scale", "translate", "zoom"),
    *("overflow", "overflow-x", "overflow-y", "width", "height", "max-width", "max-height"),
    *("clip", "clip-path"),
}
WORTH_READING: Final = re.compile(
    "display|visib|opacity|font|colo|shadow|background|blend|position|left|top|right|bottom|inset|"
    r"indent|margin|transform|scale|translate|zoom|overflow|width|height|clip|filter|\\",
    re.IGNORECASE,
)
LENGTH: Final = re.compile(r"(min|max)-width\s*:\s*(\d{1,6}(?:\.\d{1,4})?)\s*(px|em|rem)")
UNKNOWN: Final = re.compile(
    r"print|speech|aural|tty|braille|prefers-color-scheme\s*:\s*dark|prefers-reduced|prefers-contrast|"
    r"forced-colors|inverted|orientation|hover\s*:\s*none|pointer\s*:\s*coarse|resolution|height"
)
VARIABLE: Final = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,([^()]*))?\)")
PLAIN: Final = re.compile(r"[\w \t\n:;#%.,+-]*\Z", re.ASCII)
"""A block that can be read without a parser."""
APART: Final = "/**/"
"""What tinycss2 writes between two pieces that would be read as one."""
BLANKS: Final = " \t\n"
IDENTIFIER: Final = re.compile(r"(?:--|-?[a-z_])[\w-]*\Z", re.ASCII | re.IGNORECASE)
GLOBAL: Final = {"inherit", "initial", "unset", "revert", "revert-layer"}
VALUES: Final = {
    "display": re.compile(
        r"(?:none|contents|list-item|(?:inline|block|flex|grid|flow|table|ruby|math|run-in|"
        r"-webkit-\w|-ms-\w|-moz-\w)[\w -]*)\Z"
    ),
    "visibility": re.compile(r"(?:visible|hidden|collapse)\Z"),
    "position": re.compile(r"(?:static|relative|absolute|fixed|(?:-webkit-)?sticky)\Z"),
    "opacity": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?%?\Z"),
    "color": re.compile(r"#(?:[\da-f]{3,4}|[\da-f]{6}|[\da-f]{8})\Z|[a-z]+\Z"),
    "font-size": re.compile(r"[+.\d]|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger|math"),
    "overflow": re.compile(r"(?:(?:visible|hidden|clip|scroll|auto|overlay)\s*){1,2}\Z"),
}
"""What is no function and no global keyword, and yet a value."""
OPENING: Final = {"{": "}", "(": ")", "[": "]"}
NAME: Final = r"(?:[\w#@-]|[^\x00-\x7f]|\\[^\n])++"
ADDRESS: Final = (
    r"(?:u|\\u|\\0{0,4}[57]5[ \t\n]?)(?:r|\\r|\\0{0,4}[57]2[ \t\n]?)(?:l|\\l|\\0{0,4}[46]c[ \t\n]?)"
    r"\([ \t\n]*(?![\"' \t\n])(?:[^)\\]|\\.)*+(?:\)|\Z)"
)
"""An address without quotation marks, in which brackets mean nothing."""
TEXT: Final = r"\"(?:[^\"\\\n]|\\.)*+(?:\"|(?=\n)|\Z)|'(?:[^'\\\n]|\\.)*+(?:'|(?=\n)|\Z)"
REMARK: Final = r"/\*.*?(?:\*/|\Z)"
STEP: Final = re.compile(
    rf"(?:[^{{}}()\[\];\"'/\\<#@\w\x80-\U0010ffff-]++|<!--|-->|{REMARK}|{TEXT}|{ADDRESS}|{NAME}|[/\\<])*+"
    r"([{}()\[\];]|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""The way from one bracket or semicolon to the next, past remarks, texts, addresses and names."""
REMARKS: Final = re.compile(rf"({TEXT})|{REMARK}", re.DOTALL)
EDGE: Final = re.compile(r"(?:\s|<!--|-->)+")
LINE_END: Final = re.compile(r"\r\n?|\f")
DEEPEST: Final = 20
"""Rules and conditions within each other."""
LONGEST_KEPT: Final = 1_000
LONGEST_SHEET_KEPT: Final = 100_000
"""Characters of declarations, and of sheets, that are remembered for the next page of a site."""


@dataclass(frozen=True)
class StyleRule:
    """A rule of a sheet. `block`: its declarations as they are written. `always`: it holds on every
    screen; else on some only.
    """

    prelude: str
    block: str
    always: bool

    @cached_property
    def declared(self) -> Declared:
        return declarations(self.block)


class SheetPart(NamedTuple):
    """A block of a sheet and what stands before it; both together from `begin` to `end`."""

    prelude: str
    block: str
    begin: int
    end: int


def rules(sheet: str, media: str = "") -> Sequence[StyleRule]:
    """The rules of a sheet in order, those within others with their parents' selectors; none of
    media that are no screens. Raises RecursionError for a sheet that is nested too deeply.
    """
    return _kept(sheet, media) if len(sheet) <= LONGEST_SHEET_KEPT else _split(sheet, media)


@lru_cache(maxsize=16)
def _kept(sheet: str, media: str) -> Sequence[StyleRule]:
    """The pages of a site have their sheets in common."""
    return _split(sheet, media)


def _split(sheet: str, media: str) -> Sequence[StyleRule]:
    holds = _holds(media)
    if holds is None:
        return ()
    return tuple(_rules(LINE_END.sub("\n", sheet), "", always=holds, depth=0))


def _rules(block: str, parent: str, *, always: bool, depth: int) -> Iterator[StyleRule]:
    """The rules of a block; what it declares itself belongs to its parent."""
    if depth > DEEPEST:
        raise RecursionError
    inner = list(parts(block, within=depth > 0)) if "{" in block else []
    if parent:
        edges = [0, *(edge for part in inner for edge in (part.begin, part.end)), len(block)]
        own = [block[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True)]
        yield StyleRule(parent, " ".join(own), always)
    for part in inner:
        if part.prelude.startswith("@"):
            holds = _condition(part.prelude)
            if holds is not None:
                yield from _rules(part.block, parent, always=always and holds, depth=depth + 1)
        elif part.prelude:
            prelude = _nested(part.prelude, parent)
            if "{" in part.block:
                yield from _rules(part.block, prelude, always=always, depth=depth + 1)
            else:
                yield StyleRule(prelude, part.block, always)


def parts(sheet: str, *, within: bool = False) -> Iterator[SheetPart]:
    """The blocks of a sheet, without looking into them. `within` a block, a semicolon ends whatever
    stands before it; elsewhere only what begins with `@`.
    """
    start = inner = 0
    closers = list[str]()
    ends: bool | None = None
    for step in STEP.finditer(sheet):
        mark, at = step[1], step.start(1)
        if mark in OPENING:
            inner = inner if closers else at + 1
            closers.append(OPENING[mark])
        elif closers and mark in (closers[-1], ""):
            whole = closers[0] == "}" and (len(closers) == 1 or not mark)
            closers.pop()
            if whole:
                prelude = _plain(sheet[start : inner - 1])
                yield SheetPart(prelude, sheet[inner:at], start, at + len(mark))
                start, closers, ends = at + 1, [], None
        elif mark == ";" and not closers:
            if ends is None:
                ends = within or _plain(sheet[start:at]).startswith("@")
            if ends:
                start, ends = at + 1, None


def _plain(prelude: str) -> str:
    """What stands before a block, without remarks and what once hid sheets from browsers."""
    if "/*" in prelude:
        prelude = REMARKS.sub(lambda match: match[1] or "", prelude)
    edge = EDGE.match(prelude)
    return prelude[edge.end() if edge else 0 :].rstrip()


def _nested(prelude: str, parent: str) -> str:
    if not parent:
        return prelude
    return ", ".join(
        part.replace("&", f":is({parent})") if "&" in part else f":is({parent}) {part.strip()}"
        for part in prelude.split(",")
    )


@lru_cache(maxsize=1024)
def _condition(prelude: str) -> bool | None:
    """Whether the rules under a condition hold on every screen (True), on some (False), or are
    none of the page's (None).
    """
    keyword, *condition = tinycss2.parse_component_value_list(prelude)
    name = keyword.lower_value if keyword.type == "at-keyword" else ""
    if name == "media":
        return _holds(tinycss2.serialize(condition))
    if name in ("supports", "layer"):
        return True
    return False if name in ("container", "scope", "starting-style") else None


def declarations(style: str) -> Declared:
    """What a block or a `style` attribute declares, of that which may hide a text."""
    if not WORTH_READING.search(style) and "--" not in style:
        return {}
    return _read(style) if len(style) <= LONGEST_KEPT else _declared(style)


@lru_cache(maxsize=4096)
def _read(block: str) -> Declared:
    return _declared(block)


def _declared(block: str) -> Declared:
    """Of the same property the last one counts, an important one more."""
    found: dict[str, tuple[str, bool]] = {}
    for name, value, important in _simple(block) if PLAIN.match(block) else _parsed(block):
        if name not in RELEVANT and not name.startswith("--"):
            continue
        if important or not found.get(name, ("", False))[1]:
            value = value if name.startswith("--") else value.lower()
            if _is_valid(name, value):
                found.pop(name, None)
                found[name] = (value, important)
    return found


def _simple(block: str) -> Iterator[tuple[str, str, bool]]:
    """The declarations of a block without brackets, texts and remarks."""
    for declaration in block.split(";"):
        name, colon, value = declaration.partition(":")
        name = name.strip(BLANKS)
        if colon and IDENTIFIER.match(name):
            yield (name if name.startswith("--") else name.lower()), value.strip(BLANKS), False


def _parsed(block: str) -> Iterator[tuple[str, str, bool]]:
    for node in tinycss2.parse_blocks_contents(block, skip_comments=True):
        if isinstance(node, Declaration):
            name = node.name if node.name.startswith("--") else node.lower_name
            value = tinycss2.serialize(node.value).replace(APART, "")
            yield name, value.strip(), bool(node.important)


def _is_valid(name: str, value: str) -> bool:
    """Whether a browser takes a value; one that it does not take leaves the one before."""
    if "(" in value or value in GLOBAL or name not in VALUES:
        return True
    return bool(VALUES[name].match(value))


def _holds(media: str) -> bool | None:
    """Whether a rule for such media holds on every screen (True), on some (False) or on none that
    a page is read on by default (None).
    """
    media = media.lower().strip()
    if not media:
        return True
    parts = [_holds_alone(part.strip()) for part in media.split(",")]
    return True if True in parts else False if False in parts else None


def _holds_alone(media: str) -> bool | None:
    if media.startswith("not"):
        return bool(re.fullmatch(r"not\s+(?:print|speech|aural)", media))
    if UNKNOWN.search(media):
        return None if re.search(r"print|speech|dark", media) else False
    on = [_wide_enough(media, width) for width in (WIDE, NARROW)]
    known = LENGTH.sub("", media)
    if re.search(r"width|[<>]", known):
        return False
    return all(on)


def _wide_enough(media: str, width: float) -> bool:
    for bound, number, unit in LENGTH.findall(media):
        pixels = float(number) * (1 if unit == "px" else 16)
        if (width < pixels) if bound == "min" else (width > pixels):
            return False
    return True
