"""Answers that a service should not give, and how often it gives them."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Body = dict[str, Any]


class Answer(NamedTuple):
    """What to answer instead of the usual. `delay`: seconds before; `cut`: bytes of the body after
    which the connection ends; `hang`: nothing ever comes."""

    status: int
    body: bytes = b'{"error": {"message": "as the script says"}}'
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    content_type: str = "application/json"
    delay: float = 0.0
    cut: int | None = None
    hang: bool = False


MALFORMED = Answer(200, b'{"choices": [{"mess')
PAGE = Answer(200, b"<!doctype html><html>Welcome</html>", {}, "text/html")
OTHER_TYPE = Answer(200, b"\x00\x01", {}, "application/octet-stream")
SILENT = Answer(200, hang=True)
CUT = Answer(200, b'{"choices": [{"message": {"content": "half a"}}]}', cut=20)
EMPTY_QUOTA = Answer(
    429, b'{"error": {"message": "pay first", "code": "insufficient_quota"}}', {"Retry-After": "50"}
)


def limited(after: float | str | None = 0, **headers: str) -> Answer:
    """429; `after`: what Retry-After says, None: no such header."""
    said = {} if after is None else {"Retry-After": str(after)}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        429, b'{"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}', said
    )


def broken(status: int = 500, after: float | None = 0) -> Answer:
    return Answer(
        status,
        b'{"error": {"message": "The server had an error"}}',
        {} if after is None else {"Retry-After": str(after)},
    )


def events(*parts: Body | str) -> bytes:
    """Server-sent events; "[DONE]" ends a stream."""
    return "".join(
        f"data: {part if isinstance(part, str) else json.dumps(part)}\n\n" for part in parts
    ).encode()


def streamed(*texts: str, finish: str | None = "stop", done: bool = True) -> Answer:
    """A stream of these pieces; without finish and done it looks like one that was cut."""
    chunks: list[Body | str] = [
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        for text in texts
    ]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}] if finish else []
    return Answer(200, events(*chunks, *(["[DONE]"] if done else [])), {}, "text/event-stream")


def tool_call(name: str, **arguments: Any) -> Body:
    """A message, to be returned by `reply`, that wants a function called."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"call_{name}", "type": "function", "function": function}],
    }


@dataclass
class Faults:
    """Shares of requests that fail, drawn anew for each attempt at each question: the same whatever
    order they come in.
    """

    limited: float = 0.0
    broken: float = 0.0
    seed: int = 0
    retry_after: float | None = 0.0
    drawn: Counter[str] = field(default_factory=Counter)

    def draw(self, question: str) -> Answer | None:
        self.drawn[question] += 1
        chance = random.Random(f"{self.seed}/{question}/{self.drawn[question]}").random()
        if chance < self.limited:
            return limited(self.retry_after)
        return broken(after=None) if chance < self.limited + self.broken else None


def example(schema: Body, text: str) -> Any:
    """The smallest value that follows a JSON schema, with `text` where a text goes."""
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [])), None))
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(part, text) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [
            example(schema.get("items", {}), text) for _ in range(max(1, schema.get("minItems", 1)))
        ]
    return {"string": text, "boolean": True, "null": None}.get(kind, schema.get("minimum", 1))
