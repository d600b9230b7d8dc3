"""Workbooks: cells, merged cells, and what is drawn over them."""

from collections.abc import Mapping

from llmops.tasks.plugins.parsers import parse
from tests.plugins.parsers.samples import (
    DRAWING,
    KIND,
    OFFICE,
    RELATION,
    SHEET,
    package,
    relations,
)

DRAWN = f"{OFFICE}/drawingml/2006/spreadsheetDrawing"
CHART = f"{OFFICE}/drawingml/2006/chart"


def workbook(
    sheets: Mapping[str, str], parts: Mapping[str, str] | None = None, kind: str = "worksheet"
) -> bytes:
    """A workbook of sheets, name -> XML; their parts are `xl/{kind}s/sheet1.xml`, …."""
    numbered = list(enumerate(sheets, 1))
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in numbered)
    return package(
        "xl/workbook.xml",
        f"{KIND}.spreadsheetml.sheet.main+xml",
        {
            "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{RELATION}">'
            f"<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                *((f"r{n}", kind, f"{kind}s/sheet{n}.xml") for n, _ in numbered)
            ),
            **{f"xl/{kind}s/sheet{n}.xml": sheets[name] for n, name in numbered},
            **(parts or {}),
        },
    )


def worksheet(*rows: Mapping[str, str], merged: str = "") -> str:
    def cell(ref: str, text: str) -> str:
        said = f"<is><t>{text}</t></is>" if text else ""
        return f'<c r="{ref}" t="inlineStr">{said}</c>' if text else f'<c r="{ref}"/>'

    inner = "".join(
        f'<row r="{n}">{"".join(cell(f"{c}{n}", t) for c, t in row.items())}</row>'
        for n, row in enumerate(rows, 1)
    )
    merges = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
    return f'<worksheet xmlns="{SHEET}"><sheetData>{inner}</sheetData>{merges}</worksheet>'


def drawing(content: str) -> str:
    return (
        f'<xdr:wsDr xmlns:xdr="{DRAWN}" xmlns:a="{DRAWING}" xmlns:c="{CHART}" '
        f'xmlns:r="{RELATION}"><xdr:twoCellAnchor>{content}</xdr:twoCellAnchor></xdr:wsDr>'
    )


def shape(text: str, about: str = "") -> str:
    body = f"<xdr:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></xdr:txBody>"
    return f'<xdr:sp><xdr:nvSpPr><xdr:cNvPr id="2" name="x" {about}/></xdr:nvSpPr>{body}</xdr:sp>'


def over(content: str) -> dict[str, str]:
    return {
        "xl/worksheets/_rels/sheet1.xml.rels": relations(("r1", "drawing", "../drawings/d1.xml")),
        "xl/drawings/d1.xml": drawing(content),
    }


def test_a_text_box_belongs_to_its_sheet() -> None:
    sheets = {"Prices": worksheet({"A": "Bread"}), "Stock": worksheet({"A": "Milk"})}
    parsed = parse(workbook(sheets, over(shape("Prices of May"))), "a.xlsx")
    first, second = parsed.text.split("\f")
    assert first.strip() == "## Prices\n\n| Bread |\n| --- |\n\nPrices of May"
    assert second.strip() == "## Stock\n\n| Milk |\n| --- |"


def test_a_sheet_of_text_boxes_alone_is_text_and_an_empty_one_is_none() -> None:
    sheets = {"Notes": worksheet(), "Empty": worksheet()}
    parsed = parse(workbook(sheets, over(shape("Seen") + shape("Gone", 'hidden="1"'))), "a.xlsx")
    assert parsed.text == "## Notes\n\nSeen"


def test_merged_cells_stand_in_every_row_and_column_that_they_span() -> None:
    rows = ({"A": "Kind", "B": "Item"}, {"A": "Food", "B": "Bread"}, {"A": "", "B": "Milk"})
    text = parse(workbook({"S": worksheet(*rows, merged="A2:A3")}), "a.xlsx").text
    assert text.splitlines()[-2:] == ["| Food | Bread |", "| Food | Milk |"]


def test_a_title_over_a_whole_row_is_said_once() -> None:
    rows = ({"A": "Prices", "B": "", "C": ""}, {"A": "Bread", "B": "2.50", "C": "EUR"})
    text = parse(workbook({"S": worksheet(*rows, merged="A1:C1")}), "a.xlsx").text
    assert text.count("Prices") == 1


def test_a_chart_that_is_a_sheet_is_a_table() -> None:
    series = (
        "<c:ser><c:tx><c:v>Ducks</c:v></c:tx><c:cat><c:v>2025</c:v><c:v>2026</c:v></c:cat>"
        "<c:val><c:v>90</c:v><c:v>120</c:v></c:val></c:ser>"
    )
    frame = '<xdr:graphicFrame><a:graphic><a:graphicData><c:chart r:id="r1"/></a:graphicData></a:graphic></xdr:graphicFrame>'  # noqa: E501
    parts = {
        "xl/chartsheets/_rels/sheet1.xml.rels": relations(("r1", "drawing", "../drawings/d1.xml")),
        "xl/drawings/d1.xml": drawing(frame),
        "xl/drawings/_rels/d1.xml.rels": relations(("r1", "chart", "../charts/chart1.xml")),
        "xl/charts/chart1.xml": f'<c:chartSpace xmlns:c="{CHART}">{series}</c:chartSpace>',
    }
    sheet = f'<chartsheet xmlns="{SHEET}" xmlns:r="{RELATION}"><drawing r:id="r1"/></chartsheet>'
    text = parse(workbook({"Chart": sheet}, parts, kind="chartsheet"), "a.xlsx").text
    assert text.startswith("## Chart\n\n")
    assert text.splitlines()[-2:] == ["| 2025 | 90 |", "| 2026 | 120 |"]


def test_sheets_of_old_macros_do_not_stop_the_others() -> None:
    data = workbook(
        {"Cells": worksheet({"A": "Bread"}), "Macro": "<xm:macrosheet xmlns:xm='x'/>"},
        {
            "xl/_rels/workbook.xml.rels": relations(
                ("r1", "worksheet", "worksheets/sheet1.xml"),
                ("r2", "xlMacrosheet", "macrosheets/sheet1.xml"),
            ),
            "xl/macrosheets/sheet1.xml": f'<macrosheet xmlns="{SHEET}"/>',
        },
    )
    assert parse(data, "a.xlsm").text == "## Cells\n\n| Bread |\n| --- |"


def test_powers_and_struck_words_of_cells_are_marked() -> None:
    rich = "<si><r><t>10</t></r><r><rPr><vertAlign val='superscript'/></rPr><t>6</t></r></si>"
    rich += "<si><r><rPr><strike/></rPr><t>40</t></r><r><t xml:space='preserve'> 30</t></r></si>"
    parts = {
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}">{rich}<si><t>old</t></si></sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><fonts><font/><font><strike/></font></fonts>'
        '<cellXfs><xf fontId="0"/><xf fontId="1"/></cellXfs></styleSheet>',
        "xl/_rels/workbook.xml.rels": relations(
            ("r1", "worksheet", "worksheets/sheet1.xml"),
            ("s1", "sharedStrings", "sharedStrings.xml"),
            ("s2", "styles", "styles.xml"),
        ),
    }
    cells = [(0, "s", 0), (0, "s", 1), (1, "s", 2), (0, "s", 2), (1, "n", 12)]
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" s="{look}" t="{kind}"><v>{said}</v></c></row>'
        for n, (look, kind, said) in enumerate(cells, 1)
    )
    sheet = f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>'
    text = parse(workbook({"A": sheet}, parts), "a.xlsx").text
    cells_read = [line.strip("| ") for line in text.splitlines() if "---" not in line]
    assert cells_read[2:] == ["10^6^", "~~40~~ 30", "~~old~~", "old", "~~12~~"]


def test_formulas_without_values_are_counted() -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f>A1+1</f><v/></c></row>'
    rows += '<row r="2"><c r="A2"><f>A1</f></c><c r="B2"><f>A1</f><v>1</v></c></row>'
    sheet = f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>'
    assert parse(workbook({"A": sheet}), "a.xlsx").metadata["formulas_without_values"] == 2
