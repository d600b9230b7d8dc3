"""Files and fine-tuning jobs of a service with OpenAI's API: every request tried again where that
may help, and nothing asked for twice.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import SecretStr

from llmops.tasks.endpoints.trouble import Busy, Garbled, JsonObject
from llmops.tasks.errors import DocumentError, LlmopsError, Unavailable, UsageError

if TYPE_CHECKING:
    from llmops.tasks.endpoints.http import FileUpload, Http

LONGEST_WAIT = 60.0
PAGE = 100
JOBS, FILES = "fine_tuning/jobs", "files"
UNREADY = ("pending", "running", "processing")
REFUSED = ("error", "failed", "deleted")
T = TypeVar("T")


class TrainingEvent(NamedTuple):
    """`metrics`: of a step, empty where it only says something."""

    id: str
    step: int
    metrics: Mapping[str, float]


class TrainingEndpoint(NamedTuple):
    """One attempt each. They raise Busy where a later one may succeed, although this one may have
    been received; DocumentError where the service refuses the body, Unavailable for the rest.
    `timeout`: seconds in which nothing is sent or received.
    """

    base_url: str
    api_key: SecretStr | None
    timeout: float

    def get(self, path: str, **query: str | int) -> JsonObject:
        return self._once(path, lambda http: http.get(query))

    def send(self, path: str, body: Mapping[str, object], key: str = "") -> JsonObject:
        """`key`: of the request, for services that do one thing once."""
        return self._once(path, lambda http: http.send(body, key))

    def upload(self, path: str, upload: "FileUpload") -> JsonObject:
        return self._once(path, lambda http: http.upload(upload))

    def _once(self, path: str, attempt: "Callable[[Http], Awaitable[JsonObject]]") -> JsonObject:
        from llmops.tasks.endpoints.http import opened, waited

        key = self.api_key.get_secret_value() if self.api_key else None

        async def once() -> JsonObject:
            url = f"{self.base_url.rstrip('/')}/{path}"
            async with opened(url, key, silence=self.timeout) as http:
                return await attempt(http)

        try:
            return waited(once())
        except Garbled as error:  # a wrong address, rather than an accident
            raise Unavailable(error.said, hint=error.hint) from None


class FineTuningService:
    """`patience`: seconds for which a service that is busy or gone is tried again; `every`: between
    two looks at a job.
    """

    def __init__(self, endpoint: TrainingEndpoint, patience: float, every: float) -> None:
        self._endpoint, self._patience, self.every = endpoint, patience, every

    def send(self, path: Path, name: str) -> str:
        """The id of the file, which is sent once: one of that name is taken, where there is one."""
        from llmops.tasks.endpoints.http import FileUpload

        upload = FileUpload(path, name, {"purpose": "fine-tune"})
        sent = self._once(
            lambda: self.file_named(name), lambda: self._endpoint.upload(FILES, upload)
        )
        return _id(sent, "file")

    def file_named(self, name: str) -> JsonObject | None:
        """A file that was sent."""
        found = (e for e in self._listed(FILES, purpose="fine-tune") if e.get("filename") == name)
        return next(found, None)

    def ready(self, file: str) -> None:
        """Returns when the file can be trained on. Raises UsageError where the service refuses
        it.
        """
        while True:
            content = self._patiently(lambda: self._endpoint.get(f"{FILES}/{file}"))
            status = content.get("status")
            if status in REFUSED:
                raise UsageError(
                    f"the service refuses the file {content.get('filename')}: "
                    f"{content.get('status_details') or status}"
                )
            if status not in UNREADY:
                return
            time.sleep(self.every)

    def create(self, body: Mapping[str, object], token: str) -> str:
        """The id of the job: the one that was created before, where there is one."""
        created = self._once(
            lambda: self.job_of(token, str(body["training_file"])),
            lambda: self._endpoint.send(JOBS, body, token),
        )
        return _id(created, "job")

    def job_of(self, token: str, file: str) -> JsonObject | None:
        """A job that was created for a training: by its metadata, or by its file, which no other
        training has.
        """
        for each in self._listed(JOBS):
            metadata = each.get("metadata") or {}
            if metadata.get("llmops") == token or each.get("training_file") == file:
                return each
        return None

    def job(self, job: str) -> JsonObject:
        """The job as it is now."""
        return self._patiently(lambda: self._endpoint.get(f"{JOBS}/{job}"))

    def cancel(self, job: str) -> JsonObject:
        """The job, which is cancelled."""
        return self._patiently(lambda: self._endpoint.send(f"{JOBS}/{job}/cancel", {}))

    def events(self, job: str, seen: set[str]) -> list[TrainingEvent]:
        """What has been said since, the oldest first; `seen` knows it from now on."""
        new: list[TrainingEvent] = []
        for each in self._listed(f"{JOBS}/{job}/events"):
            if str(each.get("id")) in seen:
                break
            new.append(_event(each))
        seen |= {each.id for each in new}
        return new[::-1]

    def _once(
        self, known: Callable[[], JsonObject | None], ask: Callable[[], JsonObject]
    ) -> JsonObject:
        """What is there, or is made now. After an attempt that failed, it is looked for before the
        next: it may have been received.
        """

        def attempt() -> JsonObject:
            return known() or ask()

        return self._patiently(attempt)

    def _listed(self, path: str, **query: str | int) -> Iterator[JsonObject]:
        """The objects of a list, the newest first, page by page."""
        after: dict[str, str] = {}
        while True:
            page = self._patiently(
                lambda: self._endpoint.get(path, limit=PAGE, **query, **after)  # noqa: B023
            )
            rows = page.get("data")
            if not isinstance(rows, list):
                raise Unavailable(
                    f"{self._endpoint.base_url}/{path} gave no list",
                    hint="base_url must lead to an API with OpenAI's fine-tuning jobs",
                )
            yield from rows
            if not page.get("has_more") or not rows:
                return
            after = {"after": str(rows[-1].get("id"))}

    def _patiently(self, attempt: Callable[[], T]) -> T:
        began, number = time.monotonic(), 0
        while True:
            try:
                return attempt()
            except Busy as busy:
                pause = min(LONGEST_WAIT, 0.5 * 2.0**number if busy.after is None else busy.after)
                if time.monotonic() - began + pause > self._patience:
                    raise Unavailable(
                        f"{busy.said}; tried {number + 1} times",
                        hint="run the same command again: it goes on where it stopped, and pays "
                        "nothing twice",
                    ) from busy
            time.sleep(pause)
            number += 1


def _id(content: JsonObject, kind: str) -> str:
    """Raises Unavailable where an answer names nothing."""
    if not isinstance(content.get("id"), str):
        raise Unavailable(
            f"the service gave no id of a {kind}",
            hint="base_url must lead to an API with OpenAI's fine-tuning jobs",
        )
    return str(content["id"])


def _event(content: JsonObject) -> TrainingEvent:
    data = content.get("data") if content.get("type") == "metrics" else None
    numbers = {
        name: float(value)
        for name, value in (data or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    step = int(numbers.pop("step", 0))
    numbers.pop("total_steps", None)
    return TrainingEvent(str(content.get("id")), step, numbers)


def refused(error: DocumentError) -> LlmopsError:
    """A job that the service will not begin."""
    return UsageError(
        f"the service refuses the job: {error}",
        hint="check model, and whether it can be trained there; nothing was paid",
    )
