"""OpenDocument texts read as they are shown."""

from llmops.tasks.plugins.parsers import parse
from tests.plugins.parsers.samples import NAMES, zipped

SPACES = (
    f'{NAMES} xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:xlink="http://www.w3.org/1999/xlink"'
)
MATH = "http://www.w3.org/1998/Math/MathML"


def odt(body: str, styles: str = "", outline: str = "", **parts: str) -> bytes:
    content = (
        f"<office:document-content {SPACES}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body><office:text>{body}</office:text></office:body>"
        "</office:document-content>"
    )
    look = f"<office:document-styles {SPACES}><office:styles>{outline}</office:styles>"
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": content,
            "styles.xml": f"{look}</office:document-styles>",
            **{f"{name}/content.xml": part for name, part in parts.items()},
        }
    )


def read(data: bytes) -> list[str]:
    return [line.strip() for line in parse(data, "a.odt").text.splitlines() if line.strip()]


def items(*texts: str, more: str = "") -> str:
    inner = "".join(f"<text:list-item>{text}</text:list-item>" for text in texts)
    return f'<text:list text:style-name="L"{more}>{inner}</text:list>'


def p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def level(number: int, form: str, more: str, kind: str = "list-level-style-number") -> str:
    return f'<text:{kind} text:level="{number}" style:num-format="{form}" {more}/>'


def test_powers_and_struck_words_are_marked() -> None:
    looks = (
        ("S", 'style:text-position="super 58%"'),
        ("D", 'style:text-position="sub 58%"'),
        ("K", 'style:text-line-through-style="solid"'),
    )
    styles = "".join(
        f'<style:style style:name="{name}" style:family="text"><style:text-properties {look}/>'
        "</style:style>"
        for name, look in looks
    )

    def span(name: str, text: str) -> str:
        return f'<text:span text:style-name="{name}">{text}</text:span>'

    body = p(f"10{span('S', '6')} kg of H{span('D', '2')}O, 1{span('S', 'st')}, {span('K', '40')}")
    assert read(odt(body, styles)) == ["10^6^ kg of H2O, 1st, ~~40~~"]


def test_lists_and_headings_have_the_labels_that_are_shown() -> None:
    levels = level(1, "1", 'style:num-suffix="." text:start-value="3"')
    levels += level(2, "a", 'style:num-prefix="(" style:num-suffix=")" text:display-levels="2"')
    styles = f'<text:list-style style:name="L">{levels}</text:list-style>'
    outline = level(1, "I", 'style:num-prefix="Part "', "outline-level-style")
    body = (
        '<text:h text:outline-level="1">Terms</text:h>'
        + items(p("three") + items(p("sub"), p("more")), p("four"))
        + p("Remark.")
        + items(p("five"), more=' text:continue-numbering="true"')
        + items(p("anew"))
        + '<text:h text:outline-level="1">Law</text:h>'
    )
    assert read(odt(body, styles, f"<text:outline-style>{outline}</text:outline-style>")) == [
        "# Part I Terms",
        "3. three",
        "(3.a) sub",
        "(3.b) more",
        "4. four",
        "Remark.",
        "5. five",
        "3. anew",
        "# Part II Law",
    ]


def test_formulas_stand_where_they_are_shown() -> None:
    inner = "<mfrac><mi>a</mi><msub><mi>b</mi><mn>1</mn></msub></mfrac><mo>&gt;</mo><mn>5</mn>"
    math = f'<math xmlns="{MATH}"><mrow>{inner}</mrow></math>'
    frame = '<draw:frame><draw:object xlink:href="./F-0/"/></draw:frame>'
    data = odt(p(f"If {frame} then"), **{"F-0": math})
    assert read(data) == [r"If $\frac{a}{b_{1}}>5$ then"]
