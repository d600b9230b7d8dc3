"""What was said in a conversation, as the page shows it: from answers that are being written, and
from traces.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from markupsafe import Markup
from pydantic import ValidationError

from llmops.deployments.app.page.markdown import render
from llmops.deployments.app.page.running import RunningAnswer, RunningAnswers
from llmops.deployments.app.problems import HttpProblem, not_found
from llmops.deployments.app.reviewing import opens
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit
from llmops.tasks.chat.turn import Citation
from llmops.tasks.errors import LlmopsError
from llmops.tasks.plugins.scorers.refusal import refuses
from llmops.tasks.review.asked import PersonsWord, answered, asked
from llmops.tasks.traces import feedback, index, reading
from llmops.tasks.traces.feedback import Feedback
from llmops.tasks.traces.index import TraceRow, moment
from llmops.tasks.traces.trace import Trace

State = Literal["writing", "done", "refused", "stopped", "failed", "lost"]
NEWEST = 50
TITLE = 80
LONGEST_REFUSAL = 500
NOTHING = Feedback(None)


class ShownTurn(NamedTuple):
    """A question and what came of it. `problem`: the code of why nothing did; `request`: the id
    under which the log has it; `said`: what whoever looks has said of it; `person`: what became of
    it where a person was wanted; `reviewed`: when one has said so, of what a person wrote;
    `knowledge_base`: "" where it is not known.
    """

    trace_id: str
    state: State
    question: str
    text: str
    citations: tuple[Citation, ...]
    at: datetime
    said: Feedback = NOTHING
    problem: str = ""
    request: str = ""
    cached: str = "no"
    reviewed: datetime | None = None
    person: PersonsWord | None = None
    knowledge_base: str = ""

    @property
    def declined(self) -> bool:
        """Whether it says that it does not know, in whichever words."""
        short = self.state == "done" and len(self.text) <= LONGEST_REFUSAL
        return self.state == "refused" or (short and refuses(self.text))

    @property
    def cites(self) -> bool:
        """Whether the answer names passages; else they are what the model was shown."""
        return any(each.cited for each in self.citations)

    @property
    def by_person(self) -> bool:
        """Whether a person has written the answer."""
        return self.cached == "curated"

    def better(self) -> tuple[Markup, ...]:
        """What a person has answered, as HTML."""
        return render(self.person.correction).blocks if self.person else ()

    def blocks(self, digits: Callable[[int], str]) -> tuple[Markup, ...]:
        """The answer as HTML. `digits`: how the reader's language writes numbers."""
        # numbers that a person has typed are none of these passages
        known = () if self.by_person else self.citations
        numbers = {each.number: each for each in known}

        def button(place: int, number: int) -> Markup | None:
            if number not in numbers:
                return None
            return opener(self.trace_id, numbers[number], place, digits(number))

        return render(self.text, button).blocks


class ShownConversation(NamedTuple):
    """`answered`: a person has, where one was wanted."""

    id: str
    title: str
    last: datetime
    answered: bool = False


def opener(trace_id: str, citation: Citation, place: int, shown: str) -> Markup:
    """The button in a text that opens a passage."""
    return Markup(
        '<button type="button" class="cite" hx-get="/ask/turns/{0}/passages/{1}?mark={2}" '
        'hx-target="#passage-{0}" aria-controls="passage-{0}" aria-expanded="false" '
        'title="{3}">{4}</button>'
    ).format(trace_id, citation.number, place, citation.title, shown)


def running_turn(answer: RunningAnswer, said: Feedback = NOTHING) -> ShownTurn:
    answered, recorder = answer.answered, answer.ask.recorder
    base = answered.knowledge_base if answered else ""
    state: State = "writing"
    if answer.problem is not None:
        state = "failed"
    elif answer.stopped:
        state = "stopped"
    elif answer.over and answered is not None:
        state = "refused" if answered.finish == "refused" else "done"
    return ShownTurn(
        trace_id=answer.trace_id,
        state=state,
        question=recorder.question,
        text=answer.text,
        citations=answered.citations if answered else (),
        at=moment(recorder.began_ns),
        said=said,
        problem=(answer.problem.code or str(answer.problem.status_code)) if answer.problem else "",
        request=answer.visit.request_id,
        cached=answered.cached if answered else "no",
        reviewed=answered.reviewed_at if answered else None,
        knowledge_base=base or answer.ask.turn.knowledge_base or "",
    )


def stored_turn(row: TraceRow, trace: Trace | None, said: Feedback) -> ShownTurn:
    """`trace`: None where it is not there, or was not kept."""
    tags: Mapping[str, str] = trace.tags if trace else {}
    state: State = "lost"
    if trace is not None:
        failed: State = "stopped" if tags.get("ended") == "stopped" else "failed"
        known: Mapping[str, State] = {"ok": "done", "refused": "refused", "error": failed}
        state = known.get(trace.status, "lost")
    return ShownTurn(
        trace_id=row.id,
        state=state,
        question=trace.question if trace else "",
        text=trace.answer if trace else "",
        citations=tuple(_citations(trace)) if trace else (),
        at=row.began_at,
        said=said,
        problem=tags.get("problem", ""),
        request=tags.get("request", ""),
        cached=tags.get("cached", "no"),
        reviewed=_moment(tags.get("reviewed", "")),
        knowledge_base=tags.get("knowledge_base", ""),
    )


def conversation(
    services: Services, running: RunningAnswers, visit: AppVisit, person: str, name: str
) -> list[ShownTurn]:
    """The newest turns of one person's conversation, oldest first. Raises HttpProblem where there
    are none, and where they are somebody else's. Asks MLflow: call it in a thread.
    """
    home = services.home
    rows = [
        row
        for row in index.of_conversation(home, services.app, name, person)
        if row.key_id == visit.key_id
    ][-NEWEST:]
    held = {each.trace_id: each for each in running.of_conversation(name, person, visit.key_id)}
    gone = index.deleted(home, held)
    written = {key: each for key, each in held.items() if key not in gone}
    if not rows and not written:
        raise not_found()
    ids = [*(row.id for row in rows), *written]
    said, words = feedback.said(home, ids, person), asked(home, services.app, ids)
    stored = [row for row in rows if row.id not in written]
    traces = reading.several(home, stored)
    turns = [stored_turn(row, traces.get(row.id), said.get(row.id, NOTHING)) for row in stored]
    turns += [running_turn(each, said.get(key, NOTHING)) for key, each in written.items()]
    open_ids = {key for key, each in traces.items() if opens(services, visit)(each)}
    open_ids |= {key for key, each in written.items() if each.visit.labels <= visit.labels}
    turns = [_worded(each, words, each.trace_id in open_ids) for each in turns]
    return sorted(turns, key=lambda turn: (turn.at, turn.trace_id))


def turn(
    services: Services, running: RunningAnswers, visit: AppVisit, person: str, trace_id: str
) -> ShownTurn:
    """One turn of one's own. Raises HttpProblem as `conversation` does."""
    answer, row = running.of(trace_id), index.row(services.home, trace_id)
    gone = row is not None and row.deleted_at is not None
    words = asked(services.home, services.app, [trace_id])
    if answer is not None and answer.is_of(person, visit.key_id) and not gone:
        found = running_turn(answer, _said(services, trace_id, person))
        return _worded(found, words, answer.visit.labels <= visit.labels)
    own = row is not None and (row.app, row.person, row.key_id) == (
        *(services.app, person, visit.key_id),
    )
    if row is None or not own or gone:
        raise not_found()
    trace = reading.several(services.home, [row]).get(trace_id)
    found = stored_turn(row, trace, _said(services, trace_id, person))
    return _worded(found, words, trace is not None and opens(services, visit)(trace))


def conversations(
    services: Services, visit: AppVisit, person: str, most: int
) -> list[ShownConversation]:
    """The latest ones of one person, newest first, by their first questions. Asks MLflow."""
    rows = index.conversations(services.home, services.app, person, visit.key_id, most)
    first, ids = [row.first for row in rows], [row.conversation for row in rows]
    done = answered(services.home, services.app, person, visit.key_id, ids)
    try:
        traces = reading.several(services.home, first)
    except LlmopsError:  # the list is there all the same, by its times
        traces = {}
    return [
        ShownConversation(
            *(row.conversation, _title(traces.get(row.first.id)), row.last),
            answered=row.conversation in done,
        )
        for row in rows
    ]


def passage(turn: ShownTurn, number: int) -> Citation:
    """Raises HttpProblem for a number that the answer does not name."""
    found = next((each for each in turn.citations if each.number == number), None)
    if found is None:
        raise HttpProblem(404, "the answer has no such passage", code="not_found")
    return found


def _said(services: Services, trace_id: str, person: str) -> Feedback:
    return feedback.said(services.home, [trace_id], person).get(trace_id, NOTHING)


def _worded(turn: ShownTurn, words: Mapping[str, PersonsWord], may: bool) -> ShownTurn:
    """With what a person has said; their text only for whoever holds the labels of the answer."""
    word = words.get(turn.trace_id)
    return turn._replace(person=word if word is None or may else word._replace(correction=""))


def _moment(text: str) -> datetime | None:
    """None where a trace does not say it, or something else."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _citations(trace: Trace) -> list[Citation]:
    """As they stand on the trace; one that was cut down with it is left out."""
    found = []
    for each in trace.citations:
        try:
            found.append(Citation.model_validate(each))
        except ValidationError:
            continue
    return found


def _title(trace: Trace | None) -> str:
    words = " ".join(trace.question.split()) if trace else ""
    return words if len(words) <= TITLE else f"{words[:TITLE].rstrip()}…"
