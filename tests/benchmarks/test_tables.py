"""The measure of tables finds what is right, and nothing else."""

from benchmarks.table_cases import Case, Cell, Fact, facts, plain
from benchmarks.tables import Found, found, measured, tables

CASE = Case("cities", plain("City; May; June", "Rome; 19; 23", "Oslo; 11; 16"))
RIGHT = "| City | May | June |\n| --- | --- | --- |\n| Rome | 19 | 23 |\n| Oslo | 11 | 16 |"


def test_a_cell_says_its_value_with_what_names_its_row_and_column() -> None:
    merged = Case(
        "merged",
        [
            [Cell("City", high=2), Cell("2026", wide=2)],
            *plain("May; June"),
            [Cell("Rome"), Cell("19"), Cell("23")],
        ],
        head=2,
    )
    assert list(facts(merged)) == [
        Fact("19", ("Rome",), ("2026", "May")),
        Fact("23", ("Rome",), ("2026", "June")),
    ]


def test_what_is_right_counts_in_bars_and_in_named_values() -> None:
    named = "- City: Rome; May: 19; June: 23\n- City: Oslo; May: 11; June: 16"
    for text in (RIGHT, named):
        assert measured(CASE, text)[:4] == (4, 4, 4, 4)


def test_a_value_in_the_wrong_column_or_row_is_none() -> None:
    assert measured(CASE, RIGHT.replace("19 | 23", "23 | 19"))[:4] == (4, 2, 4, 2)
    assert measured(CASE, RIGHT.replace("Rome", "Lima"))[:4] == (4, 2, 5, 2)


def test_a_table_without_its_header_says_nothing() -> None:
    assert measured(CASE, "\n".join(RIGHT.splitlines()[2:]))[:2] == (4, 0)
    assert measured(CASE, "City May June Rome 19 23 Oslo 11 16") == Found(4, 0, 0, 0, 0)


def test_marks_of_markdown_and_html_are_no_part_of_a_cell() -> None:
    (table,) = tables("| a \\| b | **c**<br>d |\n|---|:-:|\n| x\\_1 | &lt;p&gt; |\n")
    assert table == [["a | b", "c d"], ["x_1", "<p>"]]


def test_numbers_are_the_same_by_their_values() -> None:
    seen, values, right = found(
        "| a | b |\n| --- | --- |\n| k | 7.50 |", [Fact("7.5", ("k",), ("b",))], {"k"}
    )
    assert (seen, values, right) == ({0}, 3, 1)
