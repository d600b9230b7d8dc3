"""The tab *Compare*: two to four prompts or models side by side, drafts, and votes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from llmops.deployments.app.asking import person_name, person_of
from llmops.deployments.app.bases import published
from llmops.deployments.app.page.builds import workplace_of
from llmops.deployments.app.page.compare_form import LETTERS, FormMistake, fields_of, sides_of
from llmops.deployments.app.page.prompt_names import told_apart
from llmops.deployments.app.page.shell import form_of, fragment, page, reader_of, rendered
from llmops.deployments.app.page.trials import Trial, TrialEvent, TrialFields, TrialRow
from llmops.deployments.app.page.trying import held_labels, run, voted
from llmops.deployments.app.problems import HttpProblem, not_found
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.streams import LAST, EventStream, event
from llmops.deployments.app.visit import AppVisit, visit_of
from llmops.tasks.audit.actor import acting_as
from llmops.tasks.chat.choices import chosen, prompt_choices, prompt_files
from llmops.tasks.chat.comparing import MOST
from llmops.tasks.chat.prompt import KNOWN
from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.knowledge.suppressed import erasures
from llmops.tasks.ledger import open_ledger
from llmops.tasks.prompts import Resolved
from llmops.tasks.prompts.registry import Pushed, push_all
from llmops.tasks.review import preferences
from llmops.tasks.review.preferences import LONGEST_COMMENT

log = logging.getLogger("llmops.app")
router = APIRouter(include_in_schema=False, prefix="/compare")
VOTES = 20
"""Pairs that are shown, newest first."""
NOTHING = "none"
VOTED, SAVED = {"hx-trigger": "compare-voted"}, {"hx-trigger": "compare-saved"}
MISTAKES = {"hx-retarget": "#mistakes"}
NO_PROMPTS = {"hx-trigger": "compare-no-prompts"}


@router.get("")
async def compare(request: Request) -> Response:
    """The form, and what was compared last."""
    services, visit = services_of(request), visit_of(request)
    trial = await _current(services, visit)
    models = list(services.engine.choices)
    files = await _files(services)
    return page(
        request,
        "compare/page.html",
        "compare",
        fields=trial.fields if trial else _fresh(models, files),
        sides=trial.sides if trial else (),
        own=services.engine.prompt.current(),
        models=models,
        bases=await _bases(services),
        most=MOST,
        variables=KNOWN,
        trial=trial,
        letters=LETTERS,
    )


@router.get("/prompts")
async def prompts(request: Request) -> Response:
    """The prompts of the project's folder and the versions of the registry, to choose from."""
    services = services_of(request)
    files, headers = await _files(services), None
    try:
        found = await asyncio.to_thread(prompt_choices, services.home)
    except Unavailable as error:
        log.warning("prompts of the registry are not offered: %s", error)
        found, headers = [], NO_PROMPTS
    return fragment(request, "compare/prompts.html", headers=headers, choices=found, files=files)


@router.get("/draft")
async def draft(request: Request, side: int, prompt: str = "") -> Response:
    """The texts of a prompt, to change them."""
    services, visit = services_of(request), visit_of(request)
    _must_edit(visit)
    try:
        own = services.engine.prompt.current()
        files = await _files(services)
        base = await asyncio.to_thread(chosen, services.home, own, prompt, files)
    except UsageError as error:
        raise not_found() from error
    shown = base.prompt
    return fragment(request, "compare/draft.html", side=side, prompt=shown, variables=KNOWN)


@router.post("/run")
async def begin(request: Request) -> Response:
    """Begin a trial, in the place of the one before; or all that is wrong with the form."""
    services, visit = services_of(request), visit_of(request)
    form = await form_of(request)
    fields, lately = fields_of(form), form.get("what") == "lately"
    try:
        sides = await sides_of(services, visit, fields, lately=lately)
    except FormMistake as wrong:
        return _mistakes(request, wrong, MISTAKES)
    trial = Trial(fields, sides, visit.request_id, lately=lately)
    if not lately:
        own = next(iter(await _bases(services)), None)
        trial.new_row(fields.question, fields.knowledge_base or own)
    person = await person_of(services, visit, "")
    await services.trials.hold(_owner(visit), trial)
    trial.start(run(services, visit, person, trial))
    return fragment(request, "compare/results.html", trial=trial)


async def _bases(services: Services) -> tuple[str, ...]:
    """Those that can be searched, the one that is searched by itself first."""
    return await asyncio.to_thread(published, services.config, services.home)


@router.get("/results")
async def results(request: Request) -> Response:
    """What was compared last, from its beginning."""
    trial = await _current(services_of(request), visit_of(request))
    return fragment(request, "compare/results.html", trial=trial)


@router.get("/events")
async def events(request: Request, trial: str) -> Response:
    """What a trial has come to, and what it comes to, until its end."""
    services, visit = services_of(request), visit_of(request)
    held = await _held(services, visit, trial)
    return EventStream(
        _events(request, held),
        services.streams,
        services.config.limits.seconds,
        visit.request_id,
    )


@router.post("/stop")
async def stop(request: Request) -> Response:
    """End what is being paid for; what is there already stays."""
    services, visit = services_of(request), visit_of(request)
    form = await form_of(request)
    await (await _held(services, visit, form.get("trial", ""))).stop()
    return Response(status_code=204)


@router.post("/vote")
async def vote(request: Request) -> Response:
    """Say which answer is better, or that none is: names are shown from then on."""
    services, visit = services_of(request), visit_of(request)
    form = await form_of(request)
    trial, number, row = await _row(services, visit, form)
    if not row.votable or (trial.blind and row.revealed):
        raise HttpProblem(409, "this cannot be voted on, or not any more", code="no_vote")
    place, comment = form.get("place", NOTHING), form.get("comment", "")[:LONGEST_COMMENT]
    if place != NOTHING:
        side = row.order[_number(place, len(row.order))]
        await _vote(services, visit, trial, row, side, comment)
    row.revealed, row.undecided = True, place == NOTHING
    return _row_again(request, trial, number)


@router.post("/withdraw")
async def withdraw(request: Request) -> Response:
    """Take a vote back."""
    services, visit = services_of(request), visit_of(request)
    trial, number, row = await _row(services, visit, await form_of(request))
    person = await person_of(services, visit, "")
    gone = partial(preferences.withdraw, services.home, services.app, person, row.pairs)
    await asyncio.to_thread(gone)
    row.chosen, row.pairs = None, ()
    return _row_again(request, trial, number)


@router.get("/votes")
async def votes(request: Request) -> Response:
    """Who is liked how often, and the newest votes that the reader may see."""
    services, visit = services_of(request), visit_of(request)
    of_app = (services.home, services.app)
    liked = await asyncio.to_thread(preferences.liked, *of_app)
    newest = partial(preferences.listed, *of_app, held_labels(services, visit), limit=VOTES)
    found = await asyncio.to_thread(newest)
    uris = [
        *(each.prompt for each in liked),
        *(side.prompt for each in found for side in (each.chosen, each.rejected)),
    ]
    named = told_apart(reader_of(request).texts, uris)
    return fragment(request, "compare/votes.html", liked=liked, pairs=found, named=named)


@router.post("/save")
async def save(request: Request) -> Response:
    """Keep a draft as a version of the registry. No alias moves: a decision does that."""
    services, visit = services_of(request), visit_of(request)
    _must_edit(visit)
    form = await form_of(request)
    number = _number(form.get("save", ""), MOST)
    fields = fields_of(form, only=number)
    try:
        (side,) = await sides_of(services, visit, fields, saving=True)
    except FormMistake as wrong:
        return _mistakes(request, FormMistake([each._replace(side=number) for each in wrong.found]))
    name = person_name(services.app, visit, "")

    def work() -> Pushed:
        with acting_as(name):
            return push_all(services.home, [side.prompt.prompt])[0]

    pushed = await asyncio.to_thread(work)
    evaluate = await asyncio.to_thread(workplace_of(request).first_of, "evaluate")
    return fragment(request, "compare/saved.html", headers=SAVED, pushed=pushed, evaluate=evaluate)


def _mistakes(
    request: Request, wrong: FormMistake, headers: dict[str, str] | None = None
) -> Response:
    return fragment(
        request,
        "compare/mistakes.html",
        headers=headers,
        mistakes=wrong.found,
        letters=LETTERS,
    )


async def _events(request: Request, trial: Trial) -> AsyncIterator[bytes]:
    async for each in trial.follow():
        yield event(_told(request, trial, each))
    yield LAST


def _told(request: Request, trial: Trial, told: TrialEvent) -> dict[str, object]:
    """An event in the reader's language, as `compare.js` reads it."""
    plain: dict[str, object] = {"kind": told.kind, "row": told.row, "place": told.place}
    if told.kind == "piece":
        return {**plain, "text": told.text}
    if told.kind == "over":
        return {**plain, "html": rendered(request, "compare/over.html", trial=trial)}
    part = {"row": "row", "shown": "given", "end": "answer", "ready": "verdict"}[told.kind]
    html = rendered(
        request,
        f"compare/{part}.html",
        trial=trial,
        row=trial.rows[told.row],
        number=told.row,
        letters=LETTERS,
        place=told.place,
    )
    progress = rendered(request, "compare/progress.html", at=told.row + 1, trial=trial)
    return {**plain, "html": html, "progress": progress}


def _row_again(request: Request, trial: Trial, number: int) -> Response:
    return fragment(
        request,
        "compare/row.html",
        headers=VOTED,
        trial=trial,
        row=trial.rows[number],
        number=number,
        letters=LETTERS,
    )


async def _vote(
    services: Services, visit: AppVisit, trial: Trial, row: TrialRow, side: int, comment: str
) -> None:
    labels, person = held_labels(services, visit), await person_of(services, visit, "")
    answered = [each for each in row.order if not isinstance(row.ends[each], HttpProblem)]
    if side not in answered:
        raise HttpProblem(400, "this side has no answer", code="invalid_value")
    others = [voted(trial, row, each, labels) for each in answered if each != side]
    assert row.shown is not None
    keep = partial(
        preferences.prefer,
        *(services.home, services.app, person, row.shown.question),
        *(voted(trial, row, side, labels), others, comment, row.source),
    )
    try:
        row.pairs = tuple(await asyncio.to_thread(keep))
    except UsageError as error:
        raise HttpProblem(409, "this question was deleted", code="gone") from error
    row.chosen = side


async def _current(services: Services, visit: AppVisit) -> Trial | None:
    """The trial of a session. One that may quote what was erased meanwhile is dropped."""
    trial = services.trials.of(_owner(visit))
    shown = [row.shown for row in trial.rows if row.shown] if trial else []
    before = {(each.knowledge_base, each.erasures) for each in shown}
    now = await asyncio.to_thread(_erasures, services, {name for name, _ in before})
    if before <= now:
        return trial
    await services.trials.drop(_owner(visit))
    return None


def _erasures(services: Services, names: Collection[str]) -> set[tuple[str, str]]:
    with open_ledger(services.home).read() as connection:
        return {(name, erasures(connection, name)) for name in names}


async def _held(services: Services, visit: AppVisit, trial_id: str) -> Trial:
    trial = await _current(services, visit)
    if trial is None or trial.id != trial_id:
        raise HttpProblem(404, "this trial is over", code="gone")
    return trial


async def _row(
    services: Services, visit: AppVisit, form: dict[str, str]
) -> tuple[Trial, int, TrialRow]:
    trial = await _held(services, visit, form.get("trial", ""))
    number = _number(form.get("row", ""), len(trial.rows))
    return trial, number, trial.rows[number]


def _number(text: str, below: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) < below):
        raise HttpProblem(400, "a number is wanted", code="invalid_value")
    return int(text)


def _owner(visit: AppVisit) -> str:
    assert visit.session is not None  # pages are for those who are signed in
    return visit.session.id


def _must_edit(visit: AppVisit) -> None:
    if not visit.may("prompts"):
        raise HttpProblem(403, "drafts are for editors", code="insufficient_scope")


async def _files(services: Services) -> dict[str, Resolved]:
    own = services.engine.prompt.current()
    return await asyncio.to_thread(prompt_files, services.config.folder, own)


def _fresh(models: list[str], files: Collection[str]) -> TrialFields:
    """The application as it is beside another prompt of its folder, else with another model."""
    first = TrialFields().sides[0]._replace(model=models[0])
    if files:
        return TrialFields(sides=(first, first._replace(prompt=min(files))))
    return TrialFields(sides=(first, first._replace(model=models[min(1, len(models) - 1)])))
