"""Formulas, signs and fields of Word files read as Word shows them."""

import pytest

from llmops.tasks.plugins.parsers import parse
from tests.plugins.parsers.test_word import cell, paragraph, run, word

MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


ENTRIES = "<w:listEntry w:val='a'/><w:listEntry w:val='b'/>"


def formula(text: str) -> str:
    return f'<m:oMath xmlns:m="{MATH}"><m:r><m:t>{text}</m:t></m:r></m:oMath>'


def mark(kind: str, form: str = "") -> str:
    return f'<w:r><w:fldChar w:fldCharType="{kind}">{form}</w:fldChar></w:r>'


def code(text: str) -> str:
    return f'<w:r><w:instrText xml:space="preserve"> {text} </w:instrText></w:r>'


def read(body: str) -> str:
    return parse(word(body), "a.docx").text


def test_formulas_stand_among_the_words_of_their_paragraph_and_of_their_cell() -> None:
    words = f"{run('If ')}{formula('x&gt;5')}{run(' stop; if ')}{formula('x&lt;2')}{run(' go.')}"
    assert read(f"<w:p>{words}</w:p>") == "If $x>5$ stop; if $x<2$ go."
    row = f"{cell('Limit')}<w:tc><w:p>{formula('|x|')}</w:p></w:tc>"
    assert "| Limit | $\\|x\\|$ |" in read(f"<w:tbl><w:tr>{row}</w:tr><w:tr>{row}</w:tr></w:tbl>")
    assert read(f"<w:p>{formula('a=b')}</w:p>") == "$$a=b$$"


def test_signs_that_stand_for_formulas_are_text_where_there_are_none() -> None:
    assert read(paragraph("One \ue006 two") + paragraph("three")).endswith("three")


def test_what_was_deleted_or_moved_away_is_no_text() -> None:
    deleted = f"<w:del w:id='1'>{formula('OLD')}<w:r><w:sym w:font='Symbol' w:char='F061'/></w:r>"
    moved = f"<w:moveFrom>{run('here')}</w:moveFrom>{run('now ')}<w:moveTo>{run('here')}</w:moveTo>"
    assert read(f"<w:p>{deleted}</w:del>{moved}</w:p>") == "now here"


def test_signs_of_fonts_of_signs_are_the_signs_and_hidden_ones_are_none() -> None:
    def sign(font: str, char: str, more: str = "") -> str:
        return f"<w:r><w:rPr>{more}</w:rPr><w:sym w:font='{font}' w:char='{char}'/></w:r>"

    greek = run("a\uf062", '<w:rFonts w:ascii="Symbol" w:hAnsi="Symbol"/>')
    hidden = sign("Wingdings", "F0FB", "<w:vanish/>")
    body = f"{sign('Wingdings', 'F0FC')}{hidden}{run(' ')}{sign('Symbol', 'F06C')}{run(' ')}{greek}"
    assert read(f"<w:p>{body}</w:p>") == "✔ λ αβ"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("<w:checkBox><w:default w:val='0'/></w:checkBox>", "☐"),
        ("<w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox>", "☒"),
        (f"<w:ddList><w:result w:val='1'/>{ENTRIES}</w:ddList>", "b"),
    ],
)
def test_old_form_fields_show_their_state(form: str, shown: str) -> None:
    field = f"{mark('begin', f'<w:ffData>{form}</w:ffData>')}{code('FORM')}{mark('end')}"
    assert read(f"<w:p>{field}{run(' married')}</w:p>") == f"{shown} married"


def test_of_a_field_within_a_field_only_the_outer_result_is_text() -> None:
    inner = f"{mark('begin')}{code('MERGEFIELD Sum')}{mark('separate')}{run('1500')}{mark('end')}"
    rest = f"{code('> 1000'.replace('>', '&gt;'))}{mark('separate')}{run('approved')}{mark('end')}"
    body = f"<w:p>{run('Dear ')}{mark('begin')}{code('IF')}{inner}{rest}{run('.')}</w:p>"
    assert read(body) == "Dear approved."


def test_a_field_without_an_end_hides_nothing() -> None:
    assert "kept" in read(f"<w:p>{mark('begin')}{mark('separate')}{run('kept')}</w:p>")
