"""A question that leans on what was said before ("And how much is it?") as one that stands alone,
so that it can be searched for.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from llmops.tasks.chat.models import Calling, ModelChain
from llmops.tasks.chat.prompt import HISTORY, QUESTION, LivePrompt, filled
from llmops.tasks.chat.recording import RecordedSpan
from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.llms import Message
from llmops.tasks.texts.terms import analyse

SHIPPED: Final = Path(__file__).parents[2] / "configs" / "prompts" / "condense-question.yaml"
VARIABLES: Final = (QUESTION, HISTORY)
LONGEST: Final = 1_000
BACK: Final = 3
"""How many questions the rule looks back."""
FEW: Final = 3
LEANING: Final = re.compile(
    r"\b(?:it|its|they|them|their|theirs|this|that|these|those|there|then|he|him|his|she|her|hers"
    r"|both|former|latter|same|ones?|above)\b"
    r"|^\s*(?:and|or|but|so|also|what about|how about|why)\b",
    re.I,
)


class Condenser:
    """`models`: those that are asked; where the first one is offline, the rule speaks alone.
    `turns`: so many of the latest messages are looked at, 0 for none.
    """

    def __init__(self, models: ModelChain, prompt: LivePrompt, turns: int) -> None:
        self._models, self._prompt, self.turns = models, prompt, turns

    def latest(self, history: Sequence[Message]) -> tuple[Message, ...]:
        """Of what was said before, as much as is looked at. What a client gives as instructions to
        the model is none of it."""
        said = [message for message in history if message.role in ("user", "assistant")]
        return tuple(said[-self.turns :]) if self.turns else ()

    async def standalone(self, question: str, history: Sequence[Message], calling: Calling) -> str:
        """The question as one that needs no history. Where no model answers, by the rule."""
        if not history:
            return question
        asked = {"question": question, "messages": len(history)}
        with calling.recorder.span("condense", "CHAIN", asked) as span:
            condensed = await self._condensed(question, history, calling, span)
            span.outputs = condensed
            return condensed

    async def _condensed(
        self, question: str, history: Sequence[Message], calling: Calling, span: RecordedSpan
    ) -> str:
        if self._models.models[0].offline:
            return joined(question, history)
        prompt = self._prompt.current().prompt
        request = filled(prompt, question, "", history)
        try:
            generated = await self._models.whole("condense.model", lambda _: request, calling)
        except Unavailable as error:
            span.attributes["fallback"] = f"by rule: {error}"
            return joined(question, history)
        text = " ".join(generated.reply.text.split()).strip("\"'“” ")
        return text if 0 < len(text) <= LONGEST else joined(question, history)


def joined(question: str, history: Sequence[Message]) -> str:
    """The rule: a question that leans on others stands behind them, back to one that does not."""
    parts = [question]
    earlier = [message.content for message in history if message.role == "user"]
    for before in reversed(earlier[-BACK:]):
        if not leans(parts[0]):
            break
        parts.insert(0, " ".join(before.split())[:LONGEST])
    return " ".join(parts)


def leans(question: str) -> bool:
    """Whether a question seems to need another one: it points to something, or says little."""
    return bool(LEANING.search(question)) or len(set(analyse(question))) < FEW
