"""What is checked before a model is asked and after it has answered. Each guard that is on is a
span of the trace.
"""

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from llmops.tasks.chat.knowledge import Hit
from llmops.tasks.chat.personal import masked
from llmops.tasks.chat.recording import Recorder
from llmops.tasks.chat.spec import GuardSettings
from llmops.tasks.chat.turn import Citation, Turn
from llmops.tasks.plugins.cleaners import Document
from llmops.tasks.plugins.cleaners.injection import InjectionCleaner

KIND: Final = "GUARDRAIL"
TOO_LONG = "The question is too long: it has {size:,} characters, {most:,} are allowed."
ORDERS = "I answer questions; I do not take orders on how to work. Please ask in other words."
REMEMBERED = 4096
CHECK = InjectionCleaner()


class Refusal(NamedTuple):
    """`guard`: which one refused, `reply`: what is said to whoever asked, `reason`: what the trace
    says.
    """

    guard: str
    reply: str
    reason: str


class Guards:
    """The guards of one application."""

    def __init__(self, settings: GuardSettings) -> None:
        self.settings = settings
        self._topics = [(re.compile(rule.pattern, re.I), rule.reply) for rule in settings.topics]

    def shown(self, turn: Turn) -> Turn:
        """The turn as models, searches and traces may see it: personal data masked where that is
        asked for, messages of before cut to the length of a question.
        """
        most = self.settings.max_question
        history = tuple(
            message.model_copy(update={"content": self._masked(message.content[:most])})
            for message in turn.history
        )
        # a question that is too long is refused: it need not be looked through
        question = self._masked(turn.question) if len(turn.question) <= most else turn.question
        return turn.model_copy(update={"question": question, "history": history})

    def question(self, turn: Turn, recorder: Recorder) -> Refusal | None:
        """Why the question is not answered; None: it is."""
        return (
            self._size(turn.question, recorder)
            or self._topic(turn.question, recorder)
            or self._orders(turn, recorder)
        )

    async def passages(self, hits: Sequence[Hit], recorder: Recorder) -> tuple[Hit, ...]:
        """Those that may be shown to a model. Off the event loop: each takes some milliseconds when
        it is seen for the first time.
        """
        if self.settings.injection == "off" or not hits:
            return tuple(hits)
        with recorder.span("guard.passages", KIND, {"passages": len(hits)}) as span:
            reasons = await asyncio.to_thread(_suspicious, hits)
            refuses = self.settings.injection == "refuse"
            span.outputs = {"suspicious": reasons, "left_out": len(reasons) if refuses else 0}
            return tuple(hit for hit in hits if not (refuses and hit.chunk_id in reasons))

    def support(
        self, hits: Sequence[Hit], least: float, recorder: Recorder
    ) -> tuple[tuple[Hit, ...], Refusal | None]:
        """The passages that reach the least score; a refusal where there are none, if one is asked
        for.
        """
        with recorder.span(
            "guard.support", KIND, {"passages": len(hits), "min_score": least}
        ) as span:
            supporting = tuple(hit for hit in hits if hit.score >= least)
            span.outputs = {"supporting": len(supporting)}
        if supporting or not self.settings.support:
            return supporting, None
        said = f"no passage has a score of {least:g}" if hits else "nothing was found"
        return (), Refusal("support", self.settings.refusal, said)

    def says_nothing(self, text: str) -> Refusal | None:
        """A refusal for an answer without a word, or in the words of the refusal."""
        if not text.strip():
            return Refusal("answer", self.settings.refusal, "the model gave an empty answer")
        if _plain(text) == _plain(self.settings.refusal):
            return Refusal("answer", "", "the model found no answer in the passages")
        return None

    @staticmethod
    def without_personal_data(citation: Citation) -> Citation:
        """The citation as it may be shown where personal data in answers is masked."""
        texts = {"text": masked(citation.text), "title": masked(citation.title)}
        return citation.model_copy(update=texts)

    def _size(self, question: str, recorder: Recorder) -> Refusal | None:
        size, most = len(question), self.settings.max_question
        with recorder.span("guard.size", KIND, {"characters": size, "most": most}) as span:
            span.outputs = {"passed": size <= most}
        if size <= most:
            return None
        reply = TOO_LONG.format(size=size, most=most)
        return Refusal("size", reply, f"the question has {size} characters")

    def _topic(self, question: str, recorder: Recorder) -> Refusal | None:
        if not self._topics:
            return None
        with recorder.span("guard.topics", KIND, {"rules": len(self._topics)}) as span:
            for pattern, reply in self._topics:
                if pattern.search(question):
                    span.outputs = {"passed": False, "pattern": pattern.pattern}
                    return Refusal("topics", reply, f"the question matches {pattern.pattern!r}")
            span.outputs = {"passed": True}
        return None

    def _orders(self, turn: Turn, recorder: Recorder) -> Refusal | None:
        """In the question, and in what the client says was asked before."""
        if self.settings.injection == "off":
            return None
        asked = [turn.question, *(each.content for each in turn.history if each.role == "user")]
        with recorder.span("guard.injection", KIND, {"texts": len(asked)}) as span:
            reason = next(filter(None, map(orders, asked)), None)
            span.outputs = {"passed": reason is None, "reason": reason}
        if reason is None or self.settings.injection == "flag":
            return None
        return Refusal("injection", ORDERS, reason)

    def _masked(self, text: str) -> str:
        return masked(text) if self.settings.pii_in == "mask" else text


def _suspicious(hits: Sequence[Hit]) -> dict[str, str]:
    return {
        hit.chunk_id: reason for hit in hits if (reason := orders(hit.text) or orders(hit.title))
    }


@lru_cache(maxsize=REMEMBERED)
def orders(text: str) -> str | None:
    """What makes a text look as if it gave orders to a model; None: nothing."""
    reasons = CHECK.reasons(Document(text))
    return reasons[0].said if reasons else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text).casefold().split())
