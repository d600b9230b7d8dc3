"""The form of the tab *Build* as a template needs it: what may be chosen, which mistake stands at
which field, and what becomes of files that are uploaded with it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmops.deployments.app.jobs import checked_name
from llmops.deployments.app.page.bounds import Bounds
from llmops.deployments.app.page.drafts import (
    LISTS,
    SLOTS,
    ConfigDraft,
    DraftPlugin,
    DraftQuestion,
)
from llmops.deployments.app.page.forms import OWN_VARIABLE, VARIABLE
from llmops.deployments.app.page.saving import Preview, golden_there, without_question
from llmops.deployments.app.page.workplace import ConfigText, Workplace
from llmops.tasks.errors import LlmopsError, Mistake, UsageError
from llmops.tasks.knowledge import uploads
from llmops.tasks.knowledge.uploads import Upload
from llmops.tasks.plugins import names
from llmops.tasks.plugins.parsers import unreadable
from llmops.tasks.retrieval.golden import Question

FAMILIES: Mapping[str, str] = {**LISTS, **SLOTS}
NEW_QUESTIONS = 2
Context = dict[str, Any]
"""What the template is given."""


def form_context(
    place: Workplace,
    draft: ConfigDraft,
    text: ConfigText,
    bounds: Bounds,
    preview: Preview | None,
    mistakes: Iterable[Mistake],
) -> Context:
    """What the template of the form stands on."""
    there = golden_there(draft, bounds)
    listed = uploads_of(place, draft, bounds)
    placed = placed_mistakes([*mistakes, *(preview.mistakes if preview else ())], draft)
    empty = [DraftQuestion()] * (NEW_QUESTIONS if not draft.questions else 0)
    return {
        "place": place,
        "draft": draft,
        "seen": text.digest,
        "preview": preview,
        "wrong": placed,
        "offered": {
            key: [name for name in names(family) if bounds.offers(family, name)]
            for key, family in FAMILIES.items()
        },
        "uploads": listed or (),
        "closed": listed is None,
        "there": there if listed is not None else (),
        "documents": known_documents(listed or (), there) if listed is not None else [],
        "questions": [*draft.questions, *empty],
        "variables": variables(os.environ),
    }


def known_documents(
    files: Iterable[uploads.UploadedFile], questions: Iterable[Question]
) -> list[str]:
    """What a new question may name: uploaded files, and what questions name that are there."""
    named = (each.uri for question in questions for each in question.relevant)
    return sorted({*(each.name for each in files), *named})


def variables(environment: Iterable[str]) -> list[str]:
    """The names of variables that may hold a plugin's secret."""
    known = [name for name in environment if VARIABLE.fullmatch(name)]
    return sorted(name for name in known if not OWN_VARIABLE.fullmatch(name))


def uploads_of(
    place: Workplace, draft: ConfigDraft, bounds: Bounds
) -> list[uploads.UploadedFile] | None:
    """None where their names are not for whoever looks."""
    try:
        folder = place.uploads(checked_name(draft.knowledge_base))
    except UsageError:  # it has no name yet
        return []
    return uploads.uploaded(folder) if bounds.opens(folder) else None


def placed_mistakes(mistakes: Sequence[Mistake], draft: ConfigDraft) -> dict[str, list[Mistake]]:
    """By the field that each is about, such as `sources.0.path`; "" for the whole."""
    fields = field_names(draft)
    found: dict[str, list[Mistake]] = {}
    for each in mistakes:
        key = each.where.replace("[", ".").replace("]", "")
        while key and key not in fields:
            key = key.rpartition(".")[0]
        found.setdefault(key, []).append(each)
    return found


def field_names(draft: ConfigDraft) -> set[str]:
    """The fields of the form, and the groups that they stand in."""
    found = {"knowledge_base", "uploads", "sources", "clean", "golden"}
    groups = {key: getattr(draft, key) for key in SLOTS}
    for key in LISTS:
        groups |= {f"{key}.{n}": item for n, item in enumerate(getattr(draft, key))}
    for group, item in groups.items():
        found |= {group, *(f"{group}.{field.name}" for field in item.form.fields)}
    for number in range(len(draft.questions)):
        found |= {f"golden.{number}.question", f"golden.{number}.uri"}
    return found


def with_uploads(
    place: Workplace, draft: ConfigDraft, files: Sequence[Upload]
) -> tuple[ConfigDraft, list[Mistake]]:
    """Keep files; the draft has a source then that reads them. Those that nothing can be read from
    are left out, and told.
    """
    if not files:
        return draft, [Mistake("choose files first", "uploads")]
    why = [(each, unreadable(each.data, each.name)) for each in files]
    refused = [
        Mistake(f"{each.name[:80]!r} was not taken: {error}", "uploads")
        for each, error in why
        if error
    ]
    good = [each for each, error in why if error is None]
    if not good:
        return draft, refused
    try:
        folder = place.uploads(checked_name(draft.knowledge_base))
        uploads.keep(place.folder, folder, good, place.settings.files)
    except LlmopsError as error:
        where = "knowledge_base" if error.where == "knowledge_base" else "uploads"
        return draft, [Mistake(error.message, where, error.hint)]
    base = (place.folder / draft.file).parent if draft.file else place.folder
    return reading(draft, os.path.relpath(folder, base)), refused


def reading(draft: ConfigDraft, path: str) -> ConfigDraft:
    """The draft with a source of the files in a folder, unless one reads it already."""
    own = [item for item in draft.sources if item.name == "files"]
    if any(item.given.get("path", "").rstrip("/") == path for item in own):
        return draft
    kept = [item for item in draft.sources if item.name != "files" or item.given.get("path")]
    given = {"path": path} | ({"id": "uploads"} if any(i.name == "files" for i in kept) else {})
    return replace(draft, sources=(*kept, DraftPlugin("sources", "files", given)))


def forgotten(draft: ConfigDraft, question: str, bounds: Bounds) -> list[Mistake]:
    """Take a golden question away, by its id."""
    try:
        without_question(draft, question, bounds)
    except LlmopsError as error:
        return [Mistake(error.message, "golden", error.hint)]
    return []


def without_upload(
    place: Workplace, draft: ConfigDraft, name: str, bounds: Bounds
) -> list[Mistake]:
    """Take an uploaded file away, if it may be seen."""
    try:
        if name not in {each.name for each in uploads_of(place, draft, bounds) or ()}:
            raise UsageError("there is no such file", where=name[:200])
        folder = place.uploads(checked_name(draft.knowledge_base))
        uploads.remove(place.folder, folder, name)
    except LlmopsError as error:
        return [Mistake(error.message, "uploads", error.hint)]
    return []
