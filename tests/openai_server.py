"""A local stand-in of an OpenAI-compatible service: chat completions and embeddings, with faults on
demand; tests/fine_tuning_server.py adds files and fine-tuning jobs.

`serving` runs it in a thread; `python -m tests.openai_server --port 0 --log FILE` as a process of
its own, which prints its base_url.
"""

import argparse
import asyncio
import base64
import json
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.llm_faults import Answer, Body, Faults, events, example
from tests.llm_wire import Stop, listen

__all__ = [
    "Answer",
    "Body",
    "Faults",
    "Service",
    "question",
    "serving",
]  # the first three for those who script a service
Reply = Callable[[list[Body]], str | Body]


def question(body: Body) -> str:
    """The messages of a request as one text: what the counters of a service count."""
    return json.dumps(body.get("messages") or body.get("input"), ensure_ascii=False, sort_keys=True)


class Service:
    """`requests`: (path, body, Authorization) of every request. `script`: answers that are given
    first, one each; None is the usual one. `reply` makes the text (or the whole message) of a
    completion from the messages; embeddings are those of `hash`.

    `latency`: seconds before each answer. `faults`: shares of failures. `received`, `answered`: how
    often each question came, and how often its usual answer was sent. `most`: requests under way at
    once; `gathered`: nothing is answered before there were so many.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply, self.base_url, self.key = reply, "", ""
        self.requests: list[tuple[str, Body, str]] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[Answer | None] = []
        self.latency, self.faults = 0.0, Faults()
        self.received, self.answered = Counter[str](), Counter[str]()
        self.under_way = self.most = self.connections = self.gathered = 0
        self.log: Path | None = None
        self.lock = threading.Lock()

    def answer(self, path: str, body: Body, authorization: str) -> tuple[Answer, bool]:
        """The answer, and whether it is the usual one."""
        with self.lock:
            self.requests.append((path, body, authorization))
            self.received[question(body)] += 1
            found = self.script.pop(0) if self.script else self.faults.draw(question(body))
        usual = found is None
        if found is None:
            found = self._usual(path, body, authorization)
        if self.log:
            line = {
                "at": time.time(),
                "question": question(body),
                "status": found.status,
                "usual": usual,
            }
            with self.log.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return found, usual and found.status == 200

    def sent(self, body: Body) -> None:
        self.answered[question(body)] += 1

    def _usual(self, path: str, body: Body, authorization: str) -> Answer:
        if self.key and authorization != f"Bearer {self.key}":
            said = f"Incorrect API key provided: {authorization.removeprefix('Bearer ')}"
            return Answer(
                401, json.dumps({"error": {"message": said, "code": "invalid_api_key"}}).encode()
            )
        if path == "/v1/embeddings":
            return Answer(200, json.dumps(embeddings(body)).encode())
        if path == "/v1/rerank":
            return Answer(200, json.dumps(reranked(body)).encode())
        if path != "/v1/chat/completions":
            return Answer(404, b"<html>not here</html>", {}, "text/html")
        made = self._completion(body)
        if not body.get("stream"):
            return Answer(200, json.dumps(made).encode())
        return Answer(200, events(*chunks(made, body)), {}, "text/event-stream")

    def _completion(self, body: Body) -> Body:
        made = self.reply(body["messages"])
        message = (
            made
            if isinstance(made, dict)
            else {"role": "assistant", "content": fitting(made, body)}
        )
        size = sum(len(str(one["content"]).split()) for one in body["messages"])
        out = len(str(message["content"]).split())
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        return {
            "id": "1",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": size, "completion_tokens": out, "total_tokens": size + out},
        }


def fitting(text: str, body: Body) -> str:
    """The text, or an object that follows the wanted schema and holds it."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return text
    with suppress(json.JSONDecodeError):
        if isinstance(json.loads(text), dict):
            return text
    return json.dumps(example(wanted["json_schema"]["schema"], text))


def chunks(made: Body, body: Body) -> Iterator[Body | str]:
    """The pieces of a streamed completion, word by word."""
    choice = made["choices"][0]
    words = str(choice["message"].get("content") or "").split(" ")
    deltas: list[Body] = [
        {"content": word if not n else f" {word}"} for n, word in enumerate(words)
    ]
    deltas += [
        {"tool_calls": [{"index": n, **call}]}
        for n, call in enumerate(choice["message"].get("tool_calls") or [])
    ]
    for delta in deltas:
        yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {"choices": [], "usage": made["usage"]}
    yield "[DONE]"


def reranked(body: Body) -> Body | list[Body]:
    """The form of Cohere and others, best first, or, for `texts`, that of Text Embeddings
    Inference. Scores are those of `overlap`, and a tenth of it.
    """
    from llmops.tasks.plugins.rerankers.overlap import OverlapReranker

    texts = body.get("documents") or body["texts"]
    scores = [each / 10 for each in OverlapReranker().scores(body["query"], texts)]
    order = sorted(range(len(texts)), key=lambda place: -scores[place])
    if "texts" in body:
        return [{"index": place, "score": scores[place]} for place in order]
    size = sum(len(text.split()) for text in texts)
    rows = [{"index": place, "relevance_score": scores[place]} for place in order]
    return {"model": body.get("model"), "results": rows, "usage": {"total_tokens": size}}


def embeddings(body: Body) -> Body:
    """Backwards, since the API promises an `index`, not an order."""
    from llmops.tasks.plugins.embedders.hash import HashEmbedder

    vectors = HashEmbedder().embed(body["input"])[:, : body.get("dimensions") or 384] * 3
    plain = body.get("encoding_format") != "base64"
    rows = [
        {
            "object": "embedding",
            "index": n,
            "embedding": row.tolist()
            if plain
            else base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode(),
        }
        for n, row in enumerate(vectors)
    ]
    count = sum(HashEmbedder().count(text) for text in body["input"])
    return {
        "object": "list",
        "model": body["model"],
        "data": rows[::-1],
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def last_message(messages: list[Body]) -> str:
    return str(messages[-1]["content"])


@contextmanager
def serving(reply: Reply = last_message) -> Iterator[Service]:
    """A service on a free port of this machine; `base_url` leads to it."""
    service = Service(reply)
    with running(service):
        yield service


@contextmanager
def running(service: Service) -> Iterator[None]:
    """Serves until the end of the block."""
    ready, stop = threading.Event(), Stop()
    thread = threading.Thread(
        target=lambda: asyncio.run(listen(service, 0, ready.set, stop)), daemon=True
    )
    thread.start()
    assert ready.wait(30), "the service did not start"
    try:
        yield
    finally:
        stop()
        thread.join()


def main() -> None:
    """Serves until it is killed. Its replies are the last message; a line of the log is written
    when a request has come.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--key", default="")
    parser.add_argument("--seed", type=int, default=0)
    for name in ("latency", "limited", "broken", "retry-after"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    options = parser.parse_args()
    service = Service(lambda messages: str(messages[-1]["content"]))
    service.key, service.log, service.latency = options.key, options.log, options.latency
    service.faults = Faults(options.limited, options.broken, options.seed, options.retry_after)
    asyncio.run(listen(service, options.port, lambda: print(service.base_url, flush=True), Stop()))


if __name__ == "__main__":
    main()
