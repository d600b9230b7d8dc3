"""LaTeX: letters, macros, code, formulas, environments on one line."""

from itertools import pairwise

from llmops.tasks.plugins.parsers import parse


def text(body: str, head: str = "") -> str:
    source = f"\\documentclass{{article}}\n{head}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    return parse(source.encode(), "a.tex").text


def test_accents_and_letters_are_written_as_themselves() -> None:
    said = text(
        'M\\"uller, G\\"{o}del, \\\'el\\`eve, na\\"{\\i}ve, Stra\\ss e, \\O rsted, Erd\\H{o}s.'
    )
    assert said == "Müller, Gödel, élève, naïve, Straße, Ørsted, Erdős."


def test_macros_of_the_document_are_written_out() -> None:
    head = "\\newcommand{\\firm}{Acme}\n\\newcommand{\\by}[2][Rome]{#2 of #1}"
    assert text("Sold by \\firm{} and \\by{Ann}, \\by[Oslo]{Bob}.", head) == (
        "Sold by Acme and Ann of Rome, Bob of Oslo."
    )


def test_macros_that_grow_without_end_stay_within_limits() -> None:
    macros = [
        f"\\newcommand{{\\x{one}}}{{{''.join([f'{chr(92)}x{two} '] * 20)}}}"
        for one, two in pairwise("abcdefghij")
    ]
    head = "".join(macros)
    assert len(text("Before \\xa after. " + "Many words stand here. " * 50, head)) < 1_000_000


def test_code_and_formulas_stay_as_they_are() -> None:
    code = '\nprint("50%d" % 3)\n  y = \\cite{kept}\n'
    code = f"\\begin{{lstlisting}}[language=Python]{code}\\end{{lstlisting}}"
    said = text(f"See:\n{code}\nIt is \\verb|a_b|, $\\alpha = 5\\%$ and \\[ y = 3 \\]")
    assert '```python\nprint("50%d" % 3)\n  y = \\cite{kept}\n```' in said
    assert "It is `a_b`, $\\alpha = 5\\%$ and\n\n$$y = 3$$" in said
    assert "5 km and red words" in text("\\SI{5}{\\kilo\\metre} and \\textcolor{red}{red words}")


def test_environments_may_stand_on_one_line() -> None:
    cells = "\\begin{tabular}{ll}City & Temp \\\\ Rome & 19 \\end{tabular}"
    table = f"\\begin{{table}}\\caption{{Cap}}{cells}\\end{{table}}"
    equation = "\\begin{equation}E = mc^2 \\label{e}\\end{equation}"
    book = "\\begin{thebibliography}{9}\\bibitem{x} A book.\\end{thebibliography}"
    short = "\\begin{abstract}Short.\\end{abstract}"
    said = text(f"{short}\n{table}\n{equation}\n{book}\\paragraph{{Limits}} Few.")
    for part in ("Short.", "| Rome | 19 |", "Cap", "E = mc^2", "- A book.", "Limits", "Few."):
        assert part in said
