"""The tab *Build*: a knowledge base without YAML. Files are uploaded or a source is named, plugins
are chosen, and the config that comes of it is shown, checked and written.
"""

import asyncio
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from llmops.deployments.app.jobs import BuildJobs
from llmops.deployments.app.page.build_form import (
    forgotten,
    form_context,
    with_uploads,
    without_upload,
)
from llmops.deployments.app.page.builds import config_address, plan, workplace_of
from llmops.deployments.app.page.drafts import ConfigDraft, new, offered_name, opened, submitted
from llmops.deployments.app.page.knowledge import labels_of, looked
from llmops.deployments.app.page.saving import Preview, previewed, saved
from llmops.deployments.app.page.shell import fragment, page, swaps
from llmops.deployments.app.page.workplace import ConfigText, ProjectConfig, Workplace
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import services_of
from llmops.tasks.errors import LlmopsError, Mistake
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.uploads import Upload

router = APIRouter(prefix="/build", include_in_schema=False)
MOST_FILES, MOST_FIELDS, LONGEST_FIELD = 100, 2_000, 1_000_000
NO_FILE = ConfigText({}, "", "")


class ListedConfig(NamedTuple):
    """A config in the list. `version`: what is live, None for nothing; `status`: of its last
    build, "" for none.
    """

    config: ProjectConfig
    version: int | None
    documents: int | None
    status: str


class SentForm(NamedTuple):
    fields: dict[str, str]
    files: list[Upload]


@router.get("")
async def start(request: Request) -> Response:
    """The configs of the project, and the way to a new one."""
    place = workplace_of(request)
    listed = await asyncio.to_thread(_listed, place)
    known = {each.config.knowledge_base for each in listed}
    wanted = [kb for kb in services_of(request).config.knowledge_bases if kb not in known]
    return page(request, "build/page.html", "build", place=place, listed=listed, wanted=wanted)


def _listed(place: Workplace) -> list[ListedConfig]:
    jobs = BuildJobs(place.home, place.folder)
    found = []
    for each in place.configs():
        try:
            live = Handle(home=place.home, name=each.knowledge_base).live()
            state = jobs.state(each.knowledge_base, "build")
        except LlmopsError:  # a home without a ledger yet, or a name that none may have
            live = state = None
        status = state.status if state else ""
        version, documents = (live.version, live.documents) if live else (None, None)
        found.append(ListedConfig(each, version, documents, status))
    return found


@router.get("/draft")
async def draft(request: Request) -> Response:
    """The form: of a config of the project, or of a new one."""
    place, asked = workplace_of(request), request.query_params
    if file := asked.get("file", ""):
        text = await looked(_read, place, file)
        return await _form(request, place, opened(file, text.content), text)
    typed = asked.get("kb", "")[:63].strip()
    kb = offered_name(typed)
    path = f"uploads/{kb}" if kb else ""
    return await _form(request, place, new(kb, path), NO_FILE, typed=typed)


@router.post("/draft")
async def drafted(request: Request) -> Response:
    """What one of the buttons of the form asks for. Files are kept whichever it is."""
    place, sent = workplace_of(request), await _sent(request)
    file, action = sent.fields.get("file", ""), sent.fields.get("action", "")
    text = await looked(_read, place, file) if file else NO_FILE
    text = text._replace(digest=sent.fields.get("seen", ""))
    chosen = submitted(sent.fields, file, text.content).acted(action)
    mistakes: list[Mistake] = []
    if action == "upload" or sent.files:
        chosen, mistakes = await asyncio.to_thread(with_uploads, place, chosen, sent.files)
    elif action.startswith("drop:"):
        name = action.removeprefix("drop:")
        own = place.bounds(file or place.new_file(chosen.knowledge_base), labels_of(request))
        mistakes = await asyncio.to_thread(without_upload, place, chosen, name, own)
    elif action.startswith("forget:"):
        own = place.bounds(file or place.new_file(chosen.knowledge_base), labels_of(request))
        question = action.removeprefix("forget:")
        mistakes = await asyncio.to_thread(forgotten, chosen, question, own)
    if action not in ("check", "save") or mistakes:
        return await _form(request, place, chosen, text, mistakes=mistakes)
    preview = await asyncio.to_thread(previewed, place, chosen, text.text, labels_of(request))
    if action == "save" and not preview.mistakes:
        try:
            await asyncio.to_thread(saved, place, preview, text.digest)
        except LlmopsError as error:
            mistakes = error.mistakes()
        else:
            return await _planned(request, preview.file)
    return await _form(request, place, chosen, text, preview, mistakes)


async def _planned(request: Request, file: str) -> Response:
    """On to the config's page, where its plan is being made."""
    await plan(request, file)
    if swaps(request):
        return Response(status_code=204, headers={"hx-redirect": config_address(file)})
    return RedirectResponse(config_address(file), 303)


def _read(place: Workplace, file: str) -> ConfigText:
    """Raises UsageError for a file that is no config of the project."""
    return place.read(place.config(file).file)


async def _sent(request: Request) -> SentForm:
    """The fields and files of the form. Raises HttpProblem for what is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise HttpProblem(400, "a form is wanted", code="invalid_value")
    fields: dict[str, str] = {}
    files: list[Upload] = []
    try:
        async with request.form(
            max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD
        ) as form:
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    fields[name] = value
                elif value.filename:
                    files.append(Upload(value.filename, await value.read()))
    except HTTPException as error:
        raise HttpProblem(400, "the form cannot be read", code="invalid_value") from error
    return SentForm(fields, files)


async def _form(
    request: Request,
    place: Workplace,
    chosen: ConfigDraft,
    text: ConfigText,
    preview: Preview | None = None,
    mistakes: list[Mistake] | None = None,
    typed: str = "",
) -> Response:
    file = chosen.file or place.new_file(chosen.knowledge_base)
    bounds = place.bounds(file, labels_of(request))
    found = await asyncio.to_thread(
        form_context, place, chosen, text, bounds, preview, mistakes or ()
    )
    found["typed"] = typed
    if swaps(request):
        return fragment(request, "build/form.html", **found)
    return page(request, "build/draft.html", "build", **found)
