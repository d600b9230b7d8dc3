"""XML: powers, notes, formulas, lists and code of articles and manuals."""

from llmops.tasks.plugins.parsers import parse

MATH = "http://www.w3.org/1998/Math/MathML"


def text(body: str) -> str:
    data = f'<?xml version="1.0"?><article xmlns:m="{MATH}"><body>{body}</body></article>'
    return parse(data.encode(), "a.xml").text


def test_powers_and_notes_do_not_flow_into_numbers() -> None:
    note = '<xref ref-type="bibr"><sup>3</sup></xref>'
    assert text(f"<p>10<sup>6</sup> per s in 2019{note}; 1<sup>st</sup></p>") == (
        "10^6 per s in 2019[3]; 1st"
    )
    both = "word<sup><xref>3</xref>,<xref>4</xref></sup>"
    assert text(f"<p>{both} and [<xref ref-type='bibr'>5</xref>]</p>") == "word[3,4] and [5]"
    cells = "<tr><td>kg m<sup>-2</sup></td><td>0.5<sup><xref>a</xref></sup></td></tr>"
    assert "| kg m^-2 | 0.5[a] |" in text(f"<table>{cells}<tr><td>x</td><td>y</td></tr></table>")
    assert text("<para>word<footnote><para>Why.</para></footnote> on</para>") == "word [Why.] on"


def test_formulas_are_read_once_and_whole() -> None:
    half = "<m:math><m:mfrac><m:mn>1</m:mn><m:mn>12</m:mn></m:mfrac></m:math>"
    tex = "<tex-math>\\documentclass{x}\\begin{document}$x^2$\\end{document}</tex-math>"
    assert text(f"<p>dose {half} l</p>") == "dose 1/12 l"
    assert text(f"<p>by <alternatives>{tex}{half}</alternatives>.</p>") == "by $x^2$."
    assert text(f"<disp-formula><label>(2)</label>{half}</disp-formula>") == "(2) 1/12"


def test_lists_have_their_numbers() -> None:
    items = "<list-item><p>One</p></list-item><list-item><p>Two</p></list-item>"
    inner = f'<p>See:<list list-type="order">{items}</list>then</p>'
    assert text(inner) == "See:\n\n1. One\n2. Two\n\nthen"
    labelled = "<list><list-item><label>3.</label><p>Three</p></list-item></list>"
    assert text(labelled) == "3. Three"
    docbook = "<listitem><para>i</para><itemizedlist><listitem><para>a</para></listitem>"
    docbook += "</itemizedlist></listitem><listitem><para>ii</para></listitem>"
    assert text(f'<orderedlist startingnumber="4">{docbook}</orderedlist>') == (
        "4. i\n   - a\n5. ii"
    )


def test_code_keeps_its_lines_and_labels_stand_by_their_text() -> None:
    code = '<programlisting language="python">def f():\n    return 1\n</programlisting>'
    assert text(f"<para>So:{code}</para>") == "So:\n\n```python\ndef f():\n    return 1\n```"
    assert text("<sec><label>2</label><title>Results</title></sec>") == "### 2 Results"
    assert text("<warning><para>Hot.</para></warning>") == "Warning: Hot."


def test_deep_xml_is_read_whole() -> None:
    deep = "<list><list-item>" * 100 + "<p>words</p>" + "</list-item></list>" * 100
    assert "words" in text(deep)
    assert text("<p>" + "<i>" * 200 + "words" + "</i>" * 200 + "</p>") == "words"
