"""`/review`: the queue of answers that people look at."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from llmops.deployments.app.page.builds import workplace_of
from llmops.deployments.app.page.coming import Coming, coming
from llmops.deployments.app.page.markdown import render
from llmops.deployments.app.page.shell import form_of, fragment, page
from llmops.deployments.app.problems import HttpProblem, json_response
from llmops.deployments.app.reviewing import (
    ReviewedAnswer,
    answer_of,
    blinded,
    may_adjudicate,
    questions_of,
    reviewer_of,
    seen_item,
    submitted,
)
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.visit import AppVisit, visit_of
from llmops.tasks.access import keys
from llmops.tasks.audit.people import names
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.review import agreement, leases
from llmops.tasks.review.agreement import ReviewAgreement, ReviewProgress
from llmops.tasks.review.finding import MOST, ItemFilter, ReviewItems, checked, find
from llmops.tasks.review.items import Draft, ReviewItem
from llmops.tasks.review.reviewing import Review, verdict_of
from llmops.tasks.triage.choose import facts
from llmops.tasks.triage.signals import Seen

router = APIRouter(include_in_schema=False)
PART = 25
WITHOUT = "good_without"
"""Good, and the better answer that was typed is not meant."""
FILTERS = ("state", "verdict", "reason", "rating", "text")
T = TypeVar("T")


class ItemView(NamedTuple):
    """What the page of an item shows. `facts`: what made it an item; `called`: names of reviewers;
    `mine`: what whoever looks has said; `reviewer`: their pseudonym.
    """

    item: ReviewItem
    answer: ReviewedAnswer
    facts: Seen
    reviewer: str
    called: Mapping[str, str]
    mine: Draft
    reviewed: bool


class QueueView(NamedTuple):
    """What the page of the queue shows. `called`: names of reviewers; `more`: what brings more;
    `empty`: nothing is left for whoever looks, and they are to be told.
    """

    found: ReviewItems
    come: ReviewProgress
    agreed: ReviewAgreement
    called: Mapping[str, str]
    more: Coming
    empty: bool


@router.get("/review")
async def queue(request: Request) -> Response:
    """What waits, how far it has come, and what was said."""
    wanted, start = _filter(request.query_params), _start(request)
    place, told = workplace_of(request), "nothing" in request.query_params

    def work(services: Services, visit: AppVisit) -> QueueView:
        come = agreement.progress(services.home, services.app)
        return QueueView(
            _found(services, visit, wanted, start),
            come,
            agreement.agreement(services.home, services.app),
            _called(services, {each.reviewer for each in come.reviewers}),
            coming(place, services.app),
            told and not _left(services, visit),
        )

    shown = await _worked(request, work)
    kept = {name: value for name, value in wanted._asdict().items() if value}
    return page(
        request,
        "review/page.html",
        "review",
        wanted=wanted,
        start=start,
        part=PART,
        export={
            kind: f"/v1/review?{urlencode({**kept, 'format': kind, 'limit': MOST})}"
            for kind in ("csv", "jsonl")
        },
        asked=f"/review/list?{urlencode({**kept, 'from': start})}",
        further=lambda at: f"/review?{urlencode({**kept, 'from': at})}",
        questions=None,
        **shown._asdict(),
    )


@router.get("/review/list")
async def listed(request: Request) -> Response:
    """The items of the same part with what was asked, which MLflow may take its time to say."""
    wanted, start = _filter(request.query_params), _start(request)

    def work(services: Services, visit: AppVisit) -> tuple[ReviewItems, dict[str, str]]:
        found = _found(services, visit, wanted, start)
        return found, questions_of(services, visit, found.items)

    found, questions = await _worked(request, work)
    return fragment(request, "review/list.html", found=found, questions=questions)


@router.post("/review/next")
async def following(request: Request) -> Response:
    """Take the next item in hand and go there."""
    return await _worked(request, _next)


@router.get("/review/{item_id}")
async def item(request: Request, item_id: str) -> Response:
    """An item to look at, with what was typed before."""

    def work(services: Services, visit: AppVisit) -> ItemView:
        return _view(services, visit, item_id)

    return _shown(request, await _worked(request, work))


@router.post("/review/{item_id}")
async def submit(request: Request, item_id: str) -> Response:
    """Say what an answer is worth, and go on to the next."""
    fields = await form_of(request)

    def work(services: Services, visit: AppVisit) -> Response | ItemView:
        if (rules := "adjudicates" in fields) and not may_adjudicate(visit):
            raise HttpProblem(403, "only an editor may", code="insufficient_scope")
        reviewer = reviewer_of(services, visit)
        seen = seen_item(services, visit, item_id, reviewer)
        said = _review(fields, answer_of(services, visit, seen).answer)
        if said.verdict == "good" and said.correction:
            typed = Draft(correction=said.correction, comment=said.comment, relevant=said.relevant)
            return _view(services, visit, item_id)._replace(mine=typed)
        submitted(services, seen, reviewer, said, adjudicates=rules)
        return RedirectResponse("/review", 303) if rules else _next(services, visit)

    done = await _worked(request, work)
    return _shown(request, done, unsure=True) if isinstance(done, ItemView) else done


@router.post("/review/{item_id}/draft")
async def draft(request: Request, item_id: str) -> Response:
    """Keep what was typed, and the item in hand. `held`: whether it still is."""
    fields = await form_of(request)

    def work(services: Services, visit: AppVisit) -> Response:
        reviewer = reviewer_of(services, visit)
        seen_item(services, visit, item_id, reviewer)
        try:
            typed = Draft(
                correction=_text(fields, "correction"),
                comment=_text(fields, "comment"),
                relevant=_relevant(fields),
            )
            kept = leases.save_draft(services.home, item_id, reviewer, typed)
        except (ValidationError, UsageError) as error:
            told = "the draft is too long, or not taken"
            raise HttpProblem(400, told, code="invalid_value") from error
        own = any(each.reviewer == reviewer for each in kept.reviews)
        return json_response({"held": kept.held_until is not None or own})

    return await _worked(request, work)


@router.post("/review/{item_id}/skip")
async def skip(request: Request, item_id: str) -> Response:
    """Put an item back, and go on to the next."""

    def work(services: Services, visit: AppVisit) -> Response:
        reviewer = reviewer_of(services, visit)
        seen_item(services, visit, item_id, reviewer)
        leases.release(services.home, item_id, reviewer)
        return _next(services, visit)

    return await _worked(request, work)


async def _worked(request: Request, work: Callable[[Services, AppVisit], T]) -> T:
    return await asyncio.to_thread(work, services_of(request), visit_of(request))


def _shown(request: Request, view: ItemView, *, unsure: bool = False) -> Response:
    """`unsure`: good was said beside a better answer, and one of the two is not meant."""
    rules = may_adjudicate(visit_of(request)) and view.item.state == "disputed"
    return page(
        request,
        "review/item.html",
        "review",
        **view._asdict(),
        rules=rules,
        blocks=render(view.answer.answer).blocks,
        unsure=unsure,
    )


def _next(services: Services, visit: AppVisit) -> Response:
    reviewer = reviewer_of(services, visit)
    taken = leases.claim(services.home, services.app, "", reviewer, labels=visit.labels)
    return RedirectResponse(f"/review/{taken.id}" if taken else "/review?nothing", 303)


def _left(services: Services, visit: AppVisit) -> bool:
    reviewer = reviewer_of(services, visit)
    return leases.left(services.home, services.app, "", reviewer, labels=visit.labels)


def _start(request: Request) -> int:
    given = request.query_params.get("from", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 8 else 0


def _filter(query: Mapping[str, str]) -> ItemFilter:
    """What the form asks for; a value that is none asks for nothing."""
    given = {name: query.get(name, "")[:200] for name in FILTERS}
    try:
        return checked(**given)
    except UsageError:
        return checked(reason=given["reason"], text=given["text"])


def _found(services: Services, visit: AppVisit, wanted: ItemFilter, start: int) -> ReviewItems:
    return find(
        services.home,
        services.app,
        **wanted._asdict(),
        labels=visit.labels,
        limit=PART,
        offset=start,
    )


def _view(services: Services, visit: AppVisit, item_id: str) -> ItemView:
    reviewer = reviewer_of(services, visit)
    whole = seen_item(services, visit, item_id, reviewer)
    answer = answer_of(services, visit, whole)
    shown = blinded(whole, reviewer, adjudicates=may_adjudicate(visit))
    called = _called(services, {each.reviewer for each in shown.reviews})
    said = next(
        (
            each
            for each in whole.reviews
            if each.reviewer == reviewer and not each.adjudicates and each.verdict != "withdrawn"
        ),
        None,
    )
    mine = whole.draft or (
        Draft.model_validate(
            said.model_dump(include={"verdict", "correction", "relevant", "comment"})
        )
        if said
        else Draft()
    )
    return ItemView(
        shown,
        answer,
        facts(services.home, whole.trace_id),
        reviewer,
        called,
        mine,
        said is not None,
    )


def _called(services: Services, reviewers: Collection[str]) -> dict[str, str]:
    """pseudonym -> name, as people know it: that of the key, or what they call themselves."""
    with existing_ledger(services.home).read() as connection:
        known = names(connection, reviewers)
    held = {f"key/{key.id}": key.name for key in keys.listed(services.home)}
    return {
        who: held.get(name, name.removeprefix(f"{services.app}/")) for who, name in known.items()
    }


def _review(fields: Mapping[str, str], answer: str) -> Review:
    """What the form says. The answer itself is no better one."""
    without = fields.get("verdict") == WITHOUT
    better = "" if without else _text(fields, "correction")
    try:
        verdict = verdict_of("good" if without else fields.get("verdict", ""))
    except UsageError as error:
        raise HttpProblem(400, error.message, code="invalid_value") from error
    seconds = fields.get("seconds", "")
    return Review(
        verdict,
        "" if better == answer.strip() else better,
        _relevant(fields),
        _text(fields, "comment"),
        float(seconds) if seconds.isdecimal() and len(seconds) < 7 else 0.0,
    )


def _text(fields: Mapping[str, str], name: str) -> str:
    """Browsers send line ends of their own."""
    return fields.get(name, "").replace("\r\n", "\n").strip()


def _relevant(fields: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uri for name, uri in fields.items() if name.startswith("relevant-")))
