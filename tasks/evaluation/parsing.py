"""The JSON of an answer that had to follow a schema."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from llmops.tasks.texts.charset import mended
from llmops.tasks.texts.json_answers import unfenced

DEEPEST = 100


def parsed(text: str) -> Any:
    """The JSON of an answer, which may stand in a fence of Markdown.

    None when it is none, when it is nested deeper than 100 levels, or holds NaN or Infinity.
    """
    try:
        found = json.loads(unfenced(text.strip()), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return _storable(found) if _depth_fits(found) else None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _depth_fits(value: Any) -> bool:
    level: Iterable[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _storable(value: Any) -> Any:
    """Halves of surrogate pairs, which escapes such as \\ud800 make and no file of UTF-8 takes, are
    replaced.
    """
    text = json.dumps(value, ensure_ascii=False)
    clean = mended(text)
    return value if text == clean else json.loads(clean)
