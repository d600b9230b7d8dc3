"""From the form of the tab *Build* to a file: what would be written, what is wrong with it, and
writing it.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.tokens import ScalarToken

from llmops.configs.index import IndexConfig
from llmops.configs.reading import Content, read_mapping
from llmops.configs.section import absent
from llmops.configs.settings import KEYS
from llmops.configs.writing import rewritten, written
from llmops.deployments.app.jobs import checked_name
from llmops.deployments.app.page.bounds import URL, Bounds, strings
from llmops.deployments.app.page.drafts import ConfigDraft, DraftQuestion
from llmops.deployments.app.page.forms import LOGIN, form_of
from llmops.deployments.app.page.workplace import Workplace, digest, specs
from llmops.tasks.errors import ConfigError, LlmopsError, Mistake, UsageError, disk_trouble
from llmops.tasks.knowledge.uploads import uploaded
from llmops.tasks.lake import write_atomically
from llmops.tasks.plugins import SECRET
from llmops.tasks.retrieval.golden import Question, Relevant, read_golden, write_golden

MASK = "•••"
WHERE = "config"


class Preview(NamedTuple):
    """What a draft comes to. `text`: of the file; `lost`: comments that are not in it any more;
    `mistakes`: as `llmops check` finds them, `where` without the file.
    """

    file: str
    text: str
    lost: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    questions: tuple[DraftQuestion, ...] = ()

    @property
    def shown(self) -> str:
        """The text for a page: secrets that stand in it are blacked out."""
        return masked(self.text)


def previewed(place: Workplace, draft: ConfigDraft, text: str, labels: Collection[str]) -> Preview:
    """What would be written, and all that is wrong with it. `text`: of the file as it is, "" for a
    new one. Reads the folders that are named, and asks no server.
    """
    file = draft.file or place.new_file(draft.knowledge_base)
    bounds = place.bounds(file, labels)
    content, mistakes = draft.content()
    questions = tuple(each for each in draft.questions if not each.empty)
    mistakes += _incomplete(draft.questions)
    mistakes += _unknown_documents(place, draft, bounds)
    if questions:
        content["gate"] = _gate(draft, content)
        mistakes += _golden_mistakes(bounds, content["gate"])
    beyond = draft.beyond(content, bounds)
    mistakes += beyond
    mistakes += checked(content, bounds.folder, new_golden=bool(questions), look=not beyond)
    if not draft.file and (place.folder / file).exists():
        told = f"there is a file {file} already"
        mistakes.append(Mistake(told, "knowledge_base", "choose another name, or open that one"))
    if text:
        result = rewritten(text, content, IndexConfig)
        return Preview(file, result.text, result.lost, tuple(_once(mistakes)), questions)
    return Preview(file, written(content, IndexConfig), (), tuple(_once(mistakes)), questions)


def _once(mistakes: Sequence[Mistake]) -> list[Mistake]:
    return list({(each.where, each.message): each for each in mistakes}.values())


def checked(
    content: Content, folder: Path, *, new_golden: bool = False, look: bool = True
) -> list[Mistake]:
    """What `llmops check` says of a config, but for sources behind an address: the plan asks
    those. `new_golden`: its golden set is yet to be written; `look`: whether paths may be looked
    at.
    """
    given = {**content, "folder": str(folder)}
    if new_golden:
        given.pop("gate", None)
    try:
        config = read_mapping(given, IndexConfig)
    except ConfigError as error:
        return [_placed(each) for each in error.found]
    found = []
    for number, spec in enumerate(config.sources if look else ()):
        if not any(URL.match(text) for _, text in strings({"": spec.options})):
            missing = absent({"sources": [spec]}, IndexConfig, folder, WHERE)
            found += [replace(each, where=f"sources[{number}]") for each in missing]
    return found


def _placed(mistake: Mistake) -> Mistake:
    return replace(mistake, where=mistake.where.removeprefix(f"{WHERE}: "))


def _incomplete(questions: Sequence[DraftQuestion]) -> Iterator[Mistake]:
    for number, each in enumerate(questions):
        if each.empty:
            continue
        if not each.question:
            yield Mistake("a question is wanted", f"golden[{number}].question")
        if not each.uri:
            yield Mistake("the document that answers it is wanted", f"golden[{number}].uri")


def _unknown_documents(place: Workplace, draft: ConfigDraft, bounds: Bounds) -> Iterator[Mistake]:
    """Questions that name no document, where all documents are uploaded files."""
    try:
        folder = place.uploads(checked_name(draft.knowledge_base))
    except UsageError:  # it has no name yet
        return
    for source in draft.sources:
        entry, wrong = source.entry()
        path = entry.pop("path", "")
        readable = isinstance(path, str) and path and not bounds.why_path(path)
        own = readable and bounds.resolved(path) == folder.resolve()
        if wrong or source.name != "files" or not own or set(entry) - {"name", "id"}:
            return
    if not bounds.opens(folder) or not (known := {each.name for each in uploaded(folder)}):
        return
    for number, each in enumerate(draft.questions):
        if each.uri and each.uri not in known:
            told = f"there is no document {each.uri[:200]!r} among the files"
            yield Mistake(told, f"golden[{number}].uri", "choose one of them, or upload it first")


def _gate(draft: ConfigDraft, content: Content) -> object:
    return content.get("gate") or {"golden": f"golden/{draft.knowledge_base}.jsonl"}


def _golden_mistakes(bounds: Bounds, gate: object) -> list[Mistake]:
    golden = _golden_file(gate)
    why = bounds.why_path(golden) if golden else "its file is not named"
    return [Mistake(f"questions cannot be added: {why}", "golden")] if why else []


def _golden_file(gate: object) -> str:
    """The file of a gate that the page writes to: the first of several; "" for none."""
    golden = gate.get("golden") if isinstance(gate, Mapping) else None
    first = golden[0] if isinstance(golden, list) and golden else golden
    return first if isinstance(first, str) else ""


def golden_there(draft: ConfigDraft, bounds: Bounds) -> tuple[Question, ...]:
    """The golden questions of a config that is changed; none where they cannot be read."""
    golden = _golden_file(draft.before.get("gate"))
    if not draft.file or not golden or bounds.why_path(golden):
        return ()
    try:
        return read_golden(bounds.resolved(golden)).questions
    except LlmopsError:  # `check` says what is wrong with the file
        return ()


def without_question(draft: ConfigDraft, question: str, bounds: Bounds) -> None:
    """Take a golden question out of its file. Raises UsageError for one that is not there, and for
    the last one: a gate without questions lets nothing through.
    """
    there = golden_there(draft, bounds)
    rest = [each for each in there if each.id != question]
    if len(rest) == len(there):
        raise UsageError("there is no such question", where=question[:200])
    if not rest:
        raise UsageError("the last question is not removed", hint="add another one first")
    golden = _golden_file(draft.before.get("gate"))
    with _told(golden):
        write_golden(bounds.resolved(golden), rest)


def saved(place: Workplace, preview: Preview, before: str) -> str:
    """Write the golden questions and the config; returns the config's file. `before`: the digest of
    the file as the draft began, "" for a new one. Raises UsageError where somebody has changed it
    since, or it cannot be written.
    """
    assert not preview.mistakes, "what is wrong is not written"
    _unchanged(place, preview.file, before)
    with _told(preview.file):
        _write_questions(place.folder / preview.file, preview)
    changed_file(place, preview.file, preview.text, before)
    return preview.file


def changed_file(place: Workplace, file: str, text: str, before: str) -> None:
    """Write a file of the project whose digest was `before`, "" for none. Raises UsageError where
    somebody has changed it since, or it cannot be written.
    """
    _unchanged(place, file, before)
    with _told(file):
        write_atomically(place.folder / file, text.encode())


def _unchanged(place: Workplace, file: str, before: str) -> None:
    now = digest(place.read(file).text) if (place.folder / file).exists() else ""
    if now != before:
        raise UsageError(
            "the file was changed meanwhile",
            where=file,
            hint="open it again, and make your changes there",
        )


@contextmanager
def _told(file: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = f"the file cannot be written: {error.strerror or type(error).__name__}"
        raise (disk_trouble(error) or UsageError(told, where=file)) from error


def _write_questions(path: Path, preview: Preview) -> None:
    if not preview.questions:
        return
    gate = YAML(typ="safe", pure=True).load(preview.text)["gate"]
    golden = path.parent / _golden_file(gate)
    old = read_golden(golden).questions if golden.exists() else ()
    golden.parent.mkdir(parents=True, exist_ok=True)
    known = {each.id: each for each in old}
    for each in preview.questions:
        question = _question(each)
        known.setdefault(question.id, question)
    write_golden(golden, known.values())


def _question(draft: DraftQuestion) -> Question:
    """Its id comes from what it says: asked twice, it is there once."""
    own = hashlib.sha256(f"{draft.question}\x1f{draft.uri}".encode()).hexdigest()[:12]
    return Question(id=f"page-{own}", question=draft.question, relevant=(Relevant(uri=draft.uri),))


def masked(text: str) -> str:
    """A config's text with every secret that is written out blacked out."""
    content = YAML(typ="safe", pure=True).load(text)
    secrets = set(_secrets(content)) if isinstance(content, Mapping) else set()
    found, end = [], 0
    for token in YAML(typ="safe", pure=True).scan(text):
        if isinstance(token, ScalarToken) and token.value in secrets:
            found += [text[end : token.start_mark.index], MASK]
            end = token.end_mark.index
    return "".join((*found, text[end:]))


def _secrets(content: Mapping[str, object]) -> Iterator[str]:
    """Texts at keys that hold secrets, at options that a plugin does not show, and logins."""
    for path, text in strings({"": content}):
        last = path.rpartition(".")[2].partition("[")[0]
        if text and not SECRET.search(text) and (last in KEYS or LOGIN.search(text)):
            yield text
    for key, family in (("sources", "sources"), ("embed", "embedders"), ("store", "stores")):
        entries = content.get(key)
        for spec in specs(entries if isinstance(entries, list) else [entries]):
            yield from _private(family, spec.name, spec.options)


def _private(family: str, name: str, options: Mapping[str, object]) -> Iterator[str]:
    try:
        form = form_of(family, name)
    except ConfigError:
        return
    for option, value in options.items():
        field = form.field(option)
        if (field is None and option not in ("id", "labels")) or (field and field.kind == "secret"):
            yield from (text for _, text in strings({"": value}) if not SECRET.search(text))
