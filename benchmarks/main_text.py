"""How much of a web page's main text is kept, and how much else: pages whose text people marked.

`LLMOPS_BENCH_PAGES` names a folder with checkouts of github.com/scrapinghub/article-extraction-
benchmark (181 articles, MIT), github.com/Murrough-Foley/web-content-extraction-benchmark (2,008
pages of seven kinds, CC-BY-4.0) and github.com/adbar/trafilatura (923 pages, Apache-2.0); what is
missing is left out. Half of each was kept apart until the parser was done: `--half kept`.
"""

import argparse
import gzip
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import parse

VARIABLE = "LLMOPS_BENCH_PAGES"
WORD = re.compile(r"\w+")
SHINGLE = 4
Extract = Callable[[bytes], str]


class Measures(NamedTuple):
    """Shares from 0 to 1 of one page: of what was kept, how much belongs to the main text; of the
    main text, how much was kept.
    """

    precision: float
    recall: float


class Page(NamedTuple):
    """A page of a set. `judge` measures a text against what people marked."""

    collection: str
    half: str
    file: Path
    judge: Callable[[str], Measures]

    @property
    def data(self) -> bytes:
        data = self.file.read_bytes()
        return gzip.decompress(data) if self.file.suffix == ".gz" else data


def half(name: str) -> str:
    """Of which half a page is, by a hash of its name: the same on every run."""
    return "tuned" if sha256(name.encode()).digest()[0] % 2 else "kept"


def bags(text: str, wanted: str, size: int) -> tuple[int, int, int]:
    """How many runs of `size` words are in both texts, in the first, in the second."""
    mine, theirs = (_runs(each, size) for each in (text, wanted))
    return (mine & theirs).total(), mine.total(), theirs.total()


def _runs(text: str, size: int) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text.lower())
    return Counter(tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1)))


def by_runs(wanted: str, size: int) -> Callable[[str], Measures]:
    def judge(text: str) -> Measures:
        both, mine, theirs = bags(text, wanted, size)
        return Measures(both / mine, both / theirs)

    return judge


def by_snippets(inside: Sequence[str], outside: Sequence[str]) -> Callable[[str], Measures]:
    """Phrases that belong to the text, and phrases that do not: words alone are compared, since
    marks of Markdown are no words.
    """

    def judge(text: str) -> Measures:
        line = f" {_line(text)} "
        right = sum(f" {_line(each)} " in line for each in inside)
        wrong = sum(f" {_line(each)} " in line for each in outside)
        return Measures(right / max(1, right + wrong), right / max(1, len(inside)))

    return judge


def _line(text: str) -> str:
    return " ".join(WORD.findall(text.lower()))


def articles(folder: Path) -> Iterator[Page]:
    root = folder / "article-extraction-benchmark"
    if not root.is_dir():
        return
    for name, truth in json.loads((root / "ground-truth.json").read_text("utf-8")).items():
        file = root / "html" / f"{name}.html.gz"
        yield Page("articles", half(name), file, by_runs(truth["articleBody"], SHINGLE))


def kinds(folder: Path) -> Iterator[Page]:
    """Pages of seven kinds; its makers' own parts, for development and for the test, are the
    halves.
    """
    root = folder / "web-content-extraction-benchmark"
    for part, which in (("dev", "tuned"), ("test", "kept")):
        for file in sorted((root / part / "html").glob("*.html.gz")):
            name = file.name.removesuffix(".html.gz")
            truth = json.loads((root / part / "ground-truth" / f"{name}.json").read_text("utf-8"))
            kind = truth["_internal"]["page_type"]["primary"].replace("category", "collection")
            wanted = truth["ground_truth"].get("main_content") or ""
            if wanted.strip():
                yield Page(f"kinds: {kind}", which, file, by_runs(wanted, 1))


def phrases(folder: Path) -> Iterator[Page]:
    root = folder / "trafilatura" / "tests"
    if not (root / "evaldata.json").is_file():
        return
    for truth in json.loads((root / "evaldata.json").read_text("utf-8")).values():
        files = [root / place / truth["file"] for place in ("cache", "eval")]
        for file in [each for each in files if each.is_file()][:1]:
            judge = by_snippets(truth["with"], truth["without"])
            yield Page("phrases", half(truth["file"]), file, judge)


def pages(folder: Path, which: str) -> list[Page]:
    every = [*articles(folder), *kinds(folder), *phrases(folder)]
    return [page for page in every if page.half == which]


def ours(data: bytes) -> str:
    try:
        return parse(data, "page.html", "text/html").text
    except DocumentError:
        return ""


def trafilatura_alone(data: bytes) -> str:
    """With its defaults, as it is called by most."""
    import trafilatura

    return trafilatura.extract(data) or ""


EXTRACTORS: Mapping[str, Extract] = {"ours": ours, "trafilatura": trafilatura_alone}


def measured(chosen: Sequence[Page], extract: Extract) -> tuple[dict[str, list[Measures]], float]:
    """(measures of each collection, CPU seconds of all pages)."""
    found: dict[str, list[Measures]] = {}
    spent = 0.0
    for page in chosen:
        data, begun = page.data, time.process_time()
        text = extract(data)
        spent += time.process_time() - begun
        found.setdefault(page.collection, []).append(page.judge(text))
    return found, spent


def table(found: Mapping[str, Sequence[Measures]]) -> str:
    lines = ["| pages | number | precision | recall | F1 |", "|---|---|---|---|---|"]
    for collection, measures in found.items():
        precision = mean(each.precision for each in measures)
        recall = mean(each.recall for each in measures)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        lines.append(
            f"| {collection} | {len(measures)} | {precision:.3f} | {recall:.3f} | {f1:.3f} |"
        )
    return "\n".join(lines)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--half", choices=["tuned", "kept"], default="tuned")
    options.add_argument("--every", type=int, default=1, help="only every n-th page")
    options.add_argument("--only", default="", help="collections whose name begins with this")
    options.add_argument("--extractor", choices=sorted(EXTRACTORS), default="ours")
    given = options.parse_args()
    if VARIABLE not in os.environ:
        sys.stdout.write(f"skipped: {VARIABLE} does not name a folder with the checkouts\n")
        return 0
    chosen = pages(Path(os.environ[VARIABLE]), given.half)
    chosen = [page for page in chosen if page.collection.startswith(given.only)][:: given.every]
    if not chosen:
        sys.stdout.write(f"skipped: no page sets in {os.environ[VARIABLE]}\n")
        return 0
    found, spent = measured(chosen, EXTRACTORS[given.extractor])
    sys.stdout.write(f"{table(found)}\n\n{1000 * spent / len(chosen):.0f} ms of CPU a page\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
