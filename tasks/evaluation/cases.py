"""The cases of an evaluation: JSON lines, every mistake at once, with a hash of what they say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.schemas import sha256

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
    return sha256(canonical(case.model_dump(mode="json")))[:16]


def read_cases(path: Path) -> CaseSet:
    """The cases in a file of JSON lines. Raises ConfigError with every mistake (the first fifty),
    each with its line.
    """
    if not path.is_file():
        raise ConfigError(
            [
                Mistake(
                    f"no such file: {path}",
                    where="cases",
                    hint="a case is a line such as "
                    '{"id": "c1", "inputs": {"question": "…"}, "expected": {"answer": "…"}}',
                )
            ]
        )
    found: list[Mistake] = []
    cases: dict[str, Case] = {}
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        case = _case(line, f"{path}:{number}", found)
        if case is not None and case.id in cases:
            found.append(
                Mistake(
                    f"the id {case.id!r} stands here and in line {lines[case.id]}",
                    where=f"{path}:{number}",
                    hint="give every case an id of its own",
                )
            )
        elif case is not None:
            cases[case.id], lines[case.id] = case, number
    if not cases and not found:
        found.append(Mistake("there is no case in this file", where=str(path)))
    if found:
        raise ConfigError(found[:MOST_MISTAKES])
    said = "\n".join(canonical(case.model_dump(mode="json")) for case in cases.values())
    return CaseSet(cases=tuple(cases.values()), sha256=sha256(said))


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


def _case(line: str, where: str, found: list[Mistake]) -> Case | None:
    try:
        content: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        found.append(Mistake(f"not JSON: {error}", where=where, hint="one JSON object per line"))
        return None
    if not isinstance(content, dict):
        found.append(
            Mistake(
                f"a JSON object is wanted, got {type(content).__name__}",
                where=where,
                hint=f"its keys: {KEYS}",
            )
        )
        return None
    if HALF.search(json.dumps(content, ensure_ascii=False)):
        found.append(
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
        found += [
            Mistake(
                f"{'.'.join(map(str, one['loc']))}: {one['msg'][0].lower()}{one['msg'][1:]}",
                where=where,
                hint=f"a case has the keys {KEYS}; id and inputs are needed",
            )
            for one in error.errors(include_url=False)
        ]
        return None
