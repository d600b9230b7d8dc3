"""Page, plots and the README's sentence, again from the raw figures: `python -m benchmarks.report
[FOLDER]`.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.report.page import page, parts
from benchmarks.report.plots import plot
from benchmarks.report.processes import ROOT
from benchmarks.report.readme import filled

PUBLISHED = ROOT / "docs" / "benchmarks"
README = ROOT / "README.md"


def render(folder: Path) -> Path:
    """The page of a folder with `raw/`; the published one's README, too."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts(folder):
        plot(part, folder)
    file = folder / "index.md"
    file.write_text(page(folder), encoding="utf-8")
    if folder.resolve() == PUBLISHED:
        README.write_text(filled(README.read_text(encoding="utf-8"), parts(folder)), "utf-8")
    return file


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=PUBLISHED)
    sys.stdout.write(f"{render(parser.parse_args().folder)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
