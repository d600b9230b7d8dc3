"""What Word shows and its reader does not: signs in fonts of signs, form fields, the results of
fields within fields (WordprocessingML, ECMA-376 part 1, sections 17.3.3.30 and 17.16). What was
deleted, or moved elsewhere, is taken out.
"""

from typing import TYPE_CHECKING

from llmops.tasks.plugins.parsers.office.elements import (
    child,
    children,
    local,
    named,
    number,
    value,
)
from llmops.tasks.plugins.parsers.office.symbols import is_symbol_font, signs

if TYPE_CHECKING:
    from lxml import etree


def spell_out(root: "etree._Element") -> int:
    """Change a part so that its text is what Word shows; how many changes that took."""
    return _without_deleted(root) + _signs(root) + _fields(root)


def _without_deleted(root: "etree._Element") -> int:
    gone = [each for each in named(root, "del", "moveFrom") if len(each)]
    for each in gone:
        if each.getparent() is not None and local(each.getparent()) not in ("ctrlPr", "rPr"):
            each.getparent().remove(each)
    return len(gone)


def _signs(root: "etree._Element") -> int:
    changed = 0
    for sign in named(root, "sym"):
        code = value(sign, "char") or ""
        said = signs(_letter(code), value(sign, "font"))
        if said and said != _letter(code):
            space = str(sign.tag).rpartition("}")[0] + "}"
            text = sign.makeelement(f"{space}t", {})
            text.text = said
            sign.getparent().replace(sign, text)
            changed += 1
    for fonts in named(root, "rFonts"):
        font = value(fonts, "ascii") or value(fonts, "hAnsi")
        if not is_symbol_font(font) or local(fonts.getparent()) != "rPr":
            continue
        for text in children(fonts.getparent().getparent(), "t"):
            text.text = signs(text.text or "", font)
            changed += 1
    return changed


def _letter(code: str) -> str:
    try:
        return chr(int(code[-6:], 16))
    except (ValueError, OverflowError):
        return ""


class _Field:
    """A field that has begun. `inner`: the texts before its result, which nobody sees."""

    def __init__(self, begin: "etree._Element") -> None:
        self.begin = begin
        self.inner: list[etree._Element] = []
        self.says = False


def _fields(root: "etree._Element") -> int:
    """Take the texts out that stand before the results of fields, and write what form fields show.
    A field without an end is no field.
    """
    fields, before_results, changed = list[_Field](), list[_Field](), 0
    for each in named(root, "fldChar", "t"):
        if local(each) == "t":
            if before_results:
                before_results[-1].inner.append(each)
            if fields and (each.text or "").strip():
                fields[-1].says = True
            continue
        kind = value(each, "fldCharType")
        if kind == "begin":
            fields.append(_Field(each))
            before_results.append(fields[-1])
        elif fields and kind in ("separate", "end"):
            if before_results and before_results[-1] is fields[-1]:
                before_results.pop()
            if kind == "end":
                changed += _close(fields.pop())
    return changed


def _close(field: _Field) -> int:
    for text in field.inner:
        if text.getparent() is not None:
            text.getparent().remove(text)
    said = "" if field.says else _shown(child(field.begin, "ffData"))
    if said:
        space = str(field.begin.tag).rpartition("}")[0] + "}"
        text = field.begin.makeelement(f"{space}t", {})
        text.text = said
        field.begin.addprevious(text)
    return len(field.inner) + bool(said)


def _shown(form: "etree._Element | None") -> str:
    """What a form field shows: a box with or without a cross, or the entry that was chosen."""
    box, choice = child(form, "checkBox"), child(form, "ddList")
    if box is not None:
        state = child(box, "checked")
        state = child(box, "default") if state is None else state
        on = state is not None and (value(state) or "1") not in ("0", "false", "off")
        return "☒" if on else "☐"
    entries = [value(entry) or "" for entry in children(choice, "listEntry")]
    chosen = child(choice, "result")
    chosen = child(choice, "default") if chosen is None else chosen
    place = number(value(chosen))
    return entries[place] if 0 <= place < len(entries) else ""
