"""A trial under way: each question through the chat, once for all sides, as a trace of its own."""

import asyncio
import time
from contextlib import aclosing

from llmops.deployments.app.asking import budget_told
from llmops.deployments.app.page.trials import Trial, TrialEvent, TrialRow
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit, noted
from llmops.tasks.chat.asked import asked_lately
from llmops.tasks.chat.comparing import AnswerComparison, Shown, SidePart
from llmops.tasks.chat.turn import Answered, Turn
from llmops.tasks.review.preferences import VotedAnswer, VoteMessage
from llmops.tasks.traces.trace import COMPARED, TraceRecorder

SPENT = "budget_exceeded"


async def run(services: Services, visit: AppVisit, person: str, trial: Trial) -> None:
    """All rows, one after the other, until the end, the budget's end, or an error that is not one
    side's alone.
    """
    try:
        if trial.lately:
            await _read(services, visit, trial)
        for number, row in enumerate(trial.rows):
            trial.tell(TrialEvent("row", number))
            await _RowUnderWay(services, visit, person, trial, number).run()
            ends = row.ends.values()
            if any(isinstance(end, HttpProblem) and end.code == SPENT for end in ends):
                trial.end("budget")
                return
        trial.end("done")
    except asyncio.CancelledError:
        trial.end("stopped")
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is: told, and noted
        trial.end("failed", _problem(error, visit))


async def _read(services: Services, visit: AppVisit, trial: Trial) -> None:
    """The newest real questions that whoever compares may see."""
    labels = held_labels(services, visit)
    found = await asyncio.to_thread(asked_lately, services.home, services.app, labels)
    for each in found:
        known = each.knowledge_base in services.config.knowledge_bases
        trial.new_row(each.question, each.knowledge_base if known else None, each.trace_id)
    trial.expected = len(trial.rows)


def held_labels(services: Services, visit: AppVisit) -> frozenset[str]:
    """The access labels of whoever compares."""
    return visit.labels | set(services.config.retrieve.labels)


class _RowUnderWay:
    def __init__(
        self, services: Services, visit: AppVisit, person: str, trial: Trial, number: int
    ) -> None:
        self._services, self._visit, self._trial, self._number = services, visit, trial, number
        self._row = trial.rows[number]
        self._turn = Turn(
            question=self._row.question,
            person=person,
            key_id=visit.key_id,
            labels=visit.labels,
            knowledge_base=self._row.knowledge_base,
        )
        self._places = {side: place for place, side in enumerate(self._row.order)}

    async def run(self) -> None:
        services, visit, row = self._services, self._visit, self._row
        recorder = TraceRecorder(
            services.app,
            services.engine.shown(self._turn).question,
            conversation=row.source,
            person=self._turn.person,
            key_id=visit.key_id,
            name="compare",
            tags={"request": visit.request_id},
        )
        row.trace_id = recorder.id
        services.budgets.requested(visit.key)
        try:
            async with asyncio.timeout(services.config.limits.seconds):
                await self._answer(recorder)
        except TimeoutError as error:
            self._give_up(error)
        finally:
            recorder.root.outputs = {"sides": [self._outcome(n) for n in range(len(row.order))]}
            services.traces.put(recorder.finish("", COMPARED))
        self._trial.tell(TrialEvent("ready", self._number))

    async def _answer(self, recorder: TraceRecorder) -> None:
        services, began = self._services, time.perf_counter()
        budget = services.budgets.of(self._visit.key)
        comparison = AnswerComparison(services.engine)
        parts = comparison.stream(self._turn, self._trial.sides, recorder, budget)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Shown):
                    self._row.shown = part
                    self._trial.tell(TrialEvent("shown", self._number))
                else:
                    self._take(part, time.perf_counter() - began)

    def _take(self, part: SidePart, seconds: float) -> None:
        place = self._places[part.side]
        if isinstance(part.part, str):
            self._trial.tell(TrialEvent("piece", self._number, place, part.part))
            return
        end = part.part
        self._end(part.side, end if isinstance(end, Answered) else _problem(end, self._visit))
        self._row.seconds[part.side] = seconds

    def _end(self, side: int, end: Answered | HttpProblem) -> None:
        self._row.ends[side] = end
        self._trial.tell(TrialEvent("end", self._number, self._places[side]))

    def _give_up(self, error: TimeoutError) -> None:
        for side in self._row.order:
            if side not in self._row.ends:
                self._end(side, _problem(error, self._visit))

    def _outcome(self, side: int) -> dict[str, object]:
        made = {
            "prompt": self._trial.sides[side].prompt.uri,
            "model": self._trial.sides[side].model,
        }
        end = self._row.ends.get(side)
        if isinstance(end, Answered):
            return {**made, "answer": end.text, "finish": end.finish}
        return {**made, "error": end.code if end else "stopped"}


def voted(trial: Trial, row: TrialRow, side: int, labels: frozenset[str]) -> VotedAnswer:
    """An answer of a row as a vote keeps it."""
    end, shown = row.ends[side], row.shown
    assert isinstance(end, Answered)
    assert shown is not None
    return VotedAnswer(
        messages=tuple(
            VoteMessage(role=message.role, content=message.content) for message in shown.asked[side]
        ),
        answer=end.text,
        prompt=trial.sides[side].prompt.uri,
        model=trial.sides[side].model,
        knowledge_base=shown.knowledge_base,
        version=shown.version,
        labels=tuple(sorted(labels)),
    )


def _problem(error: Exception, visit: AppVisit) -> HttpProblem:
    """What the reader is told of it."""
    try:
        with budget_told():
            raise error
    except HttpProblem as problem:
        return problem
    except Exception as other:  # noqa: BLE001 - every error has its problem
        return noted(other, visit)
