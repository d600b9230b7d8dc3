"""Golden sets: questions with the documents that answer them, frozen in JSON lines.

{"id": "q1", "question": "…", "relevant": [{"uri": "install.md", "quote": "optional"}], "answer":
"…", "tags": []}
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from llmops.tasks.errors import ConfigError, Mistake, did_you_mean
from llmops.tasks.lake import write_atomically
from llmops.tasks.schemas import Lineage, sha256

NonBlank = Annotated[str, Field(pattern=r"\S")]
ALLOWED = (
    'one JSON object per line: {"id", "question", "relevant": [{"uri", "quote"}], "answer", "tags"}'
)

UNIQUE = "give every question an id of its own"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Relevant(_Strict):
    """A document that answers, by the uri that its source gives it. With a `quote` only a chunk
    containing it counts.

    Several entries of one uri are alternatives: any of their quotes will do.
    """

    uri: NonBlank
    quote: NonBlank | None = None


class Question(_Strict):
    """One question. `relevant` is never empty; questions that share its first entry's uri are one
    cluster. `lineage`: where one comes from that people's feedback has made.
    """

    id: NonBlank
    question: NonBlank
    relevant: tuple[Relevant, ...] = Field(min_length=1)
    answer: str | None = None
    tags: tuple[str, ...] = ()
    lineage: Lineage | None = None


@dataclass(frozen=True)
class GoldenSet:
    """The questions in file order, and the SHA-256 of the file's bytes; of several files, of all
    their bytes, one after the other.
    """

    questions: tuple[Question, ...]
    sha256: str


@dataclass(frozen=True)
class MissingAnswer:
    """A judgement that no longer holds: its document, or its quote, is not there."""

    question: str
    uri: str
    quote: str | None
    why: str


def normalise(text: str) -> str:
    """Unicode NFC, every run of whitespace one space, none at the ends; case counts. So are quotes
    compared.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_golden(*paths: Path) -> GoldenSet:
    """Read a golden set, of one file or of several; blank lines and a byte order mark are
    tolerated. One of several files may be empty, such as one that is written from feedback.

    Raises ConfigError with every broken line at once, each as file:line, or when a file cannot be
    read or there is no question.
    """
    contents = {path: _bytes(path) for path in paths}
    lines = [
        (path, number, line)
        for path, data in contents.items()
        for number, line in enumerate(_text(path, data).split("\n"), 1)
        if line.strip()
    ]
    if not lines:
        raise _broken(paths[0], "the golden set is empty", f"write {ALLOWED}")
    questions: dict[str, tuple[Path, int, Question]] = {}
    mistakes: list[Mistake] = []
    for path, number, line in lines:
        question = _question(line, f"{path}:{number}", mistakes)
        if question is not None and question.id in questions:
            before, first, _ = questions[question.id]
            there = "" if before == path else f" of {before}"
            used = f"the id {question.id!r} was used in line {first}{there}"
            mistakes.append(Mistake(used, f"{path}:{number}", UNIQUE))
        elif question is not None:
            questions[question.id] = (path, number, question)
    if mistakes:
        raise ConfigError(mistakes)
    data = b"".join(contents.values())
    return GoldenSet(tuple(question for *_, question in questions.values()), sha256(data))


def write_golden(path: Path, questions: Iterable[Question]) -> GoldenSet:
    """Write questions as a golden set, atomically, and return it as `read_golden` would.

    Raises ConfigError when there are none, or when two have one id.
    """
    items = tuple(questions)
    if not items:
        raise _broken(
            path,
            "there are no questions: nothing was written",
            "a golden set has at least one question",
        )
    if len({question.id for question in items}) < len(items):
        raise _broken(path, "two questions have one id: nothing was written", UNIQUE)
    content = "".join(
        json.dumps(_row(question), ensure_ascii=False) + "\n" for question in items
    ).encode()
    write_atomically(path, content)
    return GoldenSet(items, sha256(content))


def missing(golden: GoldenSet, documents: Mapping[str, Callable[[], str]]) -> list[MissingAnswer]:
    """The judgements of a golden set that no longer hold, in its order.

    `documents` maps each uri to a loader of its text; only texts that a quote asks for are loaded,
    each once. Quotes are found exactly, after `normalise` on both sides.
    """
    texts: dict[str, str] = {}
    names = {_last(uri): uri for uri in documents}
    lost = []
    for question in golden.questions:
        for relevant in question.relevant:
            close = names.get(_last(relevant.uri))
            why = (
                _lost_quote(relevant, documents, texts)
                if relevant.uri in documents
                else "no document has this uri"
            )
            if why:
                hint = f"; did you mean {close}?" if close and relevant.uri not in documents else ""
                lost.append(MissingAnswer(question.id, relevant.uri, relevant.quote, why + hint))
    return lost


def _last(uri: str) -> str:
    return uri.casefold().rstrip("/").rpartition("/")[2]


def _lost_quote(
    relevant: Relevant, documents: Mapping[str, Callable[[], str]], texts: dict[str, str]
) -> str:
    if relevant.quote is None:
        return ""
    if relevant.uri not in texts:
        texts[relevant.uri] = normalise(documents[relevant.uri]())
    return (
        ""
        if normalise(relevant.quote) in texts[relevant.uri]
        else "the document no longer contains the quote"
    )


def _row(question: Question) -> dict[str, object]:
    row = question.model_dump(mode="json", exclude_none=True)
    return row if question.tags else {key: value for key, value in row.items() if key != "tags"}


def _question(line: str, where: str, mistakes: list[Mistake]) -> Question | None:
    """The question in a line; what is wrong with it is appended to `mistakes`."""
    try:
        return Question.model_validate(json.loads(line))
    except ValidationError as error:
        details = error.errors(
            include_url=False
        )  # a list counts as too short also when its items were all wrong
        mistakes.extend(
            _explain(each, where)
            for each in details
            if each["type"] != "too_short" or not each["input"]
        )
    except (ValueError, RecursionError) as error:
        mistakes.append(
            Mistake(f"not valid JSON: {error}; got {_short(line)}", where, f"write {ALLOWED}")
        )
    return None


WANTED = {
    "model_type": "an object in braces is wanted",
    "dict_type": "an object in braces is wanted",
    "tuple_type": "a list in brackets is wanted",
    "list_type": "a list in brackets is wanted",
    "string_type": "a text in quotes is wanted",
}
"""Instead of pydantic's words, which name types of Python."""


def _explain(detail: ErrorDetails, where: str) -> Mistake:
    """One pydantic error as a mistake of this format."""
    path = ".".join(str(part) for part in detail["loc"])
    known = Relevant.model_fields if len(detail["loc"]) > 1 else Question.model_fields
    if detail["type"] == "extra_forbidden":
        hint = did_you_mean(str(detail["loc"][-1]), known) or "remove it"
        return Mistake(f"unknown key {path!r}; allowed: {', '.join(known)}", where, hint)
    if detail["type"] == "missing":
        return Mistake(f"the key {path!r} is missing", where, f"write {ALLOWED}")
    if detail["type"] in ("string_pattern_mismatch", "too_short"):
        return Mistake(
            f"{path!r} is empty",
            where,
            "every question needs a text and at least one relevant document",
        )
    problem = WANTED.get(detail["type"], detail["msg"][0].lower() + detail["msg"][1:])
    return Mistake(
        f"{path or 'the line'}: {problem}, got {_short(detail['input'])}", where, f"write {ALLOWED}"
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        start = "the config file" if path.is_absolute() else f"the current folder, {Path.cwd()}"
        hint = f"the path is relative to {start}"
        raise _broken(path, "the golden set does not exist", hint) from None
    except OSError as error:
        raise _broken(
            path, f"the golden set cannot be read: {error.strerror}", "name a file of JSON lines"
        ) from error


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{path}:{data[: error.start].count(10) + 1}"
        raise _broken(
            where, f"not UTF-8: {error.reason} at byte {error.start}", "save the file as UTF-8"
        ) from error


def _broken(where: Path | str, message: str, hint: str) -> ConfigError:
    return ConfigError([Mistake(message, str(where), hint)])


def _short(value: object, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"
