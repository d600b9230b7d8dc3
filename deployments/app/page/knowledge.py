"""The tab *Knowledge*: what a knowledge base holds, what changed in it, how a search finds its way,
and what could not be read. Nothing is named that the labels of whoever looks do not open.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llmops.configs.index import IndexConfig
from llmops.configs.reading import read
from llmops.deployments.app.asking import known_base, person_of
from llmops.deployments.app.bases import published
from llmops.deployments.app.jobs import BuildJobs, JobState
from llmops.deployments.app.page.shell import form_of, fragment, page, swaps
from llmops.deployments.app.page.workplace import Workplace
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.visit import visit_of
from llmops.tasks.chat.knowledge import Hit, OpenVersion, SearchResult
from llmops.tasks.errors import Blocked, ConfigError, LlmopsError, UsageError
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge import seen, views
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.versions import config_path
from llmops.tasks.maintenance.versions import document_diff
from llmops.tasks.retrieval.hybrid import MODES, Mode
from llmops.tasks.texts.highlights import MarkedPart, highlighted

router = APIRouter(prefix="/knowledge", include_in_schema=False)
VERSIONS = 30
DEPTH = 10
LONGEST_QUERY = 2_000
LONGEST_PASSAGE = 1_500
T = TypeVar("T")
P = ParamSpec("P")
Context = dict[str, Any]
"""What a template is given."""


class ModePlace(NamedTuple):
    """Of a passage in the list of one mode."""

    rank: int
    score: float


class ScoredPassage(NamedTuple):
    """A passage, where each mode has it, and what of it the question has."""

    hit: Hit
    places: dict[Mode, ModePlace]
    parts: list[MarkedPart]
    cut: bool


def labels_of(request: Request) -> frozenset[str]:
    """What whoever looks may see: the labels of the key, and those that everybody has here."""
    return visit_of(request).labels | frozenset(services_of(request).config.retrieve.labels)


@contextmanager
def missing_is_404() -> Iterator[None]:
    """What there is not, and what may not be seen, look the same."""
    try:
        yield
    except UsageError as error:
        raise HttpProblem(404, error.message, code="not_found") from error


async def looked(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What the ledger says, off the event loop."""
    with missing_is_404():
        return await asyncio.to_thread(work, *arguments, **named)


@router.get("")
async def start(request: Request) -> Response:
    """The first that there is something of."""
    services = services_of(request)
    there = await asyncio.to_thread(published, services.config, services.home)
    first = (there or services.config.knowledge_bases)[0]
    return RedirectResponse(f"/knowledge/{first}", 303)


@router.get("/{kb}")
async def base(request: Request, kb: str) -> Response:
    """One knowledge base: search, versions, and what is in quarantine."""
    handle = handle_of(request, kb)
    live = await asyncio.to_thread(handle.live)
    versions = dated(await looked(views.history, handle, VERSIONS)) if live else []
    shown: Context = {"live": live, "versions": versions, "kb": kb}
    if visit_of(request).may("knowledge"):
        shown |= await _quarantine(request, handle)
    return page(
        request,
        "knowledge/page.html",
        "knowledge",
        bases=services_of(request).config.knowledge_bases,
        **shown,
    )


@router.get("/{kb}/search")
async def search(request: Request, kb: str) -> Response:
    """Passages with their scores in each mode."""
    handle_of(request, kb)
    query = request.query_params.get("q", "").strip()[:LONGEST_QUERY]
    if not query:
        return RedirectResponse(f"/knowledge/{kb}", 303)
    opened = await services_of(request).knowledge.pinned(kb)
    found = await searched(opened, query, labels_of(request))
    shown: Context = {
        "kb": kb,
        "q": query,
        "passages": found,
        "version": opened.number,
        "modes": MODES,
    }
    if swaps(request):
        return fragment(request, "knowledge/passages.html", **shown)
    return page(request, "knowledge/search.html", "knowledge", **shown)


async def searched(opened: OpenVersion, query: str, labels: frozenset[str]) -> list[ScoredPassage]:
    """The best passages of all modes together; the question is embedded once."""
    vector = (await opened.embed_many([query]))[0]
    found = await asyncio.gather(
        *(opened.search(query, DEPTH, mode, "", labels, vector) for mode in MODES)
    )
    return together(query, found)


def together(query: str, found: Sequence[SearchResult]) -> list[ScoredPassage]:
    """Each passage once, in the order of the first mode that has it."""
    hits: dict[str, Hit] = {}
    places: dict[str, dict[Mode, ModePlace]] = {}
    for result in found:
        for hit in result.hits:
            hits.setdefault(hit.chunk_id, hit)
            places.setdefault(hit.chunk_id, {})[result.mode] = ModePlace(hit.rank, hit.score)
    return [
        ScoredPassage(
            hit,
            places[key],
            highlighted(hit.text[:LONGEST_PASSAGE], query),
            len(hit.text) > LONGEST_PASSAGE,
        )
        for key, hit in hits.items()
    ]


@router.get("/{kb}/versions/{number}")
async def version(request: Request, kb: str, number: int) -> Response:
    """What changed in a version, seen from another one: the one that it was built from, where
    `with` names none.
    """
    handle, labels = handle_of(request, kb), labels_of(request)
    chosen = await looked(seen.kept, handle, number)
    versions = dated(await looked(views.history, handle, VERSIONS))
    kept = [each["version"] for each in versions if each["status"] in ("live", "published")]
    other = number_of(request.query_params.get("with", "")) or chosen.parent
    changes = None
    if other is not None and (other in kept or request.query_params.get("with")):
        changes = await looked(seen.changes, handle, other, number, labels)
    row = next((each for each in versions if each["version"] == number), None)
    shown: Context = {"kb": kb, "chosen": number, "version": row, "changes": changes, "kept": kept}
    return page(request, "knowledge/version.html", "knowledge", **shown)


@router.get("/{kb}/versions/{number}/documents")
async def documents(request: Request, kb: str, number: int) -> Response:
    """The documents of a version, in parts."""
    handle, asked = handle_of(request, kb), request.query_params
    text, after = asked.get("text", "")[:200], asked.get("after", "")[:64]
    found = await looked(seen.page, handle, number, labels_of(request), text=text, after=after)
    shown: Context = {"kb": kb, "chosen": number, "found": found, "text": text}
    if swaps(request):
        return fragment(request, "knowledge/more_documents.html", **shown)
    return page(request, "knowledge/documents.html", "knowledge", **shown)


@router.get("/{kb}/versions/{number}/documents/{doc_id}")
async def document(request: Request, kb: str, number: int, doc_id: str) -> Response:
    """What changed in one document between two versions."""
    handle = handle_of(request, kb)
    other = number_of(request.query_params.get("with", ""))
    numbers = [number] if other is None else [other, number]
    rows = await looked(seen.document_of, handle, doc_id, numbers, labels_of(request))
    lines, too_long = [], False
    try:
        before = rows.get(other) if other is not None else None
        lines = await asyncio.to_thread(document_diff, handle, before, rows.get(number))
    except UsageError:
        too_long = True
    title = next(iter(rows.values()))
    shown: Context = {
        "kb": kb,
        "chosen": number,
        "other": other,
        "lines": lines,
        "too_long": too_long,
    }
    shown["document"] = title
    if swaps(request):
        return fragment(request, "knowledge/difference.html", **shown)
    return page(request, "knowledge/document.html", "knowledge", **shown)


@router.post("/{kb}/retry")
async def retry(request: Request, kb: str) -> Response:
    """Try documents in quarantine again, as `llmops quarantine retry` does: all that may be named,
    or one.
    """
    handle = handle_of(request, kb)
    wanting(request)
    fields = await form_of(request)
    rules = await asyncio.to_thread(rules_of, handle)
    found = await asyncio.to_thread(seen.quarantined, handle, labels_of(request), *rules)
    named = [each["id"] for each in found.items]
    chosen = [fields["item"]] if fields.get("item") else named
    if not chosen or not set(chosen) <= set(named):
        raise HttpProblem(404, "no such item in quarantine", code="not_found")
    refused = await asyncio.to_thread(_retried, request, handle, chosen, await _who(request))
    if swaps(request):
        return await _retry_state(request, kb, refused)
    return RedirectResponse(f"/knowledge/{kb}#quarantine", 303)


def _retried(request: Request, handle: Handle, chosen: list[str], who: str) -> str:
    """Why it could not be started; "" where it was."""
    path = config_path(handle)
    if path is None or not Path(path).is_file():
        return "unknown_config"
    try:
        jobs_of(services_of(request)).retry(handle.name, Path(path), chosen, who)
    except Blocked:
        return "running"
    return ""


@router.get("/{kb}/retry")
async def retry_state(request: Request, kb: str) -> Response:
    """How it is doing; once it has ended, what is left in quarantine."""
    handle = handle_of(request, kb)
    wanting(request)
    job = await state_of(request, kb)
    if job is not None and job.running:
        return fragment(request, "knowledge/retry.html", kb=kb, job=job, refused="")
    headers = {"hx-retarget": "#quarantine", "hx-reswap": "outerHTML"}
    left = await _quarantine(request, handle)
    return fragment(request, "knowledge/quarantine.html", headers=headers, kb=kb, **left)


async def _quarantine(request: Request, handle: Handle) -> Context:
    rules = await asyncio.to_thread(rules_of, handle)
    found = await asyncio.to_thread(seen.quarantined, handle, labels_of(request), *rules)
    job = await state_of(request, handle.name)
    return {"quarantine": found, "held": dated(found.items), "job": job}


async def _retry_state(request: Request, kb: str, refused: str) -> Response:
    job = await state_of(request, kb)
    return fragment(request, "knowledge/retry.html", kb=kb, job=job, refused=refused)


def handle_of(request: Request, kb: str) -> Handle:
    """Raises HttpProblem for a knowledge base that is not the application's."""
    services = services_of(request)
    known_base(services, kb)
    return Handle(home=services.home, name=kb)


def rules_of(handle: Handle) -> list[MetadataSchema]:
    """The access rules of the config that builds a knowledge base; none where nobody can read
    it.
    """
    try:
        path = config_path(handle)
        return [read(Path(path), IndexConfig).metadata_schema] if path else []
    except (ConfigError, LlmopsError):
        return []


def wanting(request: Request) -> None:
    """Raises HttpProblem for those who may look, and change nothing."""
    if not visit_of(request).may("knowledge"):
        raise HttpProblem(403, "this key may not do that", code="insufficient_scope")


def jobs_of(services: Services) -> BuildJobs:
    return BuildJobs(services.home, Workplace.of(services.config, services.home).folder)


async def state_of(request: Request, kb: str) -> JobState | None:
    return await asyncio.to_thread(jobs_of(services_of(request)).state, kb, "build")


async def _who(request: Request) -> str:
    return await person_of(services_of(request), visit_of(request), "")


def dated(rows: Sequence[Mapping[str, Any]]) -> list[Context]:
    """The rows, their times as such: the reader's locale says how they look."""
    times = ("published_at", "first_seen", "last_seen")
    return [
        {**row, **{t: datetime.fromisoformat(row[t]) for t in times if row.get(t)}} for row in rows
    ]


def number_of(text: str) -> int | None:
    """A version's number; None for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
