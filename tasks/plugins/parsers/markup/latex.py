"""LaTeX made ready for the reader: letters for their commands, one command a line, macros of the
document written out; code and formulas taken out as they stand.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from llmops.tasks.plugins.parsers.markup.kept import KeptParts, fenced

GROUP: Final = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
OPTION: Final = r"(?:\[[^\]\n]{0,500}\])?"
CODE: Final = re.compile(
    r"(?<!\\)\\begin\{(verbatim\*?|Verbatim|lstlisting|minted|comment|alltt)\}(?:\[([^\]\n]{0,500})\])?"
    r"(?:(?<=minted\})\{(\w+)\}|(?<=\])\{(\w+)\})?"
)
INLINE_CODE: Final = re.compile(
    r"\\(?:verb\*?|lstinline(?:\[[^\]\n]*\])?)([^\w\s*\[{])((?:(?!\1)[^\n])*)\1"
)
COMMENT: Final = re.compile(r"(?<!\\)((?:\\\\)*)%.*(\n?)")
LANGUAGE: Final = re.compile(r"language=\{?(?:\[[^\]]*\])?(\w+)")
DISPLAY: Final = re.compile(
    r"\\begin\{((?:equation|align|alignat|gather|multline|eqnarray|displaymath|flalign|math)\*?)\}"
)
FORMULA: Final = re.compile(
    r"((?<!\\)\$\$[^$]+\$\$|(?<!\\)\\\[.{1,2000}?\\\])"
    r"|(?<!\\)\$((?:[^$\\\n]|\\.|\n(?!\s*\n))+)\$|(?<!\\)\\\((.{1,2000}?)\\\)",
    re.DOTALL,
)
LABEL: Final = re.compile(r"\\label\{[^{}]*\}")
COMBINING: Final = dict(
    zip(
        "`'^\"~=.uvHckdbrt",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0328\u0323\u0331\u030a\u0361",
        strict=True,
    )
)
ACCENT: Final = re.compile(
    r"\\(?:([`'^\"~=.])\s*|([uvHckdbrt])(?:\s+|(?=\{)))"
    r"(?:\{\s*(\\[ij](?![A-Za-z])|[^\W\d_])\s*\}|(\\[ij](?![A-Za-z]))\s?|([^\W\d_]))"
)
LETTERS: Final = {
    "ss": "ß",
    "o": "ø",
    "O": "Ø",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "aa": "å",
    "AA": "Å",
    "l": "ł",
    "L": "Ł",
    "i": "ı",
    "j": "ȷ",
    "dh": "ð",
    "DH": "Ð",
    "th": "þ",
    "TH": "Þ",
    "dj": "đ",
    "DJ": "Đ",
    "SS": "ẞ",
    "euro": "€",
    "pounds": "£",
    "copyright": "©",
}
LETTER: Final = re.compile(
    rf"\\({'|'.join(sorted(LETTERS, key=len, reverse=True))})(?![A-Za-z])"
    r"(?:\{\}|[ \t]+|\n(?!\s*\n))?"
)
TIE: Final = re.compile(r"(\\(?:url|href|path)\{[^{}]*\})|(?<!\\)~")
BROKEN: Final = re.compile(
    r"(?<=[^\s{])[ \t]*(?=\\(?:(?:sub)*section|chapter|part|(?:sub)?paragraph|item|begin|end|"
    r"maketitle|title|caption|bibitem)\b)"
)
ENDED: Final = re.compile(
    rf"(\\(?:begin\{{(?:tabular[x*y]?|longtable|array|minipage|multicols|wrapfigure)\*?\}}{OPTION}"
    rf"(?:{GROUP}){{1,2}}|begin\{{[\w*]+\}}{OPTION}(?!\{{)|end\{{[\w*]+\}}"
    rf"|(?:sub)?paragraph\*?{GROUP}))[ \t]*(?=\S)"
)
BIBLIOGRAPHY: Final = re.compile(r"\\(begin|end)\{thebibliography\}(?:\{[^{}]*\})?")
BIBITEM: Final = re.compile(rf"\\bibitem{OPTION}\{{[^{{}}]*\}}[ \t]*")
STATEMENT: Final = re.compile(
    r"(\\begin\{(?:theorem|lemma|proposition|corollary|definition|example|remark|proof|claim)\*?\})"
    r"\[([^\]\n]+)\]"
)
ROWS: Final = re.compile(r"\\begin\{(tabular[x*y]?|longtable)\}")
ROW_END: Final = re.compile(r"(\\\\(?:\[[^\]\n]*\])?)[ \t]*(?=\S)")
COLUMNS: Final = re.compile(
    rf"\\multicolumn\{{(\d{{1,2}})\}}\s*\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}}\s*{GROUP}"
)
ROWS_SPANNED: Final = re.compile(
    rf"\\multirow{OPTION}\{{[^{{}}]*\}}{OPTION}\{{[^{{}}]*\}}\s*{GROUP}"
)
CELL: Final = re.compile(
    rf"\\(?:makecell|shortstack|textbf|textit|texttt|emph|textrm|underline){OPTION}\s*{GROUP}"
)
CELL_RULE: Final = re.compile(r"\\cline\{[^{}]*\}")
CELL_SIGN: Final = re.compile(r"\\([_%#])")
COLOURED: Final = re.compile(
    rf"\\(?:textcolor|colorbox|foreignlanguage){OPTION}\{{[^{{}}]*\}}\s*(?=\{{)"
)
QUANTITY: Final = re.compile(
    rf"\\(?:(?:SI|qty){OPTION}\{{([^{{}}]*)\}}{OPTION}\{{([^{{}}]*)\}}|(?:si|unit){OPTION}\{{([^{{}}]*)\}})"
)
UNIT: Final = re.compile(r"\\([A-Za-z]+)\s*")
UNITS: Final = {
    "kilo": "k",
    "mega": "M",
    "giga": "G",
    "tera": "T",
    "hecto": "h",
    "deci": "d",
    "centi": "c",
    "milli": "m",
    "micro": "µ",
    "nano": "n",
    "pico": "p",
    "femto": "f",
    "metre": "m",
    "meter": "m",
    "gram": "g",
    "second": "s",
    "ampere": "A",
    "kelvin": "K",
    "mole": "mol",
    "hertz": "Hz",
    "newton": "N",
    "pascal": "Pa",
    "joule": "J",
    "watt": "W",
    "volt": "V",
    "ohm": "Ω",
    "litre": "l",
    "liter": "L",
    "minute": "min",
    "hour": "h",
    "day": "d",
    "percent": "%",
    "degree": "°",
    "celsius": "°C",
    "degreeCelsius": "°C",
    "tesla": "T",
    "bar": "bar",
    "electronvolt": "eV",
    "byte": "B",
    "bit": "bit",
    "tonne": "t",
    "per": "/",
    "square": "^2 ",
    "cubic": "^3 ",
    "squared": "^2",
    "cubed": "^3",
    "kg": "kg",
}
MACRO: Final = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand)\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?"
    r"\s*(\[\d\])?(\[[^\]\n]*\])?\s*(?=\{)|\\def\s*\\([A-Za-z]+)\s*(?=\{)"
)
MOST_MACROS: Final = 1_000
LONGEST_MACRO: Final = 2_000
MOST_GROWTH: Final = 200_000
"""Characters that macros may add; what asks for more stays as it is written."""
PASSES: Final = 4


def ready(source: str, kept: KeptParts) -> str:
    """The source for the reader, whose code and formulas `kept` puts back."""
    text = _taken(source, CODE, lambda match, inner: _code(match, inner, kept))
    text = INLINE_CODE.sub(lambda match: kept.word(f"`{match[2]}`"), text)
    text = COMMENT.sub(lambda match: match[1] + ("\n" if match[2] else ""), text)
    text = _expanded(text)
    text = _taken(text, DISPLAY, lambda match, inner: _display(match, inner, kept))
    text = FORMULA.sub(lambda match: _formula(match, kept), text)
    text = LETTER.sub(lambda match: LETTERS[match[1]], ACCENT.sub(_accent, text))
    text = TIE.sub(lambda match: match[1] or "\u00a0", text)
    text = QUANTITY.sub(_quantity, COLOURED.sub(r"\\textsc", text))
    text = STATEMENT.sub(r"\1\n\\textbf{\2.} ", text)
    text = BIBLIOGRAPHY.sub(r"\n\\\1{itemize}\n", BIBITEM.sub(r"\n\\item ", text))
    text = _taken(text, ROWS, _rows)
    return ENDED.sub(r"\1\n", BROKEN.sub("\n", text))


def _taken(text: str, begin: re.Pattern[str], made: Callable[[re.Match[str], str], str]) -> str:
    """The text with environments as `made` writes them, each from its begin to its own end."""
    pieces, place, endless = list[str](), 0, set[str]()
    for match in begin.finditer(text):
        if match.start() < place or match[1] in endless:
            continue
        ended = f"\\end{{{match[1]}}}"
        end = text.find(ended, match.end())
        if end < 0:
            endless.add(match[1])
            continue
        pieces += [text[place : match.start()], made(match, text[match.end() : end])]
        place = end + len(ended)
    return "".join([*pieces, text[place:]])


def _rows(match: re.Match[str], inner: str) -> str:
    for _ in range(3):  # one within another
        inner = CELL.sub(lambda each: each[1].replace("\\\\", " "), inner)
        inner = ROWS_SPANNED.sub(r"\1", inner)
    inner = COLUMNS.sub(lambda each: each[2] + " &" * (int(each[1]) - 1), inner)
    lines = ROW_END.sub(r"\1\n", CELL_SIGN.sub(r"\1", CELL_RULE.sub("", inner)))
    return f"{match[0]}{lines}\\end{{{match[1]}}}"


def _code(match: re.Match[str], inner: str, kept: KeptParts) -> str:
    if match[1] == "comment":
        return ""
    shown = LANGUAGE.search(match[2] or "")
    language = match[3] or match[4] or (shown[1] if shown else "")
    return f" {kept.block(fenced(inner, language.lower()))} "


def _display(match: re.Match[str], inner: str, kept: KeptParts) -> str:
    inner = LABEL.sub("", inner).strip()
    whole = f"$$\\begin{{{match[1]}}}\n{inner}\n\\end{{{match[1]}}}$$"
    return f" {kept.block(whole)} "


def _formula(match: re.Match[str], kept: KeptParts) -> str:
    if not match[1]:
        inner = match[2] if match[2] is not None else match[3]
        return kept.word(f"${' '.join(inner.split())}$")
    inner = LABEL.sub("", match[1][2:-2]).strip()
    return f" {kept.block(f'$${inner}$$')} "


def _accent(match: re.Match[str]) -> str:
    letter = (match[3] or match[4] or match[5]).lstrip("\\")
    return unicodedata.normalize("NFC", letter + COMBINING[match[1] or match[2]])


def _quantity(match: re.Match[str]) -> str:
    unit = UNIT.sub(lambda each: UNITS.get(each[1], f" {each[1]} "), match[2] or match[3] or "")
    unit = re.sub(r"(\^\d) (\S+)", r"\2\1", unit.replace(" /", "/"))
    return " ".join(f"{match[1] or ''} {unit}".split())


def _expanded(text: str) -> str:
    """Macros of the document where they stand in its text, within limits."""
    macros = dict[str, tuple[int, str | None, str]]()
    for match in MACRO.finditer(text):
        body = _group(text, match.end())
        if body is not None and len(macros) < MOST_MACROS and len(body) <= LONGEST_MACRO:
            count = int(match[2][1]) if match[2] else 0
            default = match[3][1:-1] if match[3] else None
            macros[match[1] or match[4]] = (count, default, body)
    head, begin, body = text.partition("\\begin{document}")
    if not macros or not begin:
        return text
    most = len(body) + MOST_GROWTH
    for _ in range(PASSES):
        grown = _once(body, macros, most)
        if grown == body:
            break
        body = grown
    return head + begin + body


def _group(text: str, start: int) -> str | None:
    """What stands in the braces that open at a place; None where they do not close soon."""
    if text[start : start + 1] != "{":
        return None
    depth = 0
    for place in range(start, min(len(text), start + LONGEST_MACRO + 2)):
        if text[place] in "{}" and text[place - 1] != "\\":
            depth += 1 if text[place] == "{" else -1
            if not depth:
                return text[start + 1 : place]
    return None


def _once(body: str, macros: Mapping[str, tuple[int, str | None, str]], most: int) -> str:
    names = "|".join(sorted(macros, key=len, reverse=True))
    pieces, place, size = list[str](), 0, len(body)
    for match in re.finditer(rf"\\({names})(?![A-Za-z])(?:\{{\}})?(?:[ \t]+(?=[{{\[]))?", body):
        if match.start() < place or body[max(0, match.start() - 9) : match.start()].endswith(
            "command{"
        ):
            continue
        made = _call(body, match, *macros[match[1]])
        if made is None or size + len(made[0]) > most:
            continue
        size += len(made[0])
        pieces += [body[place : match.start()], made[0]]
        place = made[1]
    return "".join([*pieces, body[place:]])


def _call(
    body: str, match: re.Match[str], count: int, default: str | None, written: str
) -> tuple[str, int] | None:
    """What a call of a macro stands for, and where it ends; None where its parts are missing."""
    end, values = match.end(), list[str]()
    if match[0].endswith("{}") and count:
        return None
    if default is not None:
        shown = re.compile(r"\[([^\]\n]*)\]").match(body, end)
        values.append(shown[1] if shown else default)
        end = shown.end() if shown else end
    while len(values) < count:
        value = _group(body, end)
        if value is None:
            return None
        values.append(value)
        end += len(value) + 2
    return re.sub(r"#([1-9])", lambda each: _value(values, each), written), end


def _value(values: list[str], place: re.Match[str]) -> str:
    number = int(place[1])
    return values[number - 1] if number <= len(values) else place[0]
