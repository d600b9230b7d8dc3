"""Golden sets from the formats of public benchmarks: BEIR folders and SQuAD files."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.retrieval.golden import Question, Relevant

COLUMNS = ("query-id", "corpus-id", "score")


@dataclass(frozen=True)
class Converted:
    """The questions in file order; `left_out` counts those without any relevant document."""

    questions: list[Question]
    left_out: int


def from_beir(folder: Path, split: str = "test") -> Converted:
    """Questions of `queries.jsonl` judged in `qrels/<split>.tsv`; relevant is a score above 0, uri
    is the corpus id.

    Relevant documents come best score first. Raises ConfigError for missing files, columns or
    queries, or broken lines.
    """
    judged = _judgements(_split(folder, split))
    queries = _queries(folder / "queries.jsonl")
    unknown = [name for name in judged if name not in queries]
    if unknown:
        raise _wrong(
            folder / "queries.jsonl",
            f"{len(unknown)} judged queries are missing: {', '.join(unknown[:5])}",
            "queries.jsonl needs a line with that `_id` for every query-id of the qrels",
        )
    questions = [
        Question(id=name, question=text, relevant=tuple(Relevant(uri=uri) for uri in judged[name]))
        for name, text in queries.items()
        if judged.get(name)
    ]
    if not questions:
        raise _wrong(
            _split(folder, split),
            "no query has a document with a score above 0",
            "try another split",
        )
    return Converted(questions, len(judged) - len(questions))


def from_squad(file: Path) -> Converted:
    """Questions of a SQuAD file (1.1 or 2.0); answer is the first one given. Unanswerable questions
    are left out.

    A document is a paragraph: uri is its `id` where the file has one, else `<title>#<number in its
    article, from 0>`. Raises ConfigError when the file is missing, no JSON, or of another shape.
    """
    articles = _articles(file)
    questions, left_out = [], 0
    try:
        for uri, entry in _squad_questions(articles):
            answers = entry.get("answers") or []
            if entry.get("is_impossible") or not answers:
                left_out += 1
                continue
            questions.append(
                Question(
                    id=str(entry["id"]),
                    question=entry["question"],
                    relevant=(Relevant(uri=uri),),
                    answer=answers[0]["text"],
                )
            )
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise _wrong(
            file, f"not the shape of SQuAD: {type(error).__name__}: {error}", SQUAD
        ) from error
    return Converted(questions, left_out)


SQUAD = (
    'it is {"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", '
    '"answers": [{"text"}]}]}]}]}'
)


def _squad_questions(articles: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            uri = str(paragraph["id"]) if "id" in paragraph else f"{article['title']}#{number}"
            yield from ((uri, entry) for entry in paragraph["qas"])


def _articles(file: Path) -> list[Any]:
    try:
        content = json.loads(_read(file))
    except ValueError as error:
        raise _wrong(file, f"not JSON: {error}", SQUAD) from error
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise _wrong(file, "the key 'data' is missing, or no list", SQUAD)
    return list(content["data"])


def _split(folder: Path, split: str) -> Path:
    file = folder / "qrels" / f"{split}.tsv"
    if not file.is_file():
        known = sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))
        hint = (
            f"splits there: {', '.join(known)}"
            if known
            else "a BEIR folder has queries.jsonl and qrels/<split>.tsv"
        )
        raise _wrong(file, f"no split {split!r}", hint)
    return file


def _judgements(file: Path) -> dict[str, list[str]]:
    """Relevant corpus ids by query, best score first; a query judged only 0 has an empty list."""
    rows = csv.DictReader(_read(file).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    absent = [column for column in COLUMNS if column not in (rows.fieldnames or [])]
    if absent:
        got = ", ".join(rows.fieldnames or ["nothing"])
        raise _wrong(
            file,
            f"the columns {', '.join(absent)} are missing; got {got}",
            f"the first line names the columns, separated by tabs: {', '.join(COLUMNS)}",
        )
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        query, document, score = (row[column] for column in COLUMNS)
        scores.setdefault(query, {})[document] = _number(score, file, rows.line_num)
    return {
        query: [
            uri for uri, score in sorted(judged.items(), key=lambda pair: -pair[1]) if score > 0
        ]
        for query, judged in scores.items()
    }


def _number(text: str | None, file: Path, line: int) -> float:
    try:
        return float(text or "")
    except ValueError:
        problem = f"the score {text!r} is not a number"
        raise _wrong(
            f"{file}:{line}", problem, "a line has three columns, with tabs between"
        ) from None


def _queries(file: Path) -> dict[str, str]:
    """Texts by id, in file order."""
    texts, mistakes = {}, []
    for number, line in enumerate(_read(file).split("\n"), 1):
        try:
            if line.strip():
                row = json.loads(line)
                texts[str(row["_id"])] = _filled(row["text"])
        except (ValueError, KeyError, TypeError) as error:
            mistakes.append(
                Mistake(
                    f"{type(error).__name__}: {error}",
                    f"{file}:{number}",
                    'a line is {"_id", "text"}',
                )
            )
    if mistakes:
        raise ConfigError(mistakes)
    return texts


def _filled(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the text is {text!r}")
    return text


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _wrong(
            file, f"cannot be read: {why}", "name a BEIR folder, or a SQuAD file"
        ) from error


def _wrong(where: Path | str, message: str, hint: str) -> ConfigError:
    return ConfigError([Mistake(message, str(where), hint)])
