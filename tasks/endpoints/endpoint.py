"""An OpenAI-compatible HTTP endpoint: JSON in, JSON out, tried again where that may help. For
embeddings and fine-tuning jobs; models have a `Client`.
"""

import random
import re
import time
from collections.abc import Mapping
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from llmops.tasks.endpoints.trouble import (
    NO_API,
    Busy,
    JsonObject,
    hidden,
    retry_after,
    trouble,
    words,
)
from llmops.tasks.errors import ConfigError, LlmopsError, Mistake, Unavailable

if TYPE_CHECKING:
    from httpx import Client, Response

LONGEST_WAIT = 60.0
URL, KEY = "base_url", 'leave it out, and give what is secret as api_key: "${NAME}"'
SPLIT = re.compile(r"(?!\[)[^/?#@]*:(?!\d{0,5}([/?#]|$))[^@]*@")
"""A password that holds a slash, a question mark or a hash: what stands before it is no port."""


def _address(value: str) -> str:
    """Addresses are recorded and shown, so they hold no secrets. These are refused by ConfigError:
    pydantic would show what was got.
    """
    if not value.startswith(("http://", "https://")):
        raise ValueError("an address is wanted, such as https://api.openai.com/v1")
    parts = value.split("://", 1)[1]
    if "@" in re.split(r"[/?#]", parts)[0] or SPLIT.match(parts):
        raise ConfigError(
            [
                Mistake(
                    "base_url holds a user or a password, and addresses are recorded as they are",
                    where=URL,
                    hint=KEY,
                )
            ]
        )
    if "?" in parts or "#" in parts:
        raise ConfigError(
            [
                Mistake(
                    "base_url holds a query (?…) or a fragment (#…), and addresses are "
                    "recorded as they are; a path is "
                    "put behind them",
                    where=URL,
                    hint=KEY,
                )
            ]
        )
    return value


Address = Annotated[str, AfterValidator(_address)]


class FileUpload(NamedTuple):
    """A file that is sent as a form: its path, its name there, and the form's other fields."""

    path: Path
    name: str
    fields: Mapping[str, str]


class Endpoint(BaseModel):
    """`base_url` up to and with the version, as in https://host/v1. `retries`: further attempts
    after 408, 409, 425, 429, 5xx and lost connections, after what Retry-After says (at most a
    minute), else after 0.5 s, 1 s, 2 s …, with jitter. `lists`: a bare list is an answer too, as
    the `results` of an object."""

    model_config = ConfigDict(frozen=True)
    base_url: str
    api_key: SecretStr | None
    timeout: float
    retries: int
    lists: bool = False

    def post(self, path: str, body: Mapping[str, object]) -> JsonObject:
        """The JSON object of the answer; without a path, of `base_url` as it is.

        Raises DocumentError when the endpoint refuses this body (400, 413, 422), Unavailable for
        everything else.
        """
        import httpx

        with self._client() as client:
            for attempt in range(self.retries + 1):
                try:
                    url = f"{self.base_url.rstrip('/')}/{path}" if path else self.base_url
                    answer: Response | None = client.post(url, json=dict(body))
                    lost = ""
                except httpx.InvalidURL as error:
                    raise Unavailable(
                        self._hidden(f"{self.base_url} is no address: {error}"),
                        hint="check base_url",
                    ) from error
                except httpx.TransportError as error:
                    answer, lost = None, f"{type(error).__name__}: {error}"
                if answer is not None and not isinstance(self._trouble(answer), Busy):
                    return self._content(answer)
                if attempt < self.retries:
                    time.sleep(wait(answer, attempt))
        raise self._gave_up(answer, lost)

    def get(self, path: str, **query: str | int) -> JsonObject:
        """One attempt. Raises Busy where a later one may succeed, else as `post`."""
        return self._once("GET", path, params={**query})

    def send(self, path: str, body: Mapping[str, object], key: str = "") -> JsonObject:
        """One attempt at a POST. `key`: of the request, for services that do one thing once. Raises
        Busy where a later one may succeed, although this one may have been received.
        """
        return self._once(
            "POST", path, json=dict(body), headers={"Idempotency-Key": key} if key else {}
        )

    def upload(self, path: str, upload: FileUpload) -> JsonObject:
        """One attempt at sending a file, which is read as it is sent. Raises as `send`."""
        with upload.path.open("rb") as content:
            form = {"file": (upload.name, content, "application/octet-stream")}
            return self._once("POST", path, data=dict(upload.fields), files=form)

    def _once(self, method: str, path: str, **request: object) -> JsonObject:
        import httpx

        with self._client() as client:
            try:
                url = f"{self.base_url.rstrip('/')}/{path}"
                answer = client.request(method, url, **request)  # type: ignore[arg-type]
            except httpx.InvalidURL as error:
                raise Unavailable(
                    self._hidden(f"{self.base_url} is no address: {error}"), hint="check base_url"
                ) from None
            except httpx.TransportError as error:
                said = f"{self.base_url} cannot be reached: {type(error).__name__}: {error}"
                raise Busy(self._hidden(said)) from None
        return self._content(answer)

    def _client(self) -> "Client":
        import httpx

        headers = (
            {"Authorization": f"Bearer {self.api_key.get_secret_value()}"} if self.api_key else {}
        )
        return httpx.Client(timeout=self.timeout, headers=headers)

    def _content(self, answer: "Response") -> JsonObject:
        if error := self._trouble(answer):
            raise error
        try:
            content = answer.json()
        except (JSONDecodeError, UnicodeDecodeError):
            content = None
        if self.lists and isinstance(content, list):
            return {"results": content}
        if not isinstance(content, dict):
            kind = answer.headers.get("content-type", "no content type")
            said = (
                f"{answer.url} answered with {kind}, a JSON object is wanted: "
                f"{self._hidden(answer.text)[:80]!r}"
            )
            raise Unavailable(self._hidden(said), hint=NO_API)
        return content

    def _trouble(self, answer: "Response") -> Exception | None:
        if answer.is_success:
            return None
        body = self._hidden(answer.text)  # before it is shortened, which may leave a part of a key
        return trouble(
            self._hidden(str(answer.url)),
            answer.status_code,
            words(body, answer.reason_phrase),
            answer.headers,
            body,
        )

    def _gave_up(self, answer: "Response | None", lost: str) -> LlmopsError:
        said = f"cannot be reached: {lost}"
        if answer is not None:
            said = (
                f"answered {answer.status_code}: "
                f"{words(self._hidden(answer.text), answer.reason_phrase)}"
            )
        return Unavailable(
            self._hidden(f"{self.base_url} {said}; tried {self.retries + 1} times"),
            hint="check base_url and the service, and run again: what was paid for is kept",
        )

    def _hidden(self, text: str) -> str:
        return hidden(text, self.api_key.get_secret_value() if self.api_key else None)


def wait(answer: "Response | None", attempt: int) -> float:
    """Seconds until the next attempt."""
    asked = retry_after(answer.headers.get("retry-after", "")) if answer is not None else None
    pause = asked if asked is not None else 0.5 * 2.0**attempt * random.uniform(0.5, 1.5)
    return min(pause, LONGEST_WAIT)
