"""Asking a judge until it is understood: an unusable reply is asked about once more, with what was
wrong.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.plugins.scorers import Ask
from llmops.tasks.plugins.scorers._judging.material import plain
from llmops.tasks.texts.json_answers import unfenced

T = TypeVar("T")
ATTEMPTS = 2
SHOWN = 200


class Unusable(Exception):
    """The judge's replies cannot be read, also after it was told why."""


async def understood(request: Request, ask: Ask, read: Callable[[dict[str, Any]], T]) -> T:
    """What `read` makes of the JSON object of the reply; `read` raises ValueError with what is
    wrong.

    Raises Unusable after a second reply that cannot be read, and what `ask` raises.
    """
    asked, trouble = request, ""
    for _ in range(ATTEMPTS):
        reply = await ask(asked)
        try:
            return read(_object(reply.text))
        except ValueError as error:
            trouble = (
                "it was cut at its greatest length" if reply.finish == "length" else str(error)
            )
        again = f"Your reply cannot be used: {trouble}. Reply again with the JSON object alone."
        asked = request.model_copy(
            update={
                "messages": (
                    *request.messages,
                    Message(role="assistant", content=reply.text or "(nothing)"),
                    Message(role="user", content=again),
                )
            }
        )
    raise Unusable(
        f"the judge gave {ATTEMPTS} replies that cannot be used; the last: {plain(trouble)}"
    )


def reason_of(content: dict[str, Any]) -> str:
    """The `reason` of a reply; a judge that gives none has not judged."""
    reason = content.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError('"reason" must be a text that says why')
    return plain(reason.strip())


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(unfenced(text.strip()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error}): {text[:SHOWN]!r}") from error
    if isinstance(found, dict):
        return found
    raise ValueError(f"a JSON object is wanted, not {type(found).__name__}")
