"""Formulas in MathML as a line of text: `(a + b)/2`, `x^2`, `∑_(i = 1)^n x_i`, `√2`."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lxml import etree

DEEPEST: Final = 60
"""Elements within each other; what is deeper is read without its marks."""
TOKENS: Final = {"mi", "mn", "mo", "mtext", "ms", "ci", "cn", "csymbol", "annotation"}
UNSEEN: Final = {"mphantom", "none", "mprescripts", "maligngroup", "malignmark", "mspace"}
LARGE: Final = frozenset("∑∏∐∫∬∭∮∯∰⋀⋁⋂⋃⨀⨁⨂")
PREFIXES: Final = LARGE | frozenset("√∂∇¬∀∃∄∞")
RELATIONS: Final = frozenset("=<>≤≥≠≈≡∼≅≪≫∝∈→⇒⇔↦:")
PAUSES: Final = frozenset(",;:")
PRIMES: Final = frozenset("′″‴'°")
OPEN: Final = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "|": "|", "‖": "‖", "⌊": "⌋", "⌈": "⌉"}
WORD: Final = re.compile(r"[\w.,]+")
NUMBER: Final = re.compile(r"[\d.,]+|[^\W\d_]")
LETTER: Final = re.compile(r"[^\W\d_](?![^\W_])")
TEX: Final = re.compile(r"[\\^_{]")
SILENT: Final = dict.fromkeys((0x2061, 0x2062, 0x2063, 0x2064, 0x200B))


class Kind(Enum):
    """What a piece is, for the blanks and the brackets around it."""

    WORD = auto()
    SIGN = auto()
    SCRIPT = auto()
    FRACTION = auto()
    LARGE = auto()
    GROUP = auto()


class FormulaPiece(NamedTuple):
    text: str
    kind: Kind


NOTHING: Final = FormulaPiece("", Kind.WORD)


def written(math: "etree._Element") -> str:
    """The text of a `math` element, on one line: its TeX between dollars where it has any, else
    its presentation. Without namespaces, or with any.
    """
    if tex := _tex(math):
        return tex if tex.startswith(("$", "\\(", "\\[")) else f"${tex}$"
    return _joined(_inside(math, 0)) or " ".join((math.get("alttext") or "").split())


def name_of(element: "etree._Element") -> str:
    """The name of an element without its namespace or prefix; "" for a comment."""
    tag = element.tag
    return re.split("[}:]", tag)[-1].lower() if isinstance(tag, str) else ""


def _tex(math: "etree._Element") -> str:
    """The TeX of a whole formula; that of a part alone would lose the rest."""
    whole = math
    while name_of(whole) != "semantics":
        inner = _children(whole)
        if len(inner) != 1 or name_of(whole) in TOKENS:
            spoken = " ".join((math.get("alttext") or "").split())
            return spoken if TEX.search(spoken) else ""
        whole = inner[0]
    for note in _children(whole):
        said = " ".join("".join(note.itertext()).split())
        if said and name_of(note) == "annotation" and "tex" in note.get("encoding", "").lower():
            return said
    return ""


def _children(element: "etree._Element") -> list["etree._Element"]:
    return [child for child in element if name_of(child)]


def _inside(element: "etree._Element", depth: int) -> Iterator[FormulaPiece]:
    """What stands in an element, with text that has no element of its own."""
    yield from _word(element.text)
    for child in element:
        yield from _pieces(child, depth)
        yield from _word(child.tail)


def _word(text: str | None) -> Iterator[FormulaPiece]:
    if text and (text := " ".join(text.translate(SILENT).split())):
        yield FormulaPiece(text, Kind.WORD)


def _pieces(element: "etree._Element", depth: int) -> Iterator[FormulaPiece]:
    name = name_of(element)
    if depth > DEEPEST:
        yield from (
            FormulaPiece(each.text, Kind.GROUP) for each in _word(" ".join(element.itertext()))
        )
    elif name == "mo":
        said = "".join(element.itertext()).translate(SILENT).strip()
        yield from [FormulaPiece(said, Kind.LARGE if said in LARGE else Kind.SIGN)] if said else []
    elif name in TOKENS:
        yield from _word("".join(element.itertext()))
    elif name == "mglyph":
        yield from _word(element.get("alt"))
    elif name in UNSEEN or not name:
        return
    elif name in BUILT and (built := BUILT[name](element, depth + 1)):
        yield built
    elif name == "semantics" and _children(element):
        shown = list(_pieces(_children(element)[0], depth + 1))
        yield from shown or _inside(element, depth + 1)
    else:
        yield from _inside(element, depth + 1)


def _joined(pieces: Iterable[FormulaPiece]) -> str:
    row = list(pieces)
    text, before = "", NOTHING
    for place, piece in enumerate(row):
        last = place == len(row) - 1
        text += (" " if _apart(before, piece, last=last) else "") + piece.text
        is_joint = piece.kind is Kind.SIGN and not last and _is_infix(piece.text)
        if is_joint and (_is_operand(before) or piece.text in RELATIONS):
            text, before = f"{text} ", NOTHING
        else:
            before = piece
    return text.strip()


def _is_operand(before: FormulaPiece) -> bool:
    """Whether a sign can join what stands before it: a minus of its own has nothing there."""
    return bool(before.text) and (
        before.kind is not Kind.SIGN or before.text in PRIMES or before.text in OPEN.values()
    )


def _is_infix(sign: str) -> bool:
    return sign not in PREFIXES and (
        sign in RELATIONS
        or sign == "-"
        or (len(sign) == 1 and unicodedata.category(sign) == "Sm" and sign not in OPEN)
    )


def _apart(before: FormulaPiece, piece: FormulaPiece, *, last: bool) -> bool:
    """Whether a blank stands between two pieces."""
    end, start = before.text[-1:], piece.text[:1]
    if not end:
        return False
    if piece.kind is Kind.SIGN and not start.isalnum():
        if start in OPEN:
            return before.kind in (Kind.FRACTION, Kind.LARGE) or end in PAUSES
        return _is_infix(piece.text) and not last and _is_operand(before)
    if before.kind is Kind.SIGN and not end.isalnum():
        is_word = start.isalnum() and not LETTER.match(piece.text) and piece.kind is not Kind.SCRIPT
        return end in PAUSES or (end in OPEN.values() and end not in OPEN and is_word)
    if before.kind in (Kind.FRACTION, Kind.LARGE) or piece.kind in (Kind.FRACTION, Kind.LARGE):
        return True
    if before.kind is Kind.SCRIPT:
        return start.isalnum() and end not in PRIMES
    is_product = NUMBER.fullmatch(before.text) and LETTER.match(piece.text)
    return end.isalnum() and start.isalnum() and not is_product


def _part(element: "etree._Element", depth: int) -> FormulaPiece:
    """What stands in an element as one piece."""
    pieces = list(_pieces(element, depth))
    return pieces[0] if len(pieces) == 1 else FormulaPiece(_joined(pieces), Kind.GROUP)


def _closed(piece: FormulaPiece) -> str:
    """A part that is more than one piece, in brackets."""
    text, kind = piece
    is_whole = kind is Kind.SIGN or len(text) == 1
    is_whole |= kind is Kind.WORD and WORD.fullmatch(text) is not None
    return text if not text or is_whole or _is_bracketed(text) else f"({text})"


def _is_bracketed(text: str) -> bool:
    end, depth = OPEN.get(text[:1]), 0
    if not end or text[-1] != end:
        return False
    for place, character in enumerate(text):
        depth += (character == text[0]) - (character == end and end != text[0])
        if (depth == 0 or (end == text[0] and place)) and character == end:
            return place == len(text) - 1
    return False


def _fraction(element: "etree._Element", depth: int) -> FormulaPiece | None:
    parts = _parts(element, depth, 2)
    if not parts:
        return None
    if (element.get("linethickness") or "").strip() in ("0", "0pt", "0px", "0em"):
        return FormulaPiece(f"{_closed(parts[0])} choose {_closed(parts[1])}", Kind.GROUP)
    over, under = (each.text if each.kind is Kind.SCRIPT else _closed(each) for each in parts)
    return FormulaPiece(f"{over}/{under}", Kind.FRACTION)


def _parts(element: "etree._Element", depth: int, count: int) -> list[FormulaPiece]:
    """The parts of an element that has so many of them; none where it is damaged."""
    inner = _children(element)
    stray = [element.text, *(child.tail for child in element)]
    if len(inner) != count or any(text and text.strip() for text in stray):
        return []
    return [_part(each, depth) for each in inner]


def _script(base: FormulaPiece, below: FormulaPiece, above: FormulaPiece) -> FormulaPiece:
    is_power = base.kind is Kind.SCRIPT and "^" not in base.text
    text = base.text if is_power or base.kind is Kind.LARGE else _closed(base)
    text += f"_{_closed(below)}" if below.text else ""
    if above.text in ("∘", "°"):
        text += "°"
    elif above.text and not set(above.text) - PRIMES:
        text += above.text
    elif above.text:
        text += f"^{_closed(above)}"
    is_limit = base.kind is Kind.LARGE or (base.kind is Kind.SIGN and base.text.isalpha())
    return FormulaPiece(text, Kind.LARGE if is_limit else Kind.SCRIPT)


def _scripted(element: "etree._Element", depth: int) -> FormulaPiece | None:
    name = name_of(element)
    parts = _parts(element, depth, 3 if name in ("msubsup", "munderover") else 2)
    if not parts:
        return None
    if len(parts) == 3:
        return _script(*parts)
    base, mark = parts
    if name in ("mover", "munder") and mark.kind is Kind.SIGN and not mark.text.isalnum():
        return FormulaPiece(_closed(base) + mark.text, base.kind)  # an accent
    below = name in ("msub", "munder")
    return _script(base, mark if below else NOTHING, NOTHING if below else mark)


def _multiscripts(element: "etree._Element", depth: int) -> FormulaPiece | None:
    """Marks stand in pairs, those after `mprescripts` before the base."""
    inner = _children(element)
    if not inner or any(text and text.strip() for text in (element.text, *(e.tail for e in inner))):
        return None
    names = [name_of(each) for each in inner]
    turn = names.index("mprescripts") if "mprescripts" in names else len(inner)
    after = [_part(each, depth) for each in inner[1:turn]]
    ahead = [_part(each, depth) for each in inner[turn + 1 :]]
    piece = _part(inner[0], depth)
    for marks in (after[n : n + 2] for n in range(0, len(after), 2)):
        piece = _script(piece, marks[0], marks[1] if len(marks) > 1 else NOTHING)
    before = ""
    for marks in (ahead[n : n + 2] for n in range(0, len(ahead), 2)):
        before += _script(NOTHING, marks[0], marks[1] if len(marks) > 1 else NOTHING).text
    return FormulaPiece(f"{before} {piece.text}".strip(), Kind.SCRIPT)


def _root(element: "etree._Element", depth: int) -> FormulaPiece | None:
    """A square root by its sign, any other as a power."""
    if name_of(element) == "msqrt":
        inner = list(_inside(element, depth))
        under = inner[0] if len(inner) == 1 else FormulaPiece(_joined(inner), Kind.GROUP)
        return FormulaPiece(f"√{_closed(under)}", Kind.SCRIPT)
    parts = _parts(element, depth, 2)
    if not parts:
        return None
    return FormulaPiece(f"{_closed(parts[0])}^(1/{_closed(parts[1])})", Kind.SCRIPT)


def _fenced(element: "etree._Element", depth: int) -> FormulaPiece | None:
    if (element.text or "").strip() or any((e.tail or "").strip() for e in element):
        return None
    separators = "".join((element.get("separators", ",")).split())
    text = ""
    for place, child in enumerate(_children(element)):
        if place and separators:
            text += separators[min(place, len(separators)) - 1] + " "
        text += _part(child, depth).text
    return FormulaPiece(f"{element.get('open', '(')}{text}{element.get('close', ')')}", Kind.GROUP)


def _table(element: "etree._Element", depth: int) -> FormulaPiece | None:
    """Row by row, with semicolons between."""
    rows = list[str]()
    for row in _children(element):
        text = ""
        for cell in _children(row) if name_of(row) in ("mtr", "mlabeledtr") else [row]:
            said = _part(cell, depth).text
            joint = "" if not (text and said) else " " if said[0] in RELATIONS else ", "
            text += joint + said
        rows.append(text)
    return FormulaPiece("; ".join(filter(None, rows)), Kind.GROUP)


def _applied(element: "etree._Element", depth: int) -> FormulaPiece | None:
    """Content MathML: `plus(x, 1)`."""
    inner = _children(element)
    if not inner:
        return None
    does = _part(inner[0], depth).text or name_of(inner[0])
    return FormulaPiece(f"{does}({', '.join(_part(e, depth).text for e in inner[1:])})", Kind.GROUP)


BUILT: Final[dict[str, Callable[["etree._Element", int], FormulaPiece | None]]] = {
    "mfrac": _fraction,
    **dict.fromkeys(("msup", "msub", "msubsup", "mover", "munder", "munderover"), _scripted),
    "mmultiscripts": _multiscripts,
    **dict.fromkeys(("msqrt", "mroot"), _root),
    "mfenced": _fenced,
    "mtable": _table,
    "apply": _applied,
}
