"""The site of the documentation, which `make docs` builds with Zensical: README, CONTRIBUTING,
CHANGELOG and docs/ as pages of one site. `python -m benchmarks.site`.

The files are written for GitHub. Here their links are turned: README is the front page, and what
else of the repository a page links to is copied beside the pages.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FRONT = {"README": "index.md", "CONTRIBUTING": "contributing.md", "CHANGELOG": "changelog.md"}
PAGES = {ROOT / f"{name}.md": page for name, page in FRONT.items()}
PAGES |= {path: str(path.relative_to(DOCS)) for path in sorted(DOCS.rglob("*.md"))}
"""Every file that is a page, and what the site calls it."""


def blocks(text: str) -> list[Token]:
    return MarkdownIt().enable("table").parse(text)


def inline(text: str) -> Iterator[Token]:
    for block in blocks(text):
        yield from block.children or ()


def links(text: str) -> set[str]:
    """Where the links and pictures of a text lead, within the repository."""
    seen = {str(each.attrs.get("href") or each.attrs.get("src") or "") for each in inline(text)}
    return {target for target in seen if target and not urlsplit(target).scheme}


def anchors(text: str) -> set[str]:
    """What GitHub and the site call the headings: the second of one name ends with -1."""
    count: Counter[str] = Counter()
    names = set()
    for opening, heading in pairwise(blocks(text)):
        if opening.type == "heading_open":
            said = "".join(each.content for each in heading.children or ())
            slug = re.sub(r"[^\w\- ]", "", said.lower()).replace(" ", "-")
            names.add(f"{slug}-{count[slug]}" if count[slug] else slug)
            count[slug] += 1
    return names


def bare_pipes(row: str) -> str:
    """A table's row. GitHub wants pipes in code escaped, Python-Markdown would show the escape."""
    return re.sub(r"`[^`]+`", lambda code: code[0].replace(r"\|", "|"), row)


def page(path: Path, folder: Path) -> str:
    """The text of a page for the site in `folder`, where files are copied that are no pages."""
    text, place = path.read_text(), Path(PAGES[path]).parent
    for link in links(text):
        target, mark, anchor = link.partition("#")
        file = Path(os.path.normpath(path.parent / target)) if target else path
        if not file.is_file():
            raise SystemExit(f"{path.name}: {link} leads to no file")
        turned = PAGES.get(file) or str(file.relative_to(DOCS if DOCS in file.parents else ROOT))
        if file not in PAGES:
            (folder / turned).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / turned)
        turned = os.path.relpath(turned, place) if target else ""
        text = text.replace(f"]({link})", f"]({turned}{mark}{anchor})")
    return re.sub(r"^\|.*", lambda row: bare_pipes(row[0]), text, flags=re.MULTILINE)


def build(folder: Path) -> Path:
    """Build the site in `folder`, and return where. A link that leads nowhere ends the program."""
    pages = folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    shutil.copy(DOCS / "zensical.toml", folder)
    for path, name in PAGES.items():
        (pages / name).parent.mkdir(exist_ok=True)
        (pages / name).write_text(page(path, pages))
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    if subprocess.run(command, cwd=folder, check=False, stdout=sys.stderr).returncode:
        raise SystemExit("the site was not built: what is wrong stands above")
    return folder / "docs"


if __name__ == "__main__":
    site = build(ROOT / "build")
    print(f"{site}/index.html\nwith its search: python -m http.server --directory {site}")
