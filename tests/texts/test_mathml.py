"""Formulas in MathML as text."""

import pytest
from lxml import etree, html

from llmops.tasks.texts.mathml import written

SPACE = "http://www.w3.org/1998/Math/MathML"
SUM = "<mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow>"
TEX = '<annotation encoding="application/x-tex">\\frac{1}{2}</annotation>'


def formula(inner: str, attributes: str = "") -> str:
    return written(etree.fromstring(f"<math {attributes}>{inner}</math>"))


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<mfrac><mn>1</mn><mn>12</mn></mfrac>", "1/12"),
        ("<mn>2</mn><mfrac><mn>1</mn><mn>3</mn></mfrac>", "2 1/3"),
        (f"<mfrac>{SUM}<mi>c</mi></mfrac>", "(a + b)/c"),
        ("<mi>m</mi><msup><mi>c</mi><mn>2</mn></msup>", "mc^2"),
        (f"<msup><mi>x</mi>{SUM}</msup>", "x^(a + b)"),
        (f"<msup><mrow><mo>(</mo>{SUM}<mo>)</mo></mrow><mn>2</mn></msup>", "(a + b)^2"),
        ("<msup><mn>10</mn><mrow><mo>−</mo><mn>6</mn></mrow></msup>", "10^(−6)"),
        ("<msup><mn>20</mn><mo>∘</mo></msup><mi>C</mi>", "20°C"),
        ("<msub><mi>x</mi><mi>i</mi></msub>", "x_i"),
        ("<msubsup><mo>∫</mo><mn>0</mn><mi>∞</mi></msubsup><mi>x</mi>", "∫_0^∞ x"),
        (f"<munderover><mo>∑</mo>{SUM}<mi>n</mi></munderover><mi>i</mi>", "∑_(a + b)^n i"),
        ("<munder><mo>lim</mo><mi>x</mi></munder><mi>f</mi>", "lim_x f"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x¯"),
        (f"<msqrt>{SUM}</msqrt><mo>=</mo><mo>-</mo><mn>1</mn>", "√(a + b) = -1"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "x^(1/3)"),
        ("<mi>f</mi><mfenced><mi>x</mi><mi>y</mi></mfenced>", "f(x, y)"),
        ("<mi>sin</mi><mo>&#x2061;</mo><mi>x</mi>", "sin x"),
        ("<mmultiscripts><mi>C</mi><mprescripts/><mn>6</mn><none/></mmultiscripts>", "_6 C"),
        ("<mfrac linethickness='0'><mi>n</mi><mi>k</mi></mfrac>", "n choose k"),
        ("<apply><plus/><ci>x</ci><cn>1</cn></apply>", "plus(x, 1)"),
    ],
)
def test_a_formula_reads_as_people_type_it(inner: str, text: str) -> None:
    assert formula(inner) == text


def test_a_matrix_is_read_row_by_row() -> None:
    rows = "".join(
        f"<mtr><mtd><mi>{one}</mi></mtd><mtd><mi>{two}</mi></mtd></mtr>"
        for one, two in ("ab", "cd")
    )
    assert formula(f"<mo>[</mo><mtable>{rows}</mtable><mo>]</mo>") == "[a, b; c, d]"


def test_tex_comes_before_the_presentation_where_it_is_the_whole_formula() -> None:
    half = f"<semantics><mfrac><mn>1</mn><mn>2</mn></mfrac>{TEX}</semantics>"
    assert formula(half) == "$\\frac{1}{2}$"
    assert formula(f"{half}<mo>=</mo><mi>x</mi>") == "1/2 = x"
    assert formula("<mi>x</mi>", 'alttext="x^{2}"') == "$x^{2}$"
    assert formula("<mi>x</mi>", 'alttext="the letter x"') == "x"
    assert formula("", 'alttext="the letter x"') == "the letter x"


def test_names_may_have_a_namespace_or_a_prefix() -> None:
    inner = "<m:msup><m:mi>x</m:mi><m:mn>2</m:mn></m:msup>"
    spaced = etree.fromstring(f'<m:math xmlns:m="{SPACE}">{inner}</m:math>')
    page = html.fromstring(f"<div><m:math>{inner}</m:math></div>")
    assert written(spaced) == written(page[0]) == "x^2"


def test_nothing_is_lost_of_what_is_damaged_or_very_deep() -> None:
    assert formula("<msup>x<mn>2</mn></msup><mfrac><mi>a</mi></mfrac>") == "x 2a"
    deep = "<mfrac>" * 100 + "<mi>x</mi>" + "<mi>y</mi></mfrac>" * 100
    text = formula(deep)
    assert (text.count("x"), text.count("y")) == (1, 100)
