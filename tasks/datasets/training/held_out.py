"""What models are judged by, and so may not be trained on: the questions and answers of golden sets
and of cases.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.retrieval.golden import read_golden

Part = Literal["question", "answer"]
KNOWLEDGE = ("passages", "context", "contexts", "documents")
"""Inputs of a case that are passages: what a model is told, not what it is asked."""


class Held(NamedTuple):
    """A text that is held out: of the entry `id` of a file, its question or an answer."""

    file: str
    id: str
    part: Part
    text: str


def held_out(paths: Sequence[Path]) -> list[Held]:
    """The questions and answers of golden sets and of files of cases: which of them a file is, its
    first line says. A file without lines holds nothing: feedback may not have made any yet.

    Raises ConfigError for a file that is missing or is neither, with all mistakes of that file.
    """
    return [each for path in paths for each in _of(path)]


def _of(path: Path) -> Iterator[Held]:
    first = _first_line(path)
    if first is None:
        return
    if "inputs" in first:
        for case in read_cases(path).cases:
            asked = {key: value for key, value in case.inputs.items() if key not in KNOWLEDGE}
            yield from (Held(path.name, case.id, "question", one) for one in _texts(asked))
            yield from (Held(path.name, case.id, "answer", one) for one in _texts(case.expected))
        return
    for question in read_golden(path).questions:
        yield Held(path.name, question.id, "question", question.question)
        if question.answer:
            yield Held(path.name, question.id, "answer", question.answer)


def _first_line(path: Path) -> Mapping[str, object] | None:
    """The first object of the file; an empty one for what the readers are to complain of."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            line = next((one for one in lines if one.strip()), None)
    except OSError as error:
        raise ConfigError(
            [
                Mistake(
                    f"the file cannot be read: {error.strerror}",
                    str(path),
                    "name a golden set or a file of cases; the path is relative to the config",
                )
            ]
        ) from error
    except UnicodeDecodeError:
        return {}
    if line is None:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> Iterator[str]:
    """Every text within a value, in its order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
