"""An alias that a guard protects: version 1 is the champion, version 2 wants its place, version 3
is another one.
"""

import copy
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.decisions import promotion
from llmops.tasks.errors import Blocked
from llmops.tasks.prompts import Resolved, references, registry
from tests.decisions.measured import sealed
from tests.shelf import fresh_home, prompt

EVIL = '[{"role": "user", "content": "evil {{question}}"}]'


def arena(folder: Path) -> Path:
    """The home: a copy of one that is made once."""
    made = folder / "home"
    for file in filter(Path.is_file, _made().rglob("*")):
        place = made / file.relative_to(_made())
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".db":  # its latest changes may lie beside it
            with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(place)) as new:
                old.backup(new)
        elif not file.name.endswith(("-wal", "-shm")):
            shutil.copy(file, place)
    return made


@cache
def _made() -> Path:
    made = fresh_home(Path(tempfile.mkdtemp(dir=os.environ["LLMOPS_TESTS_SHARED"])))
    registry.push_all(
        made, [prompt("one {{question}}"), prompt("two {{question}}"), prompt("three {{question}}")]
    )
    promotion.first(made, "helpdesk", "champion", 1)
    return made


def resolved(home: Path, number: int) -> Resolved:
    return references.resolve(home, f"prompts:/helpdesk/{number}", Path())


def champion(home: Path) -> int | None:
    found: int | None = promotion.history(home, "helpdesk")["aliases"].get("champion")
    return found


def stays(home: Path, record: Any, says: str, **options: Any) -> None:
    """The move is refused with these words, and nothing has changed."""
    before = promotion.history(home, "helpdesk")
    with pytest.raises(Blocked, match=says) as raised:
        promotion.promote(home, record, "helpdesk", **options)
    assert raised.value.exit_code == 3
    assert promotion.history(home, "helpdesk") == before


def edited(record: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """A record that somebody changed and sealed again."""
    made = copy.deepcopy(record)
    change(made)
    return sealed(made)
