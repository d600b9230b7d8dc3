"""Tables in text: what names columns, what stands above, and that no cell is lost."""

import pytest

from llmops.tasks.plugins.parsers import parse


def text(table: str) -> str:
    return parse(table.encode(), "a.csv").text


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\r\n', "\ufeffSEP=;\n"])
def test_the_separator_that_excel_tells_is_no_row(first: str) -> None:
    assert text(f"{first}Name;Sum\nMay, Ann;2,5\n") == "Name: May, Ann; Sum: 2,5"


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("Report of sales\nCreated by SAP\n\n", "Report of sales\nCreated by SAP"),
        ("Report of sales,,\n,,\n", "Report of sales"),
        ("Account:\nDE12\n", "Account:\nDE12"),
    ],
)
def test_titles_stand_above_the_table_and_name_no_column(above: str, said: str) -> None:
    table = text(f"{above}Region,Jan,Feb\nNorth,1,2\n")
    assert table == f"{said}\nRegion: North; Jan: 1; Feb: 2"


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("City,2025,2026\nRome,19,20\n", "City: Rome; 2025: 19; 2026: 20"),
        ("City,2025-01,2026Q1\nRome,19,20\n", "City: Rome; 2025-01: 19; 2026Q1: 20"),
        (",Jan,Feb\nNorth,1,2\n", "North; Jan: 1; Feb: 2"),
        ("Name,Value,Value\nAda,1,2\n", "Name: Ada; Value: 1; Value: 2"),
    ],
)
def test_years_gaps_and_equal_names_head_columns_of_values(table: str, row: str) -> None:
    assert text(table) == row


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("Ann,1990,2001\nBob,1985,2003\n", "Ann | 1990 | 2001\nBob | 1985 | 2003"),
        ("Anna,Berlin,red\nBob,Berlin,red\n", "Anna | Berlin | red\nBob | Berlin | red"),
        ("Anna,Berlin,red\nBob,Rome,\n", "Anna | Berlin | red\nAnna: Bob; Berlin: Rome"),
        ("2024,2025\n5,6\n", "2024 | 2025\n5 | 6"),
        (",Rome\nBob,Oslo\n", " | Rome\nBob | Oslo"),
    ],
)
def test_no_cell_of_a_record_is_lost(table: str, rows: str) -> None:
    assert text(table) == rows


def test_the_comma_of_a_number_separates_nothing() -> None:
    assert text("Apples 1,5 kg\nPears 2,25 €\n") == "Apples 1,5 kg\nPears 2,25 €"
    assert text("Goods\nApples 1,5 kg\n") == "Goods: Apples 1,5 kg"
    assert text("Goods,Sum\nApples 1,5\n") == "Goods: Apples 1; Sum: 5"


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("Name,,\nAda,Rome,blue\n", "Name: Ada; Rome; blue"),
        ("Comment\nGood, nice\nBad, ugly\n", "Comment: Good; nice\nComment: Bad; ugly"),
        ("Name,Note\nAda,\nBob,x\n", "Name: Ada\nName: Bob; Note: x"),
        ("Name,Born,Note\nAda,1815,\n", "Name: Ada; Born: 1815"),
    ],
)
def test_real_headers_stay_headers(table: str, rows: str) -> None:
    assert text(table) == rows
