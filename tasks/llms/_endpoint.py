"""An OpenAI-compatible HTTP endpoint: JSON in, JSON out, tried again where that may help."""

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from tasks.errors import DocumentError, LlmopsError, Unavailable

if TYPE_CHECKING:
    from httpx import Response

AGAIN = frozenset({408, 409, 425, 429})
REFUSED = frozenset({400, 413, 422})
LONGEST_WAIT = 60.0


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("an address is wanted, such as https://api.openai.com/v1")
    return value


Address = Annotated[str, AfterValidator(_address)]


class Endpoint(BaseModel):
    """`base_url` up to and with the version, as in https://host/v1. `retries`: further attempts after 408, 409, 425, 429,
    5xx and lost connections, after what Retry-After says (at most a minute), else after 0.5 s, 1 s, 2 s …, with jitter."""

    model_config = ConfigDict(frozen=True)
    base_url: str
    api_key: SecretStr | None
    timeout: float
    retries: int

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object of the answer.

        Raises DocumentError when the endpoint refuses this body (400, 413, 422), Unavailable for everything else.
        """
        import httpx

        headers = {"Authorization": f"Bearer {self.api_key.get_secret_value()}"} if self.api_key else {}
        with httpx.Client(timeout=self.timeout, headers=headers) as client:
            for attempt in range(self.retries + 1):
                try:
                    answer: Response | None = client.post(f"{self.base_url.rstrip('/')}/{path}", json=dict(body))
                    trouble = ""
                except httpx.InvalidURL as error:
                    raise Unavailable(f"{self.base_url} is no address: {error}", hint="check base_url") from error
                except httpx.TransportError as error:
                    answer, trouble = None, f"{type(error).__name__}: {error}"
                if answer is not None and not _again(answer):
                    return self._content(answer)
                if attempt < self.retries:
                    time.sleep(wait(answer, attempt))
        raise self._gave_up(answer, trouble)

    def _content(self, answer: "Response") -> dict[str, Any]:
        if not answer.is_success:
            raise self._refusal(answer)
        try:
            content = answer.json()
        except (JSONDecodeError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict):
            kind = answer.headers.get("content-type", "no content type")
            raise Unavailable(f"{answer.url} answered with {kind}, a JSON object is wanted: {answer.text[:80]!r}",
                              hint="base_url must lead to an OpenAI-compatible API; it usually ends with /v1")
        return content

    def _refusal(self, answer: "Response") -> Exception:
        said = f"{answer.url} answered {answer.status_code}: {reason(answer)}"
        if answer.status_code in REFUSED:
            return DocumentError(said)
        hints = {401: "check api_key: it is missing, wrong or expired", 403: "the key of api_key may not use this model",
                 404: "check model and base_url; base_url usually ends with /v1",
                 429: "the quota of api_key is used up"}
        return Unavailable(said, hint=hints.get(answer.status_code, "check base_url"))

    def _gave_up(self, answer: "Response | None", trouble: str) -> LlmopsError:
        said = f"answered {answer.status_code}: {reason(answer)}" if answer is not None else f"cannot be reached: {trouble}"
        return Unavailable(f"{self.base_url} {said}; tried {self.retries + 1} times",
                           hint="check base_url and the service, and run again: what was paid for is kept")


def _again(answer: "Response") -> bool:
    """A quota that is used up does not come back by waiting."""
    return (answer.status_code in AGAIN or answer.status_code >= 500) and "insufficient_quota" not in answer.text


def wait(answer: "Response | None", attempt: int) -> float:
    """Seconds until the next attempt."""
    asked = retry_after(answer.headers.get("retry-after", "")) if answer is not None else None
    pause = asked if asked is not None else 0.5 * 2.0**attempt * random.uniform(0.5, 1.5)
    return min(pause, LONGEST_WAIT)


def retry_after(value: str) -> float | None:
    """The seconds of a Retry-After header, a number or a date; None when it says neither."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def reason(answer: "Response") -> str:
    """What an answer says went wrong, in at most 300 characters."""
    try:
        said = answer.json().get("error", answer.text)
    except (JSONDecodeError, UnicodeDecodeError, AttributeError):
        said = answer.text
    return " ".join(str(said.get("message", said) if isinstance(said, dict) else said).split())[:300] or answer.reason_phrase
