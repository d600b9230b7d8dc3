"""A language model that orders passages: what it is shown, and what is made of its replies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.reranking import Rerankable, Reranked, Rerankings
from llmops.tasks.errors import ConfigError, DocumentError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import AskingReranker, Reranker
from tests.calls.gateways import through
from tests.openai_server import Body, Service, serving

TEXTS = ["The lamp\nburns.", "The pier.", "The harbour lamp is out."]


@pytest.fixture
def service() -> Iterator[Service]:
    def reply(messages: list[Body]) -> str:
        return replies.pop(0) if replies else json.dumps({"ranking": [3, 1]})

    replies: list[str] = []
    with serving(reply) as found:
        found.replies = replies  # type: ignore[attr-defined]
        yield found


def made(service: Service, **options: Any) -> AskingReranker:
    model = {"name": "openai", "model": "small", "base_url": service.base_url}
    built = Spec.model_validate({"name": "llm", "llm": model, **options}).build(Reranker)
    assert isinstance(built, AskingReranker)
    return built


def scored(home: Path, reranker: Reranker) -> Reranked:
    async def ask(gateway: Gateway) -> Reranked:
        passages = [Rerankable(text, (("kb", text[:5]),)) for text in TEXTS]
        return await Rerankings(gateway).scores(reranker, "harbour lamp", passages)

    return through(home, ask)[0]


def test_what_it_leaves_out_stands_behind_in_the_order_of_the_search(
    tmp_path: Path, service: Service
) -> None:
    ranked = scored(tmp_path, made(service))
    assert ranked.scores == pytest.approx([2 / 3, 0, 1])
    assert ranked.order(3) == [2, 0, 1]
    assert scored(tmp_path, made(service)) == ranked
    [(_, body, _)] = service.requests
    assert body["response_format"]["type"] == "json_schema"
    assert "[1] The lamp burns.\n\n[2] The pier." in body["messages"][1]["content"]


def test_long_passages_are_cut(service: Service) -> None:
    request = made(service, longest=100).request("q", ["x" * 500])
    assert request.messages[1].content.endswith("[1] " + "x" * 100)
    assert made(service, longest=100).fingerprint() != made(service).fingerprint()
    assert made(service, candidates=5).fingerprint() == made(service).fingerprint()


def test_it_is_told_of_a_reply_that_cannot_be_used(tmp_path: Path, service: Service) -> None:
    service.replies += [json.dumps({"ranking": [9]})]  # type: ignore[attr-defined]
    assert scored(tmp_path, made(service)).order(3) == [2, 0, 1]
    last = service.requests[-1][1]["messages"][-1]["content"]
    assert last == "Not valid: there is no passage 9; they are numbered 1 to 3"
    service.replies += [json.dumps({"ranking": ["x"]})] * 3  # type: ignore[attr-defined]
    with pytest.raises(DocumentError, match="whole numbers"):
        scored(tmp_path / "other", made(service))


@pytest.mark.parametrize(
    "reply", ["", "[1]", "{}", '{"ranking": 1}', '{"ranking": [true]}', '{"ranking": [0]}']
)
def test_replies_that_say_no_order(service: Service, reply: str) -> None:
    with pytest.raises(ValueError, match=r"wanted|whole numbers|no passage"):
        made(service).read(reply, 3)


def test_replies_that_say_one(service: Service) -> None:
    read = made(service).read
    assert read('```json\n{"ranking": [2, 2, 1]}\n```', 2) == [0.5, 1.0]
    assert read('{"ranking": []}', 2) == [0.0, 0.0]


def test_mistakes_in_its_model_are_found_when_the_config_is_read() -> None:
    with pytest.raises((ConfigError, ValidationError), match="nobody"):
        Spec.model_validate({"name": "llm", "llm": "nobody"}).build(Reranker)
