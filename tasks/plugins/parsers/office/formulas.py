"""Formulas in Word files stand where Word shows them: its reader puts those of a paragraph in front
of its words.
"""

import re
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers.office.elements import child, local, named, text_of

if TYPE_CHECKING:
    from lxml import etree

FORMULA: Final = "\ue004{}\ue005"
"""Stands for a formula until its text takes the place (characters that no font has)."""
PLACE: Final = re.compile("\ue004([0-9]{1,9})\ue005")
LISTED: Final = re.compile(
    "\ue006([0-9]{1,9})\ue007([^\n]*)((?:\n(?!\ue006).*)*)"  # its words, and what the reader made
)
LONGEST_IN_CELL: Final = 200
"""Characters: cells are repeated, and long ones are not, so they keep their formulas."""
LIST: Final = "\ue006"


def set_apart(body: "etree._Element") -> int:
    """Put `FORMULA` in the places of the formulas that stand among words, and each in a paragraph
    of its own behind the text; how many there are.
    """
    document = child(body, "body")
    if document is None:
        return 0
    among: dict[etree._Element, bool] = {}
    moved = 0
    for formula in named(body, "oMath"):
        paragraph = next(formula.iterancestors("{*}p"), None)
        if paragraph is None or next(formula.iterancestors("{*}oMath"), None) is not None:
            continue
        if paragraph not in among:
            among[paragraph] = _has_words(paragraph)
        short = len(text_of(formula)) <= LONGEST_IN_CELL or not _in_cell(paragraph)
        if among[paragraph] and short:
            _move(formula, moved, document)
            moved += 1
    return moved


def _has_words(paragraph: "etree._Element") -> bool:
    """Whether there are words beside the formulas, or the paragraph is one of a table."""
    return _in_cell(paragraph) or any(
        (text.text or "").strip() and not str(text.tag).endswith("/math}t")
        for text in named(paragraph, "t")
    )


def _in_cell(paragraph: "etree._Element") -> bool:
    return next(paragraph.iterancestors("{*}tc"), None) is not None


def _move(formula: "etree._Element", number: int, document: "etree._Element") -> None:
    space = str(document.tag).rpartition("}")[0] + "}"
    around = formula.getparent()
    whole = around if local(around) == "oMathPara" else formula
    said = " ".join(text_of(formula).split())
    whole.addprevious(_run(space, document, FORMULA.format(number)))
    around.remove(formula)
    if whole is not formula and not named(whole, "oMath"):
        whole.getparent().remove(whole)
    name = document.makeelement(f"{space}p", {})
    name.append(_run(space, document, f"{LIST}{number}\ue007{said}"))
    alone = document.makeelement(f"{space}p", {})
    alone.append(formula)
    document.extend([name, alone])


def _run(space: str, document: "etree._Element", text: str) -> "etree._Element":
    run = document.makeelement(f"{space}r", {})
    said = run.makeelement(f"{space}t", {})
    said.text = text
    run.append(said)
    return run


def with_formulas(texts: list[str]) -> list[str]:
    """The texts with formulas in their places; the list of them at the end is gone."""
    whole = texts[-1]
    start = whole.find(f"{LIST}0\ue007")
    if start < 0:
        return texts
    made = {
        found[1]: " ".join(found[3].strip().removeprefix("$$").removesuffix("$$").split())
        or found[2]
        for found in LISTED.finditer(whole, start)
    }
    known = {number: f"${text}$" for number, text in made.items() if text}
    filled = [*texts[:-1], whole[:start].rstrip("\n")]
    return [
        "\n".join(_line(line, known) if "\ue004" in line else line for line in text.split("\n"))
        for text in filled
    ]


def _line(line: str, known: dict[str, str]) -> str:
    def shown(place: re.Match[str]) -> str:
        said = known.get(place[1], "")
        return said.replace("|", "\\|") if line.startswith("|") else said

    return PLACE.sub(shown, line)
