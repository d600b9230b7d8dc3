"""The stand-in of a language model's service: what other tests believe of it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.llm_faults import CUT, PAGE, Faults, limited
from tests.openai_server import Service, question, serving

ROOT = Path(__file__).parent.parent


def body(text: str, **extra: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **extra}


def statuses(service: Service, texts: list[str]) -> list[int]:
    with httpx.Client(base_url=service.base_url) as client:
        return [client.post("/chat/completions", json=body(text)).status_code for text in texts]


def test_questions_are_counted_as_they_come_and_as_they_are_answered() -> None:
    with serving() as service:
        service.script = [None, limited(3)]
        assert statuses(service, ["a", "b", "b", "a"]) == [200, 429, 200, 200]
        assert service.received == {question(body("a")): 2, question(body("b")): 2}
        assert service.answered == {question(body("a")): 2, question(body("b")): 1}
        assert [one["messages"][0]["content"] for _, one, _ in service.requests] == [
            "a",
            "b",
            "b",
            "a",
        ]
        assert service.connections == 1  # it was kept


def test_faults_are_those_of_the_seed_whatever_the_order() -> None:
    texts = [str(number) for number in range(400)]
    found = []
    for order in (texts, texts[::-1]):
        with serving() as service:
            service.faults = Faults(limited=0.2, broken=0.05, seed=9)
            found.append(dict(zip(order, statuses(service, order), strict=True)))
    assert found[0] == found[1]
    counts = [list(found[0].values()).count(status) for status in (200, 429, 500)]
    assert counts[0] + counts[1] + counts[2] == 400
    assert 50 < counts[1] < 110
    assert 5 < counts[2] < 40


def test_connections_are_cut_and_pages_are_given() -> None:
    with serving() as service:
        service.script = [CUT, PAGE]
        with httpx.Client(base_url=service.base_url) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                client.post("/chat/completions", json=body("a"))
            page = client.post("/chat/completions", json=body("a"))
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
        assert service.answered == {}


def test_it_answers_64_at_once() -> None:
    async def all_of_them(url: str) -> int:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
            answers = await asyncio.gather(
                *(client.post("/chat/completions", json=body(str(number))) for number in range(64))
            )
            return sum(
                answer.json()["choices"][0]["message"]["content"] == str(number)
                for number, answer in enumerate(answers)
            )

    with serving() as service:
        service.gathered = 64
        assert asyncio.run(all_of_them(service.base_url)) == 64
        assert service.most == 64


@pytest.mark.slow
def test_as_a_process_it_writes_each_request_down_when_it_comes(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    command = [
        sys.executable,
        "-m",
        "tests.openai_server",
        "--log",
        str(log),
        "--latency",
        "0.01",
        "--limited",
        "0.5",
        "--seed",
        "2",
    ]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        url = server.stdout.readline().strip()
        with httpx.Client(base_url=url) as client:
            found = [
                client.post("/chat/completions", json=body(str(number))).status_code
                for number in range(20)
            ]
    finally:
        server.kill()
        server.communicate()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["status"] for line in lines] == found
    assert {200, 429} == set(found)
    assert [line["question"] for line in lines] == [
        question(body(str(number))) for number in range(20)
    ]
