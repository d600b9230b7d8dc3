"""Running text of a web page as Markdown: emphasis, code, notes, formulas, names of pictures."""

import re
from typing import TYPE_CHECKING, Final

from llmops.tasks.texts.mathml import written

if TYPE_CHECKING:
    from lxml import etree


DEEPEST: Final = 50
"""Elements within each other; what is deeper is read without their marks."""
LISTS: Final = {"ul", "ol", "menu", "dir"}
BLOCKS: Final = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    *("dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header"),
    *("hgroup", "hr", "html", "legend", "li", "main", "nav", "option", "p", "pre", "search"),
    *("section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", *LISTS),
}
MARKS: Final = {
    "b": "**",
    "strong": "**",
    "em": "*",
    "i": "*",
    "del": "~~",
    "s": "~~",
    "strike": "~~",
}
BLOCK_STYLE: Final = re.compile(r"display\s*:\s*(?:block|flex|grid|list-item|table\b)")
CODE: Final = {"code", "kbd", "samp", "tt"}
SILENT: Final = {"rp", "select", "datalist", "script", "style", "template", "noscript"}
WORD: Final = re.compile(r"\w+")
NUMBER: Final = re.compile(r"[\d*†‡§¶]+\Z")
POWER: Final = re.compile(r"[-−+]?[\w.]{1,6}\Z")
SPACES: Final = re.compile(r"[ \t\r\n\f]+")
INVISIBLE: Final = re.compile(r"[\u00ad\u200b\u2060\ufeff]")
LANGUAGE: Final = re.compile(r"(?:language|lang|highlight|brush:?\s?|highlight-source)-?([\w+#-]+)")
NO_LANGUAGE: Final = {"default", "none", "plaintext", "text", "highlight", "source"}


class Inline:
    """Running text that grows: white space as a browser shows it, a line break where there is one.

    `plain`: without marks of emphasis and code. `linked`: how many words stand in links.
    """

    def __init__(self, *, plain: bool = False, depth: int = 0) -> None:
        self.plain = plain
        self.depth = depth
        self.linked = 0
        self._pieces: list[str] = []

    def text(self, text: str | None) -> None:
        if text:
            self._pieces.append(SPACES.sub(" ", INVISIBLE.sub("", text)))

    def raw(self, text: str) -> None:
        self._pieces.append(text)

    def element(self, element: "etree._Element") -> None:
        """What stands in an element, without what its own name asks for."""
        if self.depth > DEEPEST:
            self.text(" ".join(element.itertext()))
            return
        self.depth += 1
        self.text(element.text)
        for child in element:
            inline(child, self)
            self.text(child.tail)
        self.depth -= 1

    def last(self) -> str:
        """The last character; "" where there is none."""
        return self._pieces[-1][-1:] if self._pieces else ""

    def done(self) -> str:
        """The text without blanks at its ends, and of those within one."""
        lines = "".join(self._pieces).split("\n")
        return "\n".join(line for line in (SPACES.sub(" ", each).strip() for each in lines) if line)


def inline(element: "etree._Element", run: Inline) -> None:
    """Put what stands in an element behind a running text."""
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag in SILENT or not tag:
        return
    if tag == "br":
        run.raw("\n")
    elif tag == "img":
        run.text(f" {element.get('alt') or ''} ")
    elif tag == "math":
        run.raw(_formula(element))
    elif tag in ("sup", "rt"):
        run.raw(_raised(element, run))
    elif tag == "q":
        run.raw(f"“{_inner(element, run)}”")
    elif tag in CODE:
        run.raw(_code(element, run))
    elif tag in MARKS and not run.plain:
        run.raw(_marked(element, run, MARKS[tag]))
    elif tag == "a":
        _link(element, run)
    elif tag in BLOCKS or BLOCK_STYLE.search(element.get("style") or ""):
        run.raw("\n")
        run.element(element)
        run.raw("\n")
    else:
        run.element(element)


def _inner(element: "etree._Element", run: Inline) -> str:
    inner = Inline(plain=run.plain, depth=run.depth + 1)
    inner.element(element)
    run.linked += inner.linked
    return inner.done()


def _link(element: "etree._Element", run: Inline) -> None:
    """A link's label alone: where it leads is no text. A mark that only links a heading to itself
    is none either.
    """
    label = _inner(element, run)
    whole = "".join(element.itertext())
    if label and label not in ("#", "¶", "§", "🔗"):
        before = " " if whole[:1].isspace() else ""
        run.raw(before + label + (" " if whole[-1:].isspace() else ""))
    if element.get("href"):
        run.linked += len(WORD.findall(label))


def _marked(element: "etree._Element", run: Inline, mark: str) -> str:
    """Emphasis stands around the words, never around blanks, lines, the marks of another or a part
    of a word, which could not be found.
    """
    whole, inner = "".join(element.itertext()), _inner(element, run)
    before = " " if whole[:1].isspace() else ""
    after = " " if whole[-1:].isspace() else ""
    joined = run.last().isalnum() and whole[:1].isalnum()
    joined |= whole[-1:].isalnum() and (element.tail or "")[:1].isalnum()
    if inner and "\n" not in inner and not joined and not {inner[0], inner[-1]} & {"*", "~"}:
        inner = f"{mark}{inner}{mark}"
    return before + inner + after


def _code(element: "etree._Element", run: Inline) -> str:
    text = SPACES.sub(" ", "".join(element.itertext())).strip()
    if run.plain or not text:
        return text
    ticks = "`" * (1 + max((len(each) for each in re.findall(r"`+", text)), default=0))
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{edge}{text}{edge}{ticks}"


def _raised(element: "etree._Element", run: Inline) -> str:
    """A note as `[1]`, a power as `^2`, anything else (`1st`, `TM`) as it stands; what is read
    beside a character in brackets.
    """
    text = _inner(element, Inline(plain=True))
    if not text or element.tag == "rt":
        return f"({text})" if text else ""
    parent = element.getparent()
    linked = element.find(".//a") is not None or (parent is not None and parent.tag == "a")
    if linked and NUMBER.match(text):
        return f"[{text}]"
    is_power = run.last().isalnum() and POWER.match(text) and not text[-1:].isalpha()
    return f"^{text}" if is_power else text


def _formula(element: "etree._Element") -> str:
    """TeX stands apart from what is around it."""
    text = written(element)
    return f" {text} " if text.startswith("$") else text


def fenced(element: "etree._Element") -> str:
    """Code as it stands, between fences that are longer than any within; "" where there is none."""
    text = _preformatted(element).replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
    if not text.strip():
        return ""
    longest = max((len(each) for each in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{_language(element)}\n{text}\n{fence}"


def _preformatted(element: "etree._Element") -> str:
    from lxml import etree

    pieces = [""]
    for event, part in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            pieces += ["\n" if part.tag == "br" else "", part.text or ""]
        elif part is not element:
            if _is_line(part) and not next(filter(None, reversed(pieces)), "\n").endswith("\n"):
                pieces.append("\n")
            pieces.append(part.tail or "")
    return "".join(pieces)


def _is_line(part: "etree._Element") -> bool:
    """Whether an element of a listing ends its line, as those of highlighters do that give each
    line one.
    """
    return part.tag in BLOCKS or bool(BLOCK_STYLE.search(part.get("style") or ""))


def _language(element: "etree._Element") -> str:
    around = [
        element,
        *element.iter("code"),
        *(each for each in [element.getparent()] if each is not None),
    ]
    for each in around:
        named = each.get("data-lang") or each.get("data-language")
        shown = LANGUAGE.search(each.get("class") or "")
        name = named or (shown[1] if shown else "")
        if name and name not in NO_LANGUAGE:
            return name.lower()
    return ""
