"""Slides read as they are shown."""

from llmops.tasks.plugins.parsers import parse
from tests.plugins.parsers.samples import (
    DRAWING,
    KIND,
    RELATION,
    SLIDES,
    package,
    relations,
)

SPACE = f'xmlns:a="{DRAWING}" xmlns:p="{SLIDES}" xmlns:r="{RELATION}"'


def line(*runs: tuple[str, str], style: str = "") -> str:
    inner = "".join(f"<a:r><a:rPr {look}/><a:t>{text}</a:t></a:r>" for text, look in runs)
    return f"<a:p>{style}{inner}</a:p>"


def slides(*each: tuple[str, str]) -> bytes:
    """A show of slides: attributes and paragraphs."""
    numbers = range(1, len(each) + 1)
    listed = "".join(f'<p:sldId id="{n}" r:id="r{n}"/>' for n in numbers)
    head = "<p:nvSpPr><p:cNvPr id='1' name='x'/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>"
    parts = {
        f"ppt/slides/slide{n}.xml": f"<p:sld {SPACE} {look}><p:cSld><p:spTree><p:sp>{head}"
        f"<p:txBody>{text}</p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
        for n, (look, text) in enumerate(each, 1)
    }
    show = f"<p:presentation {SPACE}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    targets = relations(*((f"r{n}", "slide", f"slides/slide{n}.xml") for n in numbers))
    return package(
        "ppt/presentation.xml",
        f"{KIND}.presentationml.presentation.main+xml",
        {"ppt/presentation.xml": show, "ppt/_rels/presentation.xml.rels": targets, **parts},
    )


def test_powers_and_struck_words_are_marked_and_other_raised_letters_stand_as_they_are() -> None:
    power = line(("Flux 10", ""), ("6", 'baseline="30000"'), (" H", ""), ("2", 'baseline="-25000"'))
    other = line(("1", ""), ("st", 'baseline="30000"'), (" fee ", ""), ("40", 'strike="sngStrike"'))
    assert parse(slides(("", power + other)), "a.pptx").text == "Flux 10^6^ H2\n1st fee ~~40~~"


def test_numbered_lists_have_the_numbers_that_are_shown() -> None:
    def item(text: str, kind: str, level: int = 0) -> str:
        style = f'<a:pPr lvl="{level}"><a:buAutoNum {kind}/></a:pPr>'
        return line((text, ""), style=style)

    text = (
        item("one", 'type="arabicPeriod"')
        + item("sub", 'type="alphaLcParenBoth"', 1)
        + item("two", 'type="arabicPeriod"')
        + item("late", 'type="romanUcPeriod" startAt="4"')
    )
    lines = parse(slides(("", text)), "a.pptx").text.splitlines()
    assert [each.strip() for each in lines if each] == ["1. one", "(a) sub", "2. two", "IV. late"]


def test_a_slide_left_out_of_the_show_is_hidden_text_and_the_others_keep_their_places() -> None:
    data = slides(
        ("", line(("First", ""))), ('show="0"', line(("Ignore", ""))), ("", line(("Third", "")))
    )
    parsed = parse(data, "a.pptx")
    assert [page.strip() for page in parsed.text.split("\f")] == ["First", "", "Third"]
    assert parsed.metadata["hidden_text"] == ["Ignore"]
