"""Training from the tab *Review*: what people said of answers becomes a data set, and what is
trained on it goes live where its gate says so. What runs is `llmops finetune CONFIG --train`, in a
process of its own: a reload, or a restart of the application, finds it.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llmops.deployments.app.jobs import TRAINING, BuildJobs, JobState
from llmops.deployments.app.page import trainable
from llmops.deployments.app.page.builds import begun, who_of, workplace_of
from llmops.deployments.app.page.knowledge import Context, labels_of, looked
from llmops.deployments.app.page.shell import form_of, fragment, page, swaps
from llmops.deployments.app.page.trainable import Trainable
from llmops.deployments.app.page.workplace import Workplace
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.steps import (
    TRAINING_STEPS,
    BuildProgress,
    onwards,
    training_progress,
)
from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.knowledge.handle import Handle, schema_of
from llmops.tasks.knowledge.seen import Sight

router = APIRouter(prefix="/review/training", include_in_schema=False)
HERE = "/review/training"
FATES = ("rejected", "duplicates", "near_duplicates", "contaminated")
SIDES = ("train", "validation", "test")
BETTER_FROM = 0.0005
"""A difference in nDCG@10 that is shown as one: three digits."""
SCHEMES = ("http", "https")


class TrainView(NamedTuple):
    """A plan or a training as the page shows it. `whole`: whether questions of others may be shown,
    which anybody may have asked.
    """

    state: JobState
    whole: bool

    @property
    def told(self) -> bool:
        """For `build/told.html`: what it says of itself names no documents."""
        return True

    @property
    def outcome(self) -> Mapping[str, Any]:
        return self.state.outcome

    @property
    def trained(self) -> Mapping[str, Any]:
        """What the training after the data set came to; empty for none."""
        found: Mapping[str, Any] = self.outcome.get("training") or {}
        return found

    @property
    def rows(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self.outcome.get("rows") or {}
        return found

    @property
    def left(self) -> int:
        return sum(int(self.rows.get(side) or 0) for side in SIDES)

    @property
    def fates(self) -> dict[str, int]:
        """Rows that are not in the data set, by why not."""
        return {name: int(self.rows[name]) for name in FATES if self.rows.get(name)}

    @property
    def figures(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.trained.get("figures") or {}
        return found

    @property
    def worse_kinds(self) -> list[str]:
        """Kinds of questions that got worse on average."""
        tags = self.figures.get("tags") or {}
        return [tag for tag, change in tags.items() if change <= -BETTER_FROM]

    @property
    def worst(self) -> list[Mapping[str, Any]]:
        return list(self.figures.get("worst") or ()) if self.whole else []

    @property
    def links(self) -> dict[str, str]:
        """What opens in a browser, by what it shows."""
        found = {
            "dataset": (self.outcome.get("links") or {}).get("mlflow", ""),
            "model": (self.trained.get("links") or {}).get("mlflow", ""),
        }
        return {name: url for name, url in found.items() if urlsplit(url).scheme in SCHEMES}


def training_address(file: str) -> str:
    return f"{HERE}?file={quote(file, safe='')}"


@router.get("")
async def training(request: Request) -> Response:
    """The config that is trained by, its plan and its training; the offer of one for none."""
    place, services = workplace_of(request), services_of(request)
    found = await asyncio.to_thread(trainable.trainable, place, services.app)
    file = request.query_params.get("file", "")
    if file or len(found) == 1:
        own = await looked(trainable.chosen, place, services.app, file or found[0].file)
        shown = await _views(request, place, own)
        return page(request, "review/training.html", "review", listed=found, **shown)
    offered = None
    if not found:
        base = services.config.knowledge_bases[0]
        offered = await asyncio.to_thread(trainable.starter, place, services.app, base)
    return page(request, "review/trainings.html", "review", listed=found, offered=offered)


@router.get("/state")
async def state(request: Request) -> Response:
    """How plan and training are doing, for a page that waits."""
    place, app = workplace_of(request), services_of(request).app
    own = await looked(trainable.chosen, place, app, request.query_params.get("file", ""))
    return fragment(request, "review/training_state.html", **await _views(request, place, own))


@router.post("/starter")
async def starter(request: Request) -> Response:
    """Write the config that was offered, and plan by it."""
    place, services = workplace_of(request), services_of(request)
    base = services.config.knowledge_bases[0]
    try:
        file = await asyncio.to_thread(trainable.start, place, services.app, base)
    except UsageError as error:
        raise HttpProblem(409, error.message, code="file_changed") from error
    own = await looked(trainable.chosen, place, services.app, file)
    await _begin(request, place, own, "plan")
    return RedirectResponse(training_address(file), 303)


@router.post("/open")
async def opening(request: Request) -> Response:
    """From the queue, with one click: the first plan is made at once where there is one config."""
    place, app = workplace_of(request), services_of(request).app
    found = await asyncio.to_thread(trainable.trainable, place, app)
    if len(found) != 1:
        return RedirectResponse(HERE, 303)
    jobs = BuildJobs(place.home, place.folder)
    if not any([await asyncio.to_thread(jobs.state, found[0].name, each) for each in TRAINING]):
        await _begin(request, place, found[0], "plan")
    return RedirectResponse(HERE, 303)


@router.post("/run")
async def run(request: Request) -> Response:
    """Make the plan, start the training, or stop what runs."""
    place, fields = workplace_of(request), await form_of(request)
    app, file = services_of(request).app, fields.get("file", "")
    own = await looked(trainable.chosen, place, app, file)
    refused = await _begin(request, place, own, fields.get("do", ""))
    if swaps(request):
        shown = {**await _views(request, place, own), "refused": refused}
        return fragment(request, "review/training_state.html", **shown)
    return RedirectResponse(training_address(file), 303)


async def _begin(request: Request, place: Workplace, own: Trainable, do: str) -> str:
    """Why it could not be begun, "" where it was."""
    jobs, path, trains = BuildJobs(place.home, place.folder), place.folder / own.file, own.trains
    who = await who_of(request)
    match do:
        case "plan":
            return await begun(partial(jobs.train_plan, own.name, path, who, trains=trains))
        case "train":
            return await begun(partial(jobs.train, own.name, path, who, trains=trains))
        case "stop":
            for kind in TRAINING:
                await asyncio.to_thread(jobs.stop, own.name, kind)
            return ""
    raise HttpProblem(400, "nothing to do", code="invalid_value")


async def _views(request: Request, place: Workplace, own: Trainable) -> Context:
    services, labels = services_of(request), labels_of(request)
    whole = await asyncio.to_thread(sees_all, services, labels)
    jobs = BuildJobs(place.home, place.folder)
    states = [await asyncio.to_thread(jobs.state, own.name, kind) for kind in TRAINING]
    file = str(place.folder / own.file)  # another config may have the same name
    plan, trained = (
        TrainView(each, whole) if each is not None and each.job.config == file else None
        for each in states
    )
    done = BuildProgress("start")
    if trained is not None and trained.state.running:
        began = trained.state.job.began
        done = await asyncio.to_thread(training_progress, place.home, own.name, began)
        done = onwards(done, request.query_params.get("at", ""), TRAINING_STEPS)
    return {
        "own": own,
        "plan": plan,
        "trained": trained,
        "progress": done,
        "steps": TRAINING_STEPS if own.trains else TRAINING_STEPS[:-1],
        "running": any(view is not None and view.state.running for view in (plan, trained)),
        "refused": "",
    }


def sees_all(services: Services, labels: frozenset[str]) -> bool:
    """Whether the labels open all documents of the application: questions of others may be shown
    then.
    """
    schemas = []
    for name in services.config.knowledge_bases:
        try:
            live = Handle(home=services.home, name=name).live()
            schemas += [schema_of(live)] if live else []
        except LlmopsError:  # rules that cannot be read open nothing
            return False
    return Sight(labels, tuple(schemas)).whole
