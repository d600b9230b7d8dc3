"""A local stand-in of a service with OpenAI's files and fine-tuning jobs, with faults on demand."""

import argparse
import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.llm_faults import Answer, Body
from tests.llm_wire import Stop, listen
from tests.openai_server import Service, last_message, running

PLACE = re.compile(r"(GET )?/v1/(files|fine_tuning/jobs)(?:/([\w-]+))?(?:/(events|cancel))?")


class FineTuningStandIn(Service):
    """`files`, `jobs`: in the order in which they were made. A job goes a step further at each look
    at it, and ends after `steps` as `ending` says. `lost`: (path, how often) of requests that are
    carried out, and whose answer is cut; `refusals`: path -> answers that are given instead;
    `page`: objects of a list at once.
    """

    def __init__(self) -> None:
        super().__init__(last_message)
        self.files: list[Body] = []
        self.jobs: list[Body] = []
        self.contents: dict[str, bytes] = {}
        self.steps, self.ending, self.page = 3, "succeeded", 100
        self.lost: dict[str, int] = {}
        self.refusals: dict[str, list[Answer]] = {}
        self.state: Path | None = None

    def _usual(self, path: str, body: Body, authorization: str) -> Answer:
        parts = urlsplit(path)
        if instead := self.refusals.get(parts.path):
            return instead.pop(0)
        place = PLACE.fullmatch(parts.path)
        if place is None or (self.key and authorization != f"Bearer {self.key}"):
            return super()._usual(path, body, authorization)
        made = self._made(place, body, dict(parse_qsl(parts.query)))
        if made is None:
            return Answer(404, b'{"error": {"message": "no such object"}}')
        if self.state:
            self.state.write_text(json.dumps({"files": self.files, "jobs": self.jobs}))
        answer = Answer(200, json.dumps(made).encode())
        left = self.lost.get(parts.path, 0)
        if not place[1] and left:
            self.lost[parts.path] = left - 1
            return answer._replace(cut=10)
        return answer

    def _made(self, place: re.Match[str], body: Body, query: dict[str, str]) -> Body | None:
        reads, kind, name, verb = place.groups()
        rows = self.files if kind == "files" else self.jobs
        if not name:
            return self._page(rows[::-1], query) if reads else self._new(kind, body)
        found = next((each for each in rows if each["id"] == name), None)
        if found is None or kind == "files":
            return found
        if verb == "events":
            return self._page(self._events(found), query)
        if verb == "cancel":
            found["status"] = "cancelled"
        elif reads and found["status"] not in ("succeeded", "failed", "cancelled"):
            self._further(found)
        return found

    def _new(self, kind: str, body: Body) -> Body:
        if kind == "files":
            filename, content = body["file"]
            made: Body = {"id": f"file-{len(self.files)}", "filename": filename}
            made |= {"object": "file", "bytes": len(content), "purpose": body["purpose"]}
            made["status"] = "processed"
            self.contents[made["id"]] = content
            self.files.append(made)
            return made
        job: Body = {"object": "fine_tuning.job", **body, "id": f"ftjob-{len(self.jobs)}"}
        job |= {"status": "validating_files", "step": 0, "fine_tuned_model": None}
        job |= {"trained_tokens": None, "error": {}}
        self.jobs.append(job)
        return job

    def _further(self, job: Body) -> None:
        job["step"] += 1
        job["status"] = "running"
        if job["step"] < self.steps:
            return
        job["status"] = self.ending
        if self.ending == "succeeded":
            job["fine_tuned_model"] = f"ft:{job['model']}:house::{job['id']}"
            job["trained_tokens"] = 1000
        else:
            job["error"] = {"code": "invalid_training_file", "message": "line 3 is not good"}

    @staticmethod
    def _events(job: Body) -> list[Body]:
        said: list[Body] = [{"id": f"{job['id']}-0", "type": "message", "message": "created"}]
        for step in range(1, job["step"] + 1):
            data = {"step": step, "train_loss": 2.0 / step, "total_steps": 9}
            said.append({"id": f"{job['id']}-{step}", "type": "metrics", "data": data})
        return said[::-1]

    def _page(self, rows: list[Body], query: dict[str, str]) -> Body:
        ids = [each["id"] for each in rows]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        size = min(self.page, int(query.get("limit", 20)))
        return {"data": rows[start : start + size], "has_more": len(rows) > start + size}


@contextmanager
def fine_tuning() -> Iterator[FineTuningStandIn]:
    """On a free port of this machine."""
    service = FineTuningStandIn()
    with running(service):
        yield service


def asked(service: Service, path: str) -> list[Any]:
    """The bodies of the POST requests to a path."""
    return [body for place, body, _ in service.requests if place == f"/v1/{path}"]


def main() -> None:
    """Serves until it is killed; prints its base_url. Files and jobs stand in `--state`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    service = FineTuningStandIn()
    service.state, service.steps = options.state, options.steps
    asyncio.run(listen(service, 0, lambda: print(service.base_url, flush=True), Stop()))


if __name__ == "__main__":
    main()
