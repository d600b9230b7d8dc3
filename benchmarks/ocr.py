"""How well text in pictures is read: character error rate, words found, CPU seconds a page.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.ocr [--dpi 150] [--only NAME …]

`LLMOPS_BENCH_DATA` holds `docs-docling` (docling-project/docling). Two sets: its scanned files
against the Markdown that it expects of them; and the first pages of its PDFs with a text layer,
printed as pictures, against that layer (what differs in order counts as errors, too: the words
found do not depend on it). The error rate is the edit distance by the length of what is expected,
after blanks, case and Markdown's marks are taken out.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.command import data_folder
from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import parse

SCANS = (
    *("ocr_test", "ocr_test_rotated_90", "ocr_test_rotated_180", "ocr_test_rotated_270"),
    "nemotron_multipage",
)
SENTENCE = (
    "Docling bundles PDF document conversion to JSON and Markdown in an easy self contained package"
)
PRINTED = (
    *("2305.03393v1-pg9", "code_and_formula", "multi_page", "amt_handbook_sample"),
    *("picture_classification", "normal_4pages", "right_to_left_01"),
)
ROW = "{:32} {:>6} {:>8} {:>8} {:>8} {:>10}"


class Case(NamedTuple):
    """A file, what is expected of it, and its pages."""

    name: str
    data: bytes
    expected: str
    pages: int


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dpi", type=int, default=150)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    data = data_folder() / "docs-docling" / "tests" / "data"
    print(ROW.format("file", "pages", "letters", "CER", "words", "s a page"))
    for case in (*scans(data / "ocr"), *printed(data / "pdf" / "sources", arguments.dpi)):
        if not arguments.only or case.name in arguments.only:
            print(measured(case), flush=True)
    return 0


def scans(folder: Path) -> Iterator[Case]:
    """Docling's scanned files. One sentence stands on each page of them."""
    for name in SCANS:
        pages = 4 if name == "nemotron_multipage" else 1
        data = (folder / "sources" / f"{name}.pdf").read_bytes()
        yield Case(name, data, " ".join([SENTENCE] * pages), pages)


def printed(folder: Path, dpi: int) -> Iterator[Case]:
    """The first pages of PDFs with a text layer as PNG."""
    import io

    import pypdfium2

    for name in PRINTED:
        document = pypdfium2.PdfDocument((folder / f"{name}.pdf").read_bytes())
        picture = document[0].render(scale=dpi / 72).to_pil()
        expected = document[0].get_textpage().get_text_range(errors="replace")
        out = io.BytesIO()
        picture.save(out, "PNG")
        document.close()
        yield Case(name, out.getvalue(), expected, 1)


def measured(case: Case) -> str:
    """A row of the table."""
    began = time.process_time()
    try:
        text = parse(case.data, case.name).text
    except DocumentError as error:
        return f"{case.name:32} refused: {error.reason}"
    seconds = (time.process_time() - began) / case.pages
    wanted, got = letters(case.expected), letters(text)
    return ROW.format(
        case.name,
        case.pages,
        len(wanted),
        f"{distance(wanted, got) / max(1, len(wanted)):.3f}",
        f"{found(case.expected, text):.3f}",
        f"{seconds:.1f}",
    )


def letters(text: str) -> str:
    """What is compared: no blanks, no case, no marks of Markdown."""
    return re.sub(r"[\s#*|\\]|-{3,}", "", text).casefold()


def distance(first: str, second: str) -> int:
    """Levenshtein's distance, a row of the matrix at a time."""
    if not first or not second:
        return len(first) + len(second)
    codes = np.array([ord(letter) for letter in second])
    steps = np.arange(len(second) + 1)
    row = steps.copy()
    for place, letter in enumerate(first, 1):
        least = np.concatenate(
            [[place], np.minimum(row[1:] + 1, row[:-1] + (codes != ord(letter)))]
        )
        row = np.minimum.accumulate(least - steps) + steps
    return int(row[-1])


def found(expected: str, text: str) -> float:
    """The share of the expected words that were found, each as often as it is expected."""
    wanted, got = (Counter(re.findall(r"\w+", each.casefold())) for each in (expected, text))
    return sum((wanted & got).values()) / max(1, sum(wanted.values()))


if __name__ == "__main__":
    raise SystemExit(main())
