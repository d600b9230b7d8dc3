"""A config's page in the tab *Build*: the config, its plan with the price, and its build with how
far it is. What runs is a process of its own: a reload, or a restart of the application, finds it.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llmops.configs.index import IndexConfig
from llmops.configs.reading import read
from llmops.deployments.app.asking import person_of
from llmops.deployments.app.jobs import BuildJobs, JobKind, JobState
from llmops.deployments.app.page.knowledge import Context, dated, labels_of, looked
from llmops.deployments.app.page.offering import offer, taken
from llmops.deployments.app.page.saving import masked
from llmops.deployments.app.page.shell import form_of, fragment, page, swaps
from llmops.deployments.app.page.workplace import ProjectConfig, Workplace
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import services_of
from llmops.deployments.app.steps import STEPS, BuildProgress, onwards, progress
from llmops.deployments.app.visit import visit_of
from llmops.tasks.errors import Blocked, LlmopsError, UsageError
from llmops.tasks.knowledge.handle import Handle, schema_of
from llmops.tasks.knowledge.seen import Sight, quarantined

router = APIRouter(prefix="/build", include_in_schema=False)
DOCUMENTS = 100
HELD = 20
"""Documents that were set aside, as many as are named."""
KINDS = ("new", "changed", "renamed", "unchanged", "vanished", "quarantined")


class PlannedDocument(NamedTuple):
    what: str
    uri: str


class BuildView(NamedTuple):
    """A plan or a build as the page shows it. `told`: whether its own words may be shown, which may
    name documents; `documents`: those of a plan that may be named, `more`: how many are not shown.
    """

    state: JobState
    told: bool
    documents: tuple[PlannedDocument, ...] = ()
    more: int = 0

    @property
    def outcome(self) -> Mapping[str, Any]:
        return self.state.outcome

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of documents that are not 0, by what becomes of them."""
        found = self.outcome.get("documents") or {}
        return {kind: int(found[kind]) for kind in KINDS if found.get(kind)}


def workplace_of(request: Request) -> Workplace:
    services = services_of(request)
    return Workplace.of(services.config, services.home)


def config_address(file: str) -> str:
    return f"/build/config?file={quote(file, safe='')}"


@router.get("/config")
async def config(request: Request) -> Response:
    """A config, its plan and its build."""
    place = workplace_of(request)
    chosen = await looked(place.config, request.query_params.get("file", ""))
    text = await looked(place.read, chosen.file)
    shown = await _views(request, place, chosen)
    return page(
        request,
        "build/config.html",
        "build",
        place=place,
        text=masked(text.text),
        **shown,
    )


@router.post("/offer")
async def take(request: Request) -> Response:
    """Name a knowledge base in the application's config."""
    place, fields = workplace_of(request), await form_of(request)
    chosen = await looked(place.config, fields.get("file", ""))
    config, kb = services_of(request).config, chosen.knowledge_base
    try:
        await asyncio.to_thread(taken, place, config, kb, fields.get("seen", ""))
    except UsageError as error:
        raise HttpProblem(409, error.message, code="file_changed") from error
    if swaps(request):
        return await _state(request, place, chosen)
    return RedirectResponse(config_address(chosen.file), 303)


@router.get("/state")
async def state(request: Request) -> Response:
    """How plan and build are doing, for a page that waits."""
    place = workplace_of(request)
    chosen = await looked(place.config, request.query_params.get("file", ""))
    return await _state(request, place, chosen)


@router.post("/run")
async def run(request: Request) -> Response:
    """Make the plan, start the build, or stop what runs."""
    place, fields = workplace_of(request), await form_of(request)
    chosen = await looked(place.config, fields.get("file", ""))
    match fields.get("do"):
        case "plan":
            refused = await plan(request, chosen.file)
        case "build":
            refused = await build(request, chosen, deletes="deletes" in fields)
        case "stop":
            jobs = BuildJobs(place.home, place.folder)
            kinds: tuple[JobKind, ...] = ("plan", "build")
            for kind in kinds:
                await asyncio.to_thread(jobs.stop, chosen.knowledge_base, kind)
            refused = ""
        case _:
            raise HttpProblem(400, "nothing to do", code="invalid_value")
    if swaps(request):
        return await _state(request, place, chosen, refused)
    return RedirectResponse(config_address(chosen.file), 303)


async def plan(request: Request, file: str) -> str:
    """Make the plan of a config; why it could not be begun, "" where it was."""
    place, who = workplace_of(request), await who_of(request)
    jobs = BuildJobs(place.home, place.folder)
    kb = (await looked(place.config, file)).knowledge_base
    return await begun(partial(jobs.plan, kb, place.folder / file, who))


async def build(request: Request, chosen: ProjectConfig, *, deletes: bool) -> str:
    """Start the build of a config; why it could not be begun, "" where it was."""
    place, who = workplace_of(request), await who_of(request)
    jobs = BuildJobs(place.home, place.folder)
    path = place.folder / chosen.file
    return await begun(partial(jobs.build, chosen.knowledge_base, path, who, deletes=deletes))


async def begun(start: Callable[[], object]) -> str:
    """Why a process could not be started, "" where it was."""
    try:
        await looked(start)
    except Blocked as stop:
        return "many" if stop.where == "" else "running"
    return ""


async def who_of(request: Request) -> str:
    """The pseudonym of whoever starts something."""
    return await person_of(services_of(request), visit_of(request), "")


async def _state(
    request: Request, place: Workplace, chosen: ProjectConfig, refused: str = ""
) -> Response:
    shown = await _views(request, place, chosen)
    return fragment(request, "build/state.html", **{**shown, "refused": refused})


async def _views(request: Request, place: Workplace, chosen: ProjectConfig) -> Context:
    labels = labels_of(request)
    found = await asyncio.to_thread(views_of, place, chosen, labels)
    built = found["build"]
    done = BuildProgress("start")
    if built is not None and built.state.running:
        done = await asyncio.to_thread(progress, place.home, chosen.knowledge_base)
        done = onwards(done, request.query_params.get("at", ""))
    running = any(view is not None and view.state.running for view in found.values())
    held: list[Context] = []
    if built is not None and built.counts.get("quarantined"):
        held = await asyncio.to_thread(set_aside, place, chosen, labels)
    own = services_of(request).config
    offered = await asyncio.to_thread(offer, place, own, chosen.knowledge_base)
    return {
        **found,
        "held": held,
        "offer": offered,
        "config": chosen,
        "progress": done,
        "steps": STEPS,
        "running": running,
        "served": chosen.knowledge_base in own.knowledge_bases,
        "refused": "",
    }


def views_of(
    place: Workplace, chosen: ProjectConfig, labels: frozenset[str]
) -> dict[str, BuildView | None]:
    """The plan and the build of a config, as far as the labels let them be shown."""
    jobs = BuildJobs(place.home, place.folder)
    sight = sight_of_config(place, chosen, labels)
    kinds: tuple[JobKind, ...] = ("plan", "build")
    found: dict[str, BuildView | None] = {}
    for kind in kinds:
        state = jobs.state(chosen.knowledge_base, kind)
        found[kind] = None if state is None else view_of(state, sight)
    return found


def set_aside(place: Workplace, chosen: ProjectConfig, labels: frozenset[str]) -> list[Context]:
    """What could not be read, as far as the labels let it be named."""
    try:
        rules = read(place.folder / chosen.file, IndexConfig).metadata_schema
        kb = Handle(home=place.home, name=chosen.knowledge_base)
        return dated(quarantined(kb, labels, rules, most=HELD).items)
    except LlmopsError:  # rules that cannot be read open nothing
        return []


def view_of(state: JobState, sight: Sight) -> BuildView:
    """A mistake of the config may be told, as whoever builds may read that; what happens to
    documents only to those who may see them all.
    """
    rows = state.outcome.get("plan") or []
    named = [
        PlannedDocument(row["what"], row["uri"])
        for row in rows
        if sight.whole or (row["source"] and sight.source(row["source"]))
    ]
    told = sight.whole or state.status == "refused"
    return BuildView(state, told, tuple(named[:DOCUMENTS]), max(0, len(named) - DOCUMENTS))


def sight_of_config(place: Workplace, chosen: ProjectConfig, labels: frozenset[str]) -> Sight:
    """What the labels open under the rules of a config, and of what is live."""
    rules = []
    try:
        rules.append(read(place.folder / chosen.file, IndexConfig).metadata_schema)
        live = Handle(home=place.home, name=chosen.knowledge_base).live()
        rules += [schema_of(live)] if live else []
    except LlmopsError:  # rules that cannot be read open nothing, but for those that can
        return Sight(labels, ())
    return Sight(labels, tuple(rules))
