"""What never reaches a trace: secrets, by the name of their key and by their shape, and where an
application says so, all content.

It fails closed: a value that cannot be looked through is blanked, alone.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from pydantic import BaseModel

from llmops.tasks.plugins.cleaners.pii.patterns import SHAPES, spans_in
from llmops.tasks.traces import names
from llmops.tasks.traces.trace import Trace, TraceSpan

SECRET, UNREADABLE = "[secret]", "[left out: it could not be looked through]"
TEXT_LENGTH, MOST_BYTES = 32_000, 1_000_000
TOO_LARGE = f"[left out: the trace is larger than {MOST_BYTES:,} bytes]"
DEEPEST, MOST_ITEMS = 16, 1000
PASSAGE = (100, 4_000)
"""Characters of texts that are worth remembering."""
ENTITIES = frozenset({"secret", "url_credentials"})
KEY = re.compile(
    r"(?:^|_)(?:api_?key|authori[sz]ation|auth|password|passwd|pwd|passphrase|secret|token|cookies?"
    r"|private_?key|access_?key|secret_?key|credentials?|bearer|set_cookie|webhook_url)$"
)
NAMED = re.compile(
    r"(?i)(?<![a-z0-9])(?:x-)?(?:api[_-]?key|apikey|authorization|password|passwd|secret"
    r"|secret[_-]?access[_-]?key|(?:access|secret|account|private)[_-]?key|(?:set-)?cookie"
    r"|client_secret|access_token|refresh_token|auth_token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
    r"(?:(?:bearer|basic|token)\s{1,3})?"
    r"(?P<value>[^\s\"',;}{)(\[\]<>&]{8,400})"
)
"""What is written as `key: value`, beside what looks like a secret wherever it stands."""


def masked(trace: Trace, *, content: bool = True) -> Trace:
    """A copy without secrets, its texts at most TEXT_LENGTH long; without `content`, also without
    questions, answers and passages: ids, numbers and versions stay.
    """
    return trace.model_copy(
        update={
            "question": masked_text(trace.question) if content else "",
            "answer": masked_text(trace.answer) if content else "",
            "spans": [_span(span, content) for span in trace.spans],
            "tags": {masked_text(key): masked_text(value) for key, value in trace.tags.items()},
        }
    )


def masked_text(text: str) -> str:
    """The text without secrets, and no longer than TEXT_LENGTH."""
    value = masked_value(text)
    return value if isinstance(value, str) else UNREADABLE


def masked_value(value: object) -> object:
    """A value of plain JSON: what is not plain, too deep or cannot be read is blanked alone."""
    return _masked(value, 0)


def secret_key(name: str) -> bool:
    """Whether values of this name are secrets: `api_key`, `X-Api-Key`, `apiKey`, `dbPassword`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return bool(KEY.search(re.sub(r"\W+", "_", snake).lower().strip("_")))


def _masked(value: object, depth: int) -> object:
    try:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return _text(value)
        if depth >= DEEPEST:
            return UNREADABLE
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        if isinstance(value, Mapping):
            return _items(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            kept = [_masked(each, depth + 1) for each in list(value)[:MOST_ITEMS]]
            return [*kept, _cut(len(value), "items")] if len(value) > MOST_ITEMS else kept
    except Exception:  # noqa: BLE001 - whatever a value does: it is blanked, the others stay
        return UNREADABLE
    return UNREADABLE


def _items(value: Mapping[object, object], depth: int) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key in list(value)[:MOST_ITEMS]:
        name = _text(key) if isinstance(key, str) else str(_masked(key, depth + 1))
        hidden = secret_key(name) and not isinstance(value[key], bool | None)
        kept[name] = SECRET if hidden else _masked(value[key], depth + 1)
    if len(value) > MOST_ITEMS:
        kept["…"] = _cut(len(value), "items")
    return kept


def _text(text: str) -> str:
    """Passages come again and again: what was looked through lately is remembered."""
    return _known(text) if PASSAGE[0] <= len(text) <= PASSAGE[1] else _looked_through(text)


@lru_cache(maxsize=2048)
def _known(text: str) -> str:
    return _looked_through(text)


def _looked_through(text: str) -> str:
    """Cut first: what is cut off need not be looked through; the cut may not split a secret, so
    that some characters more than are kept are looked at."""
    looked_at = text[: TEXT_LENGTH + 4000].encode("utf-8", "replace").decode()
    looked_at = looked_at.replace("\0", "\ufffd")
    spans = spans_in(looked_at, ENTITIES)
    for span in reversed(spans):
        looked_at = f"{looked_at[: span.start]}{SECRET}{looked_at[span.end :]}"
    for shape in (*SHAPES, NAMED):
        looked_at = shape.sub(_hidden, looked_at)
    if len(text) <= TEXT_LENGTH and len(looked_at) <= TEXT_LENGTH + 4000:
        return looked_at
    return f"{looked_at[:TEXT_LENGTH]} {_cut(len(text), 'characters')}"


def _hidden(match: re.Match[str]) -> str:
    if "value" not in match.re.groupindex or match["value"] == SECRET:
        return match[0] if SECRET in match[0] else SECRET
    start = match.start("value") - match.start()
    return f"{match[0][:start]}{SECRET}"


def _cut(count: int, what: str) -> str:
    return f"[cut: it had {count:,} {what}]"


def _span(span: TraceSpan, content: bool) -> TraceSpan:
    looked: Callable[[object], object] = masked_value if content else _without_content
    attributes = {
        key: _attribute(key, value, content) for key, value in list(span.attributes.items())
    }
    error = masked_text(span.error) if content else span.error.partition(":")[0]
    changed = {
        "name": masked_text(span.name)[:200],
        "inputs": looked(span.inputs),
        "outputs": looked(span.outputs),
        "attributes": attributes,
        "error": error,
    }
    return span.model_copy(update=changed)


def _attribute(key: str, value: object, content: bool) -> object:
    if secret_key(key) and not isinstance(value, bool | int | float | None):
        return SECRET
    return masked_value(value) if content or key in names.PLAIN else _without_content(value)


def _without_content(value: object) -> object:
    """Numbers, and of what is named the parts that identify it."""
    if isinstance(value, bool | int | float):
        return masked_value(value)
    if isinstance(value, list | tuple):
        kept = [_without_content(each) for each in list(value)[:MOST_ITEMS]]
        return [each for each in kept if each not in (None, {}, [])] or None
    if isinstance(value, Mapping):
        kept_items = {
            str(key): masked_value(item)
            if key in names.IDENTIFYING and isinstance(item, str | int | float)
            else _without_content(item)
            for key, item in list(value.items())[:MOST_ITEMS]
        }
        return {key: item for key, item in kept_items.items() if item is not None} or None
    return None


def bounded(trace: Trace) -> Trace:
    """A trace of at most MOST_BYTES as JSON: else the steps lose what went in and came out, the
    largest first; the question and the answer stay.
    """
    sizes = {span.id: _size(span) for span in trace.spans}
    over = sum(sizes.values()) - MOST_BYTES
    emptied = set[str]()
    for span in sorted(trace.spans, key=lambda each: -sizes[each.id]):
        if over <= 0:
            break
        if span.parent is not None:
            over -= sizes[span.id] - 1000
            emptied.add(span.id)
    if not emptied:
        return trace
    nothing = {"inputs": None, "outputs": TOO_LARGE}
    spans = [
        each.model_copy(update=nothing | {"attributes": _without_content(each.attributes) or {}})
        if each.id in emptied
        else each
        for each in trace.spans
    ]
    return trace.model_copy(update={"spans": spans})


def _size(span: TraceSpan) -> int:
    return len(span.model_dump_json())
