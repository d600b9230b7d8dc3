"""What the configs of a project name by a number or a path: trained models, folders of trainings,
versions of data sets. A home does not know of it, and may not remove it.
"""

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from llmops.tasks.maintenance.retention.holdings import named_in
from llmops.tasks.maintenance.retention.references import Reference

ENDINGS = (".yaml", ".yml")
PACKAGES = ("node_modules", "__pycache__", "venv", "site-packages")
MOST_BYTES = 1_000_000
NAMES = re.compile(r"\b(?:dataset|name)[\"']?\s*:\s*[\"']?([a-z][a-z0-9-]{0,62})")
NUMBERS = re.compile(r"\bversion[\"']?\s*:\s*[\"']?v?([1-9][0-9]{0,8})")


def named_below(folder: Path) -> frozenset[Reference]:
    """By the words of each file alone, so that one that cannot be read as a config counts as well:
    rather too much is kept than too little.
    """
    return frozenset(each for path in _files(folder) for each in _named(path))


def _files(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and each not in PACKAGES
        )
        yield from (Path(at, each) for each in sorted(names) if each.endswith(ENDINGS))


def _named(path: Path) -> Iterator[Reference]:
    try:
        if path.stat().st_size > MOST_BYTES:
            return
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # gone meanwhile, or not ours to read: no flow of ours reads it either
        return
    yield from named_in(text)
    for name, number in product(NAMES.findall(text), NUMBERS.findall(text)):
        yield Reference("dataset", f"{name}/v{number}")
