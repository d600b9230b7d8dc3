"""What an endpoint's status and words mean: try later, this request will not do, or none will."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from json import JSONDecodeError, loads
from typing import Any, NamedTuple

from llmops.tasks.errors import DocumentError, Unavailable

JsonObject = dict[str, Any]
"""An object of JSON, as it came."""
AGAIN = frozenset({408, 409, 425, 429})
REFUSED = frozenset({400, 413, 422})
NEVER = frozenset(
    {
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "model_not_found",
        "invalid_api_key",
    }
)
"""Codes of a 400 that every request with these options would get."""
EMPTY = ("insufficient_quota", "billing_hard_limit_reached")
HINTS = {
    401: "check api_key: it is missing, wrong or expired",
    402: "the account of api_key has no money left",
    403: "the key of api_key may not use this model",
    404: "check model and base_url; base_url usually ends with /v1",
    429: "the quota of api_key is used up",
}
NO_API = "base_url must lead to an OpenAI-compatible API; it usually ends with /v1"
PARTS = re.compile(r"([\d.]+)(ms|h|m|s)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
UNKNOWN_FORM = "response_format"
INVALID = re.compile(r"\b\d+ validation errors?:")
"""Of the request: with it llama-cpp-python's server answers 500 where others answer 422."""


class Bill(NamedTuple):
    """What a request that failed has used all the same. `tokens`: in and out, as the endpoint said
    them; None: it did not, and the request was sent whole. `received`: what came of the reply.
    """

    tokens: tuple[int, int] | None = None
    received: str = ""


class Busy(Exception):
    """The same request may succeed later; `after` says in how many seconds, where the endpoint says
    so. `limited`: it was 429. `bill`: None where nothing was used.
    """

    def __init__(
        self,
        said: str,
        *,
        after: float | None = None,
        limited: bool = False,
        bill: Bill | None = None,
    ) -> None:
        super().__init__(said)
        self.said, self.after, self.limited, self.bill = said, after, limited, bill


class Withheld(DocumentError):
    """The model refused, or a filter keeps its reply back: it was made all the same."""

    def __init__(self, message: str, bill: Bill) -> None:
        super().__init__(message)
        self.bill = bill


class Lost(Busy):
    """Nobody answers at this address: no fault of the request."""


class Garbled(Busy):
    """An answer that cannot be read. Once is an accident; `hint` says what it may be if it happens
    again.
    """

    def __init__(self, said: str, hint: str, bill: Bill | None = None) -> None:
        super().__init__(said, bill=bill)
        self.hint = hint


class Page(Garbled):
    """A web page: at an address that never answered it is the wrong one, and is not asked again."""


def trouble(
    place: str, status: int, said: str, headers: Mapping[str, str], body: str = ""
) -> Exception:
    """The error for an answer that is no success. `body`: the answer's text, `said`: what of it a
    person should read.
    """
    message = f"{place} answered {status}: {said}"
    if any(word in body for word in EMPTY):
        return Unavailable(message, hint=HINTS[429])
    if status >= 400 and UNKNOWN_FORM in said:
        message = f"{message} (json_mode: object_schema, object or off asks in another way)"
    bill = used(_object(body))
    if status == 500 and INVALID.search(body):
        return DocumentError(message)
    if status in AGAIN or status >= 500:
        return Busy(message, after=waiting(headers), limited=status == 429, bill=bill)
    code = _error(body).get("code")
    if status in REFUSED and code in NEVER:
        return Unavailable(
            message,
            hint="every request with these options would be refused; temperature: null leaves "
            "one out, "
            "max_tokens_name: max_completion_tokens gives another its newer name",
        )
    if status in REFUSED and bill:
        return Withheld(message, bill)
    return (
        DocumentError(message)
        if status in REFUSED
        else Unavailable(message, hint=HINTS.get(status, "check base_url"))
    )


def words(body: str, default: str) -> str:
    """What an answer says went wrong, in at most 300 characters."""
    error = _error(body)
    return " ".join(str(error.get("message") or error or body).split())[:300] or default


def used(answer: JsonObject) -> Bill | None:
    """What an answer says that it has used; None where it does not say."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    said = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    tokens_in, tokens_out = (each if isinstance(each, int) else 0 for each in said)
    return Bill((tokens_in, tokens_out)) if tokens_in or tokens_out else None


def _error(body: str) -> JsonObject:
    error = _object(body).get("error")
    return error if isinstance(error, dict) else {"message": error} if error else {}


def _object(body: str) -> JsonObject:
    """The object of an answer's text; an empty one where it is none."""
    try:
        content = loads(body)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def waiting(headers: Mapping[str, str]) -> float | None:
    """How many seconds an answer asks to wait: Retry-After, else when the used-up part of the quota
    is full again; None: nothing of it.
    """
    exact = retry_after(headers.get("retry-after-ms", ""))
    asked = exact / 1000 if exact is not None else retry_after(headers.get("retry-after", ""))
    if asked is not None:
        return asked
    resets = [
        seconds
        for part in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{part}", "1").strip() in ("0", "0.0")
        and (seconds := duration(headers.get(f"x-ratelimit-reset-{part}", ""))) is not None
    ]
    return max(resets, default=None)


def retry_after(value: str, now: float | None = None, *, strict: bool = False) -> float | None:
    """The seconds of a Retry-After header, a number or a date; None when it says neither. `strict`:
    whole seconds alone, as RFC 9110 has them; else also 1.5. `now`: seconds since 1970.
    """
    said = value.strip()
    if said.isdigit():
        return float(said)
    try:
        if not strict and said.lower().lstrip("+-") not in ("nan", "inf", "infinity"):
            return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, until - (time.time() if now is None else now))


def duration(value: str) -> float | None:
    """The seconds of a duration such as 6m0s, 20ms or 1.5 (seconds)."""
    if not PARTS.findall(value):
        return retry_after(value)
    return sum(float(number) * UNITS[unit] for number, unit in PARTS.findall(value))


def hidden(text: str, key: str | None) -> str:
    """The text without the key, which some services repeat in their errors, and without the
    password of an address.
    """
    text = text.replace(key, "…") if key and len(key) > 3 else text
    return re.sub(r"(?<=://)[^/@\s]+@", "…@", text)
