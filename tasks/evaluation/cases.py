"""The cases of an evaluation: JSON lines, every mistake at once, with a hash of what they say. In
which order they are asked, and the passages that they give.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from llmops.tasks.errors import ConfigError, Mistake, UsageError
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case, Passage
from llmops.tasks.schemas import sha256
from llmops.tasks.texts.charset import mended

MOST_MISTAKES = 50
HALF = re.compile("[\ud800-\udfff]")
KEYS = ", ".join(Case.model_fields)


class CaseSet(BaseModel):
    """The cases in the order of the file. `sha256` is of their content: spaces, empty lines and the
    order of keys do not change it.
    """

    model_config = ConfigDict(frozen=True)
    cases: tuple[Case, ...]
    sha256: str

    def hashes(self) -> dict[str, str]:
        """The hash of each case by its id: 16 hexadecimal digits."""
        return {case.id: hash_of(case) for case in self.cases}


def hash_of(case: Case) -> str:
    return sha256(_said(case))[:16]


def _said(case: Case) -> str:
    """What a case says: where it comes from is no part of it."""
    return canonical(case.model_dump(mode="json", exclude={"lineage"}))


def read_cases(*paths: Path) -> CaseSet:
    """The cases in a file of JSON lines, or in several; one of several may be empty. Raises
    ConfigError with every mistake (the first fifty), each with its line.
    """
    mistakes = [
        Mistake(
            f"no such file: {path}",
            where="cases",
            hint="a case is a line such as "
            '{"id": "c1", "inputs": {"question": "…"}, "expected": {"answer": "…"}}',
        )
        for path in paths
        if not path.is_file()
    ]
    if mistakes:
        raise ConfigError(mistakes)
    cases: dict[str, Case] = {}
    lines: dict[str, tuple[Path, int]] = {}
    for path, number, line in ((file, *each) for file in paths for each in _lines(file)):
        case = _case(line, f"{path}:{number}", mistakes)
        if case is not None and case.id in cases:
            before, first = lines[case.id]
            there = "" if before == path else f" of {before}"
            mistakes.append(
                Mistake(
                    f"the id {case.id!r} stands here and in line {first}{there}",
                    where=f"{path}:{number}",
                    hint="give every case an id of its own",
                )
            )
        elif case is not None:
            cases[case.id], lines[case.id] = case, (path, number)
    if not cases and not mistakes:
        files = "this file" if len(paths) == 1 else "these files"
        where = ", ".join(map(str, paths))
        mistakes.append(Mistake(f"there is no case in {files}", where=where))
    if mistakes:
        raise ConfigError(mistakes[:MOST_MISTAKES])
    said = "\n".join(map(_said, cases.values()))
    return CaseSet(cases=tuple(cases.values()), sha256=sha256(said))


def parted(
    cases: Sequence[Case], size: int, *, seed: str | None = None, by_group: bool = True
) -> list[list[Case]]:
    """The cases in parts of `size`, the last one smaller.

    With a `seed` (the hash of the case set, for a run that may stop early) the cases come in an
    order drawn by it, with all cases of a group in one part, which may then be larger: intervals
    that hold at every look want independent units in an order that no result has shaped.
    """
    if seed is None:
        return [list(cases[start : start + size]) for start in range(0, len(cases), size)]
    units: dict[str, list[Case]] = {}
    for case in cases:
        alone = case.group is None or not by_group
        units.setdefault(f"case {case.id}" if alone else f"group {case.group}", []).append(case)
    parts: list[list[Case]] = []
    for name in sorted(units, key=lambda unit: sha256(f"{seed}\x1f{unit}")):
        if not parts or len(parts[-1]) >= size:
            parts.append([])
        parts[-1] += units[name]
    return parts


def given_passages(value: object) -> tuple[Passage, ...]:
    """The passages of `inputs.passages`: a text, or a list of texts or of {text, title, uri}. Empty
    texts are none.

    Raises UsageError for anything else.
    """
    items = value if isinstance(value, list | tuple) else [value]
    passages = [_passage(item) for item in items if item is not None]
    return tuple(passage for passage in passages if passage.text.strip())


def _passage(item: object) -> Passage:
    if isinstance(item, str):
        return Passage(text=mended(item))
    if isinstance(item, dict) and isinstance(item.get("text"), str):
        return Passage(
            **{
                name: mended(str(item[name]))
                for name in Passage.model_fields
                if item.get(name) is not None
            }
        )
    raise UsageError(
        f"a passage is a text or an object with a `text`, got {repr(item)[:80]}",
        where="inputs.passages",
        hint='such as {"text": "…", "title": "…", "uri": "…"}',
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            [
                Mistake(
                    f"not UTF-8: byte {error.start} is {error.object[error.start]:#x}",
                    where=str(path),
                )
            ]
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _case(line: str, where: str, mistakes: list[Mistake]) -> Case | None:
    try:
        content: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        mistakes.append(Mistake(f"not JSON: {error}", where=where, hint="one JSON object per line"))
        return None
    if not isinstance(content, dict):
        mistakes.append(
            Mistake(
                f"a JSON object is wanted, got {type(content).__name__}",
                where=where,
                hint=f"its keys: {KEYS}",
            )
        )
        return None
    if HALF.search(json.dumps(content, ensure_ascii=False)):
        mistakes.append(
            Mistake(
                "it holds half of a surrogate pair, which no file of UTF-8 takes",
                where=where,
                hint="repair the text",
            )
        )
        return None
    try:
        return Case.model_validate(content)
    except ValidationError as error:
        mistakes += [
            Mistake(
                f"{'.'.join(map(str, one['loc']))}: {one['msg'][0].lower()}{one['msg'][1:]}",
                where=where,
                hint=f"a case has the keys {KEYS}; id and inputs are needed",
            )
            for one in error.errors(include_url=False)
        ]
        return None
